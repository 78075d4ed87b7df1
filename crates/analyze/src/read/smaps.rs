//! `/proc/PID/smaps`: the mappings of a process, and what each has in memory.
//!
//! ```text
//! 555b78f02000-555b78f04000 r--p 00000000 fe:00 247030                     /usr/bin/cat
//! Rss:                   8 kB
//! VmFlags: rd mr mw me
//! ```
//!
//! Called by `ledger` and `owner`, by way of whoever has read the file. `/proc/PID/maps` is the same with the first lines only.

use core::fmt;

use super::{ReadError, amount, decimal, hexadecimal, key_and_value, lines};

/// One mapping.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mapping {
    /// The address of its first byte.
    pub start: u64,
    /// The address behind its last byte.
    pub end: u64,
    /// What may be done there.
    pub permissions: Permissions,
    /// Bytes from the start of the file.
    pub offset: u64,
    /// The device of the file, major and minor number; both 0 if there is none.
    pub device: (u64, u64),
    /// The file's number on its device; 0 if there is none.
    pub inode: u64,
    /// A path, a name in brackets, or nothing.
    pub name: Vec<u8>,
    /// What it has in memory.
    pub amounts: Amounts,
    /// The two-letter words of `VmFlags`.
    pub flags: Vec<[u8; 2]>,
}

/// What may be done in a mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions {
    /// Reading.
    pub read: bool,
    /// Writing.
    pub write: bool,
    /// Running code.
    pub execute: bool,
    /// Whether others see what is written.
    pub shared: bool,
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |is_set: bool, letter: char| if is_set { letter } else { '-' };
        let last = if self.shared { 's' } else { 'p' };
        write!(f, "{}{}{}{last}", letter(self.read, 'r'), letter(self.write, 'w'), letter(self.execute, 'x'))
    }
}

/// An amount that the kernel tells for each mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Amount {
    /// In memory.
    Rss,
    /// In memory, each page divided by the number of its users.
    Pss,
    /// Of [`Amount::Pss`], what differs from its file, or has none.
    PssDirty,
    /// In memory, also used by others, as it is in its file.
    SharedClean,
    /// In memory, also used by others, written to.
    SharedDirty,
    /// In memory for this process alone, as it is in its file.
    PrivateClean,
    /// In memory for this process alone, written to.
    PrivateDirty,
    /// Used since somebody last asked.
    Referenced,
    /// In memory without a file behind it.
    Anonymous,
    /// Given back with `MADV_FREE`, and there until the kernel needs it.
    LazyFree,
    /// In huge pages without a file.
    AnonHugePages,
    /// In huge pages of shared memory.
    ShmemPmdMapped,
    /// In huge pages of files.
    FilePmdMapped,
    /// In pages of `hugetlbfs` that others use too; not part of [`Amount::Rss`].
    SharedHugetlb,
    /// In pages of `hugetlbfs` of this process alone; not part of [`Amount::Rss`].
    PrivateHugetlb,
    /// Swapped out.
    Swap,
    /// Swapped out, divided by the number of users.
    SwapPss,
    /// Locked into memory, divided by the number of users.
    Locked,
}

/// The amounts with their names in the file. The order is that of [`Amount`].
const NAMES: [(&[u8], Amount); AMOUNTS] = [
    (b"Rss", Amount::Rss),
    (b"Pss", Amount::Pss),
    (b"Pss_Dirty", Amount::PssDirty),
    (b"Shared_Clean", Amount::SharedClean),
    (b"Shared_Dirty", Amount::SharedDirty),
    (b"Private_Clean", Amount::PrivateClean),
    (b"Private_Dirty", Amount::PrivateDirty),
    (b"Referenced", Amount::Referenced),
    (b"Anonymous", Amount::Anonymous),
    (b"LazyFree", Amount::LazyFree),
    (b"AnonHugePages", Amount::AnonHugePages),
    (b"ShmemPmdMapped", Amount::ShmemPmdMapped),
    (b"FilePmdMapped", Amount::FilePmdMapped),
    (b"Shared_Hugetlb", Amount::SharedHugetlb),
    (b"Private_Hugetlb", Amount::PrivateHugetlb),
    (b"Swap", Amount::Swap),
    (b"SwapPss", Amount::SwapPss),
    (b"Locked", Amount::Locked),
];
const AMOUNTS: usize = 18;

