//! Threads of glibc get arenas.

use super::super::call::Call;
use super::super::look::Column;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, size};

pub(super) const ARENAS: Experiment = Experiment {
    name: "arenas",
    title: "each new thread gets an arena of 64 MiB address space, up to a limit by processors",
    explanation: &[
        "So that threads do not wait for each other, glibc gives a thread that allocates for the first time an arena of its \
         own: 64 MiB of reserved address space at a multiple of 64 MiB, of which 132 KiB can be used at first. The main \
         arena, on the break, is the main thread's. When there are eight arenas for each processor that the process may run \
         on, new threads share those that are there.",
        "Reserved is not resident: an arena costs what its blocks and its free memory take. But what is free in one arena is \
         of no use to a thread in another, so many arenas can hold much free memory.",
        "mallow gives threads heaps within one region, and no arenas.",
    ],
    run,
};

/// Per processor, on 64-bit; `NARENAS_FROM_NCORES` in glibc.
const PER_PROCESSOR: u64 = 8;
/// Threads beyond the limit.
const MORE: u64 = 4;
/// More threads than that would say nothing new.
const MOST_THREADS: u64 = 4096;
const STACK: u64 = 64 * KIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Arenas, Column::Threads, Column::Mapped, Column::Resident]);
    let mut subject = lab.start()?;
    let processors = subject.ask(&Call::cpus())?;
    let limit = PER_PROCESSOR * processors;
    let threads = limit + MORE;
    if threads > MOST_THREADS {
        return Err(Obstacle::new(format!(
            "{threads} threads are needed on {processors} processors; run it on fewer: taskset -c 0-3 mallow lab arenas"
        )));
    }
    lab.look(&mut subject)?;
    subject.call(&Call::threads(1, STACK, 1000))?;
    let one = lab.look(&mut subject)?;
    subject.call(&Call::join())?;
    lab.look(&mut subject)?;
    subject.call(&Call::threads(threads, STACK, 1000))?;
    let all = lab.look(&mut subject)?;
    let arenas = all.get(Column::Arenas);
    if lab.is_on_mallow() {
        lab.expect(arenas == 0, format!("{threads} threads that allocate, and no arena of 64 MiB"));
        return Ok(());
    }
    lab.expect(one.get(Column::Arenas) == 1, "one thread that allocates makes one arena beside the main one");
    // The main arena is one of those that are counted.
    lab.expect(
        (limit - 1..=limit).contains(&arenas),
        format!("{threads} threads on {processors} processors make {arenas} of them; the limit is {limit}, with the main one"),
    );
    let mapped = all.get(Column::Mapped);
    lab.expect(mapped >= arenas * 64 * MIB, format!("{} are mapped for that", size(mapped)));
    let resident = all.get(Column::Resident);
    lab.expect(resident < mapped / 8, format!("{} are resident", size(resident)));
    lab.remark(
        "a new thread's arena is a region of 1 MB, of which 132 KB are active",
        "132 KiB are active, of 64 MiB that are reserved (HEAP_MAX_SIZE); 1 MB is what 32-bit programs get",
    );
    lab.remark(
        "a thread that finds its arena locked tries another one",
        format!(
            "each new thread gets a new arena although nobody holds a lock: they were started one after the other. Only the \
             last {MORE}, beyond the limit, share",
        ),
    );
    Ok(())
}
