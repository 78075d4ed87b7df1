//! The object for programs. What is not known is `null`, with the reason beside it where there is one.

use mallow_analyze::escape;
use mallow_analyze::limits::{self, Bound, Unit};
use mallow_analyze::rank::Candidate;
use mallow_analyze::read::Limit;
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::cgroup::place::Version;
use mallow_analyze::read::counts::Counts;
use mallow_analyze::read::pressure::{Pressure, Stall};
use serde_json::{Map, Value, json};

use super::{NAMED, Queue, Report};

/// Everything there is to say.
pub(super) fn object(pid: u32, report: &Report) -> Value {
    let status = &report.status;
    let bounds: Vec<_> = report.growth.bounds.iter().map(|found| bound(found, report)).collect();
    json!({
        "pid": pid,
        "name": escape::name(&status.name),
        "rss_bytes": status.resident,
        "sampled_seconds": report.growth.time.as_secs_f64(),
        "nearest": limits::nearest(&report.growth.bounds).map(|found| bound(found, report)),
        "limits": bounds,
        "cgroup": cgroup(report),
        "oom": {
            "score": report.score.as_ref().ok(),
            "adjustment": report.candidate.as_ref().map(|found| found.adjustment),
            "queues": report.queues.iter().map(queue).collect::<Vec<_>>(),
        },
        "pressure": report.pressure.as_ref().ok().map(pressure),
        "pressure_reason": report.pressure.as_ref().err(),
    })
}

fn bound(bound: &Bound, report: &Report) -> Value {
    let unit = bound.kind.unit();
    let reason = report.mappings.as_ref().err().filter(|_| unit == Unit::Mappings);
    json!({
        "name": bound.kind.name(),
        "group": bound.scope.as_deref().map(escape::name),
        "unit": match unit { Unit::Bytes => "bytes", Unit::Mappings => "mappings" },
        "used": bound.used,
        "used_reason": reason,
        "limit": limit(Some(bound.limit)),
        "headroom": bound.headroom(),
        "reclaimable_bytes": bound.reclaimable,
        "in_force": bound.binds,
        "effect": bound.effect.word(),
        "slope_per_hour": bound.slope.map(|slope| slope * 3600.0),
        "seconds_left": bound.time_left().map(|left| left.as_secs()),
        "is_close": report.is_close(bound),
    })
}

fn cgroup(report: &Report) -> Value {
    match &report.cgroups {
        Err(reason) => json!({ "version": null, "reason": reason, "groups": [] }),
        Ok(cgroups) => json!({
            "version": match cgroups.version { Version::V1 => 1, Version::V2 => 2 },
            "sees_root": cgroups.sees_root,
            "groups": cgroups.groups.iter().map(|(name, found)| group(name, found)).collect::<Vec<_>>(),
        }),
    }
}

fn group(name: &[u8], group: &Group) -> Value {
    json!({
        "name": escape::name(name),
        "current": group.current,
        "peak": group.peak,
        "max": limit(group.max),
        "high": limit(group.high),
        "swap_current": group.swap_current,
        "swap_max": limit(group.swap_max),
        "memory_and_swap_current": group.with_swap_current,
        "memory_and_swap_max": limit(group.with_swap_max),
        "zswap_current": group.zswap_current,
        "working_set": group.working_set(),
        "events": group.events.as_ref().map(counts),
        "events_local": group.events_local.as_ref().map(counts),
        "limit_hits": group.hits,
        "pressure": group.pressure.as_ref().map(pressure),
    })
}

/// What has no limit is "max", as in the kernel's files; what is not told is null.
fn limit(limit: Option<Limit>) -> Value {
    match limit {
        Some(Limit::At(number)) => json!(number),
        Some(Limit::Unlimited) => json!("max"),
        None => Value::Null,
    }
}

fn counts(counts: &Counts) -> Value {
    let pairs = counts.iter().map(|(name, number)| (escape::name(name), json!(number)));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn queue(queue: &Queue) -> Value {
    let total = queue.total;
    let candidate = |found: &Candidate| {
        json!({
            "pid": found.pid,
            "name": escape::name(&found.name),
            "bytes": found.bytes(),
            "adjustment": found.adjustment,
            "points_bytes": found.points(total).and_then(|points| i64::try_from(points).ok()),
        })
    };
    json!({
        "group": queue.group.as_deref().map(escape::name),
        "total_bytes": total,
        "killed_before": queue.place,
        "killable": queue.order.len(),
        "first": queue.order.iter().take(NAMED).map(candidate).collect::<Vec<_>>(),
    })
}

fn pressure(pressure: &Pressure) -> Value {
    let percent = |hundredths: u64| json!(f64::from(u32::try_from(hundredths).unwrap_or(u32::MAX)) / 100.0);
    let stall = |stall: Stall| {
        json!({
            "avg10": percent(stall.avg10),
            "avg60": percent(stall.avg60),
            "avg300": percent(stall.avg300),
            "total_us": stall.total_us,
        })
    };
    json!({ "some": pressure.some.map(stall), "full": pressure.full.map(stall) })
}
