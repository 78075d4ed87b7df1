//! Random scripts, with a liking for what lies on a boundary.
//!
//! Statements work on a window of a few pages at the end of the arena, where the kernel places mappings that may lie anywhere,
//! and begin and end where earlier ones did more often than not: that is where areas split and merge. One argument in
//! some twenty is wrong.

use mallow_kmm::script::{
    Base, Call, Limit, Place, Resource, Script, Source, Statement, advice, flag, lock, protection, remap,
};

use crate::live::ARENA_PAGES;
use crate::random::Random;

const PAGE: u64 = 4096;
/// Sizes that overflow when they are added to an address or rounded up.
const AROUND_THE_END: [u64; 2] = [u64::MAX, u64::MAX - PAGE + 1];
/// The kind of memory that may vanish under pressure.
const DROPPABLE: u32 = 8;
/// Sizes that no address space has room for. Not all calls care, and those would work on what is not the script's.
const TOO_LONG: [u64; 3] = [1 << 47, (1 << 47) - PAGE, 1 << 63];

/// Writes script number `index` of `seed`.
pub(crate) fn script(seed: u64, index: u64) -> Script {
    let mut random = Random::of(seed, index);
    let count = 3 + random.below(6) + random.below(14);
    let mut writer = Writer::new(random);
    for _ in 0..count {
        let process = writer.process();
        let call = writer.call(process);
        writer.script.statements.push(Statement { line: 0, process, name: None, call });
    }
    writer.script
}

struct Writer {
    random: Random,
    script: Script,
    /// First page of the window, in the arena.
    window: u64,
    pages: u64,
    /// Pages at which something begins or ends.
    marks: Vec<u64>,
    /// The pages of the window that are probably mapped.
    mapped: Vec<bool>,
    /// Processes; `false` for those that have exited.
    alive: Vec<bool>,
    has_limits: bool,
    has_locked_all: bool,
    files: Vec<String>,
}

impl Writer {
    fn new(mut random: Random) -> Self {
        let pages = random.pick(&[4, 8, 8, 12, 16, 24]);
        // Stacks keep a gap of 256 pages.
        let window = match random.below(10) {
            0 => 0,
            1 => ARENA_PAGES as u64 / 2,
            _ => ARENA_PAGES as u64 - pages,
        };
        let mut writer = Self {
            random,
            script: Script::default(),
            window,
            pages,
            marks: vec![0, pages],
            mapped: vec![false; usize::try_from(pages).unwrap()],
            alive: vec![true],
            has_limits: false,
            has_locked_all: false,
            files: Vec::new(),
        };
        for name in ["f", "g"] {
            if writer.random.one_in(3) {
                let bytes = writer.random.below(pages + 2) * PAGE + writer.random.pick(&[0, 0, 1, 0xfff]);
                let call = Call::File { name: name.to_owned(), bytes };
                writer.script.statements.push(Statement { line: 0, process: 0, name: None, call });
                writer.files.push(name.to_owned());
            }
        }
        writer
    }

    fn process(&mut self) -> u32 {
        let alive: Vec<u32> =
            (0..).zip(&self.alive).filter(|(_, lives)| **lives).map(|(number, _)| number).collect();
        self.random.pick(&alive)
    }

