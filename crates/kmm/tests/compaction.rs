//! Pages that move: huge pages from memory in pieces, and not a byte lost on the way.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_frame::{Flag, FrameState};
use mallow_kmm::huge::HugePages;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::pressure::SwapConfig;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, FrameNumber, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{Advice, MapFlags, MapRequest, OpenFile, Prot};

const PAGE: u64 = PAGE_BYTES as u64;
const HUGE: u64 = 512 * PAGE;
const READ_WRITE: Prot = Prot::READ.with(Prot::WRITE);
/// Frames of the machine, and pages that a process fills it with before it gives every other one back.
const FRAMES: u64 = 8192;
const FILLED: u64 = 7400;

fn page(start: VirtAddr, number: u64) -> VirtAddr {
    VirtAddr(start.0 + number * PAGE)
}

fn checked(machine: &Machine) {
    if let Err(broken) = machine.check() {
        panic!("{broken}");
    }
}

/// The bytes of a page, of which a seed says everything.
fn contents(seed: u64) -> [u8; PAGE_BYTES] {
    let mut bytes = [0; PAGE_BYTES];
    for (word, nth) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(seed..) {
        *word = nth.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    }
    bytes
}

fn write(machine: &mut Machine, pid: Pid, at: VirtAddr, seed: u64) {
    machine.write(pid, at, &contents(seed)).unwrap_or_else(|signal| panic!("{signal:?} at {at:?}"));
}

fn assert_holds(machine: &mut Machine, pid: Pid, at: VirtAddr, seed: u64) {
    let mut bytes = [0; PAGE_BYTES];
    machine.read(pid, at, &mut bytes).unwrap_or_else(|signal| panic!("{signal:?} at {at:?}"));
    assert!(bytes == contents(seed), "{pid:?} finds other bytes at {at:?} than it wrote");
}

/// Anonymous memory from a multiple of 2 MiB on.
fn map(machine: &mut Machine, pid: Pid, pages: u64) -> VirtAddr {
    let request = MapRequest::anonymous((pages + 512) * PAGE, READ_WRITE);
    VirtAddr(machine.mmap(pid, &request).expect("there is room").0.next_multiple_of(HUGE))
}

/// A machine whose free memory lies in single frames between the pages of a process, each page with its own number in it.
fn in_pieces(swap: SwapConfig) -> (Machine, Pid, VirtAddr) {
    let mut machine = Machine::boot(Config { swap, ..Config::new(Bytes(FRAMES * PAGE)) }).expect("it boots");
    let pid = machine.spawn("pieces").expect("there is memory");
    let start = map(&mut machine, pid, FILLED);
    (0..FILLED).for_each(|number| write(&mut machine, pid, page(start, number), number));
    for number in (1..FILLED).step_by(2) {
        machine.madvise(pid, page(start, number), PAGE, Advice::DONT_NEED).expect("mapped");
    }
    machine.world.huge_pages = HugePages::Always;
    (machine, pid, start)
}

fn frame_at(machine: &Machine, pid: Pid, at: VirtAddr) -> FrameNumber {
    machine.world.entry(pid, at.page()).1.mapped().expect("it is in memory")
}

fn steps(machine: &Machine) -> Vec<String> {
    machine.world.pressure.trace.iter().map(|entry| entry.step.to_string()).collect()
}

