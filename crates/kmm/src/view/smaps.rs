//! `/proc/pid/smaps`: what is in memory of each area.
//!
//! # Source
//!
//! `Documentation/filesystems/proc.rst`; which page counts where was tried on Linux 6.18.

use core::fmt;

use mallow_frame::{Flag, FrameState};
use mallow_paging::{Entry, Kind, Level};
use mallow_units::FrameNumber;
use mallow_vma::{Backing, Flags, Vma};

use super::PAGE_KIB;
use crate::absent::Absent;
use crate::machine::{Machine, Process};
use crate::mm::Pid;
use crate::world::frames_of;

/// Fractions of a byte that a share of a page is counted in.
const SHARE_SHIFT: u32 = 12;

/// Pages of one area that are in memory, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AreaUse {
    /// In memory: `Rss`.
    pub resident: u64,
    /// In memory, each divided by the number of its users, in 4096ths of a byte: `Pss`.
    pub share: u64,
    /// The dirty part of that: `Pss_Dirty`.
    pub dirty_share: u64,
    /// Mapped more than once, unchanged: `Shared_Clean`.
    pub shared_clean: u64,
    /// Mapped more than once, changed: `Shared_Dirty`.
    pub shared_dirty: u64,
    /// Mapped once, unchanged: `Private_Clean`.
    pub private_clean: u64,
    /// Mapped once, changed: `Private_Dirty`.
    pub private_dirty: u64,
    /// Used of late: `Referenced`.
    pub referenced: u64,
    /// Private memory, not of a file: `Anonymous`.
    pub anonymous: u64,
    /// To be dropped under pressure: `LazyFree`.
    pub lazily_freed: u64,
    /// In huge pages: `AnonHugePages`.
    pub huge: u64,
    /// In swap: `Swap`.
    pub swapped: u64,
}

impl AreaUse {
    /// `Private_Clean` and `Private_Dirty`.
    pub const fn private(&self) -> u64 {
        self.private_clean + self.private_dirty
    }

    /// `Shared_Clean` and `Shared_Dirty`.
    pub const fn shared(&self) -> u64 {
        self.shared_clean + self.shared_dirty
    }

    const fn share_kib(share: u64) -> u64 {
        share >> (10 + SHARE_SHIFT)
    }
}

impl Machine {
    /// What is in memory of `area` of a process.
    pub fn area_use(&self, pid: Pid, area: &Vma) -> AreaUse {
        let mut used = AreaUse::default();
        let Some(mm) = self.world.mm(pid) else { return used };
        for found in mm.table.entries(&self.world.physical, area.span()) {
            match found.entry.kind(found.level) {
                Kind::Frame(_) if found.entry.is_special() => {}
                Kind::Frame(_) => {
                    for frame in frames_of(found.level, found.entry) {
                        self.count(&mut used, found.level, frame, found.entry);
                    }
                }
                Kind::Absent(payload) => {
                    used.swapped += u64::from(matches!(Absent::of_payload(payload), Absent::Swapped { .. }));
                }
                Kind::Empty | Kind::Table(_) => {}
            }
        }
        used
    }

    fn count(&self, used: &mut AreaUse, level: Level, frame: FrameNumber, entry: Entry) {
        let info = self.world.physical.frame(frame);
        let is_anon = info.state() != FrameState::File;
        let is_lazy = is_anon && !info.has(Flag::Dirty) && !entry.is_dirty();
        let is_dirty = entry.is_dirty() || info.has(Flag::Dirty);
        let mappings = u64::from(info.mappings().max(1));
        used.resident += 1;
        let share = (PAGE_KIB << (10 + SHARE_SHIFT)) / mappings;
        used.share += share;
        used.dirty_share += if is_dirty { share } else { 0 };
        *match (mappings > 1, is_dirty) {
            (true, false) => &mut used.shared_clean,
            (true, true) => &mut used.shared_dirty,
            (false, false) => &mut used.private_clean,
            (false, true) => &mut used.private_dirty,
        } += 1;
        used.referenced += u64::from(entry.is_accessed() || info.has(Flag::Referenced));
        used.anonymous += u64::from(is_anon);
        used.lazily_freed += u64::from(is_lazy);
        used.huge += u64::from(level != Level::Page);
    }

