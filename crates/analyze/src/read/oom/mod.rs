//! Kills for want of memory, as the kernel's log tells of them, from 2.6.32 to this day.
//!
//! ```text
//!  python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0          who asked, and for what
//!  memory: usage 32768kB, limit 32768kB, failcnt 20                                          what ran out
//!  [  pid  ]   uid  tgid total_vm      rss ... oom_score_adj name                            who could be killed
//!  oom-kill:constraint=CONSTRAINT_MEMCG,...,oom_memcg=/a,task_memcg=/a,task=python3,pid=...  whose limit it was
//!  Memory cgroup out of memory: Killed process 20532 (python3) total-vm:49404kB, ...         who was
//! ```
//!
//! The kernel may leave out all but the last line if it kills often. Called by `kill`, which says what it means.

mod text;

use super::kmsg::{self, Time, split};
use text::{Columns, field, kilobytes, process};

/// A kill, or an attempt that found nobody.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kill {
    /// When.
    pub time: Time,
    /// Who asked for memory that was not there.
    pub asker: Option<Asker>,
    /// Which kernel it was: what stands behind `Not tainted`.
    pub kernel: Option<Vec<u8>>,
    /// What was short.
    pub scope: Scope,
    /// What the group used, and was allowed.
    pub usage: Vec<Usage>,
    /// Pages of all memory, and of it what the kernel keeps to itself.
    pub ram_pages: Option<u64>,
    /// See [`Kill::ram_pages`].
    pub reserved_pages: Option<u64>,
    /// All the swap.
    pub swap_bytes: Option<u64>,
    /// Who could have been killed.
    pub tasks: Vec<Task>,
    /// Who was chosen, on kernels that then may kill a child instead: its number, name, and score in thousandths.
    pub chosen: Option<(u64, Vec<u8>, Option<u64>)>,
    /// Who was killed: more than one if a group is killed as a whole.
    pub victims: Vec<Victim>,
    /// The group that is killed as a whole.
    pub whole_group: Option<Vec<u8>>,
    /// That there was nobody left to kill.
    pub found_nobody: bool,
    /// That `vm.oom_kill_allocating_task` is set: whoever asks is killed.
    pub kills_asker: bool,
    /// The lines that say so.
    pub lines: Vec<(Meaning, Vec<u8>)>,
}

/// Who asked for memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asker {
    /// Its name.
    pub name: Vec<u8>,
    /// Its number.
    pub pid: Option<u64>,
    /// What kind of memory it wanted, in the kernel's words.
    pub kind: Vec<u8>,
    /// It wanted 2^order pages in one piece; -1 if somebody asked for a kill by the keyboard.
    pub order: Option<i64>,
}

/// What was short.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Scope {
    /// The log does not say.
    #[default]
    Unknown,
    /// The machine.
    Machine,
    /// The nodes that the asker may use by its cpuset.
    Cpuset,
    /// The nodes that the asker may use by its own policy.
    Policy,
    /// A cgroup.
    Group {
        /// The one whose limit it was.
        limited: Vec<u8>,
        /// The one of the victim: the same, or one below.
        of_task: Vec<u8>,
    },
}

/// What a group used and what it was allowed, in bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Usage {
    /// `memory`, `swap`, `memory+swap`, `kmem`.
    pub what: Vec<u8>,
    /// How much was used.
    pub used: u64,
    /// How much is allowed.
    pub limit: u64,
    /// How often the limit was hit.
    pub hits: u64,
}

/// A row of the table. Pages but for the page tables.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Task {
    /// Its number.
    pub pid: u64,
    /// Whose it is.
    pub user: u64,
    /// Address space.
    pub total_vm: u64,
    /// In memory.
    pub resident: u64,
    /// Page tables, in bytes; of old kernels in pages.
    pub page_tables: PageTables,
    /// Swapped out; old kernels do not tell.
    pub swapped: Option<u64>,
    /// What somebody has set, from -1000 to 1000.
    pub adjustment: i64,
    /// Its name.
    pub name: Vec<u8>,
}

