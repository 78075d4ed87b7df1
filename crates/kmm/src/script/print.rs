//! Writes a script as the text that reads back as it.

use core::fmt::{self, Display, Formatter};

use mallow_units::page::PAGE_BYTES;

use super::call::{Call, Limit, Resource, Source};
use super::place::{Base, Place};
use super::words::{self, Word, flag, protection};
use super::{Script, Statement};

/// Above this, a size is more readable in hexadecimal than in pages.
const MOST_PAGES: u64 = 1 << 20;

impl Display for Script {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.statements.iter().try_for_each(|statement| writeln!(f, "{statement}"))
    }
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.process != 0 {
            write!(f, "{}: ", self.process)?;
        }
        if let Some(name) = &self.name {
            write!(f, "{name} = ")?;
        }
        write!(f, "{}", self.call)
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, bytes } => write!(f, "file {name} {}", Size(*bytes)),
            Self::Mmap { at, bytes, protection, flags, source } => {
                write!(f, "mmap {at} {} {}", Size(*bytes), Access(*protection))?;
                write!(f, "{} {source}", Words(words::FLAGS, flags & flag::SHARED_VALIDATE))?;
                write!(f, "{}", Words(words::FLAGS, flags & !flag::SHARED_VALIDATE))
            }
            Self::Munmap { at, bytes } => write!(f, "munmap {at} {}", Size(*bytes)),
            Self::Mprotect { at, bytes, protection } => {
                let known = protection & !protection::GROWSDOWN;
                write!(f, "mprotect {at} {} {}", Size(*bytes), Access(known))?;
                write!(f, "{}", Words(words::PROTECTION, protection & protection::GROWSDOWN))
            }
            Self::Mremap { at, old_bytes, new_bytes, flags, to } => {
                write!(f, "mremap {at} {} {}", Size(*old_bytes), Size(*new_bytes))?;
                write!(f, "{}", Words(words::REMAP, *flags))?;
                to.as_ref().map_or(Ok(()), |to| write!(f, " to {to}"))
            }
            Self::Brk { to } => write!(f, "brk {to}"),
            Self::Mlock { at, bytes, on_fault } => {
                write!(f, "mlock {at} {}{}", Size(*bytes), if *on_fault { " onfault" } else { "" })
            }
            Self::Munlock { at, bytes } => write!(f, "munlock {at} {}", Size(*bytes)),
            Self::Mlockall { flags } => write!(f, "mlockall{}", Words(words::LOCK, *flags)),
            Self::Munlockall => f.write_str("munlockall"),
            Self::Madvise { at, bytes, advice } => {
                write!(f, "madvise {at} {} ", Size(*bytes))?;
                match words::word(words::ADVICE, *advice) {
                    Some(word) => f.write_str(word),
                    None => write!(f, "{advice:#x}"),
                }
            }
            Self::Mincore { at, bytes } => write!(f, "mincore {at} {}", Size(*bytes)),
            Self::Read { at, bytes } => write!(f, "read {at} {}", Size(*bytes)),
            Self::Write { at, bytes, value } => write!(f, "write {at} {} {value}", Size(*bytes)),
            Self::Rlimit { resource, limit } => write!(f, "rlimit {resource} {limit}"),
            Self::Fork => f.write_str("fork"),
            Self::Exit => f.write_str("exit"),
        }
    }
}

impl Display for Source {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("anon"),
            Self::File { name, offset: 0 } => f.write_str(name),
            Self::File { name, offset } => write!(f, "{name}+{}", Size(*offset)),
        }
    }
}

impl Display for Resource {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AddressSpace => "as",
            Self::Data => "data",
            Self::Stack => "stack",
            Self::LockedMemory => "memlock",
        })
    }
}

impl Display for Limit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{}", Size(*bytes)),
            Self::Above(bytes) => write!(f, "+{}", Size(*bytes)),
            Self::None => f.write_str("none"),
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.base {
            Base::Zero => return write!(f, "{}", Size(self.distance)),
            Base::Arena => f.write_str("@")?,
            Base::Break => f.write_str("brk")?,
            Base::Result(name) => f.write_str(name)?,
        }
        match self.distance.cast_signed() {
            0 => Ok(()),
            ahead @ 1.. => write!(f, "+{}", Size(ahead.unsigned_abs())),
            behind => write!(f, "-{}", Size(behind.unsigned_abs())),
        }
    }
}

/// Pages if it is whole ones, else hexadecimal.
struct Size(u64);

impl Display for Size {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let pages = self.0 / PAGE_BYTES as u64;
        match self.0 {
            0 => f.write_str("0"),
            bytes if bytes.is_multiple_of(PAGE_BYTES as u64) && pages <= MOST_PAGES => write!(f, "{pages}p"),
            bytes => write!(f, "{bytes:#x}"),
        }
    }
}

/// A protection as `maps` shows it, and what has no letter.
struct Access(u32);

impl Display for Access {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let letter = |bit, letter| if self.0 & bit != 0 { letter } else { '-' };
        let (read, write) = (letter(protection::READ, 'r'), letter(protection::WRITE, 'w'));
        write!(f, "{read}{write}{}", letter(protection::EXEC, 'x'))?;
        match self.0 & !(protection::READ | protection::WRITE | protection::EXEC) {
            0 => Ok(()),
            rest => write!(f, "|{rest:#x}"),
        }
    }
}

/// The words for the bits, each with a space before it; what has no word is a number.
struct Words(&'static [Word], u32);

impl Display for Words {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(word) = words::word(self.0, self.1) {
            return write!(f, " {word}");
        }
        let mut rest = self.1;
        for (word, bits) in self.0 {
            if bits.is_power_of_two() && rest & bits != 0 {
                write!(f, " {word}")?;
                rest &= !bits;
            }
        }
        if rest != 0 { write!(f, " {rest:#x}") } else { Ok(()) }
    }
}
