//! The forms of single lines about a kill.
//!
//! The name of a process may hold anything, brackets and commas too, so a line is taken apart from where it is certain.

use super::super::kmsg::split;
use super::super::{decimal, words};
use super::{PageTables, Scope, Task, Usage, Victim};

/// What is behind `name`, up to `end` or to the end of the line.
pub(super) fn field<'a>(text: &'a [u8], name: &[u8], end: &[u8]) -> Option<&'a [u8]> {
    let (_, rest) = split(text, name)?;
    Some(split(rest, end).map_or(rest, |(value, _)| value))
}

/// A number that may be below 0.
pub(super) fn signed(text: &[u8]) -> Option<i64> {
    let negative = text.strip_prefix(b"-");
    let number = i64::try_from(decimal(negative.unwrap_or(text))?).ok()?;
    Some(if negative.is_some() { -number } else { number })
}

/// The digits that a text begins with.
pub(super) fn leading_number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    decimal(&text[..end])
}

/// `123kB`, in bytes.
pub(super) fn kilobytes(text: &[u8]) -> Option<u64> {
    decimal(text.strip_suffix(b"kB")?)?.checked_mul(1 << 10)
}

/// `123 (NAME)END rest`: number, name, rest. A name may have brackets; the last ones before `end` are meant.
pub(super) fn process<'a>(text: &'a [u8], end: &[u8]) -> Option<(u64, &'a [u8], &'a [u8])> {
    let (pid, rest) = split(text, b" (")?;
    let mark = [b")", end].concat();
    let place = rest.windows(mark.len()).rposition(|window| window == mark)?;
    Some((leading_number(pid)?, &rest[..place], &rest[place + mark.len()..]))
}

/// `123 (NAME) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:132kB oom_score_adj:0`, or less.
pub(super) fn victim(text: &[u8]) -> Option<Victim> {
    let place = text.windows(10).rposition(|window| window == b" total-vm:")?;
    let (head, rest) = text.split_at(place);
    let (pid, name, _) = process(head, b"")?;
    let amount = |name: &[u8]| kilobytes(word(rest, name)?);
    // Kernels of some distributions have `, UID 1000,` in front of the name, or behind it.
    let user = word(rest, b"UID:").or_else(|| field(head, b", UID ", b","));
    Some(Victim {
        pid,
        name: name.to_vec(),
        address_space: amount(b"total-vm:"),
        anonymous: amount(b"anon-rss:"),
        file: amount(b"file-rss:"),
        shared: amount(b"shmem-rss:"),
        page_tables: amount(b"pgtables:"),
        user: user.and_then(leading_number),
        adjustment: word(rest, b"oom_score_adj:").and_then(signed),
        reaped: None,
    })
}

/// What is behind `name`, in a word of its own, without a comma.
fn word<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = words(text).find_map(|word| word.strip_prefix(name))?;
    Some(value.strip_suffix(b",").unwrap_or(value))
}

/// `reaped process 123 (NAME), now anon-rss:0kB, ...`, or `unable to reap pid:123 (NAME)`.
pub(super) fn reaped(text: &[u8]) -> Option<(u64, bool)> {
    let number = |rest| leading_number(rest);
    let done = text.strip_prefix(b"reaped process ").and_then(number).map(|pid| (pid, true));
    done.or_else(|| Some((number(text.strip_prefix(b"unable to reap pid:")?)?, false)))
}

/// `memory: usage 1kB, limit 1kB, failcnt 20`.
pub(super) fn usage(text: &[u8]) -> Option<Usage> {
    let (what, rest) = split(text, b": usage ")?;
    let (used, rest) = split(rest, b", limit ")?;
    let (limit, hits) = split(rest, b", failcnt ")?;
    Some(Usage {
        what: what.to_vec(),
        used: kilobytes(used)?,
        limit: kilobytes(limit)?,
        hits: decimal(hits)?,
    })
}

/// `CPU: 1 UID: 0 PID: 4082 Comm: x Not tainted 6.18.0 #1`: the process, and the kernel.
pub(super) fn kernel(text: &[u8]) -> Option<(u64, Option<&[u8]>)> {
    let pid = match text.strip_prefix(b"Pid: ") {
        Some(rest) => leading_number(rest)?,
        None => leading_number(field(text, b" PID: ", b" ").filter(|_| text.starts_with(b"CPU: "))?)?,
    };
    // The flags of a tainted one are letters between spaces.
    let behind = split(text, b"ainted").map(|(_, rest)| rest.strip_prefix(b":").unwrap_or(rest));
    Some((pid, behind.and_then(|rest| words(rest).find(|word| word[0].is_ascii_digit()))))
}

/// What is behind `oom-kill:constraint=`.
pub(super) fn scope(text: &[u8]) -> Scope {
    if text.starts_with(b"CONSTRAINT_NONE") {
        Scope::Machine
    } else if text.starts_with(b"CONSTRAINT_CPUSET") {
        Scope::Cpuset
    } else if text.starts_with(b"CONSTRAINT_MEMORY_POLICY") {
        Scope::Policy
    } else if text.starts_with(b"CONSTRAINT_MEMCG") {
        let limited = field(text, b",oom_memcg=", b",task_memcg=").unwrap_or_default().to_vec();
        let of_task = field(text, b",task_memcg=", b",task=").unwrap_or_default().to_vec();
        Scope::Group { limited, of_task }
    } else {
        Scope::Unknown
    }
}

/// The columns of the table, behind that of the number.
#[derive(Debug)]
pub(super) struct Columns(Vec<Vec<u8>>);

impl Columns {
    /// `[ pid ]   uid  tgid total_vm ... name`.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (inside, rest) = split(text.strip_prefix(b"[")?, b"]")?;
        let names: Vec<_> = words(rest).map(<[u8]>::to_vec).collect();
        (inside.trim_ascii() == b"pid" && names.last()? == b"name").then_some(Self(names))
    }

    /// `[  123]     0   123    12351 ... python3`.
    pub(super) fn row(&self, text: &[u8]) -> Option<Task> {
        let (pid, mut rest) = split(text.strip_prefix(b"[")?, b"]")?;
        let mut task = Task { pid: decimal(pid.trim_ascii())?, ..Task::default() };
        for column in &self.0 {
            rest = rest.trim_ascii_start();
            if column == b"name" {
                task.name = rest.to_vec();
                return Some(task);
            }
            let end = rest.iter().position(u8::is_ascii_whitespace)?;
            let (number, behind) = rest.split_at(end);
            rest = behind;
            if column == b"oom_score_adj" {
                task.adjustment = signed(number)?;
                continue;
            }
            let number = signed(number).and_then(|number| u64::try_from(number.max(0)).ok())?;
            match &column[..] {
                b"uid" => task.user = number,
                b"total_vm" => task.total_vm = number,
                b"rss" => task.resident = number,
                b"swapents" => task.swapped = Some(number),
                b"pgtables_bytes" => task.page_tables = PageTables::Bytes(number),
                b"nr_ptes" | b"nr_pmds" | b"nr_puds" => {
                    task.page_tables = task.page_tables.with_pages(number);
                }
                _ => {}
            }
        }
        None
    }
}

impl PageTables {
    /// Another level of them.
    const fn with_pages(self, more: u64) -> Self {
        match self {
            Self::Pages(pages) => Self::Pages(pages.saturating_add(more)),
            _ => Self::Pages(more),
        }
    }
}
