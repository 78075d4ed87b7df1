//! Pages as simple as they get: what each process maps, page by page, in ordinary maps.
//!
//! No frame, no table, no list: the second opinion beside the machine about what a page holds, who shares it and what it is
//! charged. The areas above are those of `mallow_vma`.

use alloc::collections::BTreeMap;
use core::num::NonZeroU32;

use mallow_units::{Errno, PageCount, PageNumber, PageSpan};
use mallow_vma::fault::Entry;
use mallow_vma::{Advice, AnonId, Backing, FileId, Flags, Pages, Vma};

/// Pages that a fault on a file maps at once, if they are cached.
const AROUND: u64 = 16;
/// Entries of a table, which no fault looks beyond.
const TABLE: u64 = 512;

/// All processes' pages, the files, and the commit account.
#[derive(Default)]
pub(crate) struct World {
    /// Pages charged to the commit account.
    pub(crate) charged: i64,
    /// Pages of memory and swap: no single request may be larger.
    pub(crate) ram_pages: u64,
    /// What the last call wants to be touched.
    pub(crate) populate: Vec<PageSpan>,
    /// Whose call it is.
    pub(crate) current: usize,
    /// The number of the next child.
    pub(crate) child: usize,
    numbers: u32,
    files: BTreeMap<FileId, File>,
    tables: Vec<BTreeMap<u64, Mapped>>,
    frames: Vec<Frame>,
}

/// A file and what is cached of it.
#[derive(Default)]
struct File {
    /// Pages in it, a broken one included.
    pages: u64,
    /// What it took from the commit account as a whole.
    charged: i64,
    /// Each page is charged when it gets memory.
    is_unreserved: bool,
    areas: u32,
    is_named: bool,
    cache: BTreeMap<u64, usize>,
}

/// A page of a process.
#[derive(Clone, Copy)]
struct Mapped {
    holds: Holds,
    is_writable: bool,
    is_dirty: bool,
}

/// What a mapped page holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Zero,
    Anon(usize),
    Cache(usize),
    Guard,
}

/// Memory of a page.
#[derive(Clone, Default)]
struct Frame {
    bytes: BTreeMap<u64, u8>,
    maps: u32,
    is_dirty: bool,
}

/// A mapping of a cached page that has not been written through it. All files here are shared memory, of which the kernel
/// does not need to know who writes.
fn clean(area: &Vma, frame: usize) -> Mapped {
    let is_writable = area.flags().has(Flags::SHARED) && area.flags().has(Flags::WRITE);
    Mapped { holds: Holds::Cache(frame), is_writable, is_dirty: false }
}

impl World {
    fn next(&mut self) -> NonZeroU32 {
        self.numbers += 1;
        NonZeroU32::new(self.numbers).expect("it has been raised")
    }

    /// A file with a name.
    pub(crate) fn new_file(&mut self, pages: u64) -> FileId {
        let file = FileId(self.next());
        self.files.insert(file, File { pages, is_named: true, is_unreserved: true, ..File::default() });
        file
    }

    pub(crate) fn is_named(&self, file: FileId) -> bool {
        self.files[&file].is_named
    }

    pub(crate) fn reaches(&self, file: FileId, index: u64) -> bool {
        index < self.files[&file].pages
    }

    /// What the table says about a page, for the decision.
    pub(crate) fn entry(&self, page: PageNumber) -> Entry {
        let Some(mapped) = self.tables.get(self.current).and_then(|table| table.get(&page.0)) else {
            return Entry::None;
        };
        let is_writable = mapped.is_writable;
        match mapped.holds {
            Holds::Zero => Entry::Zero,
            Holds::Guard => Entry::Guard,
            Holds::Anon(frame) => Entry::Anon { is_writable, is_exclusive: self.frames[frame].maps == 1 },
            Holds::Cache(_) => Entry::Cache { is_writable },
        }
    }

    pub(crate) fn map_zero(&mut self, page: PageNumber) {
        self.insert(page.0, Mapped { holds: Holds::Zero, is_writable: false, is_dirty: false });
    }

    pub(crate) fn map_new(&mut self, page: PageNumber) {
        let frame = self.new_frame(Frame::default());
        self.insert(page.0, Mapped { holds: Holds::Anon(frame), is_writable: true, is_dirty: true });
    }

    /// Maps the page and its neighbours, if they are cached.
    pub(crate) fn map_around(&mut self, area: &Vma, page: PageNumber) {
        let Backing::File(file) = area.backing() else { unreachable!("anonymous memory has no cache") };
        // The window begins on a boundary or with the area, and is as long either way.
        let first = (page.0 - page.0 % AROUND).max(area.span().start().0);
        let end = (first + AROUND).min(area.span().end().0).min((page.0 / TABLE + 1) * TABLE);
        for near in first..end {
            let index = area.offset_of(PageNumber(near));
            let cached = self.files[&file].cache.get(&index).copied();
            let is_free = !self.table().contains_key(&near);
            if let Some(frame) = cached.filter(|_| is_free && self.reaches(file, index)) {
                self.insert(near, clean(area, frame));
            }
        }
    }

