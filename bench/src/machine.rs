//! The machine: what a reader must know to compare two records.
//!
//! No name of a host and no path: what matters is the kind of machine.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::allocator::{Allocator, GLIBC};
use crate::huge_pages;
use crate::workshop;

/// One-minute load above which other programs take part in the measurement.
const BUSY: f64 = 0.5;

/// Kind of machine, and versions of what is not in the repository.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Machine {
    /// The model of the processor.
    pub(crate) processor: String,
    /// How many there are.
    pub(crate) cores: usize,
    /// GiB of memory.
    pub(crate) memory_gib: f64,
    /// The release of the kernel.
    pub(crate) kernel: String,
    /// The mode of transparent huge pages.
    pub(crate) huge_pages: String,
    /// The distribution.
    pub(crate) system: String,
    /// The C library.
    pub(crate) glibc: String,
    /// The compilers of the workloads.
    pub(crate) compilers: Vec<String>,
    /// Load at the start of the session; more than about half a process means that others were at work.
    pub(crate) load: f64,
}

impl Machine {
    /// Looks around; `allocators` know the C library, if it is one of them.
    pub(crate) fn look(allocators: &[Allocator]) -> Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory_kib =
            after(&memory, "MemTotal").and_then(|text| text.trim_end_matches(" kB").parse().ok());
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let glibc = allocators.iter().find(|one| one.name == GLIBC).map(|one| one.version.clone());
        Ok(Self {
            processor: after(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_gib: (memory_kib.unwrap_or(0.0_f64) / f64::from(1 << 20) * 10.0).round() / 10.0,
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            huge_pages: huge_pages::current(),
            system: release
                .lines()
                .find_map(|line| line.strip_prefix("PRETTY_NAME="))
                .map_or_else(|| "unknown".to_owned(), |name| name.trim_matches('"').to_owned()),
            glibc: glibc.map_or_else(|| first_line("getconf", &["GNU_LIBC_VERSION"]), Ok)?,
            compilers: ["cc", "c++", "rustc"]
                .into_iter()
                .map(|compiler| first_line(compiler, &["--version"]))
                .collect::<Result<_>>()?,
            load: load.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0.0),
        })
    }

    /// Tells whether others were at work when the session began.
    pub(crate) fn is_busy(&self) -> bool {
        self.load > BUSY
    }
}

/// The value of a line `KEY: VALUE`.
fn after<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn first_line(program: &str, arguments: &[&str]) -> Result<String> {
    let output = workshop::finish(Command::new(program).args(arguments))?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_after_a_colon() {
        assert_eq!(after("processor\t: 0\nmodel name\t: Fast: 3\n", "model name"), Some("Fast: 3"));
        assert_eq!(after("MemTotal:   12 kB\n", "MemFree"), None);
    }

    #[test]
    fn this_machine_has_something() {
        let machine = Machine::look(&[]).unwrap();
        assert!(machine.cores > 0 && machine.memory_gib > 0.0 && !machine.kernel.is_empty());
        assert_eq!(machine.compilers.len(), 3);
    }
}
