//! One address, step by step: what stands between a program's pointer and a bank of memory.
//!
//! ```text
//!  address ─► area ─► four tables ─► entry ─► frame ─► block of the buddy allocator ─► zone
//! ```
//!
//! Nothing is changed by looking: no fault, no accessed bit.

use alloc::vec::Vec;
use core::fmt;

use mallow_buddy::Node;
use mallow_frame::{Flag, FrameState, Head, ZoneKind};
use mallow_paging::translate::Step;
use mallow_paging::{Entry, Level};
use mallow_units::{FrameNumber, VirtAddr};
use mallow_vma::fault::{Access, Action, Cover, decide};
use mallow_vma::{Backing, Flags, Vma};

use crate::machine::Machine;
use crate::mm::Pid;
use crate::rmap::Place;

/// A frame, and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameSteps {
    /// The frame.
    pub frame: FrameNumber,
    /// The first frame of the run that it is part of, and what that is.
    pub run: (FrameNumber, Head),
    /// References to the run.
    pub references: u32,
    /// Where the run is mapped.
    pub places: Vec<Place>,
    /// Locked into memory.
    pub is_locked: bool,
    /// Its zone.
    pub zone: ZoneKind,
    /// The free frames of that zone, and its marks: min, low, high.
    pub zone_free: u32,
    /// Min, low and high of that zone.
    pub marks: [u32; 3],
}

/// All steps from an address to a zone, as far as they go.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// The address.
    pub address: VirtAddr,
    /// The area that holds it.
    pub area: Option<Vma>,
    /// What `maps` shows behind the area.
    pub name: alloc::string::String,
    /// The entries that a walk reads, from the root down.
    pub steps: Vec<Step>,
    /// The frame, if there is one.
    pub frame: Option<FrameSteps>,
    /// What a read would do now.
    pub read: Action,
    /// What a write would do now.
    pub write: Action,
}

impl Machine {
    /// Explains an address of a process that has not exited.
    pub fn explain(&self, pid: Pid, address: VirtAddr) -> Option<Explanation> {
        let process = self.process(pid).ok()?;
        let mm = self.world.mm(pid)?;
        let page = address.page();
        let next = process.space.at_or_after(page);
        let cover = match next {
            Some(area) if area.span().holds(page) => Cover::Area(area),
            Some(area) if area.flags().has(Flags::GROWS_DOWN) => Cover::BelowStack(area),
            _ => Cover::Nothing,
        };
        let area = process.space.find(page).copied();
        let steps: Vec<Step> = mm.table.steps(&self.world.physical, page).collect();
        let (level, entry) = steps.last().map_or((Level::Top, Entry::EMPTY), |step| (step.level, step.entry));
        let state = self.world.classify(level, entry);
        let is_end = entry.is_leaf(level);
        let frame = entry.mapped().filter(|_| is_end).and_then(|first| {
            let inside = u32::try_from(page.0 & (level.pages() - 1)).ok()?;
            self.explain_frame(FrameNumber(first.0 + inside))
        });
        Some(Explanation {
            address,
            name: area.map(|area| self.area_name(process, &area).into()).unwrap_or_default(),
            area,
            steps,
            frame,
            read: decide(cover, Access::Read, state),
            write: decide(cover, Access::Write, state),
        })
    }

    /// Explains a frame.
    pub fn explain_frame(&self, frame: FrameNumber) -> Option<FrameSteps> {
        let physical = &self.world.physical;
        let run = physical.table().head_of(frame)?;
        let head = physical.frame(run.0);
        let zone = head.place().zone;
        let node: &Node = physical.node();
        let marks = node.zone(zone).watermarks();
        let is_users = matches!(run.1.state, FrameState::Anon | FrameState::File | FrameState::SwapCache);
        Some(FrameSteps {
            frame,
            run,
            references: head.references(),
            places: if is_users { self.world.rmap.places(head).collect() } else { Vec::new() },
            is_locked: head.has(Flag::Unevictable),
            zone,
            zone_free: node.zone(zone).free(),
            marks: [marks.min, marks.low, marks.high],
        })
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = self.address.page();
        writeln!(f, "address  {:?}: page {page:?}, offset {:#x}", self.address, self.address.offset())?;
        match &self.area {
            None => writeln!(f, "area     none")?,
            Some(area) => {
                let (start, end) = (area.span().start().start(), area.span().end().start());
                write!(f, "area     {start:?}-{end:?} [{}]", area.flags())?;
                match area.backing() {
                    Backing::File(_) => writeln!(f, " page {} of {}", area.offset_of(page), self.name)?,
                    Backing::Anonymous if self.name.is_empty() => writeln!(f, " anonymous")?,
                    Backing::Anonymous => writeln!(f, " {}", self.name)?,
                }
            }
        }
        for step in &self.steps {
            write!(f, "table    {:<5} {:?}[{}]: ", Name(step.level), step.table, step.index)?;
            match step.entry.is_leaf(step.level) {
                true => writeln!(f, "{:?}", step.entry)?,
                false => writeln!(f, "table {:?}", step.entry.frame_number())?,
            }
        }
        if let Some(frame) = &self.frame {
            write!(f, "{frame}")?;
        }
        writeln!(f, "read     {:?}", self.read)?;
        writeln!(f, "write    {:?}", self.write)
    }
}

impl fmt::Display for FrameSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, head) = self.run;
        write!(f, "frame    {:?}: {:?}, {} references", self.frame, head.state, self.references)?;
        if self.is_locked {
            f.write_str(", locked")?;
        }
        for place in &self.places {
            write!(f, ", mapped by {} at {:?}", place.pid.0, place.page.start())?;
        }
        writeln!(f)?;
        writeln!(f, "block    order {} at {first:?}", head.order.get())?;
        let [min, low, high] = self.marks;
        writeln!(
            f,
            "zone     {:?}: {} frames free, min {min}, low {low}, high {high}",
            self.zone, self.zone_free
        )
    }
}

struct Name(Level);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self.0 {
            Level::Top => "top",
            Level::Giant => "giant",
            Level::Huge => "huge",
            Level::Page => "page",
        })
    }
}