/// Page tables as the table tells them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PageTables {
    /// Not at all.
    #[default]
    Unknown,
    /// In pages.
    Pages(u64),
    /// In bytes.
    Bytes(u64),
}

/// A process that was killed; amounts in bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Victim {
    /// Its number.
    pub pid: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Address space.
    pub address_space: Option<u64>,
    /// In memory, without a file.
    pub anonymous: Option<u64>,
    /// In memory, of files.
    pub file: Option<u64>,
    /// In memory, shared.
    pub shared: Option<u64>,
    /// Page tables.
    pub page_tables: Option<u64>,
    /// Whose it was.
    pub user: Option<u64>,
    /// What somebody had set.
    pub adjustment: Option<i64>,
    /// Whether the kernel has taken its memory before it ended; `Some(false)` if it could not.
    pub reaped: Option<bool>,
}

/// What a line is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// Who asked.
    Asker,
    /// Which process that is, and which kernel.
    Kernel,
    /// On old kernels, whose limit it was.
    LimitOf,
    /// What was used and what is allowed.
    Usage,
    /// How much memory there is.
    Machine,
    /// What the columns of the table are.
    Columns,
    /// A row of the table.
    Row,
    /// Whose limit it was, and who was chosen.
    Summary,
    /// Who was chosen, with a score.
    Chosen,
    /// Who was killed.
    Killed,
    /// That a group is killed as a whole.
    WholeGroup,
    /// That its memory has been taken already.
    Reaped,
    /// That its memory could not be taken.
    NotReaped,
    /// That nobody could be killed.
    Nobody,
}

/// All kills of which a log tells, in its order.
///
/// # Source
///
/// `mm/oom_kill.c` and `mm/memcontrol.c` of the kernel, several versions.
pub fn kills(log: &[u8]) -> Vec<Kill> {
    let mut reader = Reader::default();
    for entry in kmsg::entries(log) {
        let meaning = reader.line(entry.text, &entry.time);
        if let (Some(meaning), Some(kill)) = (meaning, reader.kills.last_mut()) {
            kill.lines.push((meaning, entry.text.to_vec()));
        }
    }
    reader.kills
}

#[derive(Debug, Default)]
struct Reader {
    kills: Vec<Kill>,
    columns: Option<Columns>,
}

impl Reader {
    /// Takes in a line; `None` if it is about something else.
    fn line(&mut self, text: &[u8], time: &Time) -> Option<Meaning> {
        if let Some((name, request)) = split(text, b" invoked oom-killer: ") {
            self.columns = None;
            let asker = Some(Asker {
                name: name.to_vec(),
                pid: None,
                kind: field(request, b"gfp_mask=", b", ").unwrap_or_default().to_vec(),
                order: field(request, b"order=", b",").and_then(text::signed),
            });
            self.kills.push(Kill { time: time.clone(), asker, ..Kill::default() });
            return Some(Meaning::Asker);
        }
        self.death(text, time).or_else(|| self.circumstance(text))
    }

