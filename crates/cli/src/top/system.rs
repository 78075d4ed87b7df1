//! The machine's memory in a few numbers, as `free` and `/proc/meminfo` have them.
//!
//! Called by `watch`.

use mallow_analyze::read::meminfo::{Item, Meminfo};
use mallow_analyze::read::pressure::{self, Pressure};

use super::size::short;
use crate::machine;

/// The machine at one moment. Sizes are in bytes.
#[derive(Clone, Debug)]
pub(super) struct System {
    /// Everything `/proc/meminfo` tells.
    pub(super) meminfo: Meminfo,
    /// Memory and swap together.
    pub(super) total: u64,
    /// Whether more may be promised than there is: `vm.overcommit_memory`.
    pub(super) overcommit_mode: Option<u64>,
    /// Waiting for memory; or why it is not known.
    pub(super) pressure: Option<Pressure>,
}

/// The mode in which nothing is promised beyond the commit limit.
const STRICT: u64 = 2;

impl System {
    /// Reads what there is to read.
    pub(super) fn read() -> anyhow::Result<Self> {
        let meminfo = machine::meminfo()?;
        let get = |item| meminfo.get(item).unwrap_or(0);
        Ok(Self {
            total: get(Item::Total) + get(Item::SwapTotal),
            overcommit_mode: machine::setting("vm/overcommit_memory").ok(),
            pressure: machine::proc_parsed("pressure/memory", pressure::parse).ok(),
            meminfo,
        })
    }

    /// What is there, what it is used for, what has been promised and who waits: a line each, of at most 80 characters.
    pub(super) fn lines(&self) -> [String; 3] {
        let size = |item| self.meminfo.get(item).map_or_else(|| "n/a".to_owned(), short);
        let used = |total, free| match (self.meminfo.get(total), self.meminfo.get(free)) {
            (Some(total), Some(free)) => short(total.saturating_sub(free)),
            _ => "n/a".to_owned(),
        };
        let there = format!(
            "available {} of {}  swap {} of {}",
            size(Item::Available),
            size(Item::Total),
            used(Item::SwapTotal, Item::SwapFree),
            size(Item::SwapTotal),
        );
        let used_for = format!(
            "free {}  buffers {}  cache {}  slab {}",
            size(Item::Free),
            size(Item::Buffers),
            size(Item::Cached),
            size(Item::Slab),
        );
        [there, used_for, format!("{}  {}", self.committed(), self.waiting())]
    }

    fn committed(&self) -> String {
        let get = |item| self.meminfo.get(item);
        let (Some(committed), Some(limit)) = (get(Item::CommittedAs), get(Item::CommitLimit)) else {
            return "committed n/a".to_owned();
        };
        let share = committed.saturating_mul(100).checked_div(limit).unwrap_or(0);
        let force = if self.overcommit_mode == Some(STRICT) { "enforced" } else { "not enforced" };
        format!("committed {} of {}, {share} % ({force})", short(committed), short(limit))
    }

    fn waiting(&self) -> String {
        let percent = |hundredths: u64| format!("{}.{} %", hundredths / 100, hundredths / 10 % 10);
        match self.pressure {
            Some(Pressure { some: Some(some), full }) => {
                let full = full.map_or_else(String::new, |full| format!(" full {}", percent(full.avg10)));
                format!("pressure some {}{full}", percent(some.avg10))
            }
            _ => "pressure n/a (not told)".to_owned(),
        }
    }

    /// The numbers for programs.
    pub(super) fn numbers(&self) -> Numbers {
        let get = |item| self.meminfo.get(item);
        let some = self.pressure.and_then(|pressure| pressure.some);
        let full = self.pressure.and_then(|pressure| pressure.full);
        #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent, at most 10,000")]
        let percent = |hundredths: u64| hundredths as f64 / 100.0;
        Numbers {
            total_bytes: get(Item::Total),
            available_bytes: get(Item::Available),
            free_bytes: get(Item::Free),
            buffers_bytes: get(Item::Buffers),
            cached_bytes: get(Item::Cached),
            slab_bytes: get(Item::Slab),
            swap_total_bytes: get(Item::SwapTotal),
            swap_free_bytes: get(Item::SwapFree),
            committed_bytes: get(Item::CommittedAs),
            commit_limit_bytes: get(Item::CommitLimit),
            is_commit_limit_enforced: self.overcommit_mode.map(|mode| mode == STRICT),
            pressure_some_percent: some.map(|stall| percent(stall.avg10)),
            pressure_full_percent: full.map(|stall| percent(stall.avg10)),
        }
    }
}

/// What JSON has of the machine; what is not known is `null`.
#[derive(Debug, serde::Serialize)]
pub(super) struct Numbers {
    total_bytes: Option<u64>,
    available_bytes: Option<u64>,
    free_bytes: Option<u64>,
    buffers_bytes: Option<u64>,
    cached_bytes: Option<u64>,
    slab_bytes: Option<u64>,
    swap_total_bytes: Option<u64>,
    swap_free_bytes: Option<u64>,
    committed_bytes: Option<u64>,
    commit_limit_bytes: Option<u64>,
    is_commit_limit_enforced: Option<bool>,
    pressure_some_percent: Option<f64>,
    pressure_full_percent: Option<f64>,
}