    /// `/proc/pid/smaps` of a process that has not exited.
    pub fn smaps(&self, pid: Pid) -> Option<Smaps<'_>> {
        Some(Smaps { machine: self, pid, process: self.process(pid).ok()? })
    }

    /// What `maps` shows behind an area.
    pub fn area_name<'a>(&'a self, process: &Process, area: &Vma) -> &'a str {
        let heap = process.space.layout().heap_start.page()..process.space.heap_end().page();
        match area.backing() {
            Backing::File(file) => self.world.files.get(file).map_or("", |file| &file.name),
            Backing::Anonymous if area.span().holds(process.space.layout().stack.page()) => "[stack]",
            Backing::Anonymous if area.span().start() <= heap.start && area.span().end() > heap.start => {
                "[heap]"
            }
            Backing::Anonymous => "",
        }
    }
}

/// `/proc/pid/smaps`.
#[derive(Debug)]
pub struct Smaps<'a> {
    machine: &'a Machine,
    pid: Pid,
    process: &'a Process,
}

/// The first line of an area, which is also its line in `maps`.
pub(crate) fn write_head(
    f: &mut fmt::Formatter<'_>,
    machine: &Machine,
    process: &Process,
    area: &Vma,
) -> fmt::Result {
    let (start, end) = (area.span().start().start().0, area.span().end().start().0);
    let flags = area.flags();
    let letter = |flag, letter| if flags.has(flag) { letter } else { '-' };
    let shared = if area.is_private() { 'p' } else { 's' };
    let (offset, inode) = match area.backing() {
        Backing::File(file) => (area.offset() * 4096, file.0.get()),
        Backing::Anonymous => (0, 0),
    };
    let access = [letter(Flags::READ, 'r'), letter(Flags::WRITE, 'w'), letter(Flags::EXEC, 'x'), shared];
    let [read, write, exec, shared] = access;
    let name = machine.area_name(process, area);
    write!(f, "{start:08x}-{end:08x} {read}{write}{exec}{shared} {offset:08x} 00:00 {inode} ")?;
    if name.is_empty() { writeln!(f) } else { writeln!(f, "{name:>width$}", width = 26 + name.len()) }
}

impl fmt::Display for Smaps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for area in self.process.space.areas() {
            let used = self.machine.area_use(self.pid, area);
            write_head(f, self.machine, self.process, area)?;
            let locked = if area.flags().has(Flags::LOCKED) { AreaUse::share_kib(used.share) } else { 0 };
            let lines = [
                ("Size", area.span().pages() * PAGE_KIB),
                ("KernelPageSize", PAGE_KIB),
                ("MMUPageSize", PAGE_KIB),
                ("Rss", used.resident * PAGE_KIB),
                ("Pss", AreaUse::share_kib(used.share)),
                ("Pss_Dirty", AreaUse::share_kib(used.dirty_share)),
                ("Shared_Clean", used.shared_clean * PAGE_KIB),
                ("Shared_Dirty", used.shared_dirty * PAGE_KIB),
                ("Private_Clean", used.private_clean * PAGE_KIB),
                ("Private_Dirty", used.private_dirty * PAGE_KIB),
                ("Referenced", used.referenced * PAGE_KIB),
                ("Anonymous", used.anonymous * PAGE_KIB),
                ("KSM", 0),
                ("LazyFree", used.lazily_freed * PAGE_KIB),
                ("AnonHugePages", used.huge * PAGE_KIB),
                ("ShmemPmdMapped", 0),
                ("FilePmdMapped", 0),
                ("Shared_Hugetlb", 0),
                ("Private_Hugetlb", 0),
                ("Swap", used.swapped * PAGE_KIB),
                ("SwapPss", used.swapped * PAGE_KIB),
                ("Locked", locked),
            ];
            for (name, kib) in lines {
                writeln!(f, "{:<16}{kib:>8} kB", NameColon(name))?;
            }
            writeln!(f, "THPeligible:           0")?;
            writeln!(f, "VmFlags: {} ", area.flags())?;
        }
        Ok(())
    }
}

/// A name with a colon that pads as one word.
struct NameColon(&'static str);

impl fmt::Display for NameColon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or(0).saturating_sub(self.0.len() + 1);
        write!(f, "{}:{:width$}", self.0, "")
    }
}
