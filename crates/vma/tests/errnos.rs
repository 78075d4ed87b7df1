//! Which error comes first: calls with one or more faults, and what Linux 6.18 answered when each was tried.
#![expect(clippy::tests_outside_test_module, clippy::unwrap_used, reason = "an integration test")]

use mallow_units::{Errno, VirtAddr};
use mallow_vma::{
    Advice, Fixed, Layout, Limits, LockFlags, MapFlags, MapRequest, Prot, RemapFlags, Space, Unbacked,
};

type Small = Space<Fixed<16, 32>>;

const PAGE: u64 = 4096;
/// Sixteen pages are mapped here, and nothing elsewhere.
const P: u64 = 0x7f00_0000_0000;
const HOLE: u64 = 0x100_0000;
const END: u64 = 0x7fff_ffff_f000;
const ALL: u64 = u64::MAX;
const WRAP: u64 = ALL - PAGE + 1;
const RW: u32 = 3;

/// A new space for each call, as for the process that was asked.
fn rig(may_do_all: bool) -> (Small, Unbacked) {
    let limits = Limits { may_lock_all: may_do_all, may_map_lowest: may_do_all, ..Limits::ORDINARY };
    let mut space = Small::new(Default::default(), Default::default(), Layout::X86_64, limits);
    let mut world = Unbacked::default();
    let request = MapRequest::anonymous(16 * PAGE, Prot(RW)).at(VirtAddr(P));
    space.mmap(&request, &mut world).unwrap();
    (space, world)
}

/// `mmap` without a file, with the words of the system call.
fn mmap(address: u64, length: u64, prot: u32, flags: u32, offset: u64) -> Result<u64, Errno> {
    let (mut space, mut world) = rig(true);
    let (address, prot, flags) = (VirtAddr(address), Prot(prot), MapFlags(flags));
    let request = MapRequest { address, length, prot, flags, file: None, offset };
    space.mmap(&request, &mut world).map(|address| address.0)
}

fn is_ok<T>(result: Result<T, Errno>) -> Result<(), Errno> {
    result.map(|_| ())
}

#[test]
fn mmap_answers_as_linux() {
    let (anonymous, huge) = (0x22, 0x40000);
    for (address, length, flags, offset, errno) in [
        (0, 2 << 20, anonymous | huge, 0, Errno::ENOMEM),
        (0, 0, anonymous | huge, 0, Errno::EINVAL),
        (0, PAGE, anonymous | huge, 1, Errno::EINVAL),
        (0, PAGE, anonymous | huge | 13 << 26, 0, Errno::EINVAL),
        (0, PAGE, 0x28 | 0x2000, 0, Errno::EINVAL),
        (0, PAGE, 0x28 | 0x100, 0, Errno::EINVAL),
        (0, PAGE, 0x24, 0, Errno::EINVAL),
        (0, PAGE, 0x23, 0, Errno::EINVAL),
        (0, PAGE, 0x21 | 0x100, 0, Errno::EINVAL),
        (P + 1, PAGE, 0x32, 0, Errno::EINVAL),
        (END + 0xfff, PAGE, 0x32, 0, Errno::ENOMEM),
        (END, PAGE, 0x32, 0, Errno::ENOMEM),
        (0, 1 << 47, 0x32, 0, Errno::ENOMEM),
        (0, ALL, anonymous, 0, Errno::ENOMEM),
        (0, WRAP, anonymous, 0, Errno::ENOMEM),
        (0, 0, 0x02, 0, Errno::EBADF),
        (0, 0, 0x02, 1, Errno::EINVAL),
        (P, PAGE, anonymous | 0x10_0000, 0, Errno::EEXIST),
    ] {
        let answer = mmap(address, length, RW, flags, offset);
        assert_eq!(answer, Err(errno), "mmap({address:#x}, {length:#x}, rw, {flags:#x}, {offset})");
    }
    for (address, prot, flags) in
        [(0, RW, 0x28), (0, 0xff, anonymous), (END - PAGE, RW, 0x32), (0, RW, anonymous | 0x10_0000)]
    {
        assert_eq!(is_ok(mmap(address, PAGE, prot, flags, 0)), Ok(()), "{address:#x} {flags:#x}");
    }
}

#[test]
fn a_hint_is_a_wish() {
    let below_2g = 0x22 | 0x40;
    assert_eq!(mmap(0x100_0000_1234, PAGE, RW, 0x22, 0), Ok(0x100_0000_1000));
    assert_eq!(mmap(0x5000_0000, PAGE, RW, below_2g, 0), Ok(0x5000_0000));
    assert!(mmap(0x5000_0000_0000, PAGE, RW, below_2g, 0).is_ok_and(|address| address < 1 << 31));
    assert_eq!(mmap(P + 8 * PAGE, PAGE, RW, 0x22, 0), mmap(0, PAGE, RW, 0x22, 0), "it is taken");
}

