//! Pages that move while threads write to them by ordinary stores.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;
use core::ptr::with_exposed_provenance_mut;
use std::thread;

use mallow_ds::sync::{AtomicU32, AtomicU64, Ordering};
use mallow_kmm::huge::HugePages;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::sim::MachineOs;
use mallow_units::{Bytes, FrameNumber, VirtAddr};
use mallow_vma::{Advice, MapRequest, Prot};

const PAGE: u64 = 4096;
const HUGE: u64 = 512 * PAGE;
const FRAMES: u64 = 8192;
const FILLED: u64 = 7000;
const WIDE: u64 = 3;

/// The first word of a page.
fn word(start: VirtAddr, number: u64) -> &'static AtomicU64 {
    let address = usize::try_from(start.0 + number * PAGE).expect("64 bits");
    // SAFETY: a word of a page that is mapped in the window until the test ends, and only used as an atomic.
    unsafe { AtomicU64::from_ptr(with_exposed_provenance_mut(address)) }
}

fn map(os: &MachineOs, pages: u64) -> VirtAddr {
    let request = MapRequest::anonymous((pages + 512) * PAGE, Prot::READ.with(Prot::WRITE));
    let start = os.with(|machine, pid| machine.mmap(pid, &request)).expect("there is room");
    VirtAddr(start.0.next_multiple_of(HUGE))
}

/// The frame of each page.
fn frames(os: &MachineOs, start: VirtAddr) -> BTreeMap<u64, FrameNumber> {
    let frame = |machine: &Machine, pid, number| {
        machine.world.entry(pid, VirtAddr(start.0 + number * PAGE).page()).1.mapped()
    };
    os.with(|machine, pid| {
        (0..FILLED).filter_map(|number| Some((number, frame(machine, pid, number)?))).collect()
    })
}

fn check(os: &MachineOs) {
    if let Err(broken) = os.with(|machine: &mut Machine, _| machine.check()) {
        panic!("{broken}");
    }
}

#[test]
fn no_store_is_lost_to_a_page_that_moves() {
    (0..3).for_each(|_| write_while_pages_move());
}

fn write_while_pages_move() {
    let config = Config { cpus: 2, ..Config::new(Bytes(FRAMES * PAGE)) };
    let os = MachineOs::boot(config, Bytes(1 << 30)).expect("the host has room");
    let start = map(os, FILLED);
    (0..FILLED).for_each(|number| word(start, number).store(number, Ordering::Relaxed));
    for number in (1..FILLED).step_by(2) {
        let at = VirtAddr(start.0 + number * PAGE);
        os.with(|machine, pid| machine.madvise(pid, at, PAGE, Advice::DONT_NEED)).expect("mapped");
    }
    os.with(|machine, _| machine.world.huge_pages = HugePages::Always);
    let mut moved_under_stores = 0;
    for _ in 0..WIDE {
        let before = frames(os, start);
        // Those at the lower end of memory are in the way first.
        let mut lowest: Vec<u64> = (0..FILLED).step_by(2).collect();
        lowest.sort_by_key(|number| before[number]);
        let is_over = AtomicU32::new(0);
        thread::scope(|scope| {
            let writers = [0, 100].map(|rank| {
                let (is_over, number) = (&is_over, lowest[rank]);
                let at = word(start, number);
                let writer = scope.spawn(move || {
                    let mut stores = 0_u64;
                    while is_over.load(Ordering::Relaxed) == 0 {
                        at.fetch_add(1 << 32, Ordering::Relaxed);
                        stores += 1;
                    }
                    stores
                });
                while at.load(Ordering::Relaxed) == number {
                    thread::yield_now();
                }
                (number, at, writer)
            });
            word(map(os, 512), 9).store(1, Ordering::Relaxed);
            is_over.store(1, Ordering::Relaxed);
            let after = frames(os, start);
            for (number, at, writer) in writers {
                let stores = writer.join().expect("the page is there");
                assert_eq!(at.swap(number, Ordering::Relaxed), stores << 32 | number, "page {number}");
                moved_under_stores += u32::from(before[&number] != after[&number]);
            }
        });
        check(os);
    }
    assert!(moved_under_stores > 0, "no page moved that a thread was writing to");
    for number in (0..FILLED).step_by(2) {
        assert_eq!(word(start, number).load(Ordering::Relaxed), number);
    }
    let (counts, huge) =
        os.with(|machine, _| (machine.world.pressure.counts, machine.world.events.huge_faults));
    assert!(counts.moved > 100 && huge >= 2, "{huge} huge pages, {counts:?}");
    check(os);
}
