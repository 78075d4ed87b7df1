//! A machine against a list of pages for each process, with memory running out at every point.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::cell::RefCell;

use mallow_kmm::handle_fault::Signal;
use mallow_kmm::machine::{Config, Machine};
use mallow_kmm::mm::Pid;
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Errno, VirtAddr};
use mallow_vma::{Advice, MapFlags, MapRequest, OpenFile, Prot, RemapFlags};
use proptest::prelude::*;

const PAGE: u64 = PAGE_BYTES as u64;
const ARENA: u64 = 0x4000_0000;
/// Pages of the arena that everything happens in: around the end of a table.
const PAGES: u64 = 24;
const FIRST: u64 = ARENA - 12 * PAGE;
/// Pages of the file that some mappings show.
const FILE_PAGES: u64 = 10;

type Object = Rc<RefCell<BTreeMap<u64, u8>>>;

/// What one page of a process is.
#[derive(Clone, Debug)]
struct Page {
    prot: u32,
    /// Its private byte, once it has one.
    own: Option<u8>,
    /// What it shows until then, or always if it is shared: an object and a page of it, and how many pages that has.
    object: Option<(Object, u64, u64)>,
    is_shared: bool,
}

impl Page {
    fn value(&self) -> Option<u8> {
        match (&self.own, &self.object) {
            (Some(own), _) => Some(*own),
            (None, Some((_, index, end))) if index >= end => None,
            (None, Some((object, index, _))) => Some(object.borrow().get(index).copied().unwrap_or(0)),
            (None, None) => Some(0),
        }
    }
}

type Space = BTreeMap<u64, Page>;

#[derive(Clone, Debug)]
enum Op {
    Map { at: u64, pages: u64, prot: u32, kind: u8, populate: bool },
    Unmap(u64, u64),
    Protect(u64, u64, u32),
    Move(u64, u64, u64),
    Advise(u64, u64, Advice),
    Read(u64),
    Write(u64, u8),
    Lock(u64, u64, bool),
    Fork,
    Exit,
    Switch,
}

fn op() -> impl Strategy<Value = Op> {
    let prot = || prop::sample::select(vec![0_u32, 1, 3, 3, 3, 5]);
    let (at, pages) = (|| 0..PAGES, || 1..9_u64);
    let advice = prop::sample::select(vec![Advice::DONT_NEED, Advice::COLD, Advice::WILL_NEED]);
    prop_oneof![
        4 => (at(), pages(), prot(), 0..4_u8, any::<bool>())
            .prop_map(|(at, pages, prot, kind, populate)| Op::Map { at, pages, prot, kind, populate }),
        2 => (at(), pages()).prop_map(|(at, pages)| Op::Unmap(at, pages)),
        2 => (at(), pages(), prot()).prop_map(|(at, pages, prot)| Op::Protect(at, pages, prot)),
        2 => (at(), 1..5_u64, at()).prop_map(|(at, pages, to)| Op::Move(at, pages, to)),
        1 => (at(), pages(), advice).prop_map(|(at, pages, advice)| Op::Advise(at, pages, advice)),
        6 => at().prop_map(Op::Read),
        8 => (at(), 1..=255_u8).prop_map(|(at, value)| Op::Write(at, value)),
        1 => (at(), pages(), any::<bool>()).prop_map(|(at, pages, lock)| Op::Lock(at, pages, lock)),
        2 => Just(Op::Fork),
        1 => Just(Op::Exit),
        2 => Just(Op::Switch),
    ]
}

fn address(page: u64) -> VirtAddr {
    VirtAddr(FIRST + page * PAGE)
}

struct Both {
    machine: Machine,
    spaces: BTreeMap<Pid, Space>,
    current: Pid,
    file: mallow_vma::FileId,
    file_pages: Object,
}

impl Both {
    fn new() -> Self {
        let mut machine = Machine::boot(Config::new(Bytes(4 << 20))).expect("it boots");
        let current = machine.spawn("model").expect("memory");
        let contents: Vec<u8> = (0..FILE_PAGES).flat_map(|_| [0xf0; PAGE_BYTES]).collect();
        let file = machine.create_file("/file", &contents).expect("room");
        let file_pages = Rc::new(RefCell::new((0..FILE_PAGES).map(|page| (page, 0xf0)).collect()));
        Self { machine, spaces: BTreeMap::from([(current, Space::new())]), current, file, file_pages }
    }

    fn space(&mut self) -> &mut Space {
        self.spaces.get_mut(&self.current).expect("the current process is there")
    }

