//! Calls: what a subject can be told to do, as C would write it and as it is sent.
//!
//! One constructor per verb of the subject (`crates/subject/src/call/mod.rs`). Called by the experiments.

use nix::libc;

use super::amount;

/// A request to a subject.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// As people read it.
    pub(crate) shown: String,
    /// As it is sent.
    pub(crate) words: String,
    /// Whether its result is shown.
    pub(crate) has_result: bool,
}

/// A piece of the subject's memory, with the name it has in the calls that are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) name: &'static str,
    pub(crate) address: u64,
}

/// The slots that a call with many blocks is about: from the first, up to but not including the last, in steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots(pub(crate) u64, pub(crate) u64, pub(crate) u64);

impl Call {
    fn new(shown: impl Into<String>, words: impl Into<String>) -> Self {
        Self { shown: shown.into(), words: words.into(), has_result: false }
    }

    /// The same call, with its result shown.
    fn with_result(self) -> Self {
        Self { has_result: true, ..self }
    }

    pub(crate) fn malloc(name: &str, bytes: u64) -> Self {
        Self::new(format!("{name} = malloc({})", amount(bytes)), format!("malloc {bytes}"))
    }

    pub(crate) fn realloc(place: Place, bytes: u64) -> Self {
        let Place { name, address } = place;
        Self::new(
            format!("{name} = realloc({name}, {})", amount(bytes)),
            format!("realloc {address} {bytes}"),
        )
    }

    pub(crate) fn free(place: Place) -> Self {
        Self::new(format!("free({})", place.name), format!("free {}", place.address))
    }

    pub(crate) fn memalign(name: &str, align: u64, bytes: u64) -> Self {
        let shown = format!("posix_memalign(&{name}, {}, {})", amount(align), amount(bytes));
        Self::new(shown, format!("memalign {align} {bytes}"))
    }

    pub(crate) fn usable_size(place: Place) -> Self {
        Self::new(format!("malloc_usable_size({})", place.name), format!("usable {}", place.address))
            .with_result()
    }

    pub(crate) fn mmap_threshold(bytes: u64) -> Self {
        let shown = format!("mallopt(M_MMAP_THRESHOLD, {})", amount(bytes));
        Self::new(shown, format!("mallopt {} {bytes}", wrapped(libc::M_MMAP_THRESHOLD)))
    }

    pub(crate) fn trim() -> Self {
        Self::new("malloc_trim(0)", "trim 0")
    }

    /// `mallinfo2().fordblks`: what the allocator holds free.
    pub(crate) fn free_bytes() -> Self {
        Self::new("mallinfo2().fordblks", "info 8").with_result()
    }

    pub(crate) fn mtrace() -> Self {
        Self::new("mtrace()", "mtrace")
    }

    /// Prepares slots, before an experiment begins.
    pub(crate) fn slots(count: u64) -> Self {
        Self::new(format!("void *p[{count}]"), format!("slots {count}"))
    }

    pub(crate) fn mallocs(slots: Slots, bytes: u64) -> Self {
        let Slots(first, behind, step) = slots;
        let shown = slots.each(|p| format!("{p} = malloc({})", amount(bytes)));
        Self::new(shown, format!("mallocs {first} {behind} {step} {bytes}"))
    }

    pub(crate) fn fills(slots: Slots, bytes: u64) -> Self {
        let Slots(first, behind, step) = slots;
        let shown = slots.each(|p| format!("memset({p}, 1, {})", amount(bytes)));
        Self::new(shown, format!("fills {first} {behind} {step} {bytes}"))
    }

    pub(crate) fn frees(slots: Slots) -> Self {
        let Slots(first, behind, step) = slots;
        Self::new(slots.each(|p| format!("free({p})")), format!("frees {first} {behind} {step}"))
    }

    pub(crate) fn fill(place: Place, bytes: u64) -> Self {
        let shown = format!("memset({}, 1, {})", place.name, amount(bytes));
        Self::new(shown, format!("fill {} {bytes} 1", place.address))
    }

    /// Reads a byte in every step.
    pub(crate) fn read(place: Place, bytes: u64, step: u64) -> Self {
        let shown =
            format!("for (i = 0; i < {}; i += {}) sum += {}[i]", amount(bytes), amount(step), place.name);
        Self::new(shown, format!("read {} {bytes} {step}", place.address))
    }

    /// Writes a byte in every step.
    pub(crate) fn poke(place: Place, bytes: u64, step: u64) -> Self {
        let Place { name, address } = place;
        let shown = format!("for (i = 0; i < {}; i += {}) {name}[i] = 1", amount(bytes), amount(step));
        Self::new(shown, format!("poke {address} {bytes} {step}"))
    }

    /// The word in front of a block.
    pub(crate) fn word_before(place: Place) -> Self {
        let shown = format!("((size_t *) {})[-1]", place.name);
        Self::new(shown, format!("word {}", place.address.wrapping_sub(8)))
    }