    pub(crate) fn map_cache(&mut self, area: &Vma, page: PageNumber) {
        let Backing::File(file) = area.backing() else { unreachable!("anonymous memory has no cache") };
        if !self.table().contains_key(&page.0) {
            let frame = self.cached(file, area.offset_of(page));
            self.insert(page.0, clean(area, frame));
        }
    }

    /// The kernel looked a page up in order to write to it.
    pub(crate) fn mark_dirty(&mut self, page: u64) {
        let Some(mapped) = self.table().get(&page).copied() else { return };
        if let (Holds::Anon(frame) | Holds::Cache(frame), false) = (mapped.holds, mapped.is_dirty) {
            self.frames[frame].is_dirty = true;
        }
    }

    pub(crate) fn write_cache(&mut self, area: &Vma, page: PageNumber) {
        let Backing::File(file) = area.backing() else { unreachable!("anonymous memory has no cache") };
        let frame = self.cached(file, area.offset_of(page));
        self.frames[frame].is_dirty = true;
        self.insert(page.0, Mapped { holds: Holds::Cache(frame), is_writable: true, is_dirty: true });
    }

    pub(crate) fn copy_cache(&mut self, area: &Vma, page: PageNumber) {
        let Backing::File(file) = area.backing() else { unreachable!("anonymous memory has no cache") };
        let frame = self.cached(file, area.offset_of(page));
        self.copy_of(page, frame);
    }

    pub(crate) fn copy(&mut self, page: PageNumber) {
        let Holds::Anon(frame) = self.table()[&page.0].holds else { unreachable!("an anonymous page") };
        self.copy_of(page, frame);
    }

    pub(crate) fn reuse(&mut self, page: PageNumber) {
        let mapped = self.table_mut().get_mut(&page.0).expect("a mapped page");
        (mapped.is_writable, mapped.is_dirty) = (true, true);
    }

    /// The access itself: the byte that was loaded, or is now.
    pub(crate) fn access(&mut self, at: u64, store: Option<u8>) -> u8 {
        let (page, offset) = (at / 4096, at % 4096);
        let mapped = self.table_mut().get_mut(&page).expect("a mapped page");
        mapped.is_dirty |= store.is_some();
        match mapped.holds {
            Holds::Zero | Holds::Guard => 0,
            Holds::Anon(frame) | Holds::Cache(frame) => {
                let bytes = &mut self.frames[frame].bytes;
                store.into_iter().for_each(|byte| _ = bytes.insert(offset, byte));
                bytes.get(&offset).copied().unwrap_or_default()
            }
        }
    }

    /// Whether `mincore` says that a page is in memory.
    pub(crate) fn is_resident(&self, area: &Vma, page: PageNumber) -> bool {
        let cached = |file: FileId| self.files[&file].cache.contains_key(&area.offset_of(page));
        let in_cache = matches!(area.backing(), Backing::File(file) if cached(file));
        match self.table().get(&page.0) {
            Some(mapped) if mapped.holds != Holds::Guard => true,
            _ => in_cache,
        }
    }

    /// The kinds of memory in an area, in KiB, as `smaps` counts them.
    pub(crate) fn kib(&self, process: usize, area: &Vma) -> BTreeMap<String, u64> {
        let mut kib: BTreeMap<String, u64> = BTreeMap::new();
        let mut share = 0u64;
        for mapped in self.mapped_in(process, area) {
            let (Holds::Anon(frame) | Holds::Cache(frame)) = mapped.holds else { continue };
            let frame = &self.frames[frame];
            let is_dirty = mapped.is_dirty || frame.is_dirty;
            let kind = match (frame.maps, is_dirty) {
                (1, false) => "Private_Clean",
                (1, true) => "Private_Dirty",
                (_, false) => "Shared_Clean",
                (_, true) => "Shared_Dirty",
            };
            let anonymous = matches!(mapped.holds, Holds::Anon(_)).then_some("Anonymous");
            for kind in ["Rss", kind].into_iter().chain(anonymous) {
                *kib.entry(kind.to_owned()).or_default() += 4;
            }
            share += (4096 << 12) / u64::from(frame.maps);
        }
        kib.insert("Pss".to_owned(), share >> 22);
        if area.flags().has(Flags::LOCKED) {
            kib.insert("Locked".to_owned(), share >> 22);
        }
        kib
    }

