//! What a machine does when its memory does not suffice: everything comes back from swap, or the right one goes.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;

use mallow_kmm::handle_fault::Signal;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::oom::Adjustment;
use mallow_kmm::pressure::SwapConfig;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Errno, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{Advice, MapFlags, MapRequest, OpenFile, Prot};

const PAGE: u64 = PAGE_BYTES as u64;
const READ_WRITE: Prot = Prot::READ.with(Prot::WRITE);
/// Frames of most machines here.
const FRAMES: u64 = 1024;
/// Pages that one process may still map where there is no swap, and cannot all have.
const MOST: u64 = 1000;

fn machine(swap: SwapConfig) -> Machine {
    Machine::boot(Config { swap, ..Config::new(Bytes(FRAMES * PAGE)) }).expect("it boots")
}

fn map(machine: &mut Machine, pid: Pid, pages: u64) -> VirtAddr {
    machine.mmap(pid, &MapRequest::anonymous(pages * PAGE, READ_WRITE)).expect("there is room")
}

fn page(start: VirtAddr, number: u64) -> VirtAddr {
    VirtAddr(start.0 + number * PAGE)
}

fn checked(machine: &Machine) {
    if let Err(broken) = machine.check() {
        panic!("{broken}");
    }
}

/// The bytes of a page, of which a seed says everything: half noise, so that it becomes shorter, but not by much.
fn contents(seed: u64) -> [u8; PAGE_BYTES] {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = [0; PAGE_BYTES];
    for (nth, word) in bytes.as_chunks_mut::<8>().0.iter_mut().enumerate() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *word = if nth % 2 == 0 { state.to_le_bytes() } else { seed.to_le_bytes() };
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

#[test]
fn four_times_the_memory_comes_back_whole() {
    let configs = [
        SwapConfig::of_pages(5 * 1024),
        SwapConfig { pool_percent: 0, ..SwapConfig::of_pages(5 * 1024) },
        SwapConfig { pool_percent: 2, ..SwapConfig::of_pages(5 * 1024) },
    ];
    for config in configs {
        let mut machine = machine(config);
        let pids = ["one", "two", "three"].map(|name| machine.spawn(name).expect("there is memory"));
        let pages = 4 * FRAMES / 3;
        let starts = pids.map(|pid| map(&mut machine, pid, pages));
        for round in 0..2 {
            for number in 0..pages {
                for (pid, start) in pids.into_iter().zip(starts) {
                    let seed = u64::from(pid.0) << 32 | number;
                    if round > 0 {
                        assert_holds(&mut machine, pid, page(start, number), seed);
                    }
                    write(&mut machine, pid, page(start, number), seed);
                }
            }
            checked(&machine);
        }
        // In another order, and only reading.
        for step in 0..pages {
            let number = step * 7919 % pages;
            for (pid, start) in pids.into_iter().zip(starts) {
                assert_holds(&mut machine, pid, page(start, number), u64::from(pid.0) << 32 | number);
            }
        }
        checked(&machine);
        assert!(machine.kills().is_empty(), "{}", machine.kills()[0].log);
        let counts = machine.world.pressure.counts;
        assert!(counts.freed_behind > 0, "the background has run: {counts:?}");
        let swapped: u64 = pids.iter().map(|pid| machine.resident(*pid).unwrap().swap).sum();
        assert!(swapped >= 3 * FRAMES, "{swapped} pages are in swap");
        for pid in pids {
            machine.exit(pid).expect("it is there");
        }
        checked(&machine);
        assert_eq!(machine.world.pressure.swap.free(), 5 * 1024, "no slot is lost");
        assert_eq!(machine.world.pressure.swap.compressed().frames, 0, "no frame of the pool either");
    }
}

#[test]
fn without_swap_the_one_with_the_highest_score_goes() {
    let mut machine = machine(SwapConfig::NONE);
    let sizes = [("small", 100), ("large", 400), ("middle", 200)];
    let pids = sizes.map(|(name, pages)| {
        let pid = machine.spawn(name).expect("there is memory");
        let start = map(&mut machine, pid, MOST);
        for number in 0..pages {
            write(&mut machine, pid, page(start, number), u64::from(pid.0) << 32 | number);
        }
        (pid, start, pages)
    });
    let scores = pids.map(|(pid, ..)| machine.oom_score(pid).unwrap());
    assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
    // The small one goes on until somebody has to go, which is not itself yet.
    let (small, start, _) = pids[0];
    let mut written = 100;
    while machine.kills().is_empty() {
        write(&mut machine, small, page(start, written), u64::from(small.0) << 32 | written);
        written += 1;
    }
    let report = machine.kills()[0].clone();
    assert_eq!(report.victim, Some(pids[1].0), "{}\n{}", report.log, report.explanation);
    checked(&machine);
    assert_eq!(machine.process(pids[1].0).err(), Some(Errno::ESRCH));
    assert_eq!(machine.read(pids[1].0, pids[1].1, &mut [0]), Err(Signal::Killed));
    for (pid, start, pages) in [(small, start, written), pids[2]] {
        for number in 0..pages {
            assert_holds(&mut machine, pid, page(start, number), u64::from(pid.0) << 32 | number);
        }
    }
    for expected in [
        "small invoked oom-killer: gfp_mask=0x140dca(",
        "Tasks state (memory values in pages):",
        "global_oom,task_memcg=/,task=large,pid=1,uid=0",
        "Out of memory: Killed process 1 (large) total-vm:4000kB, anon-rss:1600kB",
        "oom_reaper: reaped process 1 (large), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    ] {
        assert!(report.log.contains(expected), "{expected} is not in\n{}", report.log);
    }
    for expected in
        ["which cannot go, there is no swap", "1 is killed: it has ", "points more than 0, the next"]
    {
        assert!(report.explanation.contains(expected), "{expected} is not in\n{}", report.explanation);
    }
}

#[test]
fn an_adjustment_decides_who_goes() {
    for (adjustment, victim) in [(-1000, 0), (0, 1), (-999, 0)] {
        let mut machine = machine(SwapConfig::NONE);
        let pids = ["asker", "large"].map(|name| machine.spawn(name).expect("there is memory"));
        machine.set_oom_adjustment(pids[1], Adjustment::new(adjustment).unwrap()).expect("it is there");
        let starts = pids.map(|pid| map(&mut machine, pid, MOST));
        for number in 0..500 {
            write(&mut machine, pids[1], page(starts[1], number), number);
        }
        let mut number = 0;
        while machine.kills().is_empty() {
            let outcome = machine.write(pids[0], page(starts[0], number), &[1]);
            assert!(outcome.is_ok() || victim == 0 && outcome == Err(Signal::Killed), "{outcome:?}");
            number += 1;
        }
        let report = &machine.kills()[0];
        assert_eq!(report.victim, Some(pids[victim]), "{}\n{}", report.log, report.explanation);
        checked(&machine);
    }
}

#[test]
fn nobody_to_kill_is_an_error_and_not_an_endless_loop() {
    let mut machine = machine(SwapConfig::NONE);
    let pid = machine.spawn("immune").expect("there is memory");
    machine.set_oom_adjustment(pid, Adjustment::IMMUNE).expect("it is there");
    let start = map(&mut machine, pid, MOST);
    let outcome = (0..MOST).find_map(|number| machine.write(pid, page(start, number), &[1]).err());
    assert_eq!(outcome, Some(Signal::NoMemory));
    assert!(machine.kills()[0].victim.is_none());
    assert!(machine.kills()[0].log.ends_with("Out of memory and no killable processes...\n"));
    checked(&machine);
}

#[test]
fn locked_pages_stay() {
    let mut machine = machine(SwapConfig::of_pages(8 * 1024));
    let pid = machine.spawn("locker").expect("there is memory");
    let start = map(&mut machine, pid, 4 * FRAMES);
    (0..100).for_each(|number| write(&mut machine, pid, page(start, number), number));
    machine.mlock(pid, start, 50 * PAGE, false).expect("within the limit");
    (100..4 * FRAMES).for_each(|number| write(&mut machine, pid, page(start, number), number));
    checked(&machine);
    let core = machine.mincore(pid, start, 100 * PAGE).expect("mapped");
    assert!(core[..50].iter().all(|byte| byte & 1 == 1), "locked pages have left memory");
    assert!(
        core[50..].iter().all(|byte| byte & 1 == 0),
        "pages that nobody has used for long are still there"
    );
    assert_eq!(machine.meminfo().unevictable, 50);
    machine.munlock(pid, start, 50 * PAGE).expect("locked");
    checked(&machine);
    (100..4 * FRAMES).for_each(|number| assert_holds(&mut machine, pid, page(start, number), number));
    let core = machine.mincore(pid, start, 50 * PAGE).expect("mapped");
    assert!(core.iter().all(|byte| byte & 1 == 0), "what is not locked any more may go");
    (0..100).for_each(|number| assert_holds(&mut machine, pid, page(start, number), number));
    checked(&machine);
}

#[test]
fn a_fork_shares_what_is_in_swap() {
    let mut machine = machine(SwapConfig::of_pages(8 * 1024));
    let parent = machine.spawn("parent").expect("there is memory");
    let start = map(&mut machine, parent, FRAMES);
    (0..FRAMES).for_each(|number| write(&mut machine, parent, page(start, number), number));
    let child = machine.fork(parent).expect("there is memory");
    checked(&machine);
    // Both change every third page, each another one, which pushes the pages of both out.
    for number in 0..FRAMES {
        match number % 3 {
            0 => write(&mut machine, parent, page(start, number), 1 << 40 | number),
            1 => write(&mut machine, child, page(start, number), 2 << 40 | number),
            _ => {}
        }
    }
    checked(&machine);
    let grandchild = machine.fork(child).expect("there is memory");
    for number in 0..FRAMES {
        let (of_parent, of_child) = match number % 3 {
            0 => (1 << 40 | number, number),
            1 => (number, 2 << 40 | number),
            _ => (number, number),
        };
        assert_holds(&mut machine, parent, page(start, number), of_parent);
        assert_holds(&mut machine, child, page(start, number), of_child);
        assert_holds(&mut machine, grandchild, page(start, number), of_child);
    }
    checked(&machine);
    for pid in [child, parent, grandchild] {
        machine.exit(pid).expect("it is there");
        checked(&machine);
    }
    assert_eq!(machine.world.pressure.swap.free(), 8 * 1024);
}

#[test]
fn pages_of_files_go_first_to_their_file_and_come_back() {
    let mut machine = machine(SwapConfig::NONE);
    let pid = machine.spawn("reader").expect("there is memory");
    let pages = 3 * FRAMES;
    let bytes: Vec<u8> = (0..pages).flat_map(contents).collect();
    let file = machine.create_file("/data", &bytes).expect("there is room");
    let request = MapRequest {
        file: Some(OpenFile::read_write(file)),
        flags: MapFlags::SHARED,
        ..MapRequest::anonymous(pages * PAGE, READ_WRITE)
    };
    let start = machine.mmap(pid, &request).expect("there is room");
    for number in 0..pages {
        assert_holds(&mut machine, pid, page(start, number), number);
        if number % 5 == 0 {
            write(&mut machine, pid, page(start, number), 9 << 40 | number);
        }
    }
    checked(&machine);
    assert!(machine.world.pressure.counts.written_files > 0);
    for number in 0..pages {
        let seed = if number % 5 == 0 { 9 << 40 | number } else { number };
        assert_holds(&mut machine, pid, page(start, number), seed);
    }
    assert!(machine.kills().is_empty());
    checked(&machine);
}

#[test]
fn shared_memory_goes_to_swap_and_comes_back_to_all() {
    let mut machine = machine(SwapConfig::of_pages(4 * 1024));
    let one = machine.spawn("one").expect("there is memory");
    let pages = 2 * FRAMES;
    let request = MapRequest {
        flags: MapFlags::SHARED.with(MapFlags::ANONYMOUS),
        ..MapRequest::anonymous(pages * PAGE, READ_WRITE)
    };
    let start = machine.mmap(one, &request).expect("there is room");
    let other = machine.fork(one).expect("there is memory");
    for number in 0..pages {
        let pid = if number % 2 == 0 { one } else { other };
        write(&mut machine, pid, page(start, number), number);
    }
    checked(&machine);
    assert!(machine.world.pressure.counts.shared_swapped > FRAMES);
    for number in 0..pages {
        let pid = if number % 2 == 1 { one } else { other };
        assert_holds(&mut machine, pid, page(start, number), number);
    }
    checked(&machine);
    machine.exit(one).expect("it is there");
    machine.exit(other).expect("it is there");
    checked(&machine);
    assert_eq!(machine.world.pressure.swap.free(), 4 * 1024);
}

#[test]
fn what_may_be_freed_lazily_goes_without_swap() {
    let mut machine = machine(SwapConfig::of_pages(4 * 1024));
    let pid = machine.spawn("lazy").expect("there is memory");
    let start = map(&mut machine, pid, 4 * FRAMES);
    (0..300).for_each(|number| write(&mut machine, pid, page(start, number), number));
    machine.madvise(pid, start, 300 * PAGE, Advice::FREE).expect("mapped");
    // Some are written again and must stay.
    (0..300).step_by(3).for_each(|number| write(&mut machine, pid, page(start, number), 7 << 40 | number));
    (300..2 * FRAMES).for_each(|number| write(&mut machine, pid, page(start, number), number));
    checked(&machine);
    assert!(machine.world.pressure.counts.lazily_freed > 100, "{:?}", machine.world.pressure.counts);
    for number in 0..300 {
        if number % 3 == 0 {
            assert_holds(&mut machine, pid, page(start, number), 7 << 40 | number);
        } else {
            let mut bytes = [1; PAGE_BYTES];
            machine.read(pid, page(start, number), &mut bytes).expect("readable");
            assert!(bytes == [0; PAGE_BYTES] || bytes == contents(number), "neither dropped nor kept");
        }
    }
}

#[test]
fn paging_out_on_demand_goes_to_swap_at_once() {
    let mut machine = machine(SwapConfig::of_pages(1024));
    let pid = machine.spawn("polite").expect("there is memory");
    let start = map(&mut machine, pid, 64);
    (0..64).for_each(|number| write(&mut machine, pid, page(start, number), number));
    machine.madvise(pid, page(start, 16), 32 * PAGE, Advice::PAGE_OUT).expect("mapped");
    let resident = machine.resident(pid).unwrap();
    assert_eq!((resident.anon, resident.swap), (32, 32));
    checked(&machine);
    (0..64).for_each(|number| assert_holds(&mut machine, pid, page(start, number), number));
    assert_eq!(machine.resident(pid).unwrap().swap, 0);
    checked(&machine);
}

#[test]
fn a_broken_disk_keeps_pages_in_memory_and_loses_none() {
    let mut machine = machine(SwapConfig { pool_percent: 0, ..SwapConfig::of_pages(4 * 1024) });
    let pid = machine.spawn("unlucky").expect("there is memory");
    let start = map(&mut machine, pid, 4 * FRAMES);
    let half = FRAMES * 5 / 4;
    (0..half).for_each(|number| write(&mut machine, pid, page(start, number), number));
    machine.world.pressure.swap.backing_mut().is_broken = true;
    checked(&machine);
    // Reading brings pages in, for which others would have to go: at last somebody is killed.
    let outcome = (0..half).find_map(|number| {
        let mut bytes = [0; PAGE_BYTES];
        let outcome = machine.read(pid, page(start, number), &mut bytes);
        assert!(outcome.is_err() || bytes == contents(number));
        outcome.err()
    });
    assert_eq!(outcome, Some(Signal::Killed));
    assert_eq!(machine.world.pressure.swap.free(), 4 * 1024, "what it had in swap is free");
    checked(&machine);
}

#[test]
fn the_same_script_gives_the_same_machine() {
    let run = || {
        let mut machine = machine(SwapConfig::of_pages(4 * 1024));
        let pid = machine.spawn("twice").expect("there is memory");
        let start = map(&mut machine, pid, 3 * FRAMES);
        let mut seed = 1_u64;
        for _ in 0..6000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let access = if seed >> 63 == 0 { Access::Read } else { Access::Write };
            machine.touch(pid, page(start, (seed >> 33) % (3 * FRAMES)), access).expect("mapped");
        }
        (machine.now_ns(), machine.meminfo().to_string(), format!("{:?}", machine.world.pressure.counts))
    };
    assert_eq!(run(), run());
}

