//! The killer at work: chooses, writes the log, takes the victim's memory.
//!
//! Called at the end of the allocation slow path, when reclaim brings nothing any more. The victim's private memory is taken at
//! once, as the reaper does in Linux; the rest goes when the machine lets it exit, after the fault or call that is under way.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use mallow_buddy::{Mark, Request};
use mallow_frame::{FrameState, ZoneKind};
use mallow_units::{Order, PageCount, PageNumber, PageSpan};

use crate::lru::Kind;
use crate::mm::{ALL_PAGES, Mm, Pid};
use crate::oom::{
    self, Asker, Choice, Explanation, Log, MemInfo, Purpose, Reaped, Standing, Task, Usage, ZoneInfo,
};
use crate::pressure::KillReport;
use crate::world::World;

impl Mm {
    /// The process as the killer sees it.
    pub fn task(&self, pid: Pid) -> Task<'_> {
        Task {
            pid: pid.0,
            uid: self.uid,
            name: self.name.as_str(),
            usage: Usage {
                anonymous: PageCount(self.resident.anon),
                file: PageCount(self.resident.file),
                shared: PageCount(self.resident.shmem),
                swapped: PageCount(self.resident.swap),
                page_tables: PageCount(u64::from(self.table.table_count())),
            },
            address_space: self.address_space,
            adjustment: self.adjustment,
            standing: if self.is_killed { Standing::Reaped } else { Standing::Ordinary },
        }
    }
}

