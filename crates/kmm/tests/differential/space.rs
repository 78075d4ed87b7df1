//! The simulated side without frames and tables: address spaces, above pages that are as simple as they get.

use alloc::collections::BTreeMap;

use mallow_kmm::script::{
    Base, Call, Limit, Outcome, Place, Resource, Script, Signal, Source, Statement, advice,
};
use mallow_units::{Errno, PageCount, PageNumber, PageSpan, VirtAddr};
use mallow_vma::fault::{self, Access, Action, Cover, SegvCode};
use mallow_vma::{
    Advice, Backing, FileId, Flags, Growing, LockFlags, MapFlags, MapRequest, OpenFile, Prot, RemapFlags,
    Space, Vma,
};

use crate::areas;
use crate::live::{Ground, Totals};
use crate::pages::World;
use crate::transcript::{Area, Detail, End, Step, Transcript};

const PAGE: u64 = 4096;

/// Runs a script.
pub(crate) fn run(script: &Script, ground: &Ground) -> Transcript {
    let mut kernel = Kernel::boot(ground);
    let steps = (0..script.statements.len()).map(|index| kernel.step(script, index)).collect();
    let ends =
        (0..).zip(&kernel.processes).map(|(number, one)| one.as_ref().map(|one| kernel.end(number, one)));
    let ends = ends.collect();
    let mut transcript = Transcript { steps, ends, ..Transcript::default() };
    transcript.ends.resize_with(mallow_kmm::script::MAX_PROCESSES as usize, || None);
    let forked = kernel.processes.iter().skip(1).flatten().count();
    let copies = i64::try_from(forked).unwrap() * ground.charged_kib;
    transcript.committed_kib = (kernel.world.charged - kernel.charged_before) * 4 + copies;
    transcript
}

struct Kernel<'ground> {
    ground: &'ground Ground,
    world: World,
    processes: Vec<Option<Space<Growing>>>,
    files: BTreeMap<String, FileId>,
    results: Vec<u64>,
    before: Totals,
    charged_before: i64,
}

impl<'ground> Kernel<'ground> {
    fn boot(ground: &'ground Ground) -> Self {
        let (layout, limits) = (areas::layout(ground), areas::limits(ground));
        let mut space = Space::new(Default::default(), Default::default(), layout, limits);
        let mut world = World::default();
        world.ram_pages = ground.ram_kib / 4;
        space.mmap(&areas::elsewhere(ground), &mut world).expect("nothing is there");
        let mut kernel = Self {
            ground,
            charged_before: world.charged,
            world,
            processes: Vec::new(),
            files: BTreeMap::new(),
            results: Vec::new(),
            before: areas::totals(&space),
        };
        kernel.processes.push(Some(space));
        kernel
    }

    fn step(&mut self, script: &Script, index: usize) -> Step {
        let statement = &script.statements[index];
        let number = statement.process as usize;
        let Some(mut space) = self.processes.get_mut(number).and_then(Option::take) else {
            self.results.push(0);
            return Step { outcome: Outcome::Skipped, maps: Vec::new() };
        };
        (self.world.current, self.world.child) = (number, self.processes.len());
        let mut outcome = self.perform(&mut space, script, index);
        let spans = core::mem::take(&mut self.world.populate);
        let populated =
            spans.into_iter().try_for_each(|span| self.populate(&mut space, span, &statement.call));
        if let Err(errno) = populated {
            outcome = Outcome::Refused(errno);
        }
        space.check().unwrap_or_else(|broken| panic!("after `{statement}`: {broken}"));
        let maps = areas::of_script(&space, self.ground).map(|area| self.line(&space, area)).collect();
        self.results.push(if let Outcome::Value(value) = outcome { value } else { 0 });
        if statement.call == Call::Exit {
            space.clear(&mut self.world);
            return Step { outcome, maps: Vec::new() };
        }
        self.processes[number] = Some(space);
        Step { outcome, maps }
    }

