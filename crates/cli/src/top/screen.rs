//! The screen: the terminal in the state that a full screen needs, and back again in any case.
//!
//! The way back is taken when the value is dropped, when the program panics, and after a signal, which `top` sees and ends by.
//! Called by `top`.

use core::time::Duration;
use std::io::{self, Stdout, Write};
use std::panic;

use anyhow::Context;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{self, Event};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// The terminal, as long as it is ours.
#[derive(Debug)]
pub(super) struct Screen(Terminal<CrosstermBackend<Stdout>>);

/// What came of waiting.
#[derive(Debug)]
pub(super) enum Waited {
    /// Keys, or another size.
    Events(Vec<Event>),
    /// The time is over, or a signal came.
    Nothing,
    /// The terminal was closed.
    Gone,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn enter() -> anyhow::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            before(panic);
        }));
        take().inspect_err(|_| leave())?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()));
        Ok(Self(terminal.context("cannot draw on the terminal").inspect_err(|_| leave())?))
    }

    /// Gives the terminal back for as long as `meanwhile` takes.
    pub(super) fn without(&mut self, meanwhile: impl FnOnce()) -> anyhow::Result<()> {
        leave();
        meanwhile();
        take()?;
        self.0.clear().context("cannot draw on the terminal")
    }

    /// Columns and rows.
    pub(super) fn size(&self) -> anyhow::Result<(u16, u16)> {
        let size = self.0.size().context("cannot ask the terminal for its size")?;
        Ok((size.width, size.height))
    }

    /// Shows what `draw` puts into the buffer.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut Buffer)) -> anyhow::Result<()> {
        self.0.draw(|frame| draw(frame.buffer_mut())).context("cannot draw on the terminal")?;
        Ok(())
    }

    /// Waits for keys, or a terminal of another size.
    pub(super) fn wait(&self, timeout: Duration) -> anyhow::Result<Waited> {
        let input = io::stdin();
        let mut polled = [PollFd::new(&input, PollFlags::IN)];
        let longest = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
        match rustix::event::poll(&mut polled, Some(&longest)) {
            Ok(0) | Err(Errno::INTR) => return Ok(Waited::Nothing),
            Ok(_) => {}
            Err(errno) => return Err(errno).context("cannot wait for the terminal"),
        }
        // Asked for a key of a terminal that is gone, the back-end would look for one for ever.
        if polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL) {
            return Ok(Waited::Gone);
        }
        // The back-end takes in all that has come, and what it has taken in cannot be waited for.
        let mut events = Vec::new();
        loop {
            match event::poll(Duration::ZERO) {
                Ok(true) => events.push(event::read().context("cannot read from the terminal")?),
                Ok(false) => return Ok(Waited::Events(events)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot read from the terminal"),
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn take() -> anyhow::Result<()> {
    enable_raw_mode().context("cannot take over the terminal")?;
    execute!(io::stdout(), EnterAlternateScreen, Hide).context("cannot write to the terminal")
}

/// Whoever gets here has something else to say: what goes wrong on the way back is not said.
fn leave() {
    let _ = execute!(io::stdout(), LeaveAlternateScreen, Show);
    let _ = io::stdout().flush();
    let _ = disable_raw_mode();
}