impl World {
    /// The processes as the killer sees them, the oldest first.
    pub fn tasks(&self) -> impl Iterator<Item = Task<'_>> + Clone {
        (0..).map(Pid).zip(&self.mms).filter_map(|(pid, mm)| Some(mm.as_ref()?.task(pid)))
    }

    /// RAM and swap, which a score is measured against.
    pub fn oom_total(&self) -> PageCount {
        let totals = self.totals();
        PageCount(totals.ram.0 + totals.swap.0)
    }

    /// Chooses a process and takes its memory; whether there was one.
    pub(crate) fn kill(&mut self, request: &Request) -> bool {
        // The memory of one that has been killed comes back first.
        let total = self.oom_total();
        let choice = oom::choose(self.tasks().filter(|task| task.standing == Standing::Ordinary), total);
        let mut report = self.report(choice, request);
        let victim = match choice {
            Choice::Kill { pid, .. } => Some(Pid(pid)),
            Choice::Wait { .. } | Choice::Nobody => None,
        };
        if let Some(pid) = victim {
            self.pressure.counts.kills += 1;
            self.pressure.dying.push(pid);
            self.reap(pid);
            if let Some(mm) = self.mm_mut(pid) {
                mm.is_killed = true;
                let line = Reaped(mm.task(pid)).to_string();
                report.log += &stamped(report.at_ns, &line);
            }
        }
        report.victim = victim;
        self.pressure.kills.push(report);
        victim.is_some()
    }

    /// Takes the private memory of a process.
    fn reap(&mut self, pid: Pid) {
        let mut pages: Vec<PageNumber> = Vec::new();
        if let Some(mm) = self.mm(pid) {
            let is_private = |entry: &mallow_paging::Entry| {
                let frame = entry.mapped().filter(|_| !entry.is_special());
                frame.is_none_or(|frame| self.physical.frame(frame).state() != FrameState::File)
            };
            let entries = mm.table.entries(&self.physical, ALL_PAGES);
            pages.extend(entries.filter(|found| is_private(&found.entry)).map(|found| found.page));
        }
        for run in pages.chunk_by(|a, b| a.0 + 1 == b.0) {
            if let Some(span) = PageSpan::of(run[0], run.len() as u64) {
                self.unmap(pid, span);
            }
        }
    }

    fn report(&self, choice: Choice, request: &Request) -> KillReport {
        let at_ns = self.pressure.now_ns;
        let (tasks, total) = (self.tasks(), self.oom_total());
        let nobody = Task {
            pid: 0,
            uid: 0,
            name: "kernel",
            usage: Usage::default(),
            address_space: PageCount(0),
            adjustment: oom::Adjustment::default(),
            standing: Standing::Protected,
        };
        let asker = Asker {
            task: self.running.and_then(|pid| Some(self.mm(pid)?.task(pid))).unwrap_or(nobody),
            cpu: u32::try_from(self.physical.cpu()).unwrap_or(u32::MAX),
            purpose: match request.usage {
                FrameState::Anon => Purpose::Zeroed,
                FrameState::File | FrameState::SwapCache => Purpose::Filled,
                FrameState::PageTable => Purpose::PageTable,
                _ => Purpose::Kernel,
            },
            order: request.order,
        };
        let zones = self.zone_infos();
        let memory = self.mem_info();
        let log = Log { at_ns: Some(at_ns), asker, memory, zones: &zones, tasks: tasks.clone(), choice };
        let explanation = format!("{}{}", self.shortage_text(request), Explanation { tasks, total, choice });
        KillReport { at_ns, victim: None, log: log.to_string(), explanation }
    }

    /// Why there was nothing to be had but by killing.
    fn shortage_text(&self, request: &Request) -> alloc::string::String {
        let lru = &self.pressure.lru;
        let swap = &self.pressure.swap;
        let anon = match (swap.len(), swap.free()) {
            (0, _) => "cannot go, there is no swap".to_string(),
            (len, 0) => format!("cannot go, all {len} slots of swap are taken"),
            (_, free) => format!("can go to {free} slots of swap, but do not"),
        };
        format!(
            "wanted: {} frame(s); free: {}, the reserve begins at {}\n\
             memory of processes: {} pages, which {anon}\n\
             pages of files: {}; locked: {}; page tables: {}; compressed store: {}\n",
            request.order.frames(),
            self.physical.free_frames(),
            self.zone_infos().iter().map(|zone| zone.min).sum::<u64>(),
            lru.pages(Kind::Anon),
            lru.pages(Kind::File),
            lru.unevictable(),
            self.physical.table_frames(),
            swap.compressed().frames,
        )
    }

    /// The zones as the log shows them.
    pub fn zone_infos(&self) -> Vec<ZoneInfo<'static>> {
        let node = self.physical.node();
        let zones = ZoneKind::ALL.into_iter().map(|kind| (kind, node.zone(kind)));
        zones
            .filter(|(_, zone)| zone.managed() > 0)
            .map(|(kind, zone)| ZoneInfo {
                name: kind.name(),
                free: u64::from(zone.free()),
                min: u64::from(zone.watermarks().at(Mark::Min)),
                low: u64::from(zone.watermarks().at(Mark::Low)),
                high: u64::from(zone.watermarks().at(Mark::High)),
                present: u64::from(zone.present()),
                managed: u64::from(zone.managed()),
                blocks: core::array::from_fn(|at| {
                    let order = u8::try_from(at).ok().and_then(Order::new);
                    order.map_or(0, |order| u64::from(zone.area().blocks(order)))
                }),
            })
            .collect()
    }

    /// Where the memory is, as the log shows it.
    pub fn mem_info(&self) -> MemInfo {
        let (lru, swap) = (&self.pressure.lru, &self.pressure.swap);
        let in_zones = u64::from(self.physical.node().free_frames());
        let shared = |is_shared: bool| {
            let files = self.files.iter().filter(move |(_, file)| file.is_shared_memory() == is_shared);
            files.map(|(_, file)| file.pages.len() as u64).sum::<u64>()
        };
        let mapped = self.mms.iter().flatten().map(|mm| mm.resident.file + mm.resident.shmem).sum();
        MemInfo {
            active_anon: lru.active(Kind::Anon),
            inactive_anon: lru.inactive(Kind::Anon),
            active_file: lru.active(Kind::File),
            inactive_file: lru.inactive(Kind::File),
            unevictable: lru.unevictable(),
            dirty: 0,
            slab_reclaimable: 0,
            slab_unreclaimable: u64::from(swap.compressed().frames),
            mapped,
            shmem: shared(true),
            page_tables: self.physical.table_frames(),
            free: in_zones,
            free_per_cpu: self.physical.free_frames() - in_zones,
            cache: shared(true) + shared(false),
            swap_cache: 0,
            swap_free: u64::from(swap.free()),
            swap_total: u64::from(swap.len()),
            present: self.physical.ram().frames() as u64,
            reserved: self.physical.ram().frames() as u64 - self.totals().ram.0,
        }
    }
}

fn stamped(at_ns: u64, line: &str) -> alloc::string::String {
    format!("[{:5}.{:06}] {line}\n", at_ns / 1_000_000_000, at_ns / 1000 % 1_000_000)
}
