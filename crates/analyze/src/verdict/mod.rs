//! Verdicts: why a process has as much memory as it has, in words, with evidence and the knob to turn.
//!
//! Each rule is a pure function from facts to a finding, or to none. What is urgent comes first (too little left, growing),
//! then what concerns the most bytes. Small things are not worth a word: see [`Facts::is_material`].
//!
//! Called by `account`.

mod facts;
mod layout;
mod malloc;
mod mallow;
mod trend;

use serde::Serialize;

pub use facts::{Facts, Glibc};

/// What a finding is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// Little is left before the nearest limit.
    NearLimit,
    /// It grows steadily.
    Growing,
    /// The heap was larger once, and keeps free pages.
    HighWater,
    /// The heap has free pieces between used ones.
    Fragmentation,
    /// Threads have heaps of their own, and these are empty for a good part.
    ManyArenas,
    /// Huge pages are in use for a small part.
    HugePagePadding,
    /// The address space is used so sparsely that page tables count.
    PageTables,
    /// Many threads have stacks that were used deeply once.
    ThreadStacks,
    /// Memory that several processes share.
    SharedMemory,
    /// Memory that it has in common with its parent or its children since a fork.
    SharedAfterFork,
    /// Mapped files.
    FileCache,
    /// A good part of it is swapped out.
    Swapped,
    /// None of that.
    NothingWrong,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::NearLimit,
        Self::Growing,
        Self::HighWater,
        Self::Fragmentation,
        Self::ManyArenas,
        Self::HugePagePadding,
        Self::PageTables,
        Self::ThreadStacks,
        Self::SharedMemory,
        Self::SharedAfterFork,
        Self::FileCache,
        Self::Swapped,
        Self::NothingWrong,
    ];

    /// Its name, which stays as it is: scripts read it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NearLimit => "too little left before the limit",
            Self::Growing => "growing",
            Self::HighWater => "flat but empty: high-water heap",
            Self::Fragmentation => "flat but empty: fragmentation",
            Self::ManyArenas => "many arenas",
            Self::HugePagePadding => "THP padding",
            Self::PageTables => "page tables",
            Self::ThreadStacks => "many thread stacks",
            Self::SharedMemory => "shared memory",
            Self::SharedAfterFork => "shared after fork",
            Self::FileCache => "file cache",
            Self::Swapped => "swapped out",
            Self::NothingWrong => "nothing wrong",
        }
    }

    /// Whether it is to be said first, whatever it concerns.
    const fn is_urgent(self) -> bool {
        matches!(self, Self::NearLimit | Self::Growing)
    }
}

/// Something that explains the memory of a process.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What it is about.
    #[serde(serialize_with = "by_name", rename = "verdict")]
    pub kind: Kind,
    /// How many bytes it concerns.
    pub bytes: u64,
    /// What it says.
    pub sentence: String,
    /// What it is concluded from.
    pub evidence: Vec<String>,
    /// What to do about it.
    pub advice: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn by_name<S: serde::Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(kind.name())
}

type Rule = fn(&Facts<'_>) -> Option<Finding>;

const RULES: [Rule; 12] = [
    trend::near_limit,
    trend::growing,
    malloc::empty_heap,
    malloc::many_arenas,
    mallow::high_water,
    mallow::fragmentation,
    layout::huge_page_padding,
    layout::page_tables,
    layout::thread_stacks,
    layout::shared,
    layout::file_cache,
    layout::swapped,
];

/// What is to be said, the most important first; one finding at least.
pub fn judge(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found: Vec<Finding> = RULES.iter().filter_map(|rule| rule(facts)).collect();
    // Kinds are in the order of their urgency where that counts.
    found.sort_by_key(|finding| {
        let urgency = if finding.kind.is_urgent() { finding.kind } else { Kind::NothingWrong };
        (urgency, u64::MAX - finding.bytes)
    });
    if found.is_empty() {
        found.push(layout::nothing_wrong(facts));
    }
    found
}