    fn call(&mut self, process: u32) -> Call {
        let mappings =
            self.script.statements.iter().filter(|one| matches!(one.call, Call::Mmap { .. })).count() as u64;
        if mappings < 3 && !self.random.one_in(2 + 8 / (1 + mappings)) {
            return self.mmap();
        }
        match self.random.weighted(&[
            (26, 0),
            (9, 1),
            (14, 2),
            (10, 3),
            (10, 4),
            (6, 5),
            (3, 6),
            (1, 7),
            (1, 8),
            (4, 9),
            (4, 10),
            (9, 11),
            (15, 12),
            (2, 13),
            (3, 14),
            (1, 15),
        ]) {
            0 => self.mmap(),
            1 => {
                let (at, bytes) = self.target();
                let bytes = self.perhaps_too_long(bytes);
                self.suppose(&at, bytes, false);
                Call::Munmap { at, bytes }
            }
            2 => self.mprotect(),
            3 => self.mremap(),
            4 => self.madvise(),
            5 => {
                let on_fault = self.random.one_in(3);
                self.range(|at, bytes| Call::Mlock { at, bytes, on_fault })
            }
            6 => self.range(|at, bytes| Call::Munlock { at, bytes }),
            7 => {
                self.has_locked_all = true;
                let choices = [1, 2, 3, 5, 6, 7, lock::FUTURE, lock::FUTURE | lock::ONFAULT, 0, 4, 8];
                Call::Mlockall { flags: self.random.pick(&choices) }
            }
            8 => Call::Munlockall,
            9 => self.brk(),
            10 => self.range(|at, bytes| Call::Mincore { at, bytes }),
            11 => self.touch(|at, bytes, _| Call::Read { at, bytes }),
            12 => self.touch(|at, bytes, value| Call::Write { at, bytes, value }),
            13 => self.rlimit(),
            14 if self.alive.len() < 3 => {
                self.alive.push(true);
                Call::Fork
            }
            15 if process != 0 => {
                self.alive[process as usize] = false;
                Call::Exit
            }
            _ => self.touch(|at, bytes, value| Call::Write { at, bytes, value }),
        }
    }

    fn mmap(&mut self) -> Call {
        let kind = self.random.weighted(&[
            (60, flag::PRIVATE),
            (18, flag::SHARED),
            (2, flag::SHARED_VALIDATE),
            (1, 0),
            (1, 4),
            (2, DROPPABLE),
        ]);
        let way = self.random.weighted(&[
            (60, flag::FIXED),
            (12, flag::NOREPLACE),
            (2, flag::FIXED | flag::NOREPLACE),
            (12, 0),
            (20, u32::MAX),
        ]);
        let mut flags = kind;
        if way != u32::MAX {
            flags |= way;
        }
        for (times, bits) in [
            (14, flag::NORESERVE),
            (12, flag::POPULATE),
            (25, flag::LOCKED),
            (20, flag::GROWSDOWN),
            (25, flag::STACK),
            (40, flag::NONBLOCK),
            (100, 0x800),
            (150, 0x0800_0000),
        ] {
            if self.random.one_in(times) {
                flags |= bits;
            }
        }
        let source = if !self.files.is_empty() && self.random.one_in(3) {
            let name =
                self.files[usize::try_from(self.random.below(self.files.len() as u64)).unwrap()].clone();
            let offset = self.random.weighted(&[
                (20, 0),
                (10, self.random.clone().below(6) * PAGE),
                (1, 0x800),
                (1, u64::MAX - PAGE + 1),
            ]);
            Source::File { name, offset }
        } else {
            Source::Anonymous
        };
        let protection = self.protection();
        let (at, bytes) = if way == u32::MAX {
            let pages = self.length_pages();
            self.suppose_placed(pages);
            (Place::absolute(0), self.bytes(pages))
        } else {
            self.span()
        };
        let bytes = self.perhaps_too_long(bytes);
        self.suppose(&at, bytes, true);
        Call::Mmap { at, bytes, protection, flags, source }
    }

    fn mprotect(&mut self) -> Call {
        let mut protection = self.protection();
        if self.random.one_in(40) {
            protection |=
                self.random.pick(&[protection::GROWSDOWN, 0x0200_0000, 0x0300_0000, 8, 0x10, 0x8000_0000]);
        }
        self.range(|at, bytes| Call::Mprotect { at, bytes, protection })
    }

    fn mremap(&mut self) -> Call {
        let (at, old_bytes) = self.target();
        let new_bytes = match self.random.below(4) {
            0 => old_bytes,
            _ => {
                let pages = self.length_pages();
                self.bytes(pages)
            }
        };
        let old_bytes = if self.random.one_in(30) { 0 } else { old_bytes };
        let new_bytes = self.perhaps_too_long(new_bytes);
        let flags = self.random.weighted(&[
            (20, 0),
            (30, remap::MAYMOVE),
            (30, remap::MAYMOVE | remap::FIXED),
            (8, remap::MAYMOVE | remap::DONTUNMAP),
            (6, remap::MAYMOVE | remap::FIXED | remap::DONTUNMAP),
            (2, remap::FIXED),
            (1, remap::DONTUNMAP),
            (1, 8),
        ]);
        let needs_target = flags & (remap::FIXED | remap::DONTUNMAP) != 0;
        let mut to = (needs_target && !self.random.one_in(8)).then(|| self.span().0);
        if let Some(to) = &mut to
            && to.base == Base::Arena
        {
            // Behind the last window lies what is not the script's.
            let pages = new_bytes.div_ceil(PAGE).min(self.pages);
            to.distance = to.distance.min((self.window + self.pages - pages) * PAGE);
        }
        if let Some(to) = &to {
            self.suppose(&at, old_bytes, flags & remap::DONTUNMAP != 0);
            self.suppose(to, new_bytes, true);
        }
        Call::Mremap { at, old_bytes, new_bytes, flags, to }
    }

