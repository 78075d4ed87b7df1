//! The translation look-aside buffers: what each processor remembers of the tables.
//!
//! Direct mapped and tagged by process, as with process-context identifiers: a switch flushes nothing. An entry allows what the
//! table allowed when it was filled; whoever takes rights away must flush, and [`Tlbs::stale`] finds out who did not.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use mallow_paging::Translation;
use mallow_units::{FrameNumber, PageNumber, PageSpan};

use crate::mm::Pid;

/// Entries of one buffer.
const ENTRIES: usize = 64;

/// One translation that a processor remembers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cached {
    /// Whose.
    pub pid: Pid,
    /// The page.
    pub page: PageNumber,
    /// Its frame.
    pub frame: FrameNumber,
    /// It may be written, and the table knows that it is dirty.
    pub may_write: bool,
    /// It may be executed.
    pub may_execute: bool,
}

/// Hears of every flush, before anybody relies on it.
pub struct Listener(pub Box<dyn FnMut(Pid, PageSpan) + Send>);

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// The buffers of all processors.
#[derive(Debug)]
pub struct Tlbs {
    cpus: Vec<[Option<Cached>; ENTRIES]>,
    /// Lookups that found their page.
    pub hits: u64,
    /// Lookups that did not.
    pub misses: u64,
    /// Flushes of single pages or spans, of all processors at once.
    pub flushes: u64,
    /// Who keeps translations of his own, and is told of every flush.
    pub listener: Option<Listener>,
}

#[expect(clippy::cast_possible_truncation, reason = "the remainder is small")]
const fn slot(page: PageNumber) -> usize {
    (page.0 % ENTRIES as u64) as usize
}

impl Tlbs {
    /// Empty buffers.
    pub fn new(cpus: usize) -> Self {
        Self {
            cpus: (0..cpus.max(1)).map(|_| [None; ENTRIES]).collect(),
            hits: 0,
            misses: 0,
            flushes: 0,
            listener: None,
        }
    }

    /// What processor `cpu` remembers of `page`.
    #[inline]
    pub fn find(&mut self, cpu: usize, pid: Pid, page: PageNumber) -> Option<Cached> {
        let found = self.cpus[cpu][slot(page)].filter(|cached| cached.page == page && cached.pid == pid);
        if found.is_some() {
            self.hits += 1;
        } else {
            self.misses += 1;
        }
        found
    }

    /// Remembers what the table says.
    #[inline]
    pub fn fill(&mut self, cpu: usize, pid: Pid, page: PageNumber, found: Translation) {
        let rights = found.rights();
        // Until a page is dirty, a write has to go through the table, to mark it.
        let may_write = rights.may_write() && found.entry.is_dirty();
        let cached = Cached { pid, page, frame: found.frame, may_write, may_execute: rights.may_execute() };
        self.cpus[cpu][slot(page)] = Some(cached);
    }

    /// Forgets a page on every processor.
    #[inline]
    pub fn flush_page(&mut self, pid: Pid, page: PageNumber) {
        self.flushes += 1;
        if self.listener.is_some() {
            self.tell(pid, PageSpan::of(page, 1));
        }
        for cpu in &mut self.cpus {
            let cached = &mut cpu[slot(page)];
            if cached.is_some_and(|cached| cached.page == page && cached.pid == pid) {
                *cached = None;
            }
        }
    }

    /// Forgets pages on every processor.
    pub fn flush(&mut self, pid: Pid, span: PageSpan) {
        if span.pages() < ENTRIES as u64 {
            span.iter().for_each(|page| self.flush_page(pid, page));
            return;
        }
        self.flushes += 1;
        self.tell(pid, Some(span));
        for cached in self.cpus.iter_mut().flat_map(|cpu| cpu.iter_mut()) {
            if cached.is_some_and(|cached| cached.pid == pid && span.holds(cached.page)) {
                *cached = None;
            }
        }
    }

    #[cold]
    fn tell(&mut self, pid: Pid, span: Option<PageSpan>) {
        if let (Some(Listener(listener)), Some(span)) = (&mut self.listener, span) {
            listener(pid, span);
        }
    }

    /// What is remembered and for which `holds` says no: somebody forgot to flush.
    pub fn stale(&self, mut holds: impl FnMut(&Cached) -> bool) -> Option<Cached> {
        self.cpus.iter().flat_map(|cpu| cpu.iter()).flatten().find(|cached| !holds(cached)).copied()
    }
}