const _: () = {
    let mut place = 0;
    while place < AMOUNTS {
        assert!(NAMES[place].1.place() == place, "in the order of the enumeration");
        place += 1;
    }
};

impl Amount {
    const fn place(self) -> usize {
        self as usize
    }
}

/// What a mapping has in memory, in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Amounts([Option<u64>; AMOUNTS]);

impl Amounts {
    /// One of the amounts, in bytes; `None` if this kernel does not tell.
    pub fn get(&self, amount: Amount) -> Option<u64> {
        self.0[amount.place()]
    }

    /// Adds those of another mapping. What only one of the two has is taken from that one.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.0.iter_mut().zip(other.0) {
            *sum = match (*sum, more) {
                (Some(sum), Some(more)) => Some(sum.saturating_add(more)),
                (one, other) => one.or(other),
            };
        }
    }
}

impl Mapping {
    /// Bytes of address space.
    pub const fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// Bytes in memory; 0 if only `maps` was read.
    pub fn resident_bytes(&self) -> u64 {
        self.amounts.get(Amount::Rss).unwrap_or(0)
    }

    /// Whether it has a flag, such as `b"gd"` for one that grows downwards.
    pub fn has_flag(&self, flag: [u8; 2]) -> bool {
        self.flags.contains(&flag)
    }
}

/// Reads `smaps`, or `maps`.
///
/// # Errors
///
/// The first line that is no mapping, and no amount of one.
///
/// # Source
///
/// `proc_pid_smaps(5)`, `proc_pid_maps(5)`.
pub fn parse(file: &[u8]) -> Result<Vec<Mapping>, ReadError> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for (offset, line) in lines(file) {
        let wrong = |expected| ReadError { offset, expected };
        if line.first().is_some_and(u8::is_ascii_uppercase) {
            let mapping = mappings.last_mut().ok_or(wrong("a mapping before its amounts"))?;
            let (key, value) = key_and_value(line).ok_or(wrong("a line `KEY: VALUE`"))?;
            if let Some((_, known)) = NAMES.iter().find(|(name, _)| *name == key) {
                let bytes = amount(value).ok_or(wrong("a number of kB"))?;
                mapping.amounts.0[known.place()] = Some(bytes);
            } else if key == b"VmFlags" {
                let words = value.split(u8::is_ascii_whitespace);
                mapping.flags = words.filter_map(|word| word.try_into().ok()).collect();
            }
        } else {
            let mapping = mapping(line).ok_or(wrong("`START-END PERMISSIONS OFFSET DEVICE INODE NAME`"))?;
            if mappings.last().is_some_and(|last| last.start > mapping.start) {
                return Err(wrong("a mapping behind the one before"));
            }
            // One that grew while the file was read is in it twice, the second time as it is now.
            while mappings.last().is_some_and(|last| last.end > mapping.start) {
                mappings.pop();
            }
            mappings.push(mapping);
        }
    }
    Ok(mappings)
}

/// The first line of a mapping.
fn mapping(line: &[u8]) -> Option<Mapping> {
    let mut words = line.splitn(6, |byte| *byte == b' ');
    let mut range = words.next()?.splitn(2, |byte| *byte == b'-');
    let (start, end) = (hexadecimal(range.next()?)?, hexadecimal(range.next()?)?);
    let permissions = permissions(words.next()?)?;
    let offset = hexadecimal(words.next()?)?;
    let mut device = words.next()?.splitn(2, |byte| *byte == b':');
    let device = (hexadecimal(device.next()?)?, hexadecimal(device.next()?)?);
    let inode = decimal(words.next()?)?;
    let name = unescaped(words.next().unwrap_or_default().trim_ascii_start());
    let amounts = Amounts::default();
    (start < end).then_some(Mapping {
        start,
        end,
        permissions,
        offset,
        device,
        inode,
        name,
        amounts,
        flags: Vec::new(),
    })
}

fn permissions(letters: &[u8]) -> Option<Permissions> {
    let is = |place: usize, letter: u8| match letters.get(place) {
        Some(found) if *found == letter => Some(true),
        Some(b'-') => Some(false),
        _ => None,
    };
    let shared = match letters.get(3..)? {
        b"s" => true,
        b"p" => false,
        _ => return None,
    };
    Some(Permissions { read: is(0, b'r')?, write: is(1, b'w')?, execute: is(2, b'x')?, shared })
}