#[test]
fn tables_are_had_while_all_memory_is_in_use() {
    let config = Config { swap: SwapConfig::of_pages(32 * 1024), ..Config::new(Bytes(32 << 20)) };
    let mut machine = Machine::boot(config).expect("it boots");
    let pid = machine.spawn("wide").expect("there is memory");
    let pages = 9 * 1024;
    let start = map(&mut machine, pid, pages);
    (0..pages).for_each(|number| write(&mut machine, pid, page(start, number), number));
    // Guards in a row need a table for every 512 of them, all in one call.
    let guarded = map(&mut machine, pid, 8 * 1024);
    machine.madvise(pid, guarded, 8 * 1024 * PAGE, Advice::GUARD_INSTALL).expect("there is swap");
    // A page in every table of its own.
    let far = machine
        .mmap(
            pid,
            &MapRequest {
                flags: MapFlags::PRIVATE.with(MapFlags::NO_RESERVE).with(MapFlags::ANONYMOUS),
                ..MapRequest::anonymous(1 << 30, READ_WRITE)
            },
        )
        .expect("it is not charged");
    (0..512).for_each(|number| write(&mut machine, pid, page(far, 512 * number), number));
    checked(&machine);
    (0..512).for_each(|number| assert_holds(&mut machine, pid, page(far, 512 * number), number));
    (0..pages).for_each(|number| assert_holds(&mut machine, pid, page(start, number), number));
    assert!(machine.kills().is_empty());
    checked(&machine);
}

