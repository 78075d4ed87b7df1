//! What came of a script, for programs.

use mallow_analyze::memory::PAGE_BYTES;
use serde::Serialize;

use super::Played;
use super::moment::Moment;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Object<'p> {
    timeline: &'p [Moment],
    /// Absent without `--explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<&'p str>,
    processes: Vec<Process>,
    kills: Vec<Kill<'p>>,
    reclaim: Reclaim,
    meminfo: String,
    buddyinfo: String,
}

#[derive(Debug, Serialize)]
struct Process {
    pid: u32,
    name: String,
    oom_score: u32,
    resident_bytes: u64,
    swapped_bytes: u64,
    maps: String,
}

#[derive(Debug, Serialize)]
struct Kill<'p> {
    at_ns: u64,
    victim: Option<u32>,
    log: &'p str,
    explanation: &'p str,
}

/// Unit: events or pages, as the names of `/proc/vmstat` say.
#[derive(Debug, Serialize)]
struct Reclaim {
    pgscan_direct: u64,
    pgsteal_direct: u64,
    pgscan_kswapd: u64,
    pgsteal_kswapd: u64,
    allocstall: u64,
    pgswapout: u64,
    pgswapin: u64,
    disk_writes: u64,
    disk_reads: u64,
    thp_fault_alloc: u64,
    compact_stall: u64,
    compact_success: u64,
    pgmigrate_success: u64,
    pgmigrate_fail: u64,
    oom_kill: u64,
}

/// The object for a script or a log that was played.
pub(super) fn object(played: Played<'_>) -> Object<'_> {
    let Played { machine, moments, explained } = played;
    let (counts, swap) = (machine.world.pressure.counts, machine.world.pressure.swap.counts());
    let processes = machine.processes().map(|(pid, process)| {
        let resident = machine.resident(pid).unwrap_or_default();
        Process {
            pid: pid.0,
            name: process.name.clone(),
            oom_score: machine.oom_score(pid).unwrap_or_default(),
            resident_bytes: resident.total() * PAGE_BYTES,
            swapped_bytes: resident.swap * PAGE_BYTES,
            maps: machine.maps(pid).map(|maps| maps.to_string()).unwrap_or_default(),
        }
    });
    let kills = machine.kills().iter().map(|kill| Kill {
        at_ns: kill.at_ns,
        victim: kill.victim.map(|pid| pid.0),
        log: &kill.log,
        explanation: &kill.explanation,
    });
    Object {
        timeline: moments,
        explained,
        processes: processes.collect(),
        kills: kills.collect(),
        reclaim: Reclaim {
            pgscan_direct: counts.scanned_directly,
            pgsteal_direct: counts.freed_directly,
            pgscan_kswapd: counts.scanned_behind,
            pgsteal_kswapd: counts.freed_behind,
            allocstall: counts.stalls,
            pgswapout: swap.out,
            pgswapin: swap.back,
            disk_writes: swap.written,
            disk_reads: swap.read,
            thp_fault_alloc: machine.world.events.huge_faults,
            compact_stall: counts.compactions,
            compact_success: counts.compacted,
            pgmigrate_success: counts.moved,
            pgmigrate_fail: counts.not_moved,
            oom_kill: counts.kills,
        },
        meminfo: machine.meminfo().to_string(),
        buddyinfo: machine.world.physical.node().buddyinfo(0).to_string(),
    }
}