/// A name as it was given: the kernel writes a newline as `\012`, and nothing else in another way.
fn unescaped(name: &[u8]) -> Vec<u8> {
    const NEWLINE: &[u8] = b"\\012";
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.first() {
        if let Some(behind) = rest.strip_prefix(NEWLINE) {
            plain.push(b'\n');
            rest = behind;
        } else {
            plain.push(*first);
            rest = &rest[1..];
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &[u8] = b"\
555b78f02000-555b78f04000 r--p 00001000 fe:00 247030                     /usr/bin/a b
Size:                  8 kB
Rss:                   8 kB
Private_Clean:         4 kB
THPeligible:           0
VmFlags: rd mr mw me 
7ffc8d0aa000-7ffc8d0cb000 rw-s 00000000 00:01 0                          /memfd:x\\012y (deleted)
Rss:                  12 kB
Locked:                0 kB
";

    #[test]
    fn mappings_are_read_with_their_amounts() {
        let found = parse(TWO).unwrap();
        let [first, second] = &found[..] else { panic!("{found:?}") };
        assert_eq!((first.start, first.end, first.bytes()), (0x555b_78f0_2000, 0x555b_78f0_4000, 8192));
        assert_eq!((first.permissions.to_string().as_str(), first.offset), ("r--p", 0x1000));
        assert_eq!((first.device, first.inode, &first.name[..]), ((0xfe, 0), 247_030, &b"/usr/bin/a b"[..]));
        assert_eq!(first.amounts.get(Amount::PrivateClean), Some(4096));
        assert_eq!(first.amounts.get(Amount::Locked), None, "not told is not 0");
        assert!(first.has_flag(*b"mw") && !first.has_flag(*b"gd"));
        assert_eq!(second.permissions.to_string(), "rw-s");
        assert_eq!(second.name, b"/memfd:x\ny (deleted)");
        assert_eq!((second.resident_bytes(), second.amounts.get(Amount::Locked)), (12288, Some(0)));
    }

    #[test]
    fn amounts_add_up() {
        let found = parse(TWO).unwrap();
        let mut sum = Amounts::default();
        found.iter().for_each(|mapping| sum.add(&mapping.amounts));
        assert_eq!(sum.get(Amount::Rss), Some(20 << 10));
        assert_eq!(sum.get(Amount::Locked), Some(0), "known for one of them");
        assert_eq!(sum.get(Amount::Swap), None);
    }

    #[test]
    fn a_mapping_that_grows_meanwhile_counts_once() {
        let file =
            b"1000-2000 rw-p 0 0:0 0\nRss: 4 kB\n1000-3000 rw-p 0 0:0 0\nRss: 8 kB\n3000-4000 rw-p 0 0:0 0\n";
        let found = parse(file).unwrap();
        let found: Vec<_> = found.iter().map(|one| (one.start, one.end, one.resident_bytes())).collect();
        assert_eq!(found, [(0x1000, 0x3000, 8192), (0x3000, 0x4000, 0)]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset, expected) in [
            (&b"Rss: 8 kB\n"[..], 0, "a mapping before"),
            (b"1000-2000 r--p 0 0:0 0\nRss: 8\n", 23, "a number of kB"),
            (b"2000-3000 r--p 0 0:0 0\n1000-2000 r--p 0 0:0 0\n", 23, "behind the one before"),
            (b"2000-1000 r--p 0 0:0 0\n", 0, "`START-END"),
            (b"1000-2000 r--q 0 0:0 0\n", 0, "`START-END"),
            (b"1000-2000 r--\n", 0, "`START-END"),
        ] {
            let error = parse(file).unwrap_err();
            assert_eq!(error.offset, offset, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert_eq!(parse(b""), Ok(Vec::new()), "a kernel thread");
    }

    #[test]
    fn this_process_can_be_read() {
        let file = std::fs::read("/proc/self/smaps").unwrap();
        let found = parse(&file).unwrap();
        assert!(found.len() > 10);
        assert!(found.iter().any(|mapping| mapping.name == b"[stack]" && mapping.resident_bytes() > 0));
        let maps = parse(&std::fs::read("/proc/self/maps").unwrap()).unwrap();
        assert!(maps.iter().all(|mapping| mapping.resident_bytes() == 0));
    }

    refuses_only_with_a_place!(parse, TWO);
}
