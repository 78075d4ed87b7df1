//! The simulated side: a machine with frames, tables and everything above them.

use alloc::collections::BTreeMap;

use mallow_frame::{Flag, FrameState};
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::physical::ZERO_FRAME;
use mallow_kmm::script::{Call, MAX_PROCESSES, Player, Script};
use mallow_units::{Bytes, VirtAddr};
use mallow_vma::{Flags, Limits, Vma};

use crate::areas;
use crate::live::{Ground, Totals};
use crate::transcript::{Area, Detail, End, Step, Transcript};

/// More than any script touches.
const RAM: Bytes = Bytes(8 << 20);
/// Of so many scripts one has every invariant checked after each statement, the others at the end.
const CLOSELY: usize = 8;

/// Runs a script, and checks every invariant.
pub(crate) fn run(script: &Script, ground: &Ground) -> Transcript {
    let mut config = Config::new(RAM);
    (config.layout, config.limits) = (areas::layout(ground), areas::limits(ground));
    let mut machine = Machine::boot(config).expect("the host has room");
    let mut player = Player::new(&mut machine, VirtAddr(ground.arena)).expect("the machine has memory");
    let first = player.pid(0).expect("it has begun");
    machine.mmap(first, &areas::elsewhere(ground)).expect("nothing is there");
    let before = areas::totals(&machine.process(first).expect("it lives").space);
    let charged_before = charged_kib(&machine);

    let mut transcript = Transcript::default();
    for statement in &script.statements {
        let outcome = player.step(&mut machine, statement);
        if let (Call::Rlimit { .. }, Some(pid)) = (&statement.call, player.pid(statement.process)) {
            let space = &mut machine.process_mut(pid).expect("it lives").space;
            let locked = space.limits().locked.min(ground.locked_limit);
            space.set_limits(Limits { locked, ..*space.limits() });
        }
        let is_last = transcript.steps.len() + 1 == script.statements.len();
        if is_last || script.to_string().len().is_multiple_of(CLOSELY) {
            machine.check().unwrap_or_else(|broken| panic!("after `{statement}`: {broken}"));
        }
        let pid = player.pid(statement.process).filter(|_| !matches!(statement.call, Call::Exit));
        let maps = pid.map(|pid| maps(&machine, pid, ground)).unwrap_or_default();
        transcript.steps.push(Step { outcome, maps });
    }
    let processes = (0..MAX_PROCESSES).map(|process| player.pid(process));
    transcript.ends = processes.map(|pid| pid.map(|pid| end(&machine, pid, ground, before))).collect();
    let further = transcript.ends.iter().skip(1).flatten().count();
    let copies = i64::try_from(further).unwrap() * ground.charged_kib;
    transcript.committed_kib = charged_kib(&machine) - charged_before + copies;
    transcript
}

fn charged_kib(machine: &Machine) -> i64 {
    i64::try_from(machine.world.committed.pages().0 * 4).unwrap()
}

fn maps(machine: &Machine, pid: Pid, ground: &Ground) -> Vec<Area> {
    let space = &machine.process(pid).expect("it lives").space;
    let is_named = |file| machine.world.files.get(file).is_some_and(|file| file.is_open);
    areas::of_script(space, ground).map(|area| areas::line(space, area, ground, is_named)).collect()
}

fn end(machine: &Machine, pid: Pid, ground: &Ground, before: Totals) -> End {
    let space = &machine.process(pid).expect("it lives").space;
    let detail =
        |(area, line)| Detail { area: line, kib: kib(machine, pid, area), flags: areas::flags(area) };
    let pages = areas::of_script(space, ground).flat_map(|area| entries(machine, pid, area));
    let pages = pages.filter(|(page, _)| areas::is_looked_at(*page, ground));
    End {
        areas: areas::of_script(space, ground).zip(maps(machine, pid, ground)).map(detail).collect(),
        totals: areas::totals(space).since(before),
        pages: pages.collect(),
    }
}

/// The kinds of memory in an area, in KiB, as `smaps` counts them.
fn kib(machine: &Machine, pid: Pid, area: &Vma) -> BTreeMap<String, u64> {
    let mut kib: BTreeMap<String, u64> = BTreeMap::new();
    let mut share = 0u64;
    for page in area.span().iter() {
        let (_, entry) = machine.world.entry(pid, page);
        let Some(number) = entry.mapped().filter(|number| *number != ZERO_FRAME) else { continue };
        let frame = machine.world.physical.frame(number);
        let is_dirty = entry.is_dirty() || frame.has(Flag::Dirty);
        let kind = match (frame.mappings(), is_dirty) {
            (1, false) => "Private_Clean",
            (1, true) => "Private_Dirty",
            (_, false) => "Shared_Clean",
            (_, true) => "Shared_Dirty",
        };
        let anonymous = (frame.state() == FrameState::Anon).then_some("Anonymous");
        for kind in ["Rss", kind].into_iter().chain(anonymous) {
            *kib.entry(kind.to_owned()).or_default() += 4;
        }
        share += (4096 << 12) / u64::from(frame.mappings());
    }
    kib.insert("Pss".to_owned(), share >> 22);
    if area.flags().has(Flags::LOCKED) {
        kib.insert("Locked".to_owned(), share >> 22);
    }
    kib
}

/// The entries of `pagemap` of an area.
fn entries(machine: &Machine, pid: Pid, area: &Vma) -> Vec<(u64, u64)> {
    let entry = |page: mallow_units::PageNumber| {
        let (_, entry) = machine.world.entry(pid, page);
        if entry == mallow_kmm::absent::Absent::Guard.entry() {
            return Some((page.0, 1 << 62));
        }
        let number = entry.mapped()?;
        let frame = machine.world.physical.frame(number);
        let is_of_file = frame.state() == FrameState::File;
        let is_alone = number != ZERO_FRAME && frame.mappings() == 1;
        Some((page.0, 1 << 63 | u64::from(is_of_file) << 61 | u64::from(is_alone) << 56))
    };
    area.span().iter().filter_map(entry).collect()
}
