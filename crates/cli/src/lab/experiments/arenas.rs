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
    let allowed = PER_PROCESSOR * subject.ask(&Call::cpus())?;
    let online = PER_PROCESSOR * subject.ask(&Call::online())?;
    let threads = online.max(allowed) + MORE;
    if threads > MOST_THREADS {
        return Err(Obstacle::new(format!(
            "it takes {threads} threads to show on {} processors: more than this experiment starts",
            online / PER_PROCESSOR
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
    let is_limit = |limit: u64| (limit - 1..=limit).contains(&arenas);
    let limit = if is_limit(online) { online } else { allowed };
    lab.expect(
        is_limit(limit),
        format!(
            "{threads} threads on {} processors make {arenas} of them; the limit is {limit}, with the main one",
            limit / PER_PROCESSOR
        ),
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
        "each new thread gets a new arena although nobody holds a lock: they were started one after the other. Only those \
             beyond the limit share",
    );
    lab.note(
        "releases of glibc differ in what they count: processors that are online, or those that the process may run on. None \
         counts the share of processors that a container gets (cpu.max), so on a large machine a small container has many \
         arenas",
    );
    Ok(())
}
