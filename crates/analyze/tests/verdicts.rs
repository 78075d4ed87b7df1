//! Verdicts: each rule is tried on a process of the shape that it is for, and on one that is nearly so.

#![cfg(test)]

use mallow_analyze::account::Account;
use mallow_analyze::glibc::{Heap, Seen};
use mallow_analyze::padding::Padding;
use mallow_analyze::recording::Recording;
use mallow_analyze::slope::Sample;
use mallow_analyze::verdict::{Finding, Kind};

const MIB: u64 = 1 << 20;

/// A process under construction: lines of `smaps` and `status`, and what was seen inside.
struct Shape {
    smaps: String,
    status: String,
    recording: Recording,
    next: u64,
}

impl Shape {
    fn new() -> Self {
        let status = "Name:\tshape\nPid:\t17\nVmSize:\t1 kB\nThreads:\t1\n".to_owned();
        Self { smaps: String::new(), status, recording: Recording::new(17, 0), next: 0x7f00_0000_0000 }
    }

    /// Adds a mapping of so many MiB that are all resident, with more lines of `smaps`.
    fn with(mut self, first_line: &str, mib: u64, more: &str) -> Self {
        let start = self.next;
        self.next += mib * MIB + (1 << 30);
        let end = start + mib * MIB;
        self.smaps += &format!("{start:x}-{end:x} {first_line}\nRss: {} kB\n{more}", mib << 10);
        self
    }

    fn anonymous(self, mib: u64) -> Self {
        self.with("rw-p 0 00:00 0 ", mib, "")
    }

    fn status(mut self, lines: &str) -> Self {
        self.status += lines;
        self
    }

    /// So many arenas with so many MiB each, of which a part is free.
    fn arenas(mut self, count: u64, mib: u64, seen: &Result<Seen, String>) -> Self {
        let mut heaps = Vec::new();
        for nth in 0..count {
            let start = 0x7e00_0000_0000 + nth * (64 << 20);
            let (used, end) = (start + mib * MIB, start + (64 << 20));
            self.smaps += &format!("{start:x}-{used:x} rw-p 0 00:00 0 \nRss: {} kB\n", mib << 10);
            self.smaps += &format!("{used:x}-{end:x} ---p 0 00:00 0 \nRss: 0 kB\n");
            heaps.push(Heap { start, arena: Some(start + 0x30), resident: mib * MIB, seen: seen.clone() });
        }
        self.recording.heaps = Ok(heaps);
        self
    }

    /// What was seen of the heap that `brk` has grown.
    fn heap(self, mib: u64, seen: Seen) -> Self {
        let mut shape = self.with("rw-p 0 00:00 0 [heap]", mib, "");
        let heap = Heap { start: 0x5555_0000_1000, arena: None, resident: mib * MIB, seen: Ok(seen) };
        match &mut shape.recording.heaps {
            Ok(heaps) => heaps.push(heap),
            none => *none = Ok(vec![heap]),
        }
        shape
    }

    fn samples(mut self, resident: impl IntoIterator<Item = u64>) -> Self {
        let samples = resident.into_iter().enumerate();
        self.recording.samples =
            samples.map(|(nth, resident)| Sample { at_ms: nth as u64 * 1000, resident }).collect();
        self
    }

    fn group(mut self, current: u64, file: u64, max: &str) -> Self {
        self.recording.put("cgroup", b"0::/app\n".to_vec());
        self.recording.put("mountinfo", b"31 23 0:28 / /cg rw - cgroup2 cgroup2 rw\n".to_vec());
        self.recording.put("cgroup/0/memory.current", current.to_string().into_bytes());
        self.recording.put("cgroup/0/memory.max", max.as_bytes().to_vec());
        self.recording.put("cgroup/0/memory.stat", format!("file {file}\n").into_bytes());
        self
    }

    /// A line of `limits`, in bytes.
    fn limit(mut self, name: &str, soft: u64) -> Self {
        let line = format!("{name:<25} {soft:<20} unlimited            bytes     \n");
        self.recording.put("limits", line.into_bytes());
        self
    }

    fn setting(mut self, name: &str, content: &str) -> Self {
        self.recording.put(name, content.as_bytes().to_vec());
        self
    }

    fn findings(mut self) -> Vec<Finding> {
        self.recording.put("smaps", self.smaps.into_bytes());
        self.recording.put("status", self.status.into_bytes());
        self.recording.put("exe", b"/bin/shape".to_vec());
        Account::of(&self.recording).unwrap().findings
    }

    fn kinds(self) -> Vec<Kind> {
        self.findings().iter().map(|finding| finding.kind).collect()
    }
}

fn seen(used_mib: u64, free_mib: u64, trimmable_mib: u64) -> Seen {
    Seen {
        walked: (used_mib + free_mib) * MIB,
        is_whole: true,
        used: used_mib * MIB,
        free: free_mib * MIB,
        trimmable: trimmable_mib * MIB,
        top: 0,
        used_blocks: used_mib * 1000,
        free_blocks: free_mib * 1000,
    }
}