    /// The lines that can stand alone.
    fn death(&mut self, text: &[u8], time: &Time) -> Option<Meaning> {
        let is_group = text.starts_with(b"Memory cgroup out of memory");
        if let Some((_, rest)) = split(text, b"Killed process ") {
            let victim = text::victim(rest)?;
            let kill = self.of_victim(time);
            kill.kills_asker |= text.starts_with(b"Out of memory (oom_kill_allocating_task)");
            if kill.scope == Scope::Unknown && is_group {
                kill.scope = Scope::Group { limited: Vec::new(), of_task: Vec::new() };
            } else if kill.scope == Scope::Unknown && text.starts_with(b"Out of memory") {
                kill.scope = Scope::Machine;
            }
            // The one that was chosen is named again when its group follows.
            if kill.victims.iter().all(|known| known.pid != victim.pid) {
                kill.victims.push(victim);
            }
            return Some(Meaning::Killed);
        }
        if let Some((head, rest)) = split(text, b"Kill process ") {
            let (pid, name, rest) = process(rest, b" score ").or_else(|| process(rest, b""))?;
            let kill = self.of_victim(time);
            kill.kills_asker |= head.starts_with(b"Out of memory (oom_kill_allocating_task)");
            if kill.scope == Scope::Unknown && !is_group {
                kill.scope = Scope::Machine;
            }
            kill.chosen = Some((pid, name.to_vec(), text::leading_number(rest)));
            return Some(Meaning::Chosen);
        }
        if let Some(rest) = text.strip_prefix(b"oom_reaper: ") {
            let (pid, is_reaped) = text::reaped(rest)?;
            let mut victims = self.kills.iter_mut().rev().flat_map(|kill| &mut kill.victims);
            victims.find(|victim| victim.pid == pid)?.reaped = Some(is_reaped);
            return Some(if is_reaped { Meaning::Reaped } else { Meaning::NotReaped });
        }
        None
    }

    /// The kill that a victim is of: the last one, unless that has one already.
    fn of_victim(&mut self, time: &Time) -> &mut Kill {
        let is_open = |kill: &Kill| kill.victims.is_empty() || kill.whole_group.is_some();
        if !self.kills.last().is_some_and(is_open) {
            self.kills.push(Kill { time: time.clone(), ..Kill::default() });
        }
        let last = self.kills.len() - 1;
        &mut self.kills[last]
    }

    /// The lines that are about the last kill.
    fn circumstance(&mut self, text: &[u8]) -> Option<Meaning> {
        if let Some((group, _)) =
            text.strip_prefix(b"Tasks in ").and_then(|rest| split(rest, b" are going to be killed"))
        {
            self.kills.last_mut()?.whole_group = Some(group.to_vec());
            return Some(Meaning::WholeGroup);
        }
        // All others come before the victim.
        let kill = self.kills.last_mut().filter(|kill| kill.victims.is_empty())?;
        if let Some(columns) = Columns::read(text) {
            self.columns = Some(columns);
            return Some(Meaning::Columns);
        }
        if let Some(task) = self.columns.as_ref().and_then(|columns| columns.row(text)) {
            kill.tasks.push(task);
            return Some(Meaning::Row);
        }
        if let Some(summary) = text.strip_prefix(b"oom-kill:constraint=") {
            kill.scope = text::scope(summary);
            return Some(Meaning::Summary);
        }
        if let Some((of_task, limited)) =
            text.strip_prefix(b"Task in ").and_then(|rest| split(rest, b" killed as a result of limit of "))
        {
            kill.scope = Scope::Group { limited: limited.to_vec(), of_task: of_task.to_vec() };
            return Some(Meaning::LimitOf);
        }
        if let Some(usage) = text::usage(text) {
            kill.usage.push(usage);
            return Some(Meaning::Usage);
        }
        if split(text, b"nd no killable processes").is_some() {
            kill.found_nobody = true;
            if kill.scope == Scope::Unknown && text.starts_with(b"Out of memory") {
                kill.scope = Scope::Machine;
            }
            return Some(Meaning::Nobody);
        }
        if let Some((pid, kernel)) = text::kernel(text) {
            let asker = kill.asker.as_mut().filter(|asker| asker.pid.is_none())?;
            asker.pid = Some(pid);
            kill.kernel = kernel.map(<[u8]>::to_vec);
            return Some(Meaning::Kernel);
        }
        if let Some(rest) = text.strip_prefix(b"Total swap = ") {
            kill.swap_bytes = kilobytes(rest);
            return Some(Meaning::Machine);
        }
        let (number, what) = split(text, b" pages ")?;
        let place = match what {
            b"RAM" => &mut kill.ram_pages,
            b"reserved" => &mut kill.reserved_pages,
            _ => return None,
        };
        *place = super::decimal(number);
        Some(Meaning::Machine)
    }
}

#[cfg(test)]
mod tests;