    /// The entries of `pagemap` of an area.
    pub(crate) fn entries(&self, process: usize, area: &Vma) -> impl Iterator<Item = (u64, u64)> {
        let pages = area.span().start().0..area.span().end().0;
        let alone = move |frame: usize| u64::from(self.frames[frame].maps == 1) << 56;
        let entry = move |mapped: &Mapped| match mapped.holds {
            Holds::Zero => 1 << 63,
            Holds::Anon(frame) => 1 << 63 | alone(frame),
            Holds::Cache(frame) => 1 << 63 | 1 << 61 | alone(frame),
            Holds::Guard => 1 << 62,
        };
        let table = self.tables.get(process);
        table
            .into_iter()
            .flat_map(move |table| table.range(pages.clone()))
            .map(move |(page, mapped)| (*page, entry(mapped)))
    }

    fn mapped_in(&self, process: usize, area: &Vma) -> impl Iterator<Item = &Mapped> {
        let pages = area.span().start().0..area.span().end().0;
        let table = self.tables.get(process);
        table.into_iter().flat_map(move |table| table.range(pages.clone())).map(|(_, mapped)| mapped)
    }

    fn table(&self) -> &BTreeMap<u64, Mapped> {
        const NONE: &BTreeMap<u64, Mapped> = &BTreeMap::new();
        self.tables.get(self.current).unwrap_or(NONE)
    }

    fn table_mut(&mut self) -> &mut BTreeMap<u64, Mapped> {
        self.table_of(self.current)
    }

    fn table_of(&mut self, process: usize) -> &mut BTreeMap<u64, Mapped> {
        if self.tables.len() <= process {
            self.tables.resize_with(process + 1, BTreeMap::new);
        }
        &mut self.tables[process]
    }

    fn new_frame(&mut self, frame: Frame) -> usize {
        self.frames.push(frame);
        self.frames.len() - 1
    }

    /// The frame that caches a page of a file; it has one afterwards.
    fn cached(&mut self, file: FileId, index: u64) -> usize {
        if let Some(frame) = self.files[&file].cache.get(&index) {
            return *frame;
        }
        let frame = self.new_frame(Frame::default());
        let entry = self.files.get_mut(&file).expect("a file");
        entry.cache.insert(index, frame);
        self.charged += i64::from(entry.is_unreserved);
        frame
    }

    fn copy_of(&mut self, page: PageNumber, frame: usize) {
        let bytes = self.frames[frame].bytes.clone();
        let copy = self.new_frame(Frame { bytes, ..Frame::default() });
        self.insert(page.0, Mapped { holds: Holds::Anon(copy), is_writable: true, is_dirty: true });
    }

    fn insert(&mut self, page: u64, mapped: Mapped) {
        self.insert_into(self.current, page, mapped);
    }

    fn insert_into(&mut self, process: usize, page: u64, mapped: Mapped) {
        if let Holds::Anon(frame) | Holds::Cache(frame) = mapped.holds {
            self.frames[frame].maps += 1;
        }
        let old = self.table_of(process).insert(page, mapped);
        self.let_go(old);
    }

    fn drop_if(&mut self, span: PageSpan, is_dropped: impl Fn(Holds) -> bool) {
        let pages = self.table().range(span.start().0..span.end().0);
        let dropped = pages.filter(|(_, mapped)| is_dropped(mapped.holds)).map(|(page, _)| *page);
        let dropped: Vec<u64> = dropped.collect();
        dropped.into_iter().for_each(|page| self.remove(self.current, page));
    }

    fn remove(&mut self, process: usize, page: u64) {
        let old = self.table_of(process).remove(&page);
        self.let_go(old);
    }

    fn let_go(&mut self, old: Option<Mapped>) {
        if let Some(Mapped { holds: Holds::Anon(frame) | Holds::Cache(frame), is_dirty, .. }) = old {
            self.frames[frame].maps -= 1;
            self.frames[frame].is_dirty |=
                is_dirty && matches!(old, Some(Mapped { holds: Holds::Cache(_), .. }));
        }
    }

    /// Punches a hole: nobody maps the pages any more, and nothing caches them.
    fn punch(&mut self, file: FileId, first: u64, count: u64) {
        let entry = self.files.get_mut(&file).expect("a file");
        let holes: Vec<u64> = entry.cache.range(first..first + count).map(|(index, _)| *index).collect();
        let frames: Vec<usize> = holes.iter().filter_map(|index| entry.cache.remove(index)).collect();
        if entry.is_unreserved {
            self.charged -= i64::try_from(frames.len()).unwrap();
        }
        for table in &mut self.tables {
            table.retain(|_, mapped| !matches!(mapped.holds, Holds::Cache(frame) if frames.contains(&frame)));
        }
    }
}

impl Pages for World {
    fn charge(&mut self, pages: PageCount, _: PageCount) -> Result<(), Errno> {
        if pages.0 > self.ram_pages {
            return Err(Errno::ENOMEM);
        }
        self.charged += i64::try_from(pages.0).unwrap();
        Ok(())
    }

