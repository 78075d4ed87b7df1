//! The object for programs. What the log does not tell is `null`.

use mallow_analyze::escape;
use mallow_analyze::kill::{self, Ranked, Reason};
use mallow_analyze::read::oom::{Kill, Scope, Usage, Victim};
use serde_json::{Value, json};

use super::Report;

/// Everything there is to say.
pub(super) fn object(report: &Report) -> Value {
    let here = report.here.as_ref();
    json!({
        "kills": report.kills.iter().map(one).collect::<Vec<_>>(),
        "uptime_seconds": here.and_then(|here| here.uptime).map(|uptime| uptime.as_secs()),
        "counted_by_kernel": here.and_then(|here| here.counted),
    })
}

fn one(kill: &Kill) -> Value {
    let text = |bytes: &Vec<u8>| escape::name(bytes);
    let (limited, of_task) = match &kill.scope {
        Scope::Group { limited, of_task } => (Some(limited), Some(of_task)),
        _ => (None, None),
    };
    let known = |group: Option<&Vec<u8>>| group.filter(|group| !group.is_empty()).map(text);
    json!({
        "seconds_since_start": kill.time.since_start_us.map(|micros| micros / 1_000_000),
        "time": kill.time.of_day.as_ref().map(text),
        "kernel": kill.kernel.as_ref().map(text),
        "short": scope(&kill.scope),
        "cgroup": known(limited),
        "cgroup_of_victim": known(of_task),
        "total_bytes": kill::total_bytes(kill),
        "page_bytes": kill::page_bytes(kill),
        "usage": kill.usage.iter().map(usage).collect::<Vec<_>>(),
        "asker": kill.asker.as_ref().map(|asker| json!({
            "pid": asker.pid,
            "name": text(&asker.name),
            "kind": text(&asker.kind),
            "order": asker.order,
        })),
        "victims": kill.victims.iter().map(victim).collect::<Vec<_>>(),
        "whole_group": kill.whole_group.as_ref().map(text),
        "reason": reason(kill::reason(kill)),
        "reason_missing": reason_missing(kill::reason(kill)),
        "candidates": kill::ranked(kill).iter().map(candidate).collect::<Vec<_>>(),
    })
}

const fn scope(scope: &Scope) -> Option<&'static str> {
    match scope {
        Scope::Unknown => None,
        Scope::Machine => Some("machine"),
        Scope::Cpuset => Some("cpuset"),
        Scope::Policy => Some("memory policy"),
        Scope::Group { .. } => Some("cgroup"),
    }
}

const fn reason(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Most => Some("most points"),
        Reason::Asked => Some("asked"),
        Reason::Child => Some("child of the one with most points"),
        Reason::Nobody => Some("nobody could be killed"),
        Reason::NotMost | Reason::NoTable | Reason::UnknownTotal | Reason::Unfinished => None,
    }
}

const fn reason_missing(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::Most | Reason::Asked | Reason::Child | Reason::Nobody => None,
        Reason::NotMost => Some("by the table another one had more points"),
        Reason::NoTable => Some("the log has no table"),
        Reason::UnknownTotal => Some("the log does not say how much memory there was"),
        Reason::Unfinished => Some("the log ends before it says who was killed"),
    }
}

fn usage(usage: &Usage) -> Value {
    json!({
        "what": escape::name(&usage.what),
        "used_bytes": usage.used,
        "limit_bytes": usage.limit,
        "limit_hits": usage.hits,
    })
}

fn victim(victim: &Victim) -> Value {
    json!({
        "pid": victim.pid,
        "name": escape::name(&victim.name),
        "user": victim.user,
        "address_space_bytes": victim.address_space,
        "anonymous_bytes": victim.anonymous,
        "file_bytes": victim.file,
        "shared_bytes": victim.shared,
        "page_tables_bytes": victim.page_tables,
        "adjustment": victim.adjustment,
        "reaped": victim.reaped,
    })
}

fn candidate(found: &Ranked) -> Value {
    let candidate = &found.candidate;
    json!({
        "pid": candidate.pid,
        "name": escape::name(&candidate.name),
        "resident_bytes": candidate.resident,
        "swapped_bytes": found.tells_swap.then_some(candidate.swapped),
        "page_tables_bytes": found.tells_page_tables.then_some(candidate.page_tables),
        "adjustment": candidate.adjustment,
        "points_bytes": found.points.and_then(|points| i64::try_from(points).ok()),
    })
}
