//! How many arenas there may be is a setting.

use super::super::call::Call;
use super::super::look::{Column, Look};
use super::super::subject::Surroundings;
use super::super::{Experiment, KIB, Lab, MIB, Obstacle, size};

pub(super) const ARENA_MAX: Experiment = Experiment {
    name: "arena-max",
    title: "MALLOC_ARENA_MAX limits the arenas, and with them what they hold",
    explanation: &[
        "With fewer arenas, threads share them, and what one frees another can use. MALLOC_ARENA_MAX=2 leaves the main arena \
         and one more; the tunable glibc.malloc.arena_max is the same. The price is that threads wait for each other's \
         locks, which the cache that each thread has in front of its arena (tcache) makes rarer.",
        "mallow has no arenas, so the variable changes nothing there.",
    ],
    run,
};

const THREADS: u64 = 8;
const STACK: u64 = 64 * KIB;

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Arenas, Column::Threads, Column::Mapped, Column::Resident]);
    lab.part("as it comes");
    let usual = threads_in(lab, Surroundings::default())?;
    lab.part("MALLOC_ARENA_MAX=2");
    let two = threads_in(lab, Surroundings::default().with("MALLOC_ARENA_MAX", "2"))?;
    lab.part("MALLOC_ARENA_MAX=1");
    let one = threads_in(lab, Surroundings::default().with("MALLOC_ARENA_MAX", "1"))?;
    let arenas = [&usual, &two, &one].map(|look| look.get(Column::Arenas));
    if lab.is_on_mallow() {
        let is_same = arenas[0] == arenas[1] && arenas[1] == arenas[2];
        lab.expect(is_same, "the variable changes nothing");
        return Ok(());
    }
    lab.expect(arenas[0] >= 7, format!("8 threads make {} arenas beside the main one", arenas[0]));
    lab.expect(arenas[1] == 1, format!("with MALLOC_ARENA_MAX=2 they make {}", arenas[1]));
    lab.expect(arenas[2] == 0, format!("with MALLOC_ARENA_MAX=1 they make {}", arenas[2]));
    let saved = usual.above(&two, Column::Mapped);
    lab.expect(saved >= (arenas[0] - arenas[1]) * 64 * MIB - MIB, format!("{} less are mapped", size(saved)));
    lab.remark(
        "turning MALLOC_ARENA_MAX down trades throughput for a tighter footprint",
        format!(
            "what it saves here is {} of address space and {} of RSS: these threads hold nothing but one small block. It pays \
             where threads have freed much",
            size(saved),
            size(usual.above(&two, Column::Resident))
        ),
    );
    Ok(())
}

fn threads_in(lab: &mut Lab, surroundings: Surroundings) -> Result<Look, Obstacle> {
    let mut subject = lab.start_in(surroundings)?;
    lab.look(&mut subject)?;
    subject.call(&Call::threads(THREADS, STACK, 1000))?;
    lab.look(&mut subject)
}
