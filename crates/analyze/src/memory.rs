//! The memory of another process, as far as it may be looked into.
//!
//! The questions that are asked of it are pure functions over this trait; whoever can look (`/proc/PID/mem` and
//! `/proc/PID/pagemap`) is the command. What is read there is counted and never kept.
//!
//! Called by `glibc` and `padding`.

/// Bytes in a page.
pub const PAGE_BYTES: u64 = mallow_units::page::PAGE_BYTES as u64;

/// Somebody who can look into the memory of a process.
pub trait Memory {
    /// Fills `buffer` with what is at `address`; `false` if that may not be read, or is not there.
    fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool;

    /// How many pages from the one with `address` on are in memory one after the other, at most `limit`. Looking at these
    /// brings nothing back into memory. `None` if that is not told.
    fn present_run(&mut self, address: u64, limit: u64) -> Option<u64>;

    /// How many of `pages` pages from the one with `address` on are in memory. `None` if that is not told.
    fn present(&mut self, address: u64, pages: u64) -> Option<u64>;
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use alloc::collections::BTreeMap;

    /// Memory that a test makes up, page by page; what is not there was never touched.
    #[derive(Default)]
    pub(crate) struct Pages(pub(crate) BTreeMap<u64, Vec<u8>>);

    impl Pages {
        pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) {
            for (address, byte) in (address..).zip(bytes) {
                let page = self.0.entry(address / PAGE_BYTES).or_insert_with(|| vec![0; 4096]);
                page[usize::try_from(address % PAGE_BYTES).unwrap()] = *byte;
            }
        }

        pub(crate) fn word(&mut self, address: u64, word: u64) {
            self.write(address, &word.to_le_bytes());
        }
    }

    impl Memory for Pages {
        fn read(&mut self, address: u64, buffer: &mut [u8]) -> bool {
            (address..).zip(buffer).all(|(address, byte)| {
                let page = self.0.get(&(address / PAGE_BYTES));
                page.is_some_and(|page| {
                    *byte = page[usize::try_from(address % PAGE_BYTES).unwrap()];
                    true
                })
            })
        }

        fn present_run(&mut self, address: u64, limit: u64) -> Option<u64> {
            let first = address / PAGE_BYTES;
            Some((first..first + limit).take_while(|page| self.0.contains_key(page)).count() as u64)
        }

        fn present(&mut self, address: u64, pages: u64) -> Option<u64> {
            let first = address / PAGE_BYTES;
            Some((first..first + pages).filter(|page| self.0.contains_key(page)).count() as u64)
        }
    }
}