    /// The first word of a block.
    pub(crate) fn word_at(place: Place, offset: u64) -> Self {
        let shown = format!("*(uint64_t *) ({} + {offset})", place.name);
        Self::new(shown, format!("word {}", place.address.wrapping_add(offset)))
    }

    /// Where the break is.
    pub(crate) fn find_break(name: &str) -> Self {
        Self::new(format!("{name} = sbrk(0)"), "sbrk 0")
    }

    pub(crate) fn sbrk(bytes: u64) -> Self {
        Self::new(format!("sbrk({})", amount(bytes)), format!("sbrk {bytes}"))
    }

    /// Moves the break to so many bytes behind a place.
    pub(crate) fn brk(place: Place, bytes: u64) -> Self {
        let Place { name, address } = place;
        let shown =
            if bytes == 0 { format!("brk({name})") } else { format!("brk({name} + {})", amount(bytes)) };
        Self::new(shown, format!("brk {}", address + bytes))
    }

    pub(crate) fn mmap(name: &str, bytes: u64) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let shown = format!("{name} = mmap(NULL, {}, ..., MAP_PRIVATE|MAP_ANONYMOUS, ...)", amount(bytes));
        Self::new(shown, format!("mmap {bytes} {}", wrapped(flags)))
    }

    pub(crate) fn mincore(place: Place, bytes: u64, page_bytes: u64) -> Self {
        let Place { name, address } = place;
        let shown = format!("pages resident in mincore({name}, {})", amount(bytes));
        Self::new(shown, format!("mincore {address} {bytes} {page_bytes}")).with_result()
    }

    pub(crate) fn mlock(place: Place, bytes: u64) -> Self {
        Self::new(
            format!("mlock({}, {})", place.name, amount(bytes)),
            format!("mlock {} {bytes}", place.address),
        )
    }

    pub(crate) fn munlock(place: Place, bytes: u64) -> Self {
        let Place { name, address } = place;
        Self::new(format!("munlock({name}, {})", amount(bytes)), format!("munlock {address} {bytes}"))
    }

    /// `MADV_HUGEPAGE` or `MADV_NOHUGEPAGE`.
    pub(crate) fn advise_huge(place: Place, bytes: u64, are_wanted: bool) -> Self {
        let Place { name, address } = place;
        let (advice, word) = if are_wanted {
            (libc::MADV_HUGEPAGE, "MADV_HUGEPAGE")
        } else {
            (libc::MADV_NOHUGEPAGE, "MADV_NOHUGEPAGE")
        };
        let shown = format!("madvise({name}, {}, {word})", amount(bytes));
        Self::new(shown, format!("madvise {address} {bytes} {advice}"))
    }

    /// `MADV_DONTNEED`.
    pub(crate) fn drop_pages(place: Place, bytes: u64) -> Self {
        let Place { name, address } = place;
        let shown = format!("madvise({name}, {}, MADV_DONTNEED)", amount(bytes));
        Self::new(shown, format!("madvise {address} {bytes} {}", libc::MADV_DONTNEED))
    }

    /// Memory from the pool of huge pages.
    pub(crate) fn mmap_huge(name: &str, bytes: u64) -> Self {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_HUGETLB;
        let shown = format!(
            "{name} = mmap(NULL, {}, ..., MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB, ...)",
            amount(bytes)
        );
        Self::new(shown, format!("mmap {bytes} {flags}"))
    }

    /// Not shown: lets the process have transparent huge pages.
    pub(crate) fn allow_huge_pages() -> Self {
        Self::new("prctl(PR_SET_THP_DISABLE, 0)", "huge_pages 1")
    }

    /// Touches memory from here down, frame below frame.
    pub(crate) fn recurse(bytes: u64) -> Self {
        Self::new(format!("recurse until {} of stack are in use", amount(bytes)), format!("recurse {bytes}"))
    }

    /// Writes a byte below the stack pointer, which stays where it is.
    pub(crate) fn write_below(bytes: u64) -> Self {
        let shown = format!("write one byte, {} below the stack pointer", amount(bytes));
        Self::new(shown, format!("below {bytes}"))
    }

    pub(crate) fn alloca(count: u64, bytes: u64) -> Self {
        let shown = format!("for (i = 0; i < {count}; i++) {{ p = alloca({}); p[0] = 1; }}", amount(bytes));
        Self::new(shown, format!("alloca {count} {bytes}"))
    }

    pub(crate) fn vla(count: u64, bytes: u64) -> Self {
        let shown =
            format!("for (i = 0; i < {count}; i++) {{ char p[n]; p[0] = 1; }}  // n = {}", amount(bytes));
        Self::new(shown, format!("vla {count} {bytes}"))
    }

    /// Starts threads that allocate a block each and wait; 0 bytes of stack are the default, 0 of block none.
    pub(crate) fn threads(count: u64, stack_bytes: u64, block_bytes: u64) -> Self {
        let stack =
            if stack_bytes == 0 { String::new() } else { format!(" with stacks of {}", amount(stack_bytes)) };
        let block =
            if block_bytes == 0 { String::new() } else { format!(": malloc({})", amount(block_bytes)) };
        Self::new(
            format!("{count} {}{stack}{block}", if count == 1 { "thread" } else { "threads" }),
            format!("threads {count} {stack_bytes} {block_bytes}"),
        )
    }

    pub(crate) fn join() -> Self {
        Self::new("the threads free and end", "join")
    }

    pub(crate) fn dlopen(name: &str, is_kept: bool) -> Self {
        let (flags, words) = if is_kept {
            (libc::RTLD_NOW | libc::RTLD_NODELETE, "RTLD_NOW|RTLD_NODELETE")
        } else {
            (libc::RTLD_NOW, "RTLD_NOW")
        };
        Self::new(format!("h = dlopen(\"{name}\", {words})"), format!("dlopen {name} {flags}"))
    }

    pub(crate) fn dlclose(handle: u64) -> Self {
        Self::new("dlclose(h)", format!("dlclose {handle}"))
    }

    /// From here on it is the child that is called, until it exits.
    pub(crate) fn fork() -> Self {
        Self::new("fork()", "fork")
    }

    pub(crate) fn exit() -> Self {
        Self::new("exit(0)", "exit 0")
    }

    /// The soft limit.
    pub(crate) fn getrlimit(limit: Limit) -> Self {
        let (number, name) = limit.number_and_name();
        Self::new(format!("getrlimit({name})"), format!("getrlimit {number}")).with_result()
    }

    pub(crate) fn setrlimit(limit: Limit, bytes: u64) -> Self {
        let (number, name) = limit.number_and_name();
        Self::new(format!("setrlimit({name}, {})", amount(bytes)), format!("setrlimit {number} {bytes}"))
    }

    /// Gives up the rights of root.
    pub(crate) fn setuid(user: u32) -> Self {
        Self::new(format!("setuid({user})"), format!("setuid {user}"))
    }
    /// On how many processors the process may run.
    pub(crate) fn cpus() -> Self {
        Self::new("sched_getaffinity()", "cpus")
    }

    /// How many processors there are.
    pub(crate) fn online() -> Self {
        Self::new("sysconf(_SC_NPROCESSORS_ONLN)", "online")
    }

    /// Not shown: the release of the C library.
    pub(crate) fn glibc() -> Self {
        Self::new("gnu_get_libc_version()", "glibc")
    }

    pub(crate) fn munmap(place: Place, bytes: u64) -> Self {
        Self::new(
            format!("munmap({}, {})", place.name, amount(bytes)),
            format!("munmap {} {bytes}", place.address),
        )
    }
}