#[test]
fn every_shape_has_its_verdict() {
    const FILE: &str = "r--s 0 08:01 5 /data/big";
    const SHM: &str = "rw-s 0 00:01 5 /dev/shm/x";
    let table: Vec<(&str, Shape, &[Kind])> = vec![
        ("memory in use", Shape::new().anonymous(500), &[Kind::NothingWrong]),
        ("all of a heap is live", Shape::new().heap(200, seen(190, 10, 9)), &[Kind::NothingWrong]),
        ("all of a heap is free", Shape::new().heap(200, seen(1, 199, 198)), &[Kind::HighWater]),
        ("a comb", Shape::new().heap(200, seen(100, 100, 0)), &[Kind::Fragmentation]),
        ("a small heap that is free", Shape::new().heap(10, seen(0, 10, 10)), &[Kind::NothingWrong]),
        (
            "a free heap beside much else",
            Shape::new().heap(100, seen(0, 100, 100)).anonymous(900),
            &[Kind::NothingWrong],
        ),
        (
            "half of a heap was seen, and free",
            Shape::new().heap(200, Seen { is_whole: false, ..seen(10, 90, 80) }),
            &[Kind::HighWater],
        ),
        ("many empty arenas", Shape::new().arenas(20, 10, &Ok(seen(2, 8, 7))), &[Kind::ManyArenas]),
        ("many full arenas", Shape::new().arenas(20, 10, &Ok(seen(9, 1, 1))), &[Kind::NothingWrong]),
        ("a few empty arenas", Shape::new().arenas(4, 50, &Ok(seen(10, 40, 40))), &[Kind::HighWater]),
        (
            "many arenas that may not be seen",
            Shape::new().arenas(20, 10, &Err("not permitted".to_owned())),
            &[Kind::ManyArenas],
        ),
        (
            "growing",
            Shape::new().anonymous(100).samples((0..30).map(|nth| 100 * MIB + nth * MIB)),
            &[Kind::Growing],
        ),
        (
            "a saw",
            Shape::new().anonymous(100).samples((0..30).map(|nth| 100 * MIB + nth % 5 * 10 * MIB)),
            &[Kind::NothingWrong],
        ),
        (
            "warming up a little",
            Shape::new().anonymous(500).samples((0..30).map(|nth| 500 * MIB + nth * 4096)),
            &[Kind::NothingWrong],
        ),
        ("near its limit", Shape::new().anonymous(95).group(95 * MIB, 0, "104857600"), &[Kind::NearLimit]),
        (
            "near its limit with file cache only",
            Shape::new().anonymous(20).group(99 * MIB, 79 * MIB, "104857600"),
            &[Kind::NothingWrong],
        ),
        (
            "in a group without a limit",
            Shape::new().anonymous(95).group(95 * MIB, 0, "max"),
            &[Kind::NothingWrong],
        ),
        (
            "many pages of tables",
            Shape::new().anonymous(40).status("VmPTE:\t40000 kB\n"),
            &[Kind::PageTables],
        ),
        (
            "some pages of tables",
            Shape::new().anonymous(400).status("VmPTE:\t20000 kB\n"),
            &[Kind::NothingWrong],
        ),
        ("mapped files", Shape::new().with(FILE, 300, "").anonymous(50), &[Kind::FileCache]),
        (
            "private mappings of files, written to",
            Shape::new().with("rw-p 0 08:01 5 /data/big", 300, "Anonymous: 307200 kB\n"),
            &[Kind::NothingWrong],
        ),
        ("shared memory", Shape::new().with(SHM, 300, "Pss: 1024 kB\n").anonymous(50), &[Kind::SharedMemory]),
        (
            "after a fork",
            Shape::new().with("rw-p 0 00:00 0 ", 300, "Pss: 153600 kB\nShared_Dirty: 307200 kB\n"),
            &[Kind::SharedAfterFork],
        ),
        ("swapped", Shape::new().anonymous(100).status("VmSwap:\t500000 kB\n"), &[Kind::Swapped]),
    ];
    for (name, shape, expected) in table {
        assert_eq!(shape.kinds(), expected, "{name}");
    }
}