/// A process and what it has written, by page.
type Known = (Pid, BTreeMap<u64, u64>);

#[test]
fn whatever_is_done_under_pressure_no_byte_is_lost() {
    const ARENA: u64 = 600;
    for run in 1..=6_u64 {
        let pool_percent = if run % 3 == 0 {
            20
        } else if run % 3 == 1 {
            0
        } else {
            3
        };
        let config = SwapConfig { pool_percent, ..SwapConfig::of_pages(12 * 1024) };
        let mut machine =
            Machine::boot(Config { swap: config, cpus: 2, ..Config::new(Bytes(512 * PAGE)) }).unwrap();
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
        for step in 0..4000 {
            machine.world.physical.run_on(usize::from(next(2) == 0));
            let which = usize::try_from(next(known.len() as u64)).unwrap();
            let (from, count) = (next(ARENA), 1 + next(40));
            let count = count.min(ARENA - from);
            let span = (page(start, from), count * PAGE);
            let (pid, pages) = &mut known[which];
            let pid = *pid;
            match next(100) {
                0..50 => {
                    for number in from..from + count.min(4) {
                        write(&mut machine, pid, page(start, number), run << 40 | step << 16 | number);
                        pages.insert(number, run << 40 | step << 16 | number);
                    }
                }
                50..80 => match pages.get(&from) {
                    Some(seed) => assert_holds(&mut machine, pid, page(start, from), *seed),
                    None => {
                        let mut bytes = [1; PAGE_BYTES];
                        machine.read(pid, page(start, from), &mut bytes).expect("mapped");
                        assert!(bytes == [0; PAGE_BYTES], "{pid:?} finds bytes that it never wrote");
                    }
                },
                80..84 => {
                    machine.madvise(pid, span.0, span.1, Advice::DONT_NEED).expect("mapped");
                    pages.retain(|number, _| !(from..from + count).contains(number));
                }
                84..88 => machine.madvise(pid, span.0, span.1, Advice::PAGE_OUT).expect("mapped"),
                88..90 => machine.madvise(pid, span.0, span.1, Advice::COLD).expect("mapped"),
                90..92 => machine
                    .mprotect(pid, span.0, span.1, Prot::READ)
                    .and_then(|()| machine.mprotect(pid, span.0, span.1, READ_WRITE))
                    .expect("mapped"),
                92..94 => {
                    machine.mlock(pid, span.0, span.1.min(8 * PAGE), false).expect("within the limit");
                    machine.munlock(pid, start, ARENA * PAGE).expect("mapped");
                }
                94..97 if known.len() < 4 => {
                    let child = machine.fork(pid).expect("there is memory");
                    let copy = known[which].1.clone();
                    known.push((child, copy));
                }
                97..99 if known.len() > 1 => {
                    machine.exit(pid).expect("it is there");
                    known.remove(which);
                }
                _ => machine.advance_ns(1000),
            }
            if step % 100 == 0 {
                checked(&machine);
            }
        }
        checked(&machine);
        for (pid, pages) in &known {
            pages
                .iter()
                .for_each(|(number, seed)| assert_holds(&mut machine, *pid, page(start, *number), *seed));
        }
        assert!(machine.kills().is_empty() && machine.world.pressure.swap.counts().out > 1000);
        for (pid, _) in known {
            machine.exit(pid).expect("it is there");
        }
        checked(&machine);
        assert_eq!(machine.world.pressure.swap.free(), 12 * 1024);
    }
}
