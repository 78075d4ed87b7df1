//! `/proc/PID/limits`: what the process may have, as `setrlimit` knows it.
//!
//! The soft limit counts; the process may raise it up to the hard one. Called by `limits`.

use super::{Limit, ReadError, decimal, lines, words};

/// What is limited: that which has to do with memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// `RLIMIT_DATA`: the heap of `brk`, and private mappings that can be written to. Bytes.
    Data,
    /// `RLIMIT_STACK`: the main stack, and what a new thread gets unless its program says otherwise. Bytes.
    Stack,
    /// `RLIMIT_CORE`: a core file. Bytes.
    Core,
    /// `RLIMIT_RSS`: today's kernels do not look at it. Bytes.
    Resident,
    /// `RLIMIT_NPROC`: threads of the user. A number.
    Processes,
    /// `RLIMIT_NOFILE`: open files. A number.
    OpenFiles,
    /// `RLIMIT_MEMLOCK`: locked memory. Bytes.
    Locked,
    /// `RLIMIT_AS`: address space. Bytes.
    AddressSpace,
}

/// Those with their names in the file. The order is that of the enumeration.
const NAMES: [(&str, Resource); 8] = [
    ("Max data size", Resource::Data),
    ("Max stack size", Resource::Stack),
    ("Max core file size", Resource::Core),
    ("Max resident set", Resource::Resident),
    ("Max processes", Resource::Processes),
    ("Max open files", Resource::OpenFiles),
    ("Max locked memory", Resource::Locked),
    ("Max address space", Resource::AddressSpace),
];

/// The two limits of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rlimit {
    /// What counts.
    pub soft: Limit,
    /// Up to where the process itself may raise it.
    pub hard: Limit,
}

/// The limits of a process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rlimits([Option<Rlimit>; NAMES.len()]);

impl Rlimits {
    /// The limits of a resource; `None` if this kernel does not tell.
    pub const fn get(&self, resource: Resource) -> Option<Rlimit> {
        self.0[resource as usize]
    }
}

/// Reads the file.
///
/// # Errors
///
/// A line of a known resource that does not have two limits.
///
/// # Source
///
/// `proc_pid_limits(5)`, `getrlimit(2)`.
pub fn parse(file: &[u8]) -> Result<Rlimits, ReadError> {
    let mut limits = Rlimits::default();
    for (offset, line) in lines(file) {
        let known =
            NAMES.iter().find_map(|(name, resource)| Some((line.strip_prefix(name.as_bytes())?, resource)));
        if let Some((rest, resource)) = known {
            let mut numbers = words(rest).map(limit);
            let mut next = || numbers.next().flatten().ok_or(ReadError { offset, expected: "two limits" });
            limits.0[*resource as usize] = Some(Rlimit { soft: next()?, hard: next()? });
        }
    }
    Ok(limits)
}

fn limit(word: &[u8]) -> Option<Limit> {
    if word == b"unlimited" { Some(Limit::Unlimited) } else { decimal(word).map(Limit::At) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max stack size            8388608              unlimited            bytes     
Max open files            20000                20001                files     
Max nice priority         0                    0                    
";

    #[test]
    fn limits_are_read() {
        let limits = parse(FILE).unwrap();
        let expected = Rlimit { soft: Limit::At(8 << 20), hard: Limit::Unlimited };
        assert_eq!(limits.get(Resource::Stack), Some(expected));
        assert_eq!(limits.get(Resource::OpenFiles).map(|limit| limit.hard), Some(Limit::At(20_001)));
        assert_eq!(limits.get(Resource::Locked), None, "not told");
        assert!(NAMES.iter().enumerate().all(|(place, (_, resource))| *resource as usize == place));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for file in [&b"Limit\nMax stack size 1\n"[..], b"Limit\nMax stack size many 1 bytes\n"] {
            let error = parse(file).unwrap_err();
            assert_eq!((error.offset, error.expected), (6, "two limits"));
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let limits = parse(&std::fs::read("/proc/self/limits").unwrap()).unwrap();
        assert!(NAMES.iter().all(|(_, resource)| limits.get(*resource).is_some()), "{limits:?}");
    }

    refuses_only_with_a_place!(parse, FILE);
}
