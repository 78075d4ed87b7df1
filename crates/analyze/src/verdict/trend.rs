//! Rules about where it is going: up, or against a limit.
//!
//! Which limits there are and when one is close, `limits` says, for the verb of that name too.

use core::time::Duration;

use mallow_units::Bytes;

use super::{Facts, Finding, Kind};
use crate::limits::{Bound, Kind as Limit, Unit};

/// How steady a slope is that counts as growth, see [`crate::slope::Slope::steadiness`].
const STEADY: f64 = 0.6;
/// Bytes by which it has grown at least.
const LEAST_GROWTH: f64 = 1_048_576.0;
/// Bytes a second from which on growth is told by the second too.
const FAST: f64 = 1_048_576.0;

/// Too little is left before a limit, or several.
pub(super) fn near_limit(facts: &Facts<'_>) -> Option<Finding> {
    let mut close: Vec<&Bound> = facts.bounds.iter().filter(|bound| bound.is_close()).collect();
    close.sort_by_key(|bound| bound.room());
    // What memory runs into comes before what only some calls do.
    close.sort_by_key(|bound| !bound.kind.is_reached_by_growth());
    let (first, others) = close.split_first()?;
    let mut evidence = vec![used(first)];
    evidence.extend(others.iter().map(|bound| format!("{}: {}", bound.title(), used(bound))));
    let (what, article) = match (first.kind, first.kind.unit()) {
        (_, Unit::Mappings) => ("mappings ", ""),
        (Limit::Commit, _) => ("", "the "),
        _ => ("", ""),
    };
    Some(Finding {
        kind: Kind::NearLimit,
        bytes: if first.kind.unit() == Unit::Bytes { first.room()? } else { 0 },
        sentence: format!(
            "Only {} are left of the {} {what}that {article}{} allows: {}.",
            amount(first, first.room()?),
            amount(first, first.limit.number()?),
            first.title(),
            first.effect.text()
        ),
        evidence,
        advice: advice(first),
    })
}

fn used(bound: &Bound) -> String {
    let (used, limit) = (bound.used.unwrap_or(0), bound.limit.number().unwrap_or(0));
    let cache = bound.reclaimable.filter(|cache| *cache > 0);
    let cache = cache.map_or_else(String::new, |cache| format!(", {} of that by file cache", Bytes(cache)));
    format!("{} of {} are used{cache}", amount(bound, used), amount(bound, limit))
}

/// A number of what is limited.
fn amount(bound: &Bound, number: u64) -> String {
    match bound.kind.unit() {
        Unit::Bytes => Bytes(number).to_string(),
        Unit::Mappings => number.to_string(),
    }
}

fn advice(bound: &Bound) -> String {
    if let Some(option) = bound.kind.option() {
        return format!("Raise it (prlimit --pid PID {option}=BYTES), or find below what can go");
    }
    match bound.kind {
        Limit::Mappings => "Raise it (sysctl vm.max_map_count), or see who maps so much: mallow map PID",
        Limit::Commit => {
            "Allow more (sysctl vm.overcommit_ratio), add swap, or have something give back what it was promised"
        }
        _ => {
            "Raise the limit (memory.max), or find below what can go. Who would be killed first: mallow limits PID"
        }
    }
    .to_owned()
}

/// It grows, and steadily.
pub(super) fn growing(facts: &Facts<'_>) -> Option<Finding> {
    let slope = facts.slope.filter(|slope| slope.steadiness >= STEADY)?;
    let one_percent = whole(facts.resident()) / 100.0;
    let grown = slope.grown();
    if grown < LEAST_GROWTH || grown < one_percent {
        return None;
    }
    let over = spoken(Duration::from_millis(slope.over_ms));
    let an_hour = Bytes(rounded(slope.bytes_per_hour));
    let a_second = slope.bytes_per_hour / 3600.0;
    let speed = if a_second >= FAST {
        format!("{} a second ({an_hour} an hour)", Bytes(rounded(a_second)))
    } else {
        format!("{an_hour} an hour")
    };
    let mut evidence = vec![format!(
        "{} more in {over}, over {} samples; {:.0} % of the pairs of samples go up more than down",
        Bytes(rounded(grown)),
        slope.samples,
        slope.steadiness * 100.0
    )];
    if let Some((bound, left)) = facts.nearest().and_then(|bound| Some((bound, bound.room()?))) {
        let seconds = whole(left) / slope.bytes_per_hour * 3600.0;
        let left = Duration::try_from_secs_f64(seconds).map_or_else(|_| "a long time".to_owned(), spoken);
        evidence.push(format!("at this slope {} is {left} away", bound.title()));
    }
    Some(Finding {
        kind: Kind::Growing,
        bytes: rounded(grown),
        sentence: format!("It grows by {speed}: a leak, or a cache that still fills."),
        evidence,
        advice: "See which line grows: mallow why --save A PID, and later: mallow diff A PID".to_owned(),
    })
}

/// A time for people.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Bytes as a number to reckon with; exact up to 8 PiB.
fn whole(bytes: u64) -> f64 {
    let high = u32::try_from(bytes >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(bytes & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as it should"
)]
fn rounded(bytes: f64) -> u64 {
    bytes.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spoken_in_the_unit_that_fits() {
        let spoken = |seconds| spoken(Duration::from_secs(seconds));
        let found = [1, 90, 600, 7_200, 400_000].map(spoken);
        assert_eq!(found, ["1 s", "90 s", "10 min", "2 h", "4 days"]);
    }
}