    fn madvise(&mut self) -> Call {
        let advice = self.random.weighted(&[
            (20, advice::DONTNEED),
            (8, advice::FREE),
            (6, advice::WILLNEED),
            (3, advice::COLD),
            (2, advice::PAGEOUT),
            (5, advice::DONTFORK),
            (3, advice::DOFORK),
            (4, advice::WIPEONFORK),
            (2, advice::KEEPONFORK),
            (3, advice::SEQUENTIAL),
            (3, advice::RANDOM),
            (3, advice::NORMAL),
            (3, advice::HUGEPAGE),
            (3, advice::NOHUGEPAGE),
            (3, advice::DONTDUMP),
            (2, advice::DODUMP),
            (5, advice::POPULATE_READ),
            (6, advice::POPULATE_WRITE),
            (3, advice::DONTNEED_LOCKED),
            (3, advice::REMOVE),
            (4, advice::GUARD_INSTALL),
            (2, advice::GUARD_REMOVE),
            (1, 99),
            (1, 7),
        ]);
        self.range(|at, bytes| Call::Madvise { at, bytes, advice })
    }

    fn brk(&mut self) -> Call {
        let pages = self.random.below(8);
        let odd = self.random.pick(&[0, 0, 0, 1, 0xfff]);
        let to = match self.random.below(12) {
            0 => Place::heap(0u64.wrapping_sub(PAGE)),
            1 => Place::absolute(0),
            _ => Place::heap(pages * PAGE + odd),
        };
        Call::Brk { to }
    }

    fn rlimit(&mut self) -> Call {
        self.has_limits = true;
        let resource = self.random.pick(&[
            Resource::AddressSpace,
            Resource::Data,
            Resource::LockedMemory,
            Resource::LockedMemory,
            Resource::Stack,
        ]);
        let pages = self.random.below(self.pages);
        let odd = self.random.pick(&[0, 0, 1, 0xfff]);
        let limit = match (resource, self.random.below(5)) {
            (_, 0) => Limit::None,
            (Resource::Stack, _) => Limit::Bytes(pages * PAGE + odd),
            (Resource::LockedMemory, 1) => Limit::Bytes(0),
            _ => Limit::Above(pages * PAGE + odd),
        };
        Call::Rlimit { resource, limit }
    }

    fn touch(&mut self, make: impl FnOnce(Place, u64, u8) -> Call) -> Call {
        let value = 1 + self.random.below(255);
        let (mut at, mut bytes) = self.target();
        if bytes >= 1 << 30 || self.random.one_in(3) {
            bytes = PAGE;
        }
        match self.random.below(20) {
            0 => at.distance = at.distance.wrapping_add(0x123),
            1 => at = Place::heap(self.random.below(6) * PAGE),
            2 => at.distance = at.distance.wrapping_sub(self.random.below(20) * PAGE),
            _ => {}
        }
        make(at, bytes, u8::try_from(value).unwrap())
    }

    fn range(&mut self, make: impl FnOnce(Place, u64) -> Call) -> Call {
        let (at, bytes) = self.target();
        make(at, bytes)
    }

