//! What caches look like in `/proc/slabinfo`.

use core::fmt;

use crate::cache::Cache;
use crate::pages::Pages;

/// The first two lines of the file.
pub const HEADER: &str = "slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> \
: tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
";

/// The figures of a cache at one moment. It prints as its line in the file, without the end of the line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Info {
    /// Its name.
    pub name: &'static str,
    /// Objects with clients or in the arrays of processors, and those that were lost.
    pub active_objects: u64,
    /// Objects in all slabs.
    pub objects: u64,
    /// Bytes from one object to the next.
    pub object_bytes: u32,
    /// Objects of a slab.
    pub objects_per_slab: u32,
    /// Pages of a slab.
    pub pages_per_slab: u32,
    /// Slabs.
    pub slabs: u64,
    /// Objects that were found damaged and are out of use for ever.
    pub lost: u64,
    /// Breaches that were reported.
    pub corruptions: u64,
}

impl<P: Pages> Cache<P> {
    /// The figures of the cache.
    pub fn info(&self) -> Info {
        let slabs = self.slabs.lock();
        let in_depot = u64::from(self.full.depth()) * u64::from(self.capacity());
        Info {
            name: self.name,
            active_objects: slabs.out.saturating_sub(in_depot),
            objects: slabs.count() * u64::from(self.layout.objects),
            object_bytes: self.layout.stride,
            objects_per_slab: self.layout.objects,
            pages_per_slab: self.layout.order.frames(),
            slabs: slabs.count(),
            lost: slabs.lost,
            corruptions: slabs.corruptions,
        }
    }
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<17} {:>6} {:>6} {:>6} {:>4} {:>4} : tunables {:>4} {:>4} {:>4} : slabdata {:>6} {:>6} {:>6}",
            self.name,
            self.active_objects,
            self.objects,
            self.object_bytes,
            self.objects_per_slab,
            self.pages_per_slab,
            0,
            0,
            0,
            self.slabs,
            self.slabs,
            0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_line_is_linux_own() {
        let info = Info {
            name: "kmalloc-512",
            active_objects: 49254,
            objects: 80784,
            object_bytes: 512,
            objects_per_slab: 16,
            pages_per_slab: 2,
            slabs: 5049,
            lost: 0,
            corruptions: 0,
        };
        assert_eq!(
            info.to_string(),
            "kmalloc-512        49254  80784    512   16    2 : tunables    0    0    0 : slabdata   5049   5049      0"
        );
    }
}
