//! Owners: who a mapping belongs to, as far as that can be told from outside.
//!
//! Most mappings say it themselves: a path, or a name in brackets. Those without a name are told by what lies beside
//! them:
//!
//! ```text
//!  |libx.so r-x|libx.so rw-|  rw-  |                 data of a library, and its bss behind
//!  |  rw-  |        ---           |                  an arena of glibc: at a multiple of 64 MiB, and as long, with its tail
//!  ^ n * 64 MiB                   ^ (n + 1) * 64 MiB
//!  | --- |        rw-             |                  a thread's stack above its guard
//! ```
//!
//! Called by `ledger`.

use alloc::collections::BTreeSet;

use crate::mallow::{self, Share};
use crate::read::smaps::Mapping;

/// Bytes; where glibc's arenas but the first begin, and how long they may grow (`HEAP_MAX_SIZE`).
pub(crate) const ARENA_BYTES: u64 = 64 << 20;
/// Bytes; the longest guard below a stack that is taken for one.
const LONGEST_GUARD: u64 = 1 << 20;

/// Who a mapping belongs to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Owner {
    /// What grows with `brk`: glibc's first arena, in programs that use its `malloc`.
    Heap,
    /// One of glibc's other arenas, used part and reserve.
    Arena,
    /// The stack of the first thread.
    MainStack,
    /// The stack of another thread, and its guard.
    ThreadStack,
    /// The program's own file.
    Program(Part),
    /// A library: a file of which code is mapped.
    Library(Vec<u8>, Part),
    /// Another file.
    File(Vec<u8>),
    /// Memory that processes share, by way of `shm_open`, `shmget` or a mapping that is inherited.
    SharedMemory,
    /// A file in memory without a name in any folder, by the name that it was given.
    Memfd(Vec<u8>),
    /// Pages of `hugetlbfs`: not in RSS.
    HugeTlb,
    /// Code and data that the kernel shows to every program.
    Kernel,
    /// Memory that the program has given a name, see `PR_SET_VMA_ANON_NAME`.
    Named(Vec<u8>),
    /// Anything else without a file.
    Anonymous,
}

/// What of a program or library it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Part {
    /// Code.
    Text,
    /// Constants, and data that is protected after relocation.
    ReadOnly,
    /// Data with initial values.
    Data,
    /// Data that begins as zero.
    Bss,
}

/// The owner of each of `mappings`, which are all of a process, in order. `program` is the path of its file.
pub fn owners(mappings: &[Mapping], program: &[u8]) -> Vec<Owner> {
    let libraries = mappings.iter().filter(|mapping| is_code(mapping));
    let libraries: BTreeSet<&[u8]> = libraries.map(|mapping| &mapping.name[..]).collect();
    // Where mallow is malloc, glibc makes no arenas, and a short region of mallow's looks like one.
    let has_arenas = !mallow::is_loaded(mappings);
    let mut owners: Vec<Owner> = Vec::with_capacity(mappings.len());
    for (place, mapping) in mappings.iter().enumerate() {
        let before = place.checked_sub(1).map(|before| (&mappings[before], &owners[before]));
        let behind = mappings.get(place + 1);
        let owner = owner_of_named(mapping, program, |name| libraries.contains(name))
            .unwrap_or_else(|| owner_of_nameless(mapping, before, behind, has_arenas));
        owners.push(owner);
    }
    owners
}

/// Corrects the `owners` of mappings that a look inside has found to be of the heap of mallow: a program that has mallow inside, and
/// no library of that name, may have arenas of glibc too.
pub fn correct(owners: &mut [Owner], shares: &[Share]) {
    for share in shares {
        if let Some(owner) = owners.get_mut(share.mapping).filter(|owner| **owner == Owner::Arena) {
            *owner = Owner::Anonymous;
        }
    }
}

/// Whether it is code from a file.
fn is_code(mapping: &Mapping) -> bool {
    mapping.permissions.execute && mapping.name.starts_with(b"/")
}

