//! `/proc/slabinfo`: the objects of the kernel, by kind. Only root may read it.
//!
//! Kinds of one size share a cache (the kernel merges them), so a name stands for itself and for others. Called by
//! `system`.

use super::{ReadError, decimal, lines, words};

/// Objects of one size.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cache {
    /// Its name.
    pub name: Vec<u8>,
    /// Objects in use.
    pub live_objects: u64,
    /// Objects for which there is memory.
    pub objects: u64,
    /// Bytes of an object, with what the kernel puts beside it.
    pub object_bytes: u64,
    /// Pages of a slab.
    pub slab_pages: u64,
    /// Slabs that there are.
    pub slabs: u64,
}

impl Cache {
    /// Pages that it has.
    pub const fn pages(&self) -> u64 {
        self.slabs.saturating_mul(self.slab_pages)
    }

    /// Bytes of the objects in use.
    pub const fn live_bytes(&self) -> u64 {
        self.live_objects.saturating_mul(self.object_bytes)
    }
}

/// Reads the file.
///
/// # Errors
///
/// The first line that is not of the form of version 2 of the file.
///
/// # Source
///
/// `slabinfo(5)`.
pub fn parse(file: &[u8]) -> Result<Vec<Cache>, ReadError> {
    let is_heading = |line: &[u8]| line.starts_with(b"#") || line.starts_with(b"slabinfo - version");
    lines(file)
        .filter(|(_, line)| !is_heading(line))
        .map(|(offset, line)| cache(line).ok_or(ReadError { offset, expected: "a cache, with its slabs" }))
        .collect()
}

/// `NAME ACTIVE OBJECTS SIZE PER_SLAB PAGES : tunables A B C : slabdata ACTIVE SLABS SHARED`
fn cache(line: &[u8]) -> Option<Cache> {
    // A name may have spaces, and even colons; what is behind it may not.
    let mut words: Vec<_> = words(line).collect();
    let slabdata = words.iter().rposition(|word| *word == b"slabdata")?;
    let slabs = decimal(words.get(slabdata + 2)?)?;
    let tunables = words.iter().rposition(|word| *word == b"tunables")?;
    words.truncate(tunables.checked_sub(1)?);
    let numbers = words.split_off(words.len().checked_sub(5)?);
    let [live_objects, objects, object_bytes, _, slab_pages] =
        numbers.into_iter().map(decimal).collect::<Option<Vec<_>>>()?.try_into().ok()?;
    Some(Cache { name: words.join(&b' '), live_objects, objects, object_bytes, slab_pages, slabs })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>
dentry            123456 130000    192   21    1 : tunables    0    0    0 : slabdata   6190   6191      0
a b                    1      2      8  512    1 : tunables    0    0    0 : slabdata      1      1      0
";

    #[test]
    fn caches_are_read() {
        let caches = parse(FILE).unwrap();
        let [dentry, other] = &caches[..] else { panic!("{caches:?}") };
        assert_eq!((&dentry.name[..], dentry.slabs, dentry.pages()), (&b"dentry"[..], 6191, 6191));
        assert_eq!((dentry.live_bytes(), dentry.objects), (123_456 * 192, 130_000));
        assert_eq!((&other.name[..], other.live_objects), (&b"a b"[..], 1));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for line in [
            "dentry 1 2 3\n",
            "dentry 1 2 x 4 5 : tunables 0 0 0 : slabdata 1 1 0\n",
            ": tunables slabdata 1 1\n",
        ] {
            let file = format!("slabinfo - version: 2.1\n{line}");
            assert_eq!(parse(file.as_bytes()).unwrap_err().offset, 24, "{line}");
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let Ok(file) = std::fs::read("/proc/slabinfo") else { return };
        assert!(parse(&file).unwrap().iter().any(|cache| cache.pages() > 0));
    }

    refuses_only_with_a_place!(parse, FILE);
}
