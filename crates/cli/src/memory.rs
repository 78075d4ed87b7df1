//! The memory of another process, through `/proc/PID/mem` and `/proc/PID/pagemap`.
//!
//! Reading stops nobody: the kernel takes the lock of the address space once for each block. What is not in memory is not
//! read, so that looking does not bring it back. Called by `look`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use mallow_analyze::mallow::{self, Reader, View};
use mallow_analyze::memory::Memory;
use mallow_analyze::page_map::{self, ENTRY_BYTES};
use mallow_analyze::read::smaps::Mapping;

use crate::process::{Process, Unreadable};

/// Entries that are read at once.
const ENTRIES: u64 = 8192;

/// A process whose memory may be looked into.
#[derive(Debug)]
pub(crate) struct ProcessMemory {
    memory: File,
    page_map: File,
    entries: Vec<u8>,
}

impl ProcessMemory {
    /// Opens the memory of a process.
    ///
    /// # Errors
    ///
    /// Why it may not be looked into, in words.
    pub(crate) fn open(process: &Process) -> Result<Self, String> {
        let opened = process.open_file("mem").and_then(|memory| Self::of(process, memory));
        opened.map_err(|unreadable| format!("its memory may not be looked into: {unreadable}"))
    }

    /// Opens the memory of a process to put a question into it.
    ///
    /// # Errors
    ///
    /// Why that may not be.
    pub(crate) fn open_to_ask(process: &Process) -> Result<Self, Unreadable> {
        process.open_writable("mem").and_then(|memory| Self::of(process, memory))
    }

    /// What is in the heap of a process on mallow, or why that is not known; `None` if it is on another allocator, as far as can be seen.
    pub(crate) fn heap(opened: Result<&Self, &String>, mappings: &[Mapping]) -> Option<Result<View, String>> {
        match opened {
            Ok(memory) => mallow::view(memory, mappings),
            // A program may have mallow inside, which only a look would tell.
            Err(reason) => mallow::is_loaded(mappings).then(|| Err(reason.clone())),
        }
    }

    fn of(process: &Process, memory: File) -> Result<Self, Unreadable> {
        Ok(Self { memory, page_map: process.open_file("pagemap")?, entries: Vec::new() })
    }

    /// Writes a word at `address`.
    ///
    /// # Errors
    ///
    /// The kernel's reason: the process has no memory there, or has ended.
    pub(crate) fn write_word(&self, address: u64, word: u64) -> io::Result<()> {
        self.memory.write_all_at(&word.to_le_bytes(), address)
    }

    /// Calls `each` with whether each of `pages` pages is in memory, until it returns `false`.
    fn look(&mut self, address: u64, pages: u64, mut each: impl FnMut(bool) -> bool) -> Option<()> {
        let mut done = 0;
        while done < pages {
            let count = usize::try_from((pages - done).min(ENTRIES)).ok()?;
            self.entries.resize(count * ENTRY_BYTES, 0);
            self.page_map
                .read_exact_at(&mut self.entries, page_map::offset(address) + done * ENTRY_BYTES as u64)
                .ok()?;
            if !page_map::entries(&self.entries).all(|entry| each(entry.is_present())) {
                return Some(());
            }
            done += count as u64;
        }
        Some(())
    }
}

impl Reader for ProcessMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> bool {
        self.memory.read_exact_at(into, address).is_ok()
    }

    fn page_map(&self, offset: u64, into: &mut [u8]) -> bool {
        self.page_map.read_exact_at(into, offset).is_ok()
    }
}

impl Memory for ProcessMemory {
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
        self.memory.read_exact_at(buffer, address).is_ok()
    }

    fn present_run(&mut self, address: u64, limit: u64) -> Option<u64> {
        let mut run = 0;
        self.look(address, limit, |is_present| {
            run += u64::from(is_present);
            is_present
        })?;
        Some(run)
    }

    fn present(&mut self, address: u64, pages: u64) -> Option<u64> {
        let mut count = 0;
        self.look(address, pages, |is_present| {
            count += u64::from(is_present);
            true
        })?;
        Some(count)
    }
}
