//! Growth: what two looks at the same limits tell.

use core::time::Duration;

use super::Bound;

/// Limits as they are now, each with its slope.
#[derive(Clone, PartialEq, Debug)]
pub struct Growth {
    /// As of the second look.
    pub bounds: Vec<Bound>,
    /// How long was between the looks.
    pub time: Duration,
}

/// Compares two looks. A limit that only one of them has is as it is now, without a slope.
#[expect(clippy::cast_precision_loss, reason = "a page more or less does not show")]
pub fn growth(before: &[Bound], now: Vec<Bound>, time: Duration) -> Growth {
    let seconds = time.as_secs_f64();
    let with_slope = |bound: Bound| {
        let same = before.iter().find(|other| (other.kind, &other.scope) == (bound.kind, &bound.scope));
        let slope = same.and_then(|other| Some((bound.used? as f64 - other.used? as f64) / seconds));
        Bound { slope: slope.filter(|slope| slope.is_finite()), ..bound }
    };
    Growth { bounds: now.into_iter().map(with_slope).collect(), time }
}