#[test]
fn a_huge_fault_succeeds_only_thanks_to_compaction() {
    let (mut machine, pid, start) = in_pieces(SwapConfig::NONE);
    let before: Vec<_> =
        (0..FILLED).step_by(2).map(|number| frame_at(&machine, pid, page(start, number))).collect();
    assert!(machine.world.physical.free_frames() > FRAMES / 3, "there is enough, in pieces");
    let wide = map(&mut machine, pid, 512);
    machine.touch(pid, page(wide, 77), Access::Write).expect("there is memory");
    checked(&machine);
    assert_eq!(machine.world.events.huge_faults, 1);
    let counts = machine.world.pressure.counts;
    assert_eq!((counts.compactions, counts.compacted, counts.not_moved), (1, 1, 0), "{counts:?}");
    // Before it no attempt got a run, and nobody gave anything up for it.
    let steps = steps(&machine);
    let at = steps.iter().position(|step| step.starts_with("compact for order 9")).expect("it compacted");
    assert_eq!(steps[at + 1..], ["attempt above Min"], "{steps:?}");
    assert!(steps[..at].iter().any(|step| step.starts_with("attempt")), "{steps:?}");
    assert_eq!((counts.freed_directly, counts.freed_behind, counts.kills), (0, 0, 0));
    let moved = (0..FILLED)
        .step_by(2)
        .zip(&before)
        .filter(|(number, frame)| frame_at(&machine, pid, page(start, *number)) != **frame)
        .count();
    assert_eq!(moved as u64, counts.moved, "each moved once");
    assert!((100..=512).contains(&moved), "no more than were in the way: {moved}");
    (0..FILLED).step_by(2).for_each(|number| assert_holds(&mut machine, pid, page(start, number), number));
    checked(&machine);
    machine.exit(pid).expect("it is there");
    checked(&machine);
}

#[test]
fn who_holds_a_page_keeps_its_frame() {
    let (mut machine, pid, start) = in_pieces(SwapConfig::NONE);
    let frames: Vec<_> =
        (0..FILLED).step_by(2).map(|number| frame_at(&machine, pid, page(start, number))).collect();
    frames.iter().for_each(|frame| _ = machine.world.physical.frame(*frame).hold());
    let wide = map(&mut machine, pid, 512);
    machine.touch(pid, page(wide, 77), Access::Write).expect("a single frame will do");
    let counts = machine.world.pressure.counts;
    assert_eq!((machine.world.events.huge_faults, counts.moved, counts.compacted), (0, 0, 0));
    assert!(counts.compactions > 0 && counts.not_moved >= 512, "{counts:?}");
    frames.iter().for_each(|frame| _ = machine.world.physical.frame(*frame).let_go());
    checked(&machine);
    let after: Vec<_> =
        (0..FILLED).step_by(2).map(|number| frame_at(&machine, pid, page(start, number))).collect();
    assert_eq!(frames, after);
}

#[test]
fn after_a_failure_it_is_not_tried_at_once() {
    let (mut machine, pid, start) = in_pieces(SwapConfig::NONE);
    for number in (0..FILLED).step_by(2) {
        let frame = frame_at(&machine, pid, page(start, number));
        machine.world.physical.frame(frame).hold();
    }
    let wide = map(&mut machine, pid, 12 * 512);
    for number in 0..12 {
        machine.touch(pid, page(wide, 512 * number), Access::Write).expect("a single frame will do");
    }
    let asked = steps(&machine).iter().filter(|step| step.starts_with("compact")).count() as u64;
    let counts = machine.world.pressure.counts;
    assert!(asked >= 12 && counts.compactions <= 5, "{} of {asked} were carried out", counts.compactions);
}

#[test]
fn a_refused_frame_leaves_every_page_where_its_process_finds_it() {
    for granted in 0..100 {
        let (mut machine, pid, start) = in_pieces(SwapConfig::NONE);
        let wide = map(&mut machine, pid, 512);
        let before = machine.resident(pid).unwrap().anon;
        machine.world.physical.refuse_after(Some(granted));
        let outcome = machine.touch(pid, page(wide, 77), Access::Write).map(drop);
        let left = machine.world.physical.until_refusal();
        machine.world.physical.refuse_after(None);
        checked(&machine);
        let huge = machine.world.events.huge_faults;
        let gained = machine.resident(pid).unwrap().anon - before;
        let expected = [if outcome.is_ok() { 1 } else { 0 }, 512][usize::try_from(huge).unwrap()];
        assert_eq!(gained, expected, "{granted} granted: {outcome:?}, {huge} huge pages");
        for number in (0..FILLED).step_by(2) {
            assert_holds(&mut machine, pid, page(start, number), number);
        }
        if left.is_some_and(|left| left > 0) {
            assert_eq!((outcome, huge), (Ok(()), 1));
            assert!((5..50).contains(&granted), "{granted} frames were asked for");
            return;
        }
        machine.touch(pid, page(wide, 300), Access::Write).expect("there is memory");
        checked(&machine);
    }
    panic!("the frames that were granted never sufficed");
}