/// A limit of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    AddressSpace,
    Data,
    Stack,
    MemLock,
}

impl Limit {
    const fn number_and_name(self) -> (u32, &'static str) {
        match self {
            Self::AddressSpace => (libc::RLIMIT_AS, "RLIMIT_AS"),
            Self::Data => (libc::RLIMIT_DATA, "RLIMIT_DATA"),
            Self::Stack => (libc::RLIMIT_STACK, "RLIMIT_STACK"),
            Self::MemLock => (libc::RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK"),
        }
    }
}

impl Slots {
    /// A statement for each of them, as a loop if there are several.
    fn each(self, statement: impl Fn(&str) -> String) -> String {
        let Self(first, behind, step) = self;
        match (behind - first, step) {
            (1, _) => statement(&format!("p[{first}]")),
            (_, 1) => format!("for (i = {first}; i < {behind}; i++) {}", statement("p[i]")),
            _ => format!("for (i = {first}; i < {behind}; i += {step}) {}", statement("p[i]")),
        }
    }
}

impl Place {
    /// The memory that lies `bytes` further on.
    pub(crate) fn plus(self, name: &'static str, bytes: u64) -> Self {
        Self { name, address: self.address + bytes }
    }
}

/// A number that may be negative, as the subject takes it.
fn wrapped(number: i32) -> u64 {
    i64::from(number).cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_blocks_are_a_loop_and_one_is_not() {
        assert_eq!(Call::frees(Slots(0, 9, 1)).shown, "for (i = 0; i < 9; i++) free(p[i])");
        assert_eq!(Call::frees(Slots(0, 9, 2)).shown, "for (i = 0; i < 9; i += 2) free(p[i])");
        assert_eq!(Call::mallocs(Slots(8, 9, 1), 4096).shown, "p[8] = malloc(4 KiB)");
    }

    #[test]
    fn negative_numbers_arrive_wrapped() {
        assert_eq!(Call::mmap_threshold(1).words, format!("mallopt {} 1", u64::MAX - 2));
    }
}
