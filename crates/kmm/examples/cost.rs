//! What faults cost on the simulated machine here: nanoseconds each, the best of some rounds, without clearing frames.
#![expect(clippy::print_stdout, reason = "a program that prints what it measures")]

use std::time::Instant;

use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_units::{Bytes, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{MapRequest, Prot};

const ROUNDS: u32 = 30;
const PAGES: u64 = 16 << 10;
const PAGE: u64 = 4096;

fn touch_all(machine: &mut Machine, pid: Pid, start: VirtAddr, access: Access) {
    for page in 0..PAGES {
        machine.touch(pid, VirtAddr(start.0 + page * PAGE), access).expect("mapped");
    }
}

fn best(mut round: impl FnMut() -> f64) -> f64 {
    (0..ROUNDS).map(|_| round()).fold(f64::MAX, f64::min) * 1e9 / PAGES as f64
}

fn timed(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn main() {
    let config = Config { clears: false, ..Config::new(Bytes(512 << 20)) };
    let boot = timed(|| drop(Machine::boot(Config::new(Bytes(64 << 20)))));
    let mut machine = Machine::boot(config).expect("it boots");
    let pid = machine.spawn("cost").expect("memory");
    let request = MapRequest::anonymous(PAGES * PAGE, Prot::READ.with(Prot::WRITE));
    println!("boot with 64 MiB       {:8.1} us", boot * 1e6);

    let write = best(|| {
        let at = machine.mmap(pid, &request).expect("room");
        let time = timed(|| touch_all(&mut machine, pid, at, Access::Write));
        machine.munmap(pid, at, PAGES * PAGE).expect("mapped");
        time
    });
    println!("anonymous, written     {write:8.1} ns");
    let read = best(|| {
        let at = machine.mmap(pid, &request).expect("room");
        let time = timed(|| touch_all(&mut machine, pid, at, Access::Read));
        machine.munmap(pid, at, PAGES * PAGE).expect("mapped");
        time
    });
    println!("anonymous, read        {read:8.1} ns");
    let at = machine.mmap(pid, &request).expect("room");
    touch_all(&mut machine, pid, at, Access::Write);
    let mut forked = f64::MAX;
    let copy = best(|| {
        let start = Instant::now();
        let child = machine.fork(pid).expect("room");
        forked = forked.min(start.elapsed().as_secs_f64());
        let time = timed(|| touch_all(&mut machine, child, at, Access::Write));
        machine.exit(child).expect("it is there");
        touch_all(&mut machine, pid, at, Access::Write);
        time
    });
    println!("copy on write          {copy:8.1} ns, the copy of 4 KiB with it");
    println!("fork                   {:8.1} ns a page", forked * 1e9 / PAGES as f64);
    let unmap = best(|| {
        let at = machine.mmap(pid, &request).expect("room");
        touch_all(&mut machine, pid, at, Access::Write);
        timed(|| machine.munmap(pid, at, PAGES * PAGE).expect("mapped"))
    });
    println!("munmap                 {unmap:8.1} ns a page");
    let hit =
        best(|| timed(|| (0..PAGES).for_each(|_| assert!(machine.touch(pid, at, Access::Write).is_ok()))));
    println!("access, remembered     {hit:8.1} ns");
}
