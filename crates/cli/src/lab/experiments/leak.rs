//! A leak, and who finds it.

use std::fs;

use super::super::call::Call;
use super::super::look::Column;
use super::super::subject::{End, Surroundings};
use super::super::{Experiment, Lab, Obstacle, scratch::Scratch};

pub(super) const LEAK: Experiment = Experiment {
    name: "leak",
    title: "a leak is a block that nobody frees; mtrace writes down who made it",
    explanation: &[
        "mtrace() makes glibc write a line for each malloc and free into the file that MALLOC_TRACE names. A block that has a \
         line for its malloc and none for its free is leaked. The script mtrace, which comes with glibc, finds them and names \
         the line of source.",
        "Up to glibc 2.33 that worked in every program, by hooks in malloc. The hooks are gone: since 2.34 mtrace does nothing \
         unless libc_malloc_debug.so.0 is preloaded, which brings a malloc that has them.",
        "On mallow there is nothing to hook into. mallow run says at the end how much was still live.",
    ],
    run,
};

/// Since this release the hooks are in a library of their own: 2.34.
const MOVED: u64 = 2034;
pub(super) const DEBUG_LIBRARY: &str = "libc_malloc_debug.so.0";

/// The lines of a trace.
#[derive(Debug, Default)]
struct Trace {
    allocated: Vec<u64>,
    freed: Vec<u64>,
}

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[Column::Resident]);
    let scratch = Scratch::make()?;
    lab.part("MALLOC_TRACE=plain.log");
    let plain = Surroundings::default().with("MALLOC_TRACE", scratch.path("plain.log"));
    let (_, leaked) = leak(lab, plain)?;
    let without = read(&scratch, "plain.log");
    lab.part(&format!("MALLOC_TRACE=debug.log LD_PRELOAD={DEBUG_LIBRARY}"));
    let debug =
        Surroundings::default().with("MALLOC_TRACE", scratch.path("debug.log")).preloading(DEBUG_LIBRARY);
    let (complaint, leaked_again) = leak(lab, debug)?;
    let with = read(&scratch, "debug.log");

    if lab.is_on_mallow() {
        let is_silent = [&without, &with]
            .iter()
            .all(|trace| trace.as_ref().is_none_or(|trace| trace.allocated.is_empty()));
        lab.expect(is_silent, "mallow has no hooks: neither trace has a line about a block");
        return Ok(());
    }
    let is_new = lab.glibc.is_some_and(|release| release >= MOVED);
    if is_new {
        lab.expect(
            without.is_none(),
            "without the debugging library mtrace() does nothing: there is no file",
        );
        if complaint.contains(DEBUG_LIBRARY) {
            return Err(Obstacle::new(format!("{DEBUG_LIBRARY} is not installed: {complaint}")));
        }
    } else {
        let found = without.map(|trace| trace.leaks()).unwrap_or_default();
        lab.expect(found.contains(&leaked), "the block that was not freed has no line for its free");
        return Ok(());
    }
    let trace = with.ok_or_else(|| Obstacle::new("the debugging library wrote no trace"))?;
    let leaks = trace.leaks();
    lab.expect(
        trace.freed.len() == 1 && trace.allocated.len() == 2,
        "with it, the trace has two lines for malloc and one for free",
    );
    lab.expect(
        leaks == [leaked_again],
        format!("the one block without a free is {:#x}, the q of the program", leaked_again),
    );
    lab.remark(
        "glibc has hooks such as __malloc_hook, and with MALLOC_TRACE set mtrace() logs every allocation",
        format!(
            "__malloc_hook and the others were removed in 2.34, and this is glibc {}.{}. mtrace() is still there, and works \
             only with LD_PRELOAD={DEBUG_LIBRARY}",
            lab.glibc.unwrap_or(0) / 1000,
            lab.glibc.unwrap_or(0) % 1000
        ),
    );
    Ok(())
}

/// Runs the articles' program; what it complained about, and the address of the block that it leaked.
fn leak(lab: &mut Lab, surroundings: Surroundings) -> Result<(String, u64), Obstacle> {
    let mut subject = lab.start_in(surroundings)?;
    subject.call(&Call::mtrace())?;
    let p = subject.place("p", &Call::malloc("p", 4))?;
    let q = subject.place("q", &Call::malloc("q", 4))?;
    subject.call(&Call::free(p))?;
    lab.look(&mut subject)?;
    match subject.end()? {
        End::Exited(0) => Ok((subject.complaint(), q.address)),
        end => Err(Obstacle::new(format!("the program {end}"))),
    }
}

fn read(scratch: &Scratch, name: &str) -> Option<Trace> {
    fs::read_to_string(scratch.path(name)).ok().map(|text| Trace::parse(&text))
}

impl Trace {
    /// Lines are `@ CALLER + 0xADDRESS 0xSIZE`, and `@ CALLER - 0xADDRESS`.
    fn parse(text: &str) -> Self {
        let mut trace = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let address = |place: usize| {
                words.get(place).and_then(|word| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok())
            };
            let Some(sign) = words.iter().position(|word| matches!(*word, "+" | "-")) else { continue };
            let Some(address) = address(sign + 1) else { continue };
            if words[sign] == "+" { trace.allocated.push(address) } else { trace.freed.push(address) }
        }
        trace
    }

    /// Blocks that were not freed as often as they were made.
    fn leaks(&self) -> Vec<u64> {
        let count = |list: &[u64], address: u64| list.iter().filter(|one| **one == address).count();
        let is_leaked = |address: &&u64| count(&self.allocated, **address) > count(&self.freed, **address);
        self.allocated.iter().filter(is_leaked).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_free_is_leaked() {
        let trace = Trace::parse(
            "= Start\n@ ./a:[0x1] + 0x10 0x4\n@ ./a:[0x2] + 0x30 0x4\n@ ./a:[0x3] - 0x10\n= End\n",
        );
        assert_eq!((trace.allocated.len(), trace.freed.len()), (2, 1));
        assert_eq!(trace.leaks(), [0x30]);
        assert!(Trace::parse("@ + nonsense\n\n+").leaks().is_empty());
    }
}