/// Locked, shared by a fork, of a file, shared memory, read-only: all of it lies in the way, and all of it moves.
#[test]
fn whatever_a_page_is_it_moves_and_stays_that() {
    let (mut machine, pid, start) = in_pieces(SwapConfig::NONE);
    machine.world.huge_pages = HugePages::Never;
    machine
        .process_mut(pid)
        .expect("it is there")
        .space
        .set_limits(mallow_vma::Limits { locked: u64::MAX, ..mallow_vma::Limits::ORDINARY });
    let bytes: Vec<u8> = (0..500).flat_map(|number| contents(1 << 40 | number)).collect();
    let file = machine.create_file("/data", &bytes).expect("there is room");
    let shown = machine
        .mmap(
            pid,
            &MapRequest {
                file: Some(OpenFile::read_write(file)),
                flags: MapFlags::SHARED,
                ..MapRequest::anonymous(500 * PAGE, READ_WRITE)
            },
        )
        .expect("there is room");
    let common = machine
        .mmap(
            pid,
            &MapRequest {
                flags: MapFlags::SHARED.with(MapFlags::ANONYMOUS),
                ..MapRequest::anonymous(500 * PAGE, READ_WRITE)
            },
        )
        .expect("there is room");
    // They take the holes between the others, where they are in the way in their turn.
    for number in 0..500 {
        assert_holds(&mut machine, pid, page(shown, number), 1 << 40 | number);
        write(&mut machine, pid, page(common, number), 2 << 40 | number);
        if number % 7 == 0 {
            write(&mut machine, pid, page(shown, number), 3 << 40 | number);
        }
    }
    machine.mprotect(pid, page(start, 2000), 1000 * PAGE, Prot::READ).expect("mapped");
    let child = machine.fork(pid).expect("there is memory");
    machine.mlock(pid, start, 200 * PAGE, false).expect("no limit");
    checked(&machine);
    let (locked, links) = (machine.meminfo().unevictable, machine.world.rmap.link_count());
    assert!(locked >= 100 && links > 3000, "{locked} locked, {links} links");
    let dirty = |machine: &Machine| {
        let table = machine.world.physical.table();
        let dirty = |frame: &FrameNumber| {
            table.get(*frame).is_some_and(|info| info.state() == FrameState::File && info.has(Flag::Dirty))
        };
        table.numbers().filter(dirty).count()
    };
    let dirty_before = dirty(&machine);
    machine.world.huge_pages = HugePages::Always;
    let wide = map(&mut machine, pid, 4 * 512);
    let mut moved = 0;
    for number in 0..4 {
        machine.touch(pid, page(wide, 512 * number), Access::Write).expect("there is memory");
        checked(&machine);
        let now = machine.world.pressure.counts.moved;
        assert!(now > moved || machine.world.events.huge_faults < number + 1, "a run came from nowhere");
        moved = now;
    }
    assert!(machine.world.events.huge_faults >= 2, "{:?}", machine.world.pressure.counts);
    assert_eq!((machine.meminfo().unevictable, dirty(&machine)), (locked, dirty_before));
    for who in [pid, child] {
        for number in (0..FILLED).step_by(2) {
            assert_holds(&mut machine, who, page(start, number), number);
        }
        for number in 0..500 {
            let seed = if number % 7 == 0 { 3 << 40 } else { 1 << 40 };
            assert_holds(&mut machine, who, page(shown, number), seed | number);
            assert_holds(&mut machine, who, page(common, number), 2 << 40 | number);
        }
    }
    // A write to what a fork shares is still copied, whatever frame it is in.
    write(&mut machine, child, start, 4 << 40);
    assert_holds(&mut machine, pid, start, 0);
    checked(&machine);
    machine.exit(pid).expect("it is there");
    machine.exit(child).expect("it is there");
    checked(&machine);
    assert_eq!(machine.anon_frames(), 0);
}

/// A process and what it has written, by page.
type Known = (Pid, BTreeMap<u64, u64>);