/// `None` if the mapping has no name.
fn owner_of_named(mapping: &Mapping, program: &[u8], is_library: impl Fn(&[u8]) -> bool) -> Option<Owner> {
    let name = &mapping.name[..];
    let named = |prefix: &[u8]| {
        name.strip_prefix(prefix).map(|rest| rest.strip_suffix(b"]").unwrap_or(rest).to_vec())
    };
    if mapping.has_flag(*b"ht") {
        return Some(Owner::HugeTlb);
    }
    Some(match name {
        b"" => return None,
        b"[heap]" => Owner::Heap,
        b"[stack]" => Owner::MainStack,
        b"[vdso]" | b"[vvar]" | b"[vvar_vclock]" | b"[vsyscall]" | b"[uprobes]" => Owner::Kernel,
        _ if name == program && !program.is_empty() => Owner::Program(part(mapping)),
        _ if name.starts_with(b"/dev/shm/")
            || name.starts_with(b"/SYSV")
            || name.starts_with(b"/dev/zero") =>
        {
            Owner::SharedMemory
        }
        _ if name.starts_with(b"[anon_shmem:") => Owner::SharedMemory,
        _ if is_library(name) && !name.starts_with(b"/memfd:") => {
            Owner::Library(name.to_vec(), part(mapping))
        }
        _ => named(b"[anon:")
            .map(Owner::Named)
            .or_else(|| named(b"/memfd:").map(|name| Owner::Memfd(without_deleted(name))))
            .unwrap_or_else(|| Owner::File(name.to_vec())),
    })
}

fn owner_of_nameless(
    mapping: &Mapping,
    before: Option<(&Mapping, &Owner)>,
    behind: Option<&Mapping>,
    has_arenas: bool,
) -> Owner {
    if mapping.permissions.shared {
        return Owner::SharedMemory;
    }
    let is_reserve = |mapping: &Mapping| !mapping.permissions.read && !mapping.permissions.write;
    let before = before.filter(|(neighbour, _)| neighbour.end == mapping.start);
    let behind = behind.filter(|neighbour| neighbour.start == mapping.end && neighbour.name.is_empty());
    if is_reserve(mapping) {
        return match (before, behind) {
            // The reserve of the arena below, which may be the guard of a stack as well.
            (Some((_, Owner::Arena)), _) => Owner::Arena,
            (_, Some(above)) if is_guard_of(mapping, above) => Owner::ThreadStack,
            _ => Owner::Anonymous,
        };
    }
    if has_arenas && is_arena(mapping, behind) {
        return Owner::Arena;
    }
    match before {
        Some((_, Owner::Program(Part::Data | Part::Bss))) => Owner::Program(Part::Bss),
        Some((_, Owner::Library(name, Part::Data | Part::Bss))) => Owner::Library(name.clone(), Part::Bss),
        Some((guard, Owner::ThreadStack | Owner::Arena))
            if is_reserve(guard) && mapping.permissions.write =>
        {
            Owner::ThreadStack
        }
        _ => Owner::Anonymous,
    }
}

/// Whether `guard`, which may not be used, keeps what grows down from `above` out of what is below.
fn is_guard_of(guard: &Mapping, above: &Mapping) -> bool {
    guard.bytes() <= LONGEST_GUARD && above.permissions.write && !above.permissions.shared
}

/// Whether it begins where an arena would, and it and its reserve are as long as one.
fn is_arena(mapping: &Mapping, behind: Option<&Mapping>) -> bool {
    let Some(limit) = mapping.start.checked_add(ARENA_BYTES) else { return false };
    let is_reserved = |behind: &Mapping| !behind.permissions.read && behind.end >= limit;
    mapping.start.is_multiple_of(ARENA_BYTES)
        && mapping.permissions.write
        && (mapping.end >= limit && mapping.end.is_multiple_of(ARENA_BYTES)
            || behind.is_some_and(is_reserved))
}

fn part(mapping: &Mapping) -> Part {
    match mapping.permissions {
        permissions if permissions.execute => Part::Text,
        permissions if permissions.write => Part::Data,
        _ => Part::ReadOnly,
    }
}