    fn perform(&mut self, space: &mut Space<Growing>, script: &Script, index: usize) -> Outcome {
        let Statement { call, .. } = &script.statements[index];
        let address = |place: &Place| VirtAddr(self.address(script, index, place));
        let zero = |result: Result<(), Errno>| result.map(|()| 0);
        let result = match call {
            Call::File { name, bytes } => {
                let file = self.world.new_file(bytes.div_ceil(PAGE));
                self.files.insert(name.clone(), file);
                Ok(0)
            }
            Call::Mmap { at, bytes, protection, flags, source } => {
                let mut request = MapRequest {
                    address: address(at),
                    length: *bytes,
                    prot: Prot(*protection),
                    flags: MapFlags(*flags),
                    file: None,
                    offset: 0,
                };
                match source {
                    Source::Anonymous => request.flags = request.flags.with(MapFlags::ANONYMOUS),
                    Source::File { name, offset } => {
                        request.file = Some(OpenFile::read_write(self.files[name]));
                        request.offset = *offset;
                    }
                }
                space.mmap(&request, &mut self.world).map(|at| at.0)
            }
            Call::Munmap { at, bytes } => zero(space.munmap(address(at), *bytes, &mut self.world)),
            Call::Mprotect { at, bytes, protection } => {
                zero(space.mprotect(address(at), *bytes, Prot(*protection), &mut self.world))
            }
            Call::Mremap { at, old_bytes, new_bytes, flags, to } => {
                let to = to.as_ref().map_or(VirtAddr(0), address);
                let flags = RemapFlags(*flags);
                space.mremap(address(at), *old_bytes, *new_bytes, flags, to, &mut self.world).map(|at| at.0)
            }
            Call::Brk { to } => Ok(space.brk(address(to), &mut self.world).0),
            Call::Mlock { at, bytes, on_fault } => {
                zero(space.mlock(address(at), *bytes, *on_fault, &mut self.world))
            }
            Call::Munlock { at, bytes } => zero(space.munlock(address(at), *bytes, &mut self.world)),
            Call::Mlockall { flags } => zero(space.mlockall(LockFlags(*flags), &mut self.world)),
            Call::Munlockall => zero(space.munlockall(&mut self.world)),
            Call::Madvise { at, bytes, advice } => {
                let advice = Advice(advice.cast_signed());
                zero(space.madvise(address(at), *bytes, advice, &mut self.world))
            }
            Call::Mincore { at, bytes } => {
                let mut digest = Outcome::EMPTY_DIGEST;
                let visit = |page, area: &Vma| {
                    digest = Outcome::digest(digest, u8::from(self.world.is_resident(area, page)));
                };
                space.mincore(address(at), *bytes, visit).map(|()| digest)
            }
            Call::Read { at, bytes } => return self.touch(space, address(at).0, *bytes, None),
            Call::Write { at, bytes, value } => {
                return self.touch(space, address(at).0, *bytes, Some(*value));
            }
            Call::Rlimit { resource, limit } => {
                limit_to(space, *resource, *limit, self.ground);
                Ok(0)
            }
            Call::Fork => space.fork(Default::default(), Default::default(), &mut self.world).map(|child| {
                self.processes.push(Some(child));
                self.processes.len() as u64 - 1
            }),
            Call::Exit => Ok(0),
        };
        result.map_or_else(Outcome::Refused, Outcome::Value)
    }

    fn address(&self, script: &Script, index: usize, place: &Place) -> u64 {
        let base = match &place.base {
            Base::Zero => 0,
            Base::Arena => self.ground.arena,
            Base::Break => self.ground.heap,
            Base::Result(name) => {
                let made = script.statements[..index].iter().rposition(|one| one.name.as_ref() == Some(name));
                made.map_or(0, |made| self.results[made])
            }
        };
        base.wrapping_add(place.distance)
    }

    fn touch(&mut self, space: &mut Space<Growing>, at: u64, bytes: u64, store: Option<u8>) -> Outcome {
        let access = if store.is_some() { Access::Write } else { Access::Read };
        let mut digest = Outcome::EMPTY_DIGEST;
        for page in 0..bytes.div_ceil(PAGE) {
            let at = at.wrapping_add(page * PAGE);
            // Not canonical, so not even a fault of a page.
            if (1 << 47..0xffff_8000_0000_0000).contains(&at) {
                return Outcome::Killed(page, Signal::Other(11, 128));
            }
            if let Err(signal) = self.fault(space, VirtAddr(at).page(), access) {
                return Outcome::Killed(page, signal);
            }
            digest = Outcome::digest(digest, self.world.access(at, store));
        }
        Outcome::Value(digest)
    }

