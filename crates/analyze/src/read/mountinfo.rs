//! `/proc/PID/mountinfo`: what is mounted where, as the process sees it.
//!
//! Called by `cgroup`, which looks for the file systems of cgroups, and by whoever looks for the options of `/proc`.

use super::{ReadError, lines};

/// Something that is mounted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mount {
    /// Which folder of the file system is mounted: `/` if all of it.
    pub root: Vec<u8>,
    /// Where.
    pub point: Vec<u8>,
    /// Options of this mount, between commas.
    pub options: Vec<u8>,
    /// The kind of file system.
    pub kind: Vec<u8>,
    /// Options of the file system, between commas.
    pub super_options: Vec<u8>,
}

impl Mount {
    /// Whether the file system was mounted with an option: `memory`, or `hidepid=2`.
    pub fn has_option(&self, option: &str) -> bool {
        self.options().any(|found| found == option.as_bytes())
    }

    /// The options of the mount and of the file system.
    pub fn options(&self) -> impl Iterator<Item = &[u8]> {
        [&self.options, &self.super_options].into_iter().flat_map(|list| list.split(|byte| *byte == b','))
    }
}

/// Reads the file.
///
/// # Errors
///
/// The first line that has too few words.
///
/// # Source
///
/// `proc_pid_mountinfo(5)`:
/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`.
pub fn parse(file: &[u8]) -> Result<Vec<Mount>, ReadError> {
    lines(file)
        .map(|(offset, line)| {
            mount(line).ok_or(ReadError { offset, expected: "a mount, with ` - ` in its line" })
        })
        .collect()
}

fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let mut word = || words.next().map(unescaped);
    let (_id, _parent, _device) = (word()?, word()?, word()?);
    let (root, point, options) = (word()?, word()?, word()?);
    while word()? != b"-" {}
    let (kind, _source) = (word()?, word()?);
    Some(Mount { root, point, options, kind, super_options: word()? })
}

/// A word as it was: the kernel writes spaces, tabs, newlines and backslashes as `\040` and so on.
fn unescaped(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let octal = behind.first_chunk().filter(|_| *first == b'\\').and_then(octal);
        plain.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &behind[3..] } else { behind };
    }
    plain
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    digits.iter().try_fold(0u8, |sum, digit| match digit {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(digit - b'0'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw,hidepid=2
35 31 0:32 /a\\040b /sys/fs/cgroup/memory rw,nosuid shared:9 master:1 - cgroup cgroup rw,memory
";

    #[test]
    fn mounts_are_read() {
        let mounts = parse(FILE).unwrap();
        let [proc, memory] = &mounts[..] else { panic!("{mounts:?}") };
        assert!(proc.has_option("hidepid=2") && proc.has_option("relatime") && !proc.has_option("hidepid"));
        assert_eq!((&proc.kind[..], &proc.point[..]), (&b"proc"[..], &b"/proc"[..]));
        assert_eq!((&memory.root[..], memory.has_option("memory")), (&b"/a b"[..], true));
    }

    #[test]
    fn words_are_unescaped() {
        for (word, expected) in [
            (&b"a\\134b"[..], &b"a\\b"[..]),
            (b"a\\04", b"a\\04"),
            (b"\\777", b"\\777"),
            (b"\\012\\012", b"\n\n"),
            (b"\\", b"\\"),
        ] {
            assert_eq!(unescaped(word), expected, "{word:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for file in [
            &b"22 27 0:21 / /proc rw - proc proc rw\n22\n"[..],
            b"22 27 0:21 / /proc rw - proc proc rw\n1 2 3 4 5 6 7\n",
        ] {
            assert_eq!(parse(file).unwrap_err().offset, 37);
        }
    }

    #[test]
    fn this_process_can_be_read() {
        let mounts = parse(&std::fs::read("/proc/self/mountinfo").unwrap()).unwrap();
        assert!(mounts.iter().any(|mount| mount.kind == b"proc"), "{mounts:?}");
    }

    refuses_only_with_a_place!(parse, FILE);
}
