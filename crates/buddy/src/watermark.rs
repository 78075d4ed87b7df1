//! How much of a zone stays free: the marks between ease, background reclaim and refusal.
//!
//! ```text
//!  free frames
//!  ───────────── high    background reclaim sleeps above this
//!  ───────────── low     below: an allocation wakes the background reclaim
//!  ───────────── min     below: only who may touch the reserve; everybody else reclaims by itself first
//!  ───────────── 0
//! ```
//!
//! # Source
//!
//! The formulas are those of Linux: `min_free_kbytes` is four times the square root of memory in KiB, within 128 KiB and 256 MiB.

use mallow_units::Order;

use crate::request::Reserve;

/// KiB. What `min_free_kbytes` lies between when it is computed.
const MIN_FREE_KIB: (u64, u64) = (128, 262_144);
const KIB_PER_FRAME: u64 = 4;

/// One of the three marks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mark {
    /// The reserve begins below it.
    Min,
    /// Background reclaim starts below it.
    Low,
    /// Background reclaim stops above it.
    High,
}

/// The marks of a zone. Unit: frames.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Watermarks {
    /// The reserve begins below it.
    pub min: u32,
    /// Background reclaim starts below it.
    pub low: u32,
    /// Background reclaim stops above it.
    pub high: u32,
}

/// What an administrator may set; the names are those under `/proc/sys/vm`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tuning {
    /// KiB that stay free in all zones together; `None` computes it from the size of memory.
    pub min_free_kbytes: Option<u64>,
    /// Distance between the marks. Unit: ten-thousandths of the zone.
    pub watermark_scale_factor: u32,
    /// A zone keeps one frame for itself per this many frames of the zones above it; 0 keeps none.
    pub lowmem_reserve_ratio: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { min_free_kbytes: None, watermark_scale_factor: 10, lowmem_reserve_ratio: 256 }
    }
}

impl Tuning {
    /// What stays free of `memory` frames. Unit: KiB.
    #[must_use]
    pub fn min_free_kib(&self, memory: u32) -> u64 {
        let computed = (u64::from(memory) * KIB_PER_FRAME * 16).isqrt().clamp(MIN_FREE_KIB.0, MIN_FREE_KIB.1);
        self.min_free_kbytes.unwrap_or(computed)
    }

    /// The marks of a zone of `zone` frames, in a node of `memory` frames.
    ///
    /// In a node so small that the high mark would not fit the zone, all marks shrink in proportion.
    #[must_use]
    pub fn watermarks(&self, zone: u32, memory: u32) -> Watermarks {
        if zone == 0 || memory == 0 {
            return Watermarks::default();
        }
        let (zone_frames, all) = (u64::from(zone), u64::from(memory));
        let total = self.min_free_kib(memory) / KIB_PER_FRAME;
        let min = total.saturating_mul(zone_frames) / all;
        let step = (min / 4).max(zone_frames * u64::from(self.watermark_scale_factor) / 10_000);
        let high = min.saturating_add(2 * step);
        // A simulated machine may be smaller than any that Linux boots on.
        let most = zone_frames / 2;
        let fit = |mark: u64| {
            let mark = if high > most {
                u128::from(mark) * u128::from(most) / u128::from(high)
            } else {
                mark.into()
            };
            u32::try_from(mark).unwrap_or(zone)
        };
        Watermarks { min: fit(min), low: fit(min.saturating_add(step)), high: fit(high) }
    }
}

impl Watermarks {
    /// One of the marks. Unit: frames.
    #[inline]
    pub const fn at(&self, mark: Mark) -> u32 {
        match mark {
            Mark::Min => self.min,
            Mark::Low => self.low,
            Mark::High => self.high,
        }
    }
}

/// Whether an allocation would leave a zone above `mark`, as far as the number of free frames goes.
///
/// `free` are the free frames now, `mark` and `protected` what must stay. Unit: frames.
#[inline]
pub const fn leaves_enough(free: u32, order: Order, mark: u32, reserve: Reserve, protected: u32) -> bool {
    let floor = match reserve {
        Reserve::None => mark,
        Reserve::High | Reserve::Victim => mark - mark / 2,
        Reserve::Atomic => {
            let half = mark - mark / 2;
            half - half / 4
        }
        Reserve::All => return free >= order.frames(),
    };
    // All of the run but one frame counts as gone already, and the last one must be above the floor.
    free.saturating_sub(order.frames() - 1) as u64 > floor as u64 + protected as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_those_of_linux() {
        // 16 GiB in one zone: sqrt(16 Gi / 1 Ki * 16) KiB, and a thousandth of the zone between the marks.
        let frames = 4 << 20;
        let marks = Tuning::default().watermarks(frames, frames);
        assert_eq!(Tuning::default().min_free_kib(frames), 16384);
        assert_eq!(marks, Watermarks { min: 4096, low: 4096 + 4194, high: 4096 + 2 * 4194 });
    }

    #[test]
    fn two_zones_share_the_reserve_by_size() {
        let (low, high) = (750_000, 3_400_000);
        let all = low + high;
        let tuning = Tuning::default();
        let sum = tuning.watermarks(low, all).min + tuning.watermarks(high, all).min;
        let total = u32::try_from(tuning.min_free_kib(all) / 4).unwrap();
        assert!(sum <= total && sum + 1 >= total, "{sum} of {total}");
    }

    #[test]
    fn marks_of_a_tiny_machine_fit_it() {
        for frames in 0..600 {
            let marks = Tuning::default().watermarks(frames, frames);
            assert!(marks.min <= marks.low && marks.low <= marks.high && marks.high <= frames / 2);
        }
        let tuning = Tuning { min_free_kbytes: Some(u64::MAX), ..Tuning::default() };
        assert!(tuning.watermarks(u32::MAX, u32::MAX).high <= u32::MAX / 2 + 1);
    }

    #[test]
    fn reserves_reach_deeper_the_more_important_the_caller() {
        let floor =
            |reserve| (0..200).find(|free| leaves_enough(*free, Order::ZERO, 100, reserve, 0)).unwrap();
        assert_eq!(
            [Reserve::None, Reserve::High, Reserve::Victim, Reserve::Atomic, Reserve::All].map(floor),
            [101, 51, 51, 39, 1]
        );
        assert!(!leaves_enough(130, Order::ZERO, 100, Reserve::None, 30));
        assert!(!leaves_enough(107, Order::new(3).unwrap(), 100, Reserve::None, 0));
    }
}
