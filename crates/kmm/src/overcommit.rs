//! Overcommit: how much memory may be promised, and how much has been.
//!
//! Every mapping whose pages may one day have to be given, a private one that is writable or a shared anonymous one,
//! is charged when it is made; `vma` says how much. The sum is `Committed_AS` of `/proc/meminfo`. Whether a charge is
//! admitted depends on `vm.overcommit_memory`; a page that is touched later is never refused for it.
//!
//! Called by the machine for each operation that raises the charge, and by exit and `munmap` that lower it.
//! Everything here is arithmetic on counts; nothing is allocated.

use mallow_units::address::PageCount;
use mallow_units::errno::Errno;

/// Pages. What is kept for an administrator in mode 2 unless set: 8 MiB, as in Linux.
const ADMIN_RESERVE_AT_MOST: u64 = (8 << 20) / 4096;

/// Pages. What is kept so that one process cannot take all in mode 2 unless set: 128 MiB, as in Linux.
const USER_RESERVE_AT_MOST: u64 = (128 << 20) / 4096;

/// What `vm.overcommit_memory` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// 0: only a request that could never be met is refused.
    #[default]
    Heuristic,
    /// 1: nothing is refused.
    Always,
    /// 2: no more is promised than [`Policy::limit`].
    Never,
}

impl Mode {
    /// The mode of a number as in `/proc/sys/vm/overcommit_memory`.
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Heuristic),
            1 => Some(Self::Always),
            2 => Some(Self::Never),
            _ => None,
        }
    }

    /// The number in `/proc/sys/vm/overcommit_memory`.
    pub const fn number(self) -> u8 {
        match self {
            Self::Heuristic => 0,
            Self::Always => 1,
            Self::Never => 2,
        }
    }
}

/// How much of the memory counts towards the limit of mode 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// `vm.overcommit_ratio`: per cent of RAM. May be above 100.
    Percent(u32),
    /// `vm.overcommit_kbytes`, in pages.
    Pages(PageCount),
}

/// What there is to promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Totals {
    /// Frames that the kernel manages: `MemTotal`.
    pub ram: PageCount,
    /// Frames that are set aside as huge pages.
    pub huge: PageCount,
    /// Slots of swap: `SwapTotal`.
    pub swap: PageCount,
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requester {
    /// Pages of address space that it has: `VmSize`.
    pub address_space: PageCount,
    /// Whether it may use what is kept for administrators: `CAP_SYS_ADMIN`.
    pub is_admin: bool,
}

/// The settings.
///
/// ```
/// use mallow_kmm::overcommit::{Mode, Policy, Share, Totals};
/// use mallow_units::address::PageCount;
///
/// let gib = PageCount((1 << 30) / 4096);
/// let totals = Totals { ram: gib, huge: PageCount(0), swap: gib };
/// let policy = Policy { mode: Mode::Never, share: Share::Percent(50), ..Policy::of_ram(gib) };
/// assert_eq!(policy.limit(totals), PageCount(gib.0 / 2 + gib.0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// `vm.overcommit_memory`.
    pub mode: Mode,
    /// `vm.overcommit_ratio` or `vm.overcommit_kbytes`, whichever was written last.
    pub share: Share,
    /// `vm.admin_reserve_kbytes`, in pages.
    pub admin_reserve: PageCount,
    /// `vm.user_reserve_kbytes`, in pages.
    pub user_reserve: PageCount,
}

impl Policy {
    /// What a machine starts with of which `free` frames are free after boot.
    ///
    /// # Source
    ///
    /// `Documentation/admin-guide/sysctl/vm.rst`: 3 % of what is free, at most 8 and 128 MiB.
    pub const fn of_ram(free: PageCount) -> Self {
        Self {
            mode: Mode::Heuristic,
            share: Share::Percent(50),
            admin_reserve: PageCount(smaller(free.0 / 32, ADMIN_RESERVE_AT_MOST)),
            user_reserve: PageCount(smaller(free.0 / 32, USER_RESERVE_AT_MOST)),
        }
    }

    /// `CommitLimit` of `/proc/meminfo`: what mode 2 promises at most, whatever the mode is now.
    pub const fn limit(&self, totals: Totals) -> PageCount {
        let share = match self.share {
            Share::Percent(percent) => {
                let ram = totals.ram.0.saturating_sub(totals.huge.0) as u128;
                let pages = ram * percent as u128 / 100;
                // RAM has at most 2^64 pages, but a ratio above 100 may exceed that.
                if pages > u64::MAX as u128 { u64::MAX } else { narrow(pages) }
            }
            Share::Pages(pages) => pages.0,
        };
        PageCount(share.saturating_add(totals.swap.0))
    }