#[test]
fn every_limit_that_is_near_is_told() {
    let strict = "CommitLimit: 102400 kB\nCommitted_AS: 100000 kB\nMemTotal: 102400 kB\nMemAvailable: 1 kB\n";
    let address_space = "Max address space";
    let shape = || Shape::new().anonymous(5).status("VmSize:\t98000 kB\nVmData:\t98000 kB\nVmLck:\t62 kB\n");
    let user = || shape().status("CapEff:\t0000000000000000\n");
    let table = [
        (
            "RLIMIT_AS",
            shape().limit(address_space, 100 << 20),
            "Only 4.2 MiB are left of the 100.0 MiB that RLIMIT_AS allows: mmap, brk or mlock fail",
        ),
        ("there is room", shape().limit(address_space, 110 << 20), ""),
        (
            "RLIMIT_DATA",
            shape().limit("Max data size", 100 << 20),
            "Only 4.2 MiB are left of the 100.0 MiB that RLIMIT_DATA",
        ),
        (
            "RLIMIT_MEMLOCK",
            user().limit("Max locked memory", 64 << 10),
            "Only 2.0 KiB are left of the 64.0 KiB that RLIMIT_MEMLOCK",
        ),
        (
            "who may lock all",
            shape().status("CapEff:\t0000000000004000\n").limit("Max locked memory", 64 << 10),
            "",
        ),
        (
            "the commit limit",
            shape().setting("meminfo", strict).setting("overcommit_memory", "2\n"),
            "Only 2.3 MiB are left of the 100.0 MiB that the commit limit allows: ",
        ),
        ("it is not in force", shape().setting("meminfo", strict).setting("overcommit_memory", "0\n"), ""),
        (
            "mappings",
            shape().setting("max_map_count", "1\n"),
            "Only 0 are left of the 1 mappings that vm.max_map_count allows: ",
        ),
    ];
    for (name, shape, sentence) in table {
        let found = shape.findings();
        let (kind, words) = (found[0].kind, &found[0].sentence);
        if sentence.is_empty() {
            assert_eq!(kind, Kind::NothingWrong, "{name}: {words}");
        } else {
            assert!(kind == Kind::NearLimit && words.starts_with(sentence), "{name}: {words}");
        }
    }
}

#[test]
fn the_limit_that_memory_runs_into_is_told_first() {
    let found = Shape::new()
        .anonymous(95)
        .status("VmLck:\t62 kB\nVmSize:\t98000 kB\nCapEff:\t0\n")
        .limit("Max locked memory", 64 << 10)
        .group(97 * MIB, MIB, "104857600")
        .findings();
    assert!(found[0].sentence.starts_with("Only 4.0 MiB are left of the 100.0 MiB that cgroup max of /app"));
    assert_eq!(
        found[0].evidence,
        [
            "97.0 MiB of 100.0 MiB are used, 1.0 MiB of that by file cache",
            "RLIMIT_MEMLOCK: 62.0 KiB of 64.0 KiB are used"
        ]
    );
}

#[test]
fn stacks_of_many_threads_are_found() {
    let mut shape = Shape::new().status("Threads:\t201\n");
    let mut start = 0x7f00_0000_0000_u64;
    for _ in 0..200 {
        let (stack, end) = (start + 4096, start + 4096 + (8 << 20));
        shape.smaps += &format!("{start:x}-{stack:x} ---p 0 00:00 0 \nRss: 0 kB\n");
        shape.smaps += &format!("{stack:x}-{end:x} rw-p 0 00:00 0 \nRss: 1024 kB\n");
        start = end;
    }
    let found = shape.findings();
    assert_eq!(found[0].kind, Kind::ThreadStacks);
    assert_eq!(found[0].sentence, "The stacks of 201 threads hold 200.0 MiB.");
}

#[test]
fn padding_of_huge_pages_is_found() {
    let mut shape = Shape::new().with("rw-p 0 00:00 0 ", 300, "AnonHugePages: 307200 kB\n");
    shape.recording.padding = Some(Padding { huge: 300 * MIB, seen: 32 * MIB, zero: 24 * MIB });
    let found = shape.findings();
    assert_eq!((found[0].kind, found[0].bytes), (Kind::HugePagePadding, 225 * MIB));
}

#[test]
fn what_is_urgent_comes_first_and_then_what_is_large() {
    let shape = Shape::new()
        .heap(200, seen(0, 200, 200))
        .with("rw-p 0 00:00 0 ", 100, "")
        .status("VmPTE:\t100000 kB\nVmSwap:\t300000 kB\n")
        .samples((0..30).map(|nth| 300 * MIB + nth * MIB))
        .group(300 * MIB, 0, "314572800");
    let kinds = shape.kinds();
    assert_eq!(
        kinds,
        [Kind::NearLimit, Kind::Growing, Kind::Swapped, Kind::HighWater, Kind::PageTables],
        "the slope counts even where nothing is left"
    );
}

#[test]
fn every_finding_has_words_evidence_and_advice() {
    let found = Shape::new()
        .heap(200, seen(1, 199, 198))
        .samples((0..30).map(|nth| 100 * MIB + nth * MIB))
        .findings();
    for finding in found {
        assert!(finding.sentence.ends_with('.') && !finding.evidence.is_empty(), "{finding:?}");
        assert!(!finding.advice.is_empty() && !finding.advice.ends_with('.'), "{finding:?}");
    }
    let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Kind::ALL.len());
}