#[test]
fn munmap_and_mincore_answer_as_linux() {
    let (mut space, mut world) = rig(true);
    for (address, length) in [(P, 0), (P, ALL), (END, PAGE), (P + 1, PAGE)] {
        assert_eq!(space.munmap(VirtAddr(address), length, &mut world), Err(Errno::EINVAL), "{address:#x}");
    }
    for (address, length, answer) in [
        (P + 1, PAGE, Err(Errno::EINVAL)),
        (P, ALL, Err(Errno::ENOMEM)),
        (0xffff_8000_0000_0000, PAGE, Err(Errno::ENOMEM)),
        (1 << 47, 0, Err(Errno::ENOMEM)),
        (END, 0, Ok(())),
        (P, 16 * PAGE, Ok(())),
        (P, 17 * PAGE, Err(Errno::ENOMEM)),
    ] {
        assert_eq!(space.mincore(VirtAddr(address), length, |_, _| ()), answer, "{address:#x} {length:#x}");
    }
}

#[test]
fn mprotect_answers_as_linux() {
    for (address, length, prot, errno) in [
        (P, WRAP, RW, Errno::ENOMEM),
        (P, ALL, RW, Errno::ENOMEM),
        (P, WRAP, 64, Errno::ENOMEM),
        (HOLE, PAGE, 64, Errno::EINVAL),
        (P, PAGE, 0x300_0000, Errno::EINVAL),
        (P, PAGE, 0x200_0000, Errno::EINVAL),
        (HOLE, PAGE, 0x200_0000, Errno::ENOMEM),
        (P, PAGE, 0x100_0000, Errno::EINVAL),
    ] {
        let (mut space, mut world) = rig(true);
        let answer = space.mprotect(VirtAddr(address), length, Prot(prot), &mut world);
        assert_eq!(answer, Err(errno), "mprotect({address:#x}, {length:#x}, {prot:#x})");
    }
}

#[test]
fn madvise_answers_as_linux() {
    for (address, length, advice, answer) in [
        (P + 1, PAGE, 99, Err(Errno::EINVAL)),
        (P, ALL, 4, Err(Errno::EINVAL)),
        (0, 1 << 47, 0, Err(Errno::ENOMEM)),
        (P, PAGE, 9, Err(Errno::EINVAL)),
        (P, 0, 99, Err(Errno::EINVAL)),
        (P, PAGE, 12, Ok(())),
        (P, PAGE, 102, Ok(())),
        (P, PAGE, 103, Ok(())),
        (P, PAGE, 3, Ok(())),
    ] {
        let (mut space, mut world) = rig(true);
        let got = space.madvise(VirtAddr(address), length, Advice(advice), &mut world);
        assert_eq!(got, answer, "madvise({address:#x}, {length:#x}, {advice})");
    }
}

#[test]
fn locks_answer_as_linux() {
    for may_do_all in [true, false] {
        let too_long = if may_do_all { Errno::EINVAL } else { Errno::ENOMEM };
        let (mut space, mut world) = rig(may_do_all);
        assert_eq!(space.mlock(VirtAddr(P), WRAP, false, &mut world), Err(too_long));
        assert_eq!(space.munlock(VirtAddr(P), WRAP, &mut world), Err(Errno::EINVAL));
        assert_eq!(space.mlock(VirtAddr(P), ALL, false, &mut world), Ok(()));
        assert_eq!(space.mlock(VirtAddr(P + 1), ALL, false, &mut world), Ok(()));
        assert_eq!(space.account().locked.0, 0, "all the way around is nothing");
        for flags in [0, 4, 8] {
            assert_eq!(space.mlockall(LockFlags(flags), &mut world), Err(Errno::EINVAL));
        }
    }
}

#[test]
fn mremap_answers_as_linux() {
    for (old, new, flags, to, answer) in [
        (PAGE, 0, 1, 0, Err(Errno::EINVAL)),
        (PAGE, PAGE, 8, 0, Err(Errno::EINVAL)),
        (PAGE, 1 << 47, 1, 0, Err(Errno::EINVAL)),
        (PAGE, ALL, 1, 0, Err(Errno::EINVAL)),
        (0, PAGE, 1, 0, Err(Errno::EINVAL)),
        (ALL, PAGE, 0, 0, Err(Errno::EINVAL)),
        (PAGE, PAGE, 4, 0, Err(Errno::EINVAL)),
        (PAGE, PAGE, 5, 0, Ok(())),
        (PAGE, PAGE, 3, 0, Ok(())),
        (17 * PAGE, 18 * PAGE, 1, 0, Err(Errno::EFAULT)),
        (PAGE, PAGE, 3, P + 1, Err(Errno::EINVAL)),
        (2 * PAGE, 2 * PAGE, 3, P + PAGE, Err(Errno::EINVAL)),
    ] {
        let (mut space, mut world) = rig(true);
        let got = space.mremap(VirtAddr(P), old, new, RemapFlags(flags), VirtAddr(to), &mut world);
        assert_eq!(is_ok(got), answer, "mremap(p, {old:#x}, {new:#x}, {flags}, {to:#x})");
    }
    let (mut space, mut world) = rig(false);
    let low = space.mremap(VirtAddr(P), PAGE, PAGE, RemapFlags(3), VirtAddr(0), &mut world);
    assert_eq!(low, Err(Errno::EPERM));
}