    /// Does `op` to both; returns whether memory ran out.
    fn step(&mut self, op: &Op) -> bool {
        let pid = self.current;
        let end = |at: u64, pages: u64| (at + pages).min(PAGES);
        match *op {
            Op::Map { at, pages, prot, kind, populate } => {
                let pages = end(at, pages) - at;
                let is_shared = kind % 2 == 1;
                let mut flags = if is_shared { MapFlags::SHARED } else { MapFlags::PRIVATE };
                flags = flags.with(MapFlags::FIXED);
                flags = if populate { flags.with(MapFlags::POPULATE) } else { flags };
                let file = (kind >= 2).then(|| OpenFile::read_write(self.file));
                flags = if kind >= 2 { flags } else { flags.with(MapFlags::ANONYMOUS) };
                let request = MapRequest {
                    address: address(at),
                    flags,
                    file,
                    offset: 3 * PAGE,
                    ..MapRequest::anonymous(pages * PAGE, Prot(prot))
                };
                let outcome = self.machine.mmap(pid, &request);
                if outcome == Err(Errno::ENOMEM) {
                    return true;
                }
                assert_eq!(outcome, Ok(address(at)));
                let object = match kind {
                    0 => None,
                    1 => Some((Object::default(), 0, pages)),
                    _ => Some((Rc::clone(&self.file_pages), 3, FILE_PAGES)),
                };
                for page in 0..pages {
                    let object = object.clone().map(|(object, first, end)| (object, first + page, end));
                    self.space().insert(at + page, Page { prot, own: None, object, is_shared });
                }
                // Writing is what a populated private page is prepared for: it is copied from the file now.
                if populate && kind == 2 && prot & 2 != 0 {
                    return self.settle_copies(at, pages);
                }
            }
            Op::Unmap(at, pages) => {
                let outcome = self.machine.munmap(pid, address(at), (end(at, pages) - at) * PAGE);
                assert_eq!(outcome, Ok(()));
                self.space().retain(|page, _| !(at..end(at, pages)).contains(page));
            }
            Op::Protect(at, pages, prot) => {
                let outcome =
                    self.machine.mprotect(pid, address(at), (end(at, pages) - at) * PAGE, Prot(prot));
                // It goes up to the first hole.
                for page in at..end(at, pages) {
                    let Some(page) = self.space().get_mut(&page) else { break };
                    page.prot = prot;
                }
                let is_whole = (at..end(at, pages)).all(|page| self.space().contains_key(&page));
                assert_eq!(outcome.is_ok(), is_whole, "{outcome:?}");
            }
            Op::Move(at, pages, to) => {
                let (at, to) = (at.min(PAGES - pages), to.min(PAGES - pages));
                let flags = RemapFlags::MAY_MOVE.with(RemapFlags::FIXED);
                let bytes = pages * PAGE;
                let outcome = self.machine.mremap(pid, address(at), bytes, bytes, flags, address(to));
                let source: Space =
                    self.space().range(at..at + pages).map(|(at, page)| (*at, page.clone())).collect();
                if outcome.is_ok() {
                    self.space().retain(|page, _| !(at..at + pages).contains(page));
                    self.space().extend(source.into_iter().map(|(page, moved)| (page - at + to, moved)));
                } else if outcome == Err(Errno::ENOMEM) && self.machine.world.physical.is_refusing() {
                    // As in Linux, the target is unmapped by then, and areas in front may have moved.
                    let gone: Vec<u64> = (0..PAGES).filter(|page| self.is_hole(*page)).collect();
                    for page in at..at + pages {
                        let target = page - at + to;
                        if gone.contains(&page) && !gone.contains(&target) && source.contains_key(&page) {
                            self.space().insert(target, source[&page].clone());
                        }
                    }
                    self.space().retain(|page, _| !gone.contains(page));
                    return true;
                }
            }
            Op::Advise(at, pages, advice) => {
                let bytes = (end(at, pages) - at) * PAGE;
                let outcome = self.machine.madvise(pid, address(at), bytes, advice);
                if advice == Advice::DONT_NEED && outcome != Err(Errno::EINVAL) {
                    for page in at..end(at, pages) {
                        if let Some(page) = self.space().get_mut(&page) {
                            page.own = None;
                        }
                    }
                }
            }
            Op::Read(at) => {
                let mut byte = [0];
                let outcome = self.machine.read(pid, address(at), &mut byte);
                let expected = self.space().get(&at).filter(|page| page.prot != 0).map(Page::value);
                match (outcome, expected) {
                    (Err(Signal::NoMemory), _) => return true,
                    (Ok(()), Some(Some(value))) => assert_eq!(byte, [value], "page {at}"),
                    (Err(Signal::Bus), Some(None)) | (Err(Signal::Segv(_)), None) => {}
                    (outcome, expected) => panic!("page {at}: {outcome:?} instead of {expected:?}"),
                }
            }
            Op::Write(at, value) => {
                let outcome = self.machine.write(pid, address(at), &[value]);
                let found = self.space().get_mut(&at).filter(|page| page.prot & 2 != 0);
                match (outcome, found) {
                    (Err(Signal::NoMemory), _) => return true,
                    (Ok(()), Some(page)) => match &page.object {
                        Some((object, index, _)) if page.is_shared => {
                            object.borrow_mut().insert(*index, value);
                        }
                        _ => page.own = Some(value),
                    },
                    (Err(Signal::Bus), Some(page)) => assert_eq!(page.value(), None),
                    (Err(Signal::Segv(_)), None) => {}
                    (outcome, page) => panic!("page {at}: {outcome:?} instead of {page:?}"),
                }
            }
            Op::Lock(at, pages, lock) => {
                let bytes = (end(at, pages) - at) * PAGE;
                if lock {
                    let done = self.machine.mlock(pid, address(at), bytes, false);
                    self.settle_copies(0, PAGES);
                    return done == Err(Errno::EAGAIN);
                }
                let _ = self.machine.munlock(pid, address(at), bytes);
            }
            Op::Fork => {
                if self.spaces.len() >= 4 {
                    return false;
                }
                match self.machine.fork(pid) {
                    Ok(child) => {
                        let copy = self.space().clone();
                        self.spaces.insert(child, copy);
                    }
                    Err(errno) => {
                        assert_eq!(errno, Errno::ENOMEM);
                        return true;
                    }
                }
            }
            Op::Exit => {
                if self.spaces.len() > 1 {
                    self.machine.exit(pid).expect("it is there");
                    self.spaces.remove(&pid);
                    self.current = *self.spaces.keys().next().expect("one is left");
                }
            }
            Op::Switch => {
                let next = self.spaces.range(pid..).nth(1).or_else(|| self.spaces.iter().next());
                self.current = *next.expect("one is there").0;
            }
        }
        false
    }

