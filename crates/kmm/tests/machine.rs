//! A machine does what programs expect of one.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_kmm::handle_fault::Signal;
use mallow_kmm::huge::HugePages;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::pressure::SwapConfig;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Errno, VirtAddr};
use mallow_vma::fault::{Access, SegvCode};
use mallow_vma::{Advice, MapFlags, MapRequest, OpenFile, Prot, RemapFlags};

const PAGE: u64 = PAGE_BYTES as u64;
const READ_WRITE: Prot = Prot::READ.with(Prot::WRITE);

fn boot() -> (Machine, Pid) {
    let mut machine = Machine::boot(Config::new(Bytes(16 << 20))).expect("it boots");
    let pid = machine.spawn("test").expect("there is memory");
    (machine, pid)
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

#[test]
fn a_read_maps_zeros_and_a_write_a_frame() {
    let (mut machine, pid) = boot();
    let at = map(&mut machine, pid, 4);
    let mut byte = [7];
    machine.read(pid, at, &mut byte).expect("readable");
    assert_eq!((byte, machine.resident(pid).unwrap().anon), ([0], 0));
    assert_eq!(machine.world.events.zero_maps, 1);
    machine.write(pid, VirtAddr(at.0 + PAGE - 2), b"abcd").expect("writable");
    assert_eq!(machine.resident(pid).unwrap().anon, 2);
    let mut bytes = [0; 4];
    machine.read(pid, VirtAddr(at.0 + PAGE - 2), &mut bytes).expect("readable");
    assert_eq!(&bytes, b"abcd");
    checked(&machine);
    assert_eq!(machine.mincore(pid, at, 4 * PAGE), Ok(vec![1, 1, 0, 0]));
}

#[test]
fn what_is_unmapped_faults_and_comes_back_as_zeros() {
    let (mut machine, pid) = boot();
    let free = machine.world.physical.free_frames();
    let at = map(&mut machine, pid, 8);
    machine.write(pid, at, &[1; 8 * PAGE_BYTES]).expect("writable");
    machine.munmap(pid, page(at, 2), 2 * PAGE).expect("mapped");
    checked(&machine);
    assert_eq!(machine.touch(pid, page(at, 2), Access::Read), Err(Signal::Segv(SegvCode::NotMapped)));
    machine.madvise(pid, at, PAGE, Advice::DONT_NEED).expect("mapped");
    let mut byte = [7];
    machine.read(pid, at, &mut byte).expect("readable");
    assert_eq!(byte, [0]);
    machine.mprotect(pid, page(at, 4), 2 * PAGE, Prot::READ).expect("mapped");
    assert_eq!(machine.write(pid, page(at, 4), &[1]), Err(Signal::Segv(SegvCode::NotAllowed)));
    machine.mprotect(pid, page(at, 4), 2 * PAGE, Prot::NONE).expect("mapped");
    assert_eq!(machine.read(pid, page(at, 5), &mut byte), Err(Signal::Segv(SegvCode::NotAllowed)));
    checked(&machine);
    machine.mprotect(pid, page(at, 4), 2 * PAGE, READ_WRITE).expect("mapped");
    machine.read(pid, page(at, 5), &mut byte).expect("readable");
    assert_eq!(byte, [1], "the frame stayed");
    let faults = machine.world.events.faults;
    machine.write(pid, page(at, 5), &[2]).expect("writable");
    assert_eq!(machine.world.events.faults, faults, "nobody else has the frame: no fault to write it again");
    checked(&machine);
    machine.exit(pid).expect("it is there");
    checked(&machine);
    assert_eq!(machine.process(pid).err(), Some(Errno::ESRCH));
    assert_eq!(machine.world.physical.free_frames(), free + 1, "the root of the tables went too");
}

#[test]
fn a_fork_shares_until_somebody_writes() {
    let (mut machine, pid) = boot();
    let at = map(&mut machine, pid, 3);
    machine.write(pid, at, &[5; 2 * PAGE_BYTES]).expect("writable");
    let child = machine.fork(pid).expect("there is memory");
    checked(&machine);
    assert_eq!(machine.resident(child).unwrap().anon, 2);
    assert_eq!(machine.anon_frames(), 2);
    machine.write(child, at, &[6]).expect("writable");
    checked(&machine);
    assert_eq!((machine.anon_frames(), machine.world.events.copies), (3, 1));
    let mut byte = [0];
    machine.read(pid, at, &mut byte).expect("readable");
    assert_eq!(byte, [5]);
    machine.write(pid, at, &[7]).expect("writable");
    assert_eq!((machine.anon_frames(), machine.world.events.reuses), (3, 1), "the last one need not copy");
    machine.exit(pid).expect("it is there");
    checked(&machine);
    machine.write(child, page(at, 1), &[8]).expect("writable");
    assert_eq!(machine.world.events.reuses, 2);
    machine.read(child, page(at, 1), &mut byte).expect("readable");
    assert_eq!(byte, [8]);
    checked(&machine);
}

#[test]
fn files_are_shared_and_private_copies_are_not() {
    let (mut machine, pid) = boot();
    let mut bytes: Vec<u8> = (1..=40).flat_map(|number| [number; PAGE_BYTES]).collect();
    bytes.extend([41; 10]);
    let file = machine.create_file("/data", &bytes).expect("room");
    let request = |flags| MapRequest {
        flags,
        file: Some(OpenFile::read_write(file)),
        ..MapRequest::anonymous(64 * PAGE, READ_WRITE)
    };
    let private = machine.mmap(pid, &request(MapFlags::PRIVATE)).expect("room");
    let shared = machine.mmap(pid, &request(MapFlags::SHARED)).expect("room");
    let mut byte = [0];
    for number in 0..20_u8 {
        machine.read(pid, page(shared, number.into()), &mut byte).expect("readable");
        assert_eq!(byte, [number + 1]);
    }
    assert_eq!(machine.world.events.major_faults, 20);
    machine.read(pid, page(private, 5), &mut byte).expect("readable");
    assert_eq!(machine.world.events.mapped_around, 15, "the window around it was in the cache");
    machine.write(pid, page(private, 5), &[99]).expect("writable");
    machine.write(pid, page(shared, 6), &[88]).expect("writable");
    checked(&machine);
    machine.read(pid, page(shared, 5), &mut byte).expect("readable");
    assert_eq!(byte, [6]);
    machine.read(pid, page(private, 6), &mut byte).expect("readable");
    assert_eq!(byte, [88], "not copied yet, so it shows what is written to the file");
    machine.read(pid, page(shared, 40), &mut byte).expect("the last page holds ten bytes");
    assert_eq!(machine.read(pid, page(shared, 41), &mut byte), Err(Signal::Bus));
    checked(&machine);
    machine.truncate(file, 3 * PAGE).expect("there is such a file");
    checked(&machine);
    assert_eq!(machine.read(pid, page(shared, 6), &mut byte), Err(Signal::Bus));
    machine.exit(pid).expect("it is there");
    checked(&machine);
    machine.close(file);
    checked(&machine);
    assert_eq!(machine.cached_pages(), 0);
}

#[test]
fn shared_memory_is_seen_by_children_and_goes_with_the_last() {
    let (mut machine, pid) = boot();
    let flags = MapFlags::SHARED.with(MapFlags::ANONYMOUS);
    let request = MapRequest { flags, ..MapRequest::anonymous(20 * PAGE, READ_WRITE) };
    let at = machine.mmap(pid, &request).expect("room");
    assert_eq!(machine.world.committed.pages().0, 20);
    machine.write(pid, at, &[1; 10 * PAGE_BYTES]).expect("writable");
    let child = machine.fork(pid).expect("room");
    assert_eq!(machine.resident(child).unwrap().shmem, 0, "it is faulted in again");
    let mut byte = [0];
    machine.read(child, page(at, 3), &mut byte).expect("readable");
    assert_eq!((byte, machine.resident(child).unwrap().shmem), ([1], 10));
    machine.write(child, page(at, 3), &[2]).expect("writable");
    machine.read(pid, page(at, 3), &mut byte).expect("readable");
    assert_eq!(byte, [2]);
    checked(&machine);
    machine.exit(pid).expect("it is there");
    assert_eq!(machine.shared_pages(), 10);
    checked(&machine);
    machine.exit(child).expect("it is there");
    checked(&machine);
    assert_eq!((machine.shared_pages(), machine.world.committed.pages().0), (0, 0));
}

#[test]
fn what_moves_keeps_its_bytes() {
    let (mut machine, pid) = boot();
    let at = map(&mut machine, pid, 4);
    machine.write(pid, at, &[3; 4 * PAGE_BYTES]).expect("writable");
    let child = machine.fork(pid).expect("room");
    let flags = RemapFlags::MAY_MOVE;
    let behind = map(&mut machine, pid, 1);
    let moved = machine.mremap(pid, at, 4 * PAGE, 600 * PAGE, flags, VirtAddr(0)).expect("room");
    checked(&machine);
    let mut byte = [0];
    for (number, expected) in [(0, 3), (3, 3), (4, 0), (599, 0)] {
        machine.read(pid, page(moved, number), &mut byte).expect("readable");
        assert_eq!(byte, [expected]);
    }
    machine.write(pid, moved, &[4]).expect("writable");
    machine.read(child, at, &mut byte).expect("readable");
    assert_eq!(byte, [3]);
    checked(&machine);
    machine.munmap(pid, behind, PAGE).expect("mapped");
    machine.exit(child).expect("it is there");
    machine.exit(pid).expect("it is there");
    checked(&machine);
}

#[test]
fn a_stack_grows_to_its_limit() {
    let (mut machine, pid) = boot();
    let top = VirtAddr(0x7fff_ffff_f000);
    let flags = MapFlags::PRIVATE.with(MapFlags::ANONYMOUS).with(MapFlags::GROWS_DOWN).with(MapFlags::FIXED);
    let start = VirtAddr(top.0 - 16 * PAGE);
    let request = MapRequest { address: start, flags, ..MapRequest::anonymous(16 * PAGE, READ_WRITE) };
    machine.mmap(pid, &request).expect("room");
    machine.write(pid, VirtAddr(start.0 - 40 * PAGE), &[1]).expect("it grows");
    checked(&machine);
    let beyond = VirtAddr(top.0 - (8 << 20) - PAGE);
    assert_eq!(machine.write(pid, beyond, &[1]), Err(Signal::Segv(SegvCode::NotMapped)));
    checked(&machine);
}

#[test]
fn guards_are_errors_to_touch_and_locks_bring_pages_in() {
    let (mut machine, pid) = boot();
    let at = map(&mut machine, pid, 8);
    machine.mlock(pid, at, 2 * PAGE, false).expect("within the limit");
    assert_eq!(machine.resident(pid).unwrap().anon, 2);
    machine.madvise(pid, page(at, 4), PAGE, Advice::GUARD_INSTALL).expect("mapped");
    assert!(machine.touch(pid, page(at, 4), Access::Read).is_err());
    machine.madvise(pid, page(at, 4), PAGE, Advice::DONT_NEED).expect("mapped");
    assert!(machine.touch(pid, page(at, 4), Access::Read).is_err(), "a guard is not contents");
    machine.madvise(pid, page(at, 4), PAGE, Advice::GUARD_REMOVE).expect("mapped");
    machine.touch(pid, page(at, 4), Access::Read).expect("readable");
    checked(&machine);
    machine.munlock(pid, at, 2 * PAGE).expect("mapped");
    checked(&machine);
}

#[test]
fn an_address_is_explained_without_touching_it() {
    let (mut machine, pid) = boot();
    let at = map(&mut machine, pid, 2);
    machine.write(pid, at, &[1]).expect("writable");
    let faults = machine.world.events.faults;
    let text = machine.explain(pid, at).expect("there is such a process").to_string();
    for part in ["area ", "table    top", "table    page", "Anon, 1 references", "zone ", "write    Spurious"]
    {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let text = machine.explain(pid, page(at, 1)).expect("there is such a process").to_string();
    assert!(text.contains("read     MapZero") && text.contains("write    MapNew"), "{text}");
    assert_eq!(machine.world.events.faults, faults);
    let smaps = machine.smaps(pid).expect("there is such a process").to_string();
    assert!(smaps.contains("Rss:                   4 kB\n"), "{smaps}");
    assert!(machine.meminfo().to_string().starts_with("MemTotal:          16"));
    assert_eq!(machine.statm(pid).expect("it is there").to_string(), "2 1 0 0 0 2 0\n");
}

const HUGE: u64 = 512 * PAGE;

/// A machine that gives huge pages to everybody, and a process with three of them.
fn boot_huge(swap: SwapConfig) -> (Machine, Pid, VirtAddr) {
    let config = Config { huge_pages: HugePages::Always, swap, ..Config::new(Bytes(32 << 20)) };
    let mut machine = Machine::boot(config).expect("it boots");
    let pid = machine.spawn("test").expect("there is memory");
    let at = map(&mut machine, pid, 4 * 512);
    let start = VirtAddr(at.0.next_multiple_of(HUGE));
    for number in 0..3 {
        machine.write(pid, page(start, number * 512 + 77), &[9]).expect("writable");
    }
    (machine, pid, start)
}

#[test]
fn a_huge_page_is_one_entry_until_a_part_goes_its_own_way() {
    let (mut machine, pid, start) = boot_huge(SwapConfig::NONE);
    assert_eq!((machine.world.events.huge_faults, machine.world.events.faults), (3, 3));
    assert_eq!(machine.resident(pid).unwrap().anon, 3 * 512);
    assert!(machine.smaps(pid).expect("it is there").to_string().contains("AnonHugePages:      6144 kB"));
    checked(&machine);
    // Splitting needs no memory: the table was set aside.
    machine.world.physical.refuse_after(Some(0));
    machine.munmap(pid, page(start, 10), 20 * PAGE).expect("mapped");
    machine.mprotect(pid, page(start, 600), PAGE, Prot::READ).expect("mapped");
    machine.madvise(pid, page(start, 1024), HUGE, Advice::DONT_NEED).expect("mapped");
    machine.world.physical.refuse_after(None);
    checked(&machine);
    assert_eq!(machine.resident(pid).unwrap().anon, 2 * 512 - 20);
    let mut byte = [0];
    machine.read(pid, page(start, 77), &mut byte).expect("readable");
    assert_eq!(byte, [9]);
    assert!(machine.write(pid, page(start, 600), &[1]).is_err());
    machine.write(pid, page(start, 601), &[1]).expect("writable");
    machine.write(pid, page(start, 1024), &[1]).expect("writable");
    assert_eq!(machine.world.events.huge_faults, 4);
    checked(&machine);
    machine.exit(pid).expect("it is there");
    checked(&machine);
}

#[test]
fn huge_pages_fork_move_and_lock() {
    let (mut machine, pid, start) = boot_huge(SwapConfig::NONE);
    let child = machine.fork(pid).expect("there is memory");
    checked(&machine);
    machine.write(child, page(start, 77), &[8]).expect("writable");
    machine.write(pid, page(start, 78), &[7]).expect("writable");
    let mut byte = [0];
    machine.read(pid, page(start, 77), &mut byte).expect("readable");
    assert_eq!(byte, [9]);
    checked(&machine);
    machine.exit(child).expect("it is there");
    machine.mlock(pid, page(start, 1024), HUGE, false).expect("within the limit");
    checked(&machine);
    machine.munlock(pid, page(start, 1024), HUGE).expect("mapped");
    checked(&machine);
    let moved = machine.mremap(pid, start, 3 * HUGE, 3 * HUGE + PAGE, RemapFlags::MAY_MOVE, VirtAddr(0));
    let moved = moved.expect("room");
    checked(&machine);
    for number in 0..3 {
        machine.read(pid, page(moved, number * 512 + 77), &mut byte).expect("readable");
        assert_eq!(byte, [9]);
    }
    machine.exit(pid).expect("it is there");
    checked(&machine);
}

#[test]
fn huge_pages_go_to_swap_piece_by_piece() {
    let (mut machine, pid, _) = boot_huge(SwapConfig::of_pages(64 * 256));
    let at = map(&mut machine, pid, 12_000);
    for number in 0..12_000 {
        machine.write(pid, page(at, number), &number.to_le_bytes()).expect("writable");
        if number % 2000 == 0 {
            checked(&machine);
        }
    }
    checked(&machine);
    assert!(machine.world.events.huge_faults > 3);
    for number in 0..12_000 {
        let mut bytes = [0; 8];
        machine.read(pid, page(at, number), &mut bytes).expect("readable");
        assert_eq!(u64::from_le_bytes(bytes), number);
    }
    checked(&machine);
}