    /// Pages that are probably mapped, more often than not.
    fn target(&mut self) -> (Place, u64) {
        let pages: Vec<u64> = (0..self.pages).filter(|page| self.mapped[*page as usize]).collect();
        if pages.is_empty() || self.random.one_in(5) {
            return self.span();
        }
        let mut start = self.random.pick(&pages);
        let is_mapped = |page: u64| self.mapped.get(page as usize).is_some_and(|mapped| *mapped);
        let first = (0..start).rev().take_while(|page| is_mapped(*page)).last().unwrap_or(start);
        let end = (start..).find(|page| !is_mapped(*page)).unwrap();
        if self.random.one_in(3) {
            start = first;
        }
        let pages = match self.random.below(6) {
            0..3 => end - start,
            3 => (end - start + 1).min(self.pages - start),
            _ => 1 + self.random.below(end - start),
        };
        self.marks.extend([start, start + pages]);
        let bytes = self.bytes(pages);
        (Place::arena((self.window + start) * PAGE), bytes)
    }

    /// Remembers what a call probably does to a range.
    fn suppose(&mut self, at: &Place, bytes: u64, is_mapped: bool) {
        let Some(start) = (at.distance / PAGE).checked_sub(self.window) else { return };
        if at.base == Base::Arena && bytes < 1 << 30 {
            let pages = self.mapped.iter_mut().skip(start as usize).take(bytes.div_ceil(PAGE) as usize);
            pages.for_each(|page| *page = is_mapped);
        }
    }

    /// Remembers where the kernel probably places so many pages: in the highest gap that holds them.
    fn suppose_placed(&mut self, pages: u64) {
        let is_free = |start: &u64| (*start..start + pages).all(|page| !self.mapped[page as usize]);
        if let Some(start) = (0..=self.pages - pages).rev().find(is_free) {
            self.marks.extend([start, start + pages]);
            self.suppose(&Place::arena((self.window + start) * PAGE), pages * PAGE, true);
        }
    }

    /// Pages of the window, with a few mistakes.
    fn span(&mut self) -> (Place, u64) {
        let start = self.page();
        let pages = match self.random.below(10) {
            0..6 => {
                let end = self.page();
                if end > start { end - start } else { self.length_pages() }
            }
            _ => self.length_pages(),
        };
        // Behind the last window lies what is not the script's.
        let pages = pages.min(self.pages - start);
        self.marks.extend([start, start + pages]);
        let mut bytes = self.bytes(pages);
        let mut at = Place::arena((self.window + start) * PAGE);
        match self.random.below(120) {
            0 | 1 => {
                at.distance += self.random.pick(&[1, 0x800, 0xfff]);
                if bytes <= pages * PAGE {
                    bytes = bytes.min(ARENA_PAGES as u64 * PAGE - at.distance);
                }
            }
            2 => at = Place::heap(self.random.below(4) * PAGE),
            3 => (at, bytes) = (Place::absolute(self.random.pick(&[0, PAGE, 15 * PAGE])), PAGE),
            4 => {
                let far = [1 << 47, (1 << 47) - PAGE, u64::MAX - PAGE + 1, 0xffff_8000_0000_0000];
                at = Place::absolute(self.random.pick(&far));
            }
            _ => {}
        }
        (at, bytes)
    }

    /// A page of the window: where something begins or ends, or any.
    fn page(&mut self) -> u64 {
        let page = if self.random.below(3) > 0 {
            let mark = self.random.pick(&self.marks.clone());
            let near = [mark, mark, mark, mark + 1, mark.saturating_sub(1)];
            self.random.pick(&near)
        } else {
            self.random.below(self.pages)
        };
        page.min(self.pages - 1)
    }

    fn length_pages(&mut self) -> u64 {
        let most = self.random.pick(&[1, 2, 3, 4, 8]);
        1 + self.random.below(most.min(self.pages))
    }

    fn bytes(&mut self, pages: u64) -> u64 {
        match self.random.below(100) {
            0 | 1 => 0,
            2 => self.random.pick(&AROUND_THE_END),
            3..6 => pages * PAGE - self.random.pick(&[1, 0x800, 0xfff]),
            _ => pages * PAGE,
        }
    }

    fn perhaps_too_long(&mut self, bytes: u64) -> u64 {
        if self.random.one_in(80) { self.random.pick(&TOO_LONG) } else { bytes }
    }

    fn protection(&mut self) -> u32 {
        let (r, w, x) = (protection::READ, protection::WRITE, protection::EXEC);
        self.random.weighted(&[(30, r | w), (14, r), (7, 0), (3, r | x), (2, r | w | x), (1, w), (1, x)])
    }
}
