//! The break: the heap as the kernel knows it.

use super::super::call::Call;
use super::super::look::{Column, Look};
use super::super::{Experiment, KIB, Lab, Obstacle, machine, page_bytes, size};

pub(super) const BRK: Experiment = Experiment {
    name: "brk",
    title: "the heap is one mapping with one movable end",
    explanation: &[
        "The kernel keeps two numbers per process: where the heap begins and where it ends, the break. brk moves the break; \
         pages between the old and the new one are mapped, or unmapped. A program that never moves it has no [heap] at all.",
        "glibc moves the break in large steps, because each step is a system call: the first malloc takes the request and \
         128 KiB more (M_TOP_PAD), rounded up to pages, and later requests are cut from that.",
    ],
    run,
};

/// What the first `malloc` of glibc makes of the heap: a small request and 128 KiB, in pages of 4 KiB.
const FIRST_HEAP: u64 = 132 * KIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Heap, Column::HeapResident]);
    let page = page_bytes();
    let mut subject = lab.start()?;
    let before = lab.look(&mut subject)?;
    lab.expect(before.get(Column::Heap) == 0, "a program that has allocated nothing has no [heap]");
    let start = subject.place("start", &Call::find_break("start"))?;
    subject.call(&Call::brk(start, page))?;
    let grown = lab.look(&mut subject)?;
    subject.call(&Call::brk(start, 0))?;
    let shrunk = lab.look(&mut subject)?;
    subject.call(&Call::sbrk(1))?;
    let by_one = lab.look(&mut subject)?;
    let heap = grown.get(Column::Heap);
    lab.expect(heap == page, format!("moving the break by a page makes a [heap] of {}", size(heap)));
    lab.expect(shrunk.get(Column::Heap) == 0, "moving it back unmaps the [heap]");
    let heap = by_one.get(Column::Heap);
    lab.expect(heap == page, format!("moving it by one byte maps {}, a whole page", size(heap)));
    let resident = by_one.get(Column::HeapResident);
    lab.expect(resident == 0, "nothing of it is resident before it is touched");

    lab.part("the first malloc, in a new process");
    let mut subject = lab.start()?;
    lab.look(&mut subject)?;
    let p = subject.place("p", &Call::malloc("p", 1000))?;
    let after = lab.look(&mut subject)?;
    let heap = after.get(Column::Heap);
    if lab.is_on_mallow() {
        lab.expect(
            heap == 0 && !after.is_in_heap(p),
            "mallow never moves the break: there is still no [heap]",
        );
    } else {
        lab.expect(
            after.is_in_heap(p),
            format!("malloc(1000) makes a [heap] of {} and takes the block from it", size(heap)),
        );
        let here = if heap == FIRST_HEAP {
            "this is a 64-bit program, and it is 132 KiB too".to_owned()
        } else {
            format!("here it is {}: the request and M_TOP_PAD in pages of {}", size(heap), size(page))
        };
        lab.remark("the first sbrk of glibc is 132 KiB on 32-bit, and less on 64-bit", here);
    }
    if let Some(gap) = gap(&before, start.address) {
        let mode =
            machine::text_of("/proc/sys/kernel/randomize_va_space").unwrap_or_else(|_| "unknown".to_owned());
        lab.remark(
            "the heap begins where the program's data ends (the addresses in their listings are the same)",
            format!("the first break lies {} behind the program's data; kernel.randomize_va_space is {mode}, and at 2 that \
                     distance is another one in each process", size(gap)),
        );
    }
    Ok(())
}

/// Bytes between the program's last mapping, its bss included, and the first break.
fn gap(look: &Look, start: u64) -> Option<u64> {
    let below = look.mappings.iter().filter(|mapping| mapping.end <= start).map(|mapping| mapping.end);
    below.max().map(|end| start - end)
}
