//! Rules about how the address space is used: huge pages, page tables, stacks, what is shared, files, swap.

use mallow_units::Bytes;

use super::{Facts, Finding, Kind};
use crate::ledger::Kind as Line;
use crate::read::smaps::Amount;

/// Whether it is a line of private memory without a file.
const fn is_anonymous(line: Line) -> bool {
    matches!(
        line,
        Line::Mallow(_)
            | Line::Heap
            | Line::Arenas
            | Line::Anonymous
            | Line::Named
            | Line::MainStack
            | Line::ThreadStacks
            | Line::ProgramData
            | Line::LibraryData
    )
}

/// Huge pages that hold little.
pub(super) fn huge_page_padding(facts: &Facts<'_>) -> Option<Finding> {
    let padding = facts.padding?;
    let bytes = padding.estimate().filter(|bytes| facts.is_material(*bytes))?;
    Some(Finding {
        kind: Kind::HugePagePadding,
        bytes,
        sentence: format!("About {} are padding of huge pages: resident, and never written to.", Bytes(bytes)),
        evidence: vec![
            format!("{} are in huge pages of 2 MiB (AnonHugePages)", Bytes(padding.huge)),
            format!("of {} looked at, {} hold only zeros", Bytes(padding.seen), Bytes(padding.zero)),
        ],
        advice: "Set transparent huge pages to madvise (/sys/kernel/mm/transparent_hugepage/enabled), or switch them off \
                 for this program: prctl(PR_SET_THP_DISABLE), glibc.malloc.hugetlb=0"
            .to_owned(),
    })
}

/// Page tables that count.
pub(super) fn page_tables(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.ledger.beside.page_tables?;
    if bytes < 16 << 20 || bytes < facts.resident() / 10 {
        return None;
    }
    let space = facts.ledger.lines.iter().map(|line| line.address_space).fold(0, u64::saturating_add);
    Some(Finding {
        kind: Kind::PageTables,
        bytes,
        sentence: format!(
            "Page tables take {}, beside RSS: the address space is used sparsely.",
            Bytes(bytes)
        ),
        evidence: vec![format!(
            "{} are resident, spread over {} of address space",
            Bytes(facts.resident()),
            Bytes(space)
        )],
        advice: "Keep what is used close together, unmap what is not, or use huge pages for what is dense"
            .to_owned(),
    })
}

/// Stacks that count.
pub(super) fn thread_stacks(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.resident_of(|line| line == Line::ThreadStacks);
    if !facts.is_material(bytes) {
        return None;
    }
    let threads = facts.threads;
    let each = bytes.checked_div(threads.saturating_sub(1)).unwrap_or(bytes);
    Some(Finding {
        kind: Kind::ThreadStacks,
        bytes,
        sentence: format!("The stacks of {threads} threads hold {}.", Bytes(bytes)),
        evidence: vec![format!("about {} for each thread: what was touched once stays", Bytes(each))],
        advice: "Use fewer threads, or smaller stacks: ulimit -s, pthread_attr_setstacksize; large buffers belong in the \
                 heap"
            .to_owned(),
    })
}

/// Memory that is counted in other processes too.
pub(super) fn shared(facts: &Facts<'_>) -> Option<Finding> {
    let is_most = |bytes: u64| facts.is_material(bytes) && bytes >= facts.resident() / 2;
    let memory = facts.resident_of(|line| matches!(line, Line::SharedMemory | Line::Memfds));
    let forked = facts.amount_of(is_anonymous, Amount::SharedDirty)
        + facts.amount_of(is_anonymous, Amount::SharedClean);
    let pss = facts.ledger.total(Amount::Pss);
    let share = pss.map_or_else(
        || "what of that is its own share: n/a (this kernel does not tell PSS)".to_owned(),
        |pss| format!("divided by their users (PSS) it has {} of {}", Bytes(pss), Bytes(facts.resident())),
    );
    if is_most(memory) {
        return Some(Finding {
            kind: Kind::SharedMemory,
            bytes: memory,
            sentence: format!("{} are shared memory, which every process that touches it counts.", Bytes(memory)),
            evidence: vec![share],
            advice: "Do not add up the RSS of such processes: add PSS. Its size is a setting of the program, or files in \
                     /dev/shm"
                .to_owned(),
        });
    }
    is_most(forked).then(|| Finding {
        kind: Kind::SharedAfterFork,
        bytes: forked,
        sentence: format!("{} are the same pages as those of its parent or children, since a fork.", Bytes(forked)),
        evidence: vec![share],
        advice: "Nothing is lost as long as nobody writes: each page that is written to is copied. Do not add up the RSS \
                 of such processes: add PSS"
            .to_owned(),
    })
}

/// Mapped files.
pub(super) fn file_cache(facts: &Facts<'_>) -> Option<Finding> {
    let written = facts.amount_of(|line| line == Line::Files, Amount::Anonymous);
    let bytes = facts.resident_of(|line| line == Line::Files).saturating_sub(written);
    if !facts.is_material(bytes) || bytes < facts.resident() / 2 {
        return None;
    }
    Some(Finding {
        kind: Kind::FileCache,
        bytes,
        sentence: format!("{} are mapped files: cache, which the kernel takes back when it needs memory.", Bytes(bytes)),
        evidence: vec![format!(
            "{} of {} resident are pages of files as they are on disk or will be written there",
            Bytes(bytes),
            Bytes(facts.resident())
        )],
        advice: "Nothing to do. To see less of it: madvise(MADV_DONTNEED) on what is done with, or read() instead of mmap"
            .to_owned(),
    })
}

/// Much is swapped out.
pub(super) fn swapped(facts: &Facts<'_>) -> Option<Finding> {
    let bytes = facts.ledger.beside.swapped?;
    if bytes < 16 << 20 || bytes < facts.resident().saturating_add(bytes) / 5 {
        return None;
    }
    Some(Finding {
        kind: Kind::Swapped,
        bytes,
        sentence: format!("{} are swapped out, beside RSS: it needs more than RSS says.", Bytes(bytes)),
        evidence: vec![format!("{} are resident", Bytes(facts.resident()))],
        advice: "See what the machine is short of: mallow free".to_owned(),
    })
}

/// None of the other rules has found anything.
pub(super) fn nothing_wrong(facts: &Facts<'_>) -> Finding {
    let largest = facts.ledger.lines.iter().max_by_key(|line| line.resident);
    let mut evidence = Vec::new();
    if let Some(line) = largest {
        evidence.push(format!("most of it: {}, {}", line.kind.name(), Bytes(line.resident)));
        if let Some(runtime) = facts.runtime.filter(|_| line.kind == Line::Anonymous) {
            evidence.push(format!("{runtime} keeps its heap there: its own statistics say how full it is"));
        }
    }
    if let Some(glibc) = facts.glibc.filter(|glibc| glibc.first.known + glibc.others.known > 0) {
        let (known, free) = (glibc.first.known + glibc.others.known, glibc.first.free + glibc.others.free);
        evidence.push(format!("of {} in heaps of glibc {} are free", Bytes(known), Bytes(free)));
    }
    let is_watched = facts.slope.is_some();
    evidence.push(if is_watched {
        "it does not grow steadily".to_owned()
    } else {
        "one look: whether it grows is not known without --watch".to_owned()
    });
    Finding {
        kind: Kind::NothingWrong,
        bytes: 0,
        sentence: "What is resident is in use, as far as that can be told from outside.".to_owned(),
        evidence,
        advice: if is_watched {
            "Nothing to do"
        } else {
            "To see whether it grows: mallow why --watch 60 PID"
        }
        .to_owned(),
    }
}
