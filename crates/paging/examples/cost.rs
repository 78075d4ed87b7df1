//! What the operations on a page table cost here: nanoseconds per page, the best of some rounds.
#![expect(clippy::print_stdout, reason = "a program that prints what it measures")]

use core::cell::RefCell;
use core::hint::black_box;
use std::time::Instant;

use mallow_paging::{ArrayTables, Entry, PageTable, Rights};
use mallow_units::{FrameNumber, PageNumber, PageSpan};

const ROUNDS: u32 = 200;
const PAGES: u64 = 64 * 512;

/// The best time of `step` per page; `undo` is not counted.
fn best(mut step: impl FnMut(), mut undo: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        step();
        best = best.min(start.elapsed().as_secs_f64());
        undo();
    }
    best * 1e9 / PAGES as f64
}

fn main() {
    let mut tables = Box::new(ArrayTables::<128>::new());
    let mut space = PageTable::new(&mut *tables).expect("the root");
    let span = PageSpan::of(PageNumber(0x7_0000_0000), PAGES).expect("a span");
    let both = RefCell::new((&mut space, &mut *tables));

    let clear = || {
        let (space, tables) = &mut *both.borrow_mut();
        space.unmap(*tables, span, |_, _, _| {}).expect("mapped");
    };
    let one = || {
        let (space, tables) = &mut *both.borrow_mut();
        for (page, frame) in span.iter().zip(0..) {
            let entry = black_box(Entry::frame(FrameNumber(frame), Rights::READ_WRITE));
            black_box(space.set(*tables, page, entry)).expect("room");
        }
    };
    let run = || {
        let (space, tables) = &mut *both.borrow_mut();
        space.map_run(*tables, span, FrameNumber(0), Rights::READ_WRITE).expect("room");
    };
    let mut write = false;
    let protect = || {
        let (space, tables) = &mut *both.borrow_mut();
        write = !write;
        let rights = if write { Rights::READ_WRITE } else { Rights::READ };
        space.protect(*tables, span, rights).expect("mapped");
    };
    println!("map one, hot        {:.2} ns", best(one, clear));
    println!("map range           {:.2} ns/page", best(run, clear));
    run();
    println!("protect range       {:.2} ns/page", best(protect, || {}));
    println!("unmap range         {:.2} ns/page", best(clear, run));
}