#[test]
fn whatever_is_done_between_moves_no_byte_is_lost() {
    const ARENA: u64 = 5120;
    let (mut moved_in_all, mut compacted_in_all) = (0, 0);
    for run in 1..=4_u64 {
        let config = Config {
            swap: SwapConfig::of_pages(48 * 1024),
            cpus: 2,
            huge_pages: HugePages::Always,
            ..Config::new(Bytes(FRAMES * PAGE))
        };
        let mut machine = Machine::boot(config).expect("it boots");
        let first = machine.spawn("first").expect("there is memory");
        let start = map(&mut machine, first, ARENA);
        let mut known: Vec<Known> = vec![(first, BTreeMap::new())];
        let mut state = run.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut next = move |below: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 20) % below
        };
        for step in 0..2500 {
            machine.world.physical.run_on(usize::from(next(2) == 0));
            let which = usize::try_from(next(known.len() as u64)).unwrap();
            let (from, count) = (next(ARENA), 1 + next(300));
            let count = count.min(ARENA - from);
            let (at, bytes) = (page(start, from), count * PAGE);
            let moved = machine.world.pressure.counts.moved;
            let (pid, pages) = &mut known[which];
            let pid = *pid;
            match next(100) {
                0..45 => {
                    for number in from..from + count.min(250) {
                        write(&mut machine, pid, page(start, number), run << 44 | step << 20 | number);
                        pages.insert(number, run << 44 | step << 20 | number);
                    }
                }
                45..60 => match pages.get(&from) {
                    Some(seed) => assert_holds(&mut machine, pid, at, *seed),
                    None => {
                        let mut bytes = [1; PAGE_BYTES];
                        machine.read(pid, at, &mut bytes).expect("mapped");
                        assert!(bytes == [0; PAGE_BYTES], "{pid:?} finds bytes that it never wrote");
                    }
                },
                60..62 => {
                    machine.madvise(pid, at, bytes, Advice::DONT_NEED).expect("mapped");
                    pages.retain(|number, _| !(from..from + count).contains(number));
                }
                // Every other page of a large part, so that memory falls to pieces.
                62..68 => {
                    for number in (from..ARENA.min(from + 3000)).step_by(2) {
                        machine.madvise(pid, page(start, number), PAGE, Advice::DONT_NEED).expect("mapped");
                        pages.remove(&number);
                    }
                }
                // A whole block, so that the next write to it wants a huge page.
                68..92 => {
                    let block = from / 512 * 512;
                    machine.madvise(pid, page(start, block), HUGE, Advice::DONT_NEED).expect("mapped");
                    pages.retain(|number, _| !(block..block + 512).contains(number));
                    write(&mut machine, pid, page(start, block + 9), run << 56 | step);
                    pages.insert(block + 9, run << 56 | step);
                }
                92..94 => {
                    machine.mlock(pid, at, bytes.min(8 * PAGE), false).expect("within the limit");
                    machine.munlock(pid, start, ARENA * PAGE).expect("mapped");
                }
                94..97 if known.len() < 3 => {
                    let child = machine.fork(pid).expect("there is memory");
                    let copy = known[which].1.clone();
                    known.push((child, copy));
                }
                97..99 if known.len() > 2 => {
                    machine.exit(pid).expect("it is there");
                    known.remove(which);
                }
                _ => machine.advance_ns(1000),
            }
            if machine.world.pressure.counts.moved > moved {
                checked(&machine);
            }
        }
        let counts = machine.world.pressure.counts;
        (moved_in_all, compacted_in_all) = (moved_in_all + counts.moved, compacted_in_all + counts.compacted);
        checked(&machine);
        for (pid, pages) in &known {
            for (number, seed) in pages {
                assert_holds(&mut machine, *pid, page(start, *number), *seed);
            }
        }
        assert!(machine.kills().is_empty());
        for (pid, _) in known {
            machine.exit(pid).expect("it is there");
        }
        checked(&machine);
        assert_eq!(machine.world.pressure.swap.free(), 48 * 1024);
    }
    assert!(
        moved_in_all > 4000 && compacted_in_all > 10,
        "{moved_in_all} pages moved, {compacted_in_all} huge pages"
    );
}