    /// Pages of private mappings of the file that were faulted in for writing have become copies; the machine says which.
    fn settle_copies(&mut self, at: u64, pages: u64) -> bool {
        let pid = self.current;
        for page in at..at + pages {
            let (_, entry) = self.machine.world.entry(pid, address(page).page());
            let is_anon = entry.has_frame()
                && !entry.is_special()
                && self.machine.world.file_of(entry.frame_number()).is_none();
            if let Some(page) = self.space().get_mut(&page)
                && is_anon
                && page.own.is_none()
            {
                page.own = page.value();
            }
        }
        false
    }

    fn is_hole(&self, page: u64) -> bool {
        let process = self.machine.process(self.current).expect("it is there");
        process.space.find(address(page).page()).is_none()
    }

    fn check(&self, op: &Op) {
        if let Err(broken) = self.machine.check() {
            panic!("after {op:?}: {broken}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn does_what_lists_of_pages_do(ops in prop::collection::vec((op(), prop::option::weighted(0.25, 0..6_u64)), 1..80)) {
        let mut both = Both::new();
        let free = both.machine.world.physical.free_frames();
        for (op, granted) in &ops {
            both.machine.world.physical.refuse_after(*granted);
            both.step(op);
            both.machine.world.physical.refuse_after(None);
            both.check(op);
        }
        let pids: Vec<Pid> = both.spaces.keys().copied().collect();
        for pid in pids {
            both.machine.exit(pid).expect("it is there");
        }
        both.machine.close(both.file);
        both.check(&Op::Exit);
        prop_assert_eq!(both.machine.world.committed.pages().0, 0);
        // The root of the first process was taken before the count.
        prop_assert_eq!(both.machine.world.physical.free_frames(), free + 1);
    }
}

/// For every operation that allocates: refuse its n-th frame, for every n until it succeeds.
#[test]
fn a_refused_frame_leaves_everything_in_order() {
    let map = |at, pages, kind, populate| Op::Map { at, pages, prot: 3, kind, populate };
    let prepare = [map(0, 4, 0, true), map(8, 8, 2, true), Op::Write(1, 7), Op::Write(9, 8)];
    let ops = [
        Op::Fork,
        Op::Move(8, 4, 20),
        map(16, 8, 0, true),
        map(16, 8, 1, true),
        Op::Write(10, 3),
        Op::Lock(0, 16, true),
    ];
    for op in ops {
        for granted in 0..40 {
            let mut both = Both::new();
            for op in &prepare {
                both.step(op);
            }
            both.machine.world.physical.refuse_after(Some(granted));
            let refused = both.step(&op);
            both.machine.world.physical.refuse_after(None);
            both.check(&op);
            for page in 0..PAGES {
                both.step(&Op::Read(page));
            }
            if !refused && granted > 20 {
                break;
            }
        }
    }
}