    /// Makes a page accessible; the signal if it must not be.
    fn fault(&mut self, space: &mut Space<Growing>, page: PageNumber, access: Access) -> Result<(), Signal> {
        loop {
            let area = space.at_or_after(page).copied();
            let cover = match &area {
                Some(area) if area.span().holds(page) => Cover::Area(area),
                Some(area) if area.flags().has(Flags::GROWS_DOWN) => Cover::BelowStack(area),
                _ => Cover::Nothing,
            };
            let action = fault::decide(cover, access, self.world.entry(page));
            let area = match action {
                Action::Segv(SegvCode::NotMapped) => return Err(Signal::NotMapped),
                Action::Segv(SegvCode::NotAllowed) => return Err(Signal::NotAllowed),
                Action::GrowStack => {
                    space.grow_stack(page, &mut self.world).map_err(|_| Signal::NotMapped)?;
                    continue;
                }
                _ => area.expect("what is allowed lies in an area"),
            };
            if matches!(action, Action::MapNew | Action::CopyCache | Action::Copy | Action::Reuse) {
                space.prepare_anon(page, &mut self.world).expect("there is an area");
            }
            if action == Action::MapCache {
                self.world.map_around(&area, page);
            }
            let is_new = matches!(action, Action::MapCache | Action::WriteCache | Action::CopyCache);
            if let Backing::File(file) = area.backing()
                && is_new
                && !self.world.reaches(file, area.offset_of(page))
            {
                return Err(Signal::BeyondFile);
            }
            match action {
                Action::MapZero => self.world.map_zero(page),
                Action::MapNew => self.world.map_new(page),
                Action::MapCache => self.world.map_cache(&area, page),
                Action::WriteCache => self.world.write_cache(&area, page),
                Action::CopyCache => self.world.copy_cache(&area, page),
                Action::Copy => self.world.copy(page),
                Action::Reuse => self.world.reuse(page),
                _ => {}
            }
            return Ok(());
        }
    }

    /// Touches what a call wants to be touched; the errno if the call tells of what could not.
    fn populate(&mut self, space: &mut Space<Growing>, span: PageSpan, call: &Call) -> Result<(), Errno> {
        let asked = match call {
            Call::Madvise { advice: advice::POPULATE_READ, .. } => Some(Access::Read),
            Call::Madvise { advice: advice::POPULATE_WRITE, .. } => Some(Access::Write),
            _ => None,
        };
        let areas: Vec<Vma> = space.areas_in(span).copied().collect();
        for area in areas {
            let writes = area.flags().has(Flags::WRITE) && !area.flags().has(Flags::SHARED);
            let access = asked.unwrap_or(if writes { Access::Write } else { Access::Read });
            if asked.is_none() && area.flags().has(Flags::LOCK_ON_FAULT) {
                continue;
            }
            let needed = match asked {
                Some(Access::Write) => Flags::WRITE,
                Some(_) => Flags::READ,
                None => Flags::NONE,
            };
            if !area.flags().has(needed) {
                return Err(Errno::EINVAL);
            }
            let pages = area.span().start().0.max(span.start().0)..area.span().end().0.min(span.end().0);
            for page in pages {
                if self.fault(space, PageNumber(page), access).is_ok() {
                    if access == Access::Write {
                        self.world.mark_dirty(page);
                    }
                    continue;
                }
                match call {
                    Call::Mlock { .. } => return Err(Errno::ENOMEM),
                    Call::Madvise { .. } => return Err(Errno::EFAULT),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    fn end(&self, number: usize, space: &Space<Growing>) -> End {
        let totals = areas::totals(space).since(self.before);
        let detail = |area: &Vma| Detail {
            area: self.line(space, area),
            kib: self.world.kib(number, area),
            flags: areas::flags(area),
        };
        let pages = areas::of_script(space, self.ground).flat_map(|area| self.world.entries(number, area));
        let pages = pages.filter(|(page, _)| areas::is_looked_at(*page, self.ground));
        End {
            areas: areas::of_script(space, self.ground).map(detail).collect(),
            totals,
            pages: pages.collect(),
        }
    }

    fn line(&self, space: &Space<Growing>, area: &Vma) -> Area {
        areas::line(space, area, self.ground, |file| self.world.is_named(file))
    }
}

fn limit_to(space: &mut Space<Growing>, resource: Resource, limit: Limit, ground: &Ground) {
    let (account, mut limits) = (*space.account(), *space.limits());
    let (field, used, hard) = match resource {
        Resource::AddressSpace => (&mut limits.address_space, account.total, u64::MAX),
        Resource::Data => (&mut limits.data, account.data, u64::MAX),
        Resource::Stack => (&mut limits.stack, PageCount(0), u64::MAX),
        Resource::LockedMemory => (&mut limits.locked, account.locked, ground.locked_limit),
    };
    let soft = match limit {
        Limit::Bytes(bytes) => bytes,
        Limit::Above(bytes) => (used.0 * PAGE).saturating_add(bytes),
        Limit::None => u64::MAX,
    };
    *field = soft.min(hard);
    space.set_limits(limits);
}
