//! `mallow top`: all processes, on a screen that goes on, or once.
//!
//! ```text
//!  /proc ──► watch ──► state ──► draw ──► screen
//!                        ▲                  │
//!                        └────── keys ──────┘        page: what another verb says
//! ```
//!
//! Called by `cmd::top`.

mod bounds;
mod draw;
mod once;
mod page;
mod screen;
mod size;
mod state;
mod system;
mod users;
mod watch;

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::env;
use std::io::{self, IsTerminal};
use std::time::Instant;

use anyhow::Context;
use crossterm::event::{Event, KeyEventKind};
use nix::libc;

use crate::args::Top;
use crate::child::Ending;
use crate::failure::{self, Failure};
use crate::style::{self, Style};
use draw::{Heading, Palette};
use screen::{Screen, Waited};
use state::{Action, Mode, State};
use watch::{Budget, Wanted, Watch};

/// The longest wait for a key: signals are looked for in between.
const LONGEST_WAIT: Duration = Duration::from_millis(200);
/// After the window has moved, how long until what is new in it is read: keys that are held down come faster.
const SETTLED: Duration = Duration::from_millis(120);

/// Shows all processes.
pub(crate) fn top(options: &Top) -> anyhow::Result<Ending> {
    let state = State::new(options.sort, options.reverse, options.tree, options.filter.clone());
    if options.once || options.output.json { once(options, state) } else { live(options, state) }
}

fn once(options: &Top, mut state: State) -> anyhow::Result<Ending> {
    let mut watch = Watch::new()?;
    // Once to know who is shown, and once more for all that is shown of them.
    let nobody = Wanted { visible: Vec::new(), all_details: options.sort.is_costly(), all_limits: true };
    watch.refresh(&nobody, Budget::COMPLETE)?;
    state.update(watch.processes());
    state.resize(usize::MAX);
    let _ = watch.look_closer(&state.wanted(), Budget::COMPLETE);
    state.update(watch.processes());
    if options.output.json {
        style::print_json(&once::Report::of(&state, &watch.system))?;
    } else {
        style::print(&once::text(&state, &watch.system, Style::of_stdout(options.output)))?;
    }
    Ok(Ending::Exited(0))
}

fn live(options: &Top, mut state: State) -> anyhow::Result<Ending> {
    let is_dumb = env::var_os("TERM").is_none_or(|terminal| terminal.is_empty() || terminal == "dumb");
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() || is_dumb {
        let sentence = "`mallow top` needs a terminal for input and output, and TERM to say which";
        return Err(Failure::new(failure::CANNOT_LOOK, sentence, "As text, once: mallow top --once").into());
    }
    let mut watch = Watch::new()?;
    watch.refresh(&state.wanted(), Budget::REFRESH)?;
    let signal = signals()?;
    let palette = Palette { has_colour: style::is_coloured(&io::stdout()) };
    let mut screen = Screen::enter()?;
    let mut refreshed = Instant::now();
    let mut looks_closer_at = Some(refreshed);
    state.update(watch.processes());
    loop {
        let (columns, rows) = screen.size()?;
        state.resize(draw::list_height(rows));
        let heading = Heading { machine: watch.system.lines(), left_out: watch.left_out };
        screen.draw(|buffer| draw::draw(buffer, &state, &heading, palette))?;
        let waited = screen.wait(wait(refreshed + options.interval, looks_closer_at))?;
        let number = signal.load(Ordering::Relaxed);
        if number != 0 {
            drop(screen);
            return Ok(Ending::Killed(i32::try_from(number).unwrap_or(libc::SIGTERM)));
        }
        let events = match waited {
            // Nobody is left to read what else there is to say.
            Waited::Gone => return Ok(Ending::Killed(libc::SIGHUP)),
            Waited::Nothing => Vec::new(),
            Waited::Events(events) => events,
        };
        for event in events {
            let Event::Key(key) = event else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            looks_closer_at = Some(Instant::now() + SETTLED);
            match state.key(key) {
                Action::Quit => return Ok(Ending::Exited(0)),
                Action::Stop => screen.without(stop)?,
                Action::Show(verb, pid) => {
                    state.mode = Mode::Page(page::show(verb, pid, columns.saturating_sub(2)));
                }
                Action::Save(pid) => {
                    let name = state.selected().map(|process| process.label()).unwrap_or_default();
                    state.message = Some(page::save(pid, &name));
                }
                Action::Draw => {}
            }
        }
        if refreshed.elapsed() >= options.interval {
            watch.refresh(&state.wanted(), Budget::REFRESH)?;
            refreshed = Instant::now();
            looks_closer_at = Some(refreshed + SETTLED);
            state.update(watch.processes());
        } else if looks_closer_at.is_some_and(|at| at <= Instant::now()) {
            let is_complete = watch.look_closer(&state.wanted(), Budget::REFRESH);
            looks_closer_at = (!is_complete).then(|| Instant::now() + SETTLED);
            state.update(watch.processes());
        }
    }
}

/// How long to wait for a key.
fn wait(refresh: Instant, looks_closer: Option<Instant>) -> Duration {
    let next = looks_closer.map_or(refresh, |at| at.min(refresh));
    next.saturating_duration_since(Instant::now()).min(LONGEST_WAIT)
}

/// Where the number of a signal is written that ends the command; the terminal is given back first.
fn signals() -> anyhow::Result<Arc<AtomicUsize>> {
    let place = Arc::new(AtomicUsize::new(0));
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        let number = usize::try_from(signal).unwrap_or(0);
        signal_hook::flag::register_usize(signal, Arc::clone(&place), number)
            .context("cannot listen for signals")?;
    }
    Ok(place)
}

/// Stops until somebody lets the command go on.
fn stop() {
    let _ = signal_hook::low_level::raise(libc::SIGSTOP);
}