    /// Whether `pages` more may be promised to `requester` after `committed`.
    ///
    /// Mode 2 keeps a part back: from everybody but administrators [`Policy::admin_reserve`], and from everybody the
    /// smaller of [`Policy::user_reserve`] and a 32nd of its own address space. The sum must stay below what is left.
    ///
    /// # Source
    ///
    /// `Documentation/mm/overcommit-accounting.rst`; the bounds were tried on Linux 6.18.
    pub const fn admits(
        &self,
        totals: Totals,
        committed: PageCount,
        pages: PageCount,
        requester: Requester,
    ) -> bool {
        match self.mode {
            Mode::Always => true,
            Mode::Heuristic => pages.0 <= totals.ram.0.saturating_add(totals.swap.0),
            Mode::Never => {
                let own = smaller(requester.address_space.0 / 32, self.user_reserve.0);
                let kept = if requester.is_admin { own } else { self.admin_reserve.0.saturating_add(own) };
                committed.0.saturating_add(pages.0) < self.limit(totals).0.saturating_sub(kept)
            }
        }
    }
}

const fn smaller(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has compared it with the largest")]
const fn narrow(pages: u128) -> u64 {
    pages as u64
}

/// What has been promised: `Committed_AS`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Committed(PageCount);

impl Committed {
    /// Pages that are promised now.
    pub const fn pages(self) -> PageCount {
        self.0
    }

    /// Promises `pages` more.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if `policy` does not admit them; nothing is charged then.
    pub const fn charge(
        &mut self,
        policy: &Policy,
        totals: Totals,
        pages: PageCount,
        requester: Requester,
    ) -> Result<(), Errno> {
        if pages.0 == 0 {
            return Ok(());
        }
        if !policy.admits(totals, self.0, pages, requester) {
            return Err(Errno::ENOMEM);
        }
        match self.0.0.checked_add(pages.0) {
            Some(sum) => {
                self.0 = PageCount(sum);
                Ok(())
            }
            None => Err(Errno::ENOMEM),
        }
    }

    /// Takes back the promise of `pages`. Taking back more than was promised leaves none.
    pub const fn uncharge(&mut self, pages: PageCount) {
        debug_assert!(self.0.0 >= pages.0, "more is taken back than was promised");
        self.0 = PageCount(self.0.0.saturating_sub(pages.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTALS: Totals = Totals { ram: PageCount(10_000), huge: PageCount(1000), swap: PageCount(500) };
    const USER: Requester = Requester { address_space: PageCount(3200), is_admin: false };

    fn never() -> Policy {
        Policy { mode: Mode::Never, ..Policy::of_ram(TOTALS.ram) }
    }

    #[test]
    fn mode_0_refuses_only_what_could_never_be_met() {
        let policy = Policy::of_ram(TOTALS.ram);
        let mut committed = Committed::default();
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(10_501), USER), Err(Errno::ENOMEM));
        for _ in 0..3 {
            assert_eq!(committed.charge(&policy, TOTALS, PageCount(10_500), USER), Ok(()));
        }
        assert_eq!(committed.pages(), PageCount(31_500));
    }

    #[test]
    fn mode_1_refuses_nothing() {
        let policy = Policy { mode: Mode::Always, ..Policy::of_ram(TOTALS.ram) };
        let mut committed = Committed::default();
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(u64::MAX), USER), Ok(()));
        assert_eq!(
            committed.charge(&policy, TOTALS, PageCount(1), USER),
            Err(Errno::ENOMEM),
            "64 bits are full"
        );
    }

    #[test]
    fn mode_2_promises_below_the_limit_less_what_is_kept() {
        // 9000 * 50 % + 500 = 5000; kept: 312 for administrators, 3200 / 32 = 100 of its own.
        let policy = never();
        assert_eq!(policy.limit(TOTALS), PageCount(5000));
        let mut committed = Committed::default();
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(4588), USER), Err(Errno::ENOMEM));
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(4587), USER), Ok(()));
        let admin = Requester { is_admin: true, ..USER };
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(313), admin), Err(Errno::ENOMEM));
        assert_eq!(committed.charge(&policy, TOTALS, PageCount(312), admin), Ok(()));
        assert_eq!(
            committed.charge(&policy, TOTALS, PageCount(0), USER),
            Ok(()),
            "nothing is always admitted"
        );
        committed.uncharge(PageCount(4899));
        assert_eq!(committed.pages(), PageCount(0));
    }

    #[test]
    fn kilobytes_replace_the_ratio() {
        let policy = Policy { share: Share::Pages(PageCount(7)), ..never() };
        assert_eq!(policy.limit(TOTALS), PageCount(507));
        let policy = Policy { share: Share::Percent(u32::MAX), ..never() };
        let vast = Totals { ram: PageCount(u64::MAX), huge: PageCount(0), swap: PageCount(1) };
        assert_eq!(policy.limit(vast), PageCount(u64::MAX));
    }

    #[test]
    fn numbers_and_modes_are_the_same() {
        for number in 0..=255 {
            assert!(Mode::of_number(number).is_none_or(|mode| mode.number() == number));
        }
        assert_eq!(Mode::of_number(3), None);
    }
}