/// The kernel says of every such file that it was deleted.
fn without_deleted(mut name: Vec<u8>) -> Vec<u8> {
    if name.ends_with(b" (deleted)") {
        name.truncate(name.len() - b" (deleted)".len());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::smaps;

    fn owners_of(maps: &str, program: &str) -> Vec<Owner> {
        owners(&smaps::parse(maps.as_bytes()).unwrap(), program.as_bytes())
    }

    fn library(name: &str, part: Part) -> Owner {
        Owner::Library(name.into(), part)
    }

    #[test]
    fn files_are_told_by_their_names_and_what_is_mapped_of_them() {
        let found = owners_of(
            "1000-2000 r--p 0 08:01 1 /bin/a\n2000-3000 r-xp 1000 08:01 1 /bin/a\n\
             3000-4000 rw-p 2000 08:01 1 /bin/a\n4000-9000 rw-p 0 00:00 0 \n9000-a000 rw-p 0 00:00 0 [heap]\n\
             10000-11000 r--p 0 08:01 2 /lib/x.so\n11000-12000 r-xp 0 08:01 2 /lib/x.so\n\
             12000-13000 rw-p 0 08:01 2 /lib/x.so\n13000-14000 rw-p 0 00:00 0 \n\
             20000-21000 r--p 0 08:01 3 /data/big\n21000-22000 rw-s 0 00:05 4 /memfd:box (deleted)\n\
             22000-23000 rw-s 0 00:01 5 /dev/shm/x\n23000-24000 rw-p 0 00:00 0 [anon:jit]\n\
             30000-31000 rw-p 0 00:00 0 [stack]\n31000-32000 r-xp 0 00:00 0 [vdso]\n",
            "/bin/a",
        );
        let expected = [
            Owner::Program(Part::ReadOnly),
            Owner::Program(Part::Text),
            Owner::Program(Part::Data),
            Owner::Program(Part::Bss),
            Owner::Heap,
            library("/lib/x.so", Part::ReadOnly),
            library("/lib/x.so", Part::Text),
            library("/lib/x.so", Part::Data),
            library("/lib/x.so", Part::Bss),
            Owner::File("/data/big".into()),
            Owner::Memfd("box".into()),
            Owner::SharedMemory,
            Owner::Named("jit".into()),
            Owner::MainStack,
            Owner::Kernel,
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_short_region_of_mallow_is_no_arena() {
        let region = "7f0000000000-7f0000200000 rw-p 0 00:00 0 \n7f0000200000-7f0004000000 ---p 0 00:00 0 \n";
        assert_eq!(owners_of(region, "/bin/a"), [Owner::Arena, Owner::Arena], "as far as can be seen");
        let library = "7f0010000000-7f0010001000 r-xp 0 08:01 2 /opt/libmallow.so\n";
        let found = owners_of(&[region, library].concat(), "/bin/a");
        assert_eq!(found[..2], [Owner::Anonymous, Owner::Anonymous]);
        let mut inside = owners_of(region, "/bin/a");
        correct(&mut inside, &[Share { mapping: 0, part: mallow::Part::Live, resident: 4096 }]);
        assert_eq!(inside[0], Owner::Anonymous, "of a program that has mallow inside");
    }

    #[test]
    fn arenas_and_stacks_are_told_by_what_lies_beside_them() {
        let found = owners_of(
            // An arena with its reserve, one that is used up, a stack, one above the reserve of an arena, and memory.
            "7f0000000000-7f0000021000 rw-p 0 00:00 0 \n7f0000021000-7f0004000000 ---p 0 00:00 0 \n\
             7f0008000000-7f000c000000 rw-p 0 00:00 0 \n\
             7f0010001000-7f0010002000 ---p 0 00:00 0 \n7f0010002000-7f0010802000 rw-p 0 00:00 0 \n\
             7f0014000000-7f0014021000 rw-p 0 00:00 0 \n7f0014021000-7f0018001000 ---p 0 00:00 0 \n\
             7f0018001000-7f0018801000 rw-p 0 00:00 0 \n\
             7f0020000000-7f0020100000 rw-p 0 00:00 0 \n7f0030000000-7f0030100000 rw-s 0 00:00 0 \n",
            "/bin/a",
        );
        let expected = [
            Owner::Arena,
            Owner::Arena,
            Owner::Arena,
            Owner::ThreadStack,
            Owner::ThreadStack,
            Owner::Arena,
            Owner::Arena,
            Owner::ThreadStack,
            Owner::Anonymous,
            Owner::SharedMemory,
        ];
        assert_eq!(found, expected);
    }
}
