//! A program's log of `malloc` and `free`, played on mallow on the machine.
//!
//! Called by `sim`.

use alloc::sync::Arc;
use std::process;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mallow_analyze::mallow::{self, Reader};
use mallow_analyze::read::smaps;
use mallow_replay::log::Log;
use mallow_replay::player::{Outcome, Player};

use mallow_units::VirtAddr;

use super::moment::Moment;
use super::{Played, config, no_machine, show};
use crate::args::Sim;
use crate::child::Ending;
use crate::cmd::explain_address::place_text;
use crate::failure;
use crate::style::Style;

/// Moments of a log that are kept, besides those in which a call was refused.
const MOMENTS: usize = 600;
/// Of these, so many.
const MOST_REFUSALS: usize = 100;

/// What is known when the program is killed, which is in the midst of a call.
#[derive(Debug, Default)]
struct Diary {
    moments: Vec<Moment>,
    line: usize,
}

/// Plays a log, and shows what became of the memory.
pub(super) fn play(options: &Sim, log: &Log) -> anyhow::Result<Ending> {
    let mut player = Player::boot(config(options)).map_err(|error| no_machine(options, error))?;
    let diary: Arc<Mutex<Diary>> = Arc::default();
    let (of_death, options_of_death) = (Arc::clone(&diary), options.clone());
    player.on_death(move |machine| {
        let mut diary = open(&of_death);
        let line = diary.line;
        diary.moments.push(Moment::at_death(machine, line));
        let played = Played { machine, moments: &diary.moments, explained: None };
        // There is nothing to go back to: what the program was about to do cannot be done.
        process::exit(match show(&options_of_death, played) {
            Ok(Ending::Exited(status)) => status.into(),
            _ => failure::CANNOT_LOOK.into(),
        })
    });
    open(&diary).moments.push(player.look(|machine, _| Moment::at_boot(machine)));
    let step = log.events.len().div_ceil(MOMENTS).max(1);
    let mut refusals = 0;
    for (nth, event) in (1..).zip(&log.events) {
        open(&diary).line = event.line;
        let outcome = player.play(event);
        let is_refused = outcome == Outcome::Refused && refusals < MOST_REFUSALS;
        refusals += usize::from(is_refused);
        if is_refused || nth % step == 0 || nth == log.events.len() {
            let moment = player.look(|machine, _| Moment::after_call(machine, event, outcome));
            open(&diary).moments.push(moment);
        }
    }
    let explained = options.explain.map(|address| explain(options, &player, address));
    let diary = open(&diary);
    player.look(|machine, _| {
        show(options, Played { machine, moments: &diary.moments, explained: explained.as_deref() })
    })
}

/// The way from a block of the log to a zone.
fn explain(options: &Sim, player: &Player, address: u64) -> String {
    let Some(block) = player.block(address) else {
        return format!("{address:#x} is no live block at the end of the log\n");
    };
    let start = block.address as u64;
    // First, because looking into the heap brings back what has been swapped out.
    let steps =
        player.look(|machine, pid| machine.explain(pid, VirtAddr(start)).map(|steps| steps.to_string()));
    let smaps =
        player.look(|machine, pid| machine.smaps(pid).map(|smaps| smaps.to_string())).unwrap_or_default();
    let mappings = smaps::parse(smaps.as_bytes()).unwrap_or_default();
    let heap = match mallow::place(&Memory(player), &mappings, start) {
        Ok(place) => place_text(&place, start, Style::of_stdout(options.output)),
        Err(reason) => format!("n/a ({reason})"),
    };
    let asked = format!("{address:#x} of the log: {} bytes were asked for", block.bytes);
    format!("pointer  {asked}\nheap     {heap}\n{}", steps.unwrap_or_default())
}

/// The memory of the program, through its machine.
struct Memory<'p>(&'p Player);

impl Reader for Memory<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.0.look(|machine, pid| machine.read(pid, VirtAddr(address), into).is_ok())
    }

    /// Not told: so each page is read.
    fn page_map(&self, _offset: u64, _into: &mut [u8]) -> bool {
        false
    }
}

fn open(diary: &Mutex<Diary>) -> MutexGuard<'_, Diary> {
    diary.lock().unwrap_or_else(PoisonError::into_inner)
}
