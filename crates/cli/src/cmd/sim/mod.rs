//! `mallow sim`: plays a script, or a program's log, on a machine that is simulated, and shows what became of its memory.

mod json;
mod log;
mod moment;
mod svg;
mod text;

use std::path::Path;

use mallow_kmm::huge::HugePages;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_kmm::overcommit::{Mode, Policy, Share};
use mallow_kmm::pressure::{PressureCosts, SwapConfig};
use mallow_kmm::script::{Player, Script};
use mallow_replay::log::Log;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, PageCount, VirtAddr};

use crate::args::{self, Sim};
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::input;
use crate::style::{self, Style};
use moment::Moment;

/// What scripts call `@`: an address that nothing else of a process is near.
const ARENA: VirtAddr = VirtAddr(0x7000_0000_0000);

/// What came of a script or a log.
#[derive(Clone, Copy, Debug)]
struct Played<'p> {
    machine: &'p Machine,
    moments: &'p [Moment],
    /// What there was to say about the address that was asked for.
    explained: Option<&'p str>,
}

/// What can be played.
#[derive(Debug)]
enum Input {
    Script(Script),
    Log(Log),
}

/// Plays the file, and prints what there is to say.
pub(crate) fn sim(options: &Sim) -> anyhow::Result<Ending> {
    match read(&options.script)? {
        Input::Script(script) => play(options, &script),
        Input::Log(log) => log::play(options, &log),
    }
}

/// Prints what came of it.
fn show(options: &Sim, played: Played<'_>) -> anyhow::Result<Ending> {
    if options.output.json {
        style::print_json(&json::object(played))?;
    } else if let Some(path) = &options.svg {
        let picture = svg::picture(played.moments, options.ram);
        style::print_picture(&picture, path)?;
    } else {
        style::print(&text::page(Style::of_stdout(options.output), played, options.trace))?;
    }
    let has_killed = played.machine.kills().iter().any(|kill| kill.victim.is_some());
    Ok(Ending::Exited(if has_killed { failure::FOUND } else { 0 }))
}

fn read(path: &Path) -> anyhow::Result<Input> {
    let text = input::read(path, "A FILE is a script or a log: mallow help sim")?;
    let is_stdin = path == Path::new("-");
    let name = if is_stdin { "standard input".to_owned() } else { path.display().to_string() };
    let wrong = |reason: String| {
        let sentence = format!("cannot play {name}: {reason}");
        Failure::new(failure::CANNOT_LOOK, sentence, "What a script may say: mallow help sim")
    };
    if Log::is_one(&text) {
        return Ok(Input::Log(Log::parse(&text).map_err(|error| wrong(error.to_string()))?));
    }
    let text = String::from_utf8(text).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        wrong(format!("line {line}, offset {}: this is not text", before.len()))
    })?;
    Ok(Input::Script(text.parse().map_err(|error| wrong(format!("{error}")))?))
}

/// There is no machine with these options.
fn no_machine(options: &Sim, reason: impl core::fmt::Display) -> Failure {
    let sentence = format!("cannot make a machine with {} bytes of memory: {reason}", options.ram);
    Failure::new(
        failure::CANNOT_LOOK,
        sentence,
        "From 1M on there is room; this machine must have as much free",
    )
}

fn play(options: &Sim, script: &Script) -> anyhow::Result<Ending> {
    let too_small = |errno| no_machine(options, errno);
    let mut machine = Machine::boot(config(options)).map_err(too_small)?;
    let mut player = Player::new(&mut machine, ARENA).map_err(too_small)?;
    let mut moments = vec![Moment::at_boot(&machine)];
    for statement in &script.statements {
        let outcome = player.step(&mut machine, statement);
        moments.push(Moment::after(&machine, statement, &outcome));
    }
    let explained = options.explain.map(|address| {
        let found = machine.explain(Pid(0), VirtAddr(address));
        found.map_or_else(|| "the first process has ended\n".to_owned(), |found| found.to_string())
    });
    show(options, Played { machine: &machine, moments: &moments, explained: explained.as_deref() })
}

fn config(options: &Sim) -> Config {
    let frames = PageCount(options.ram / PAGE_BYTES as u64);
    let swap_pages = u32::try_from(options.swap / PAGE_BYTES as u64).unwrap_or(u32::MAX);
    let mut machine = Config::new(Bytes(options.ram));
    machine.limits.has_huge_pages = options.huge_pages != args::HugePages::Never;
    machine.huge_pages = match options.huge_pages {
        args::HugePages::Never => HugePages::Never,
        args::HugePages::Advised => HugePages::Advised,
        args::HugePages::Always => HugePages::Always,
    };
    Config {
        cpus: options.cpus,
        swap: SwapConfig { pages: swap_pages, pool_percent: options.zswap, has_disk: true },
        swappiness: options.swappiness,
        pressure_costs: PressureCosts {
            swap_read: u64::from(options.swap_us) * 1000,
            ..PressureCosts::default()
        },
        overcommit: Some(Policy {
            mode: Mode::of_number(options.overcommit).unwrap_or_default(),
            share: Share::Percent(options.overcommit_ratio),
            ..Policy::of_ram(frames)
        }),
        ..machine
    }
}