    fn uncharge(&mut self, pages: PageCount) {
        self.charged -= i64::try_from(pages.0).unwrap();
    }

    fn new_shared(&mut self, pages: PageCount, is_unreserved: bool) -> Result<FileId, Errno> {
        let charged = if is_unreserved { 0 } else { i64::try_from(pages.0).unwrap() };
        if charged.unsigned_abs() > self.ram_pages {
            return Err(Errno::ENOMEM);
        }
        self.charged += charged;
        let file = FileId(self.next());
        self.files.insert(file, File { pages: pages.0, charged, is_unreserved, ..File::default() });
        Ok(file)
    }

    fn file_mapped(&mut self, file: FileId) {
        self.files.get_mut(&file).expect("a file").areas += 1;
    }

    fn file_unmapped(&mut self, file: FileId) {
        let entry = self.files.get_mut(&file).expect("a file");
        entry.areas -= 1;
        if entry.areas == 0 && !entry.is_named {
            self.charged -= entry.charged;
            let pages = entry.pages;
            self.punch(file, 0, pages);
        }
    }

    fn new_anon(&mut self, _: Option<AnonId>) -> Result<AnonId, Errno> {
        Ok(AnonId(self.next()))
    }

    fn unmap(&mut self, _: &Vma, span: PageSpan) {
        self.drop_if(span, |_| true);
    }

    fn protect(&mut self, area: &Vma, span: PageSpan) {
        let pages = span.start().0..span.end().0;
        let mapped = self.table_mut().range_mut(pages).map(|(_, mapped)| mapped);
        if !area.flags().has(Flags::WRITE) {
            mapped.for_each(|mapped| mapped.is_writable = false);
        } else if area.flags().has(Flags::SHARED) {
            mapped.for_each(|mapped| mapped.is_writable = true);
        }
    }

    fn relocate(&mut self, _: &Vma, from: PageSpan, to: PageNumber) -> Result<(), Errno> {
        let pages = from.start().0..from.end().0;
        let moved: Vec<(u64, Mapped)> =
            self.table().range(pages).map(|(page, mapped)| (*page, *mapped)).collect();
        let table = self.table_mut();
        moved.iter().for_each(|(page, _)| _ = table.remove(page));
        table.extend(moved.into_iter().map(|(page, mapped)| (page - from.start().0 + to.0, mapped)));
        Ok(())
    }

    fn populate(&mut self, span: PageSpan) {
        self.populate.push(span);
    }

    fn advise(&mut self, area: &Vma, span: PageSpan, advice: Advice) -> Result<(), Errno> {
        match advice {
            Advice::DONT_NEED | Advice::DONT_NEED_LOCKED => self.drop_if(span, |holds| holds != Holds::Guard),
            Advice::GUARD_REMOVE => self.drop_if(span, |holds| holds == Holds::Guard),
            Advice::GUARD_INSTALL => {
                for page in span.iter() {
                    let guard = Mapped { holds: Holds::Guard, is_writable: false, is_dirty: false };
                    self.insert(page.0, guard);
                }
            }
            Advice::FREE => {
                let pages = span.start().0..span.end().0;
                let Self { tables, frames, current, .. } = self;
                for (_, mapped) in
                    tables.get_mut(*current).into_iter().flat_map(|table| table.range_mut(pages.clone()))
                {
                    let Holds::Anon(frame) = mapped.holds else { continue };
                    let frame = &mut frames[frame];
                    // What others share is theirs to write back.
                    if !frame.is_dirty || frame.maps == 1 {
                        (frame.is_dirty, mapped.is_dirty) = (false, false);
                    }
                }
            }
            Advice::REMOVE => {
                if let Backing::File(file) = area.backing() {
                    self.punch(file, area.offset_of(span.start()), span.pages());
                }
            }
            Advice::POPULATE_READ | Advice::POPULATE_WRITE => self.populate.push(span),
            _ => {}
        }
        Ok(())
    }

    fn fork(&mut self, parent: &Vma, child: &Vma) -> Result<(), Errno> {
        // What the file can give back is not copied, unless the area has pages of its own.
        let needs_copy = parent.anon().is_some() || parent.flags().has(Flags::MAYBE_GUARDED);
        if !needs_copy || child.flags().has(Flags::WIPE_ON_FORK) {
            return Ok(());
        }
        let pages = parent.span().start().0..parent.span().end().0;
        let copied: Vec<(u64, Mapped)> =
            self.table().range(pages.clone()).map(|(page, mapped)| (*page, *mapped)).collect();
        self.table_mut().range_mut(pages).for_each(|(_, mapped)| mapped.is_writable = false);
        for (page, mapped) in copied {
            self.insert_into(self.child, page, Mapped { is_writable: false, ..mapped });
        }
        Ok(())
    }
}
