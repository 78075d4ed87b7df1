//! The arithmetic of memory pressure beside the kernel that runs here, as far as it shows it.
//!
//! What would change the machine is done only with `MALLOW_LIVE_SYSCTL=1`: it writes `vm.overcommit_ratio` and
//! `vm.overcommit_kbytes`, which have no effect unless the mode is 2, and that mode for some milliseconds; then it puts all
//! of them back.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]
#![expect(clippy::print_stdout, reason = "a test says what it skips")]

use std::fs;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use mallow_buddy::{Tuning, Watermarks};
use mallow_kmm::oom::{Adjustment, Standing, Task, Usage};
use mallow_kmm::overcommit::{Mode, Policy, Requester, Share, Totals};
use mallow_units::PageCount;

/// One test at a time looks at what the kernel promises.
static PROMISES: Mutex<()> = Mutex::new(());

fn may_set() -> bool {
    let may = std::env::var_os("MALLOW_LIVE_SYSCTL").is_some_and(|value| value == "1");
    if !may {
        println!("skipped: other settings: MALLOW_LIVE_SYSCTL=1 is not set");
    }
    may
}

/// Whether the kernel would map that many pages now. A large vector is one mapping: its bytes, a header of 16, whole
/// pages. Nothing touches it.
fn is_granted(mapped: u64) -> bool {
    let mut bytes: Vec<u8> = Vec::new();
    let capacity = usize::try_from(mapped * 4096 - 2048).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(capacity).is_ok()
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn sysctl(name: &str) -> Option<u64> {
    read(&format!("/proc/sys/vm/{name}"))?.trim().parse().ok()
}

/// The number behind `name:` in a file of lines such as `MemTotal:  24684096 kB`.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The same, in pages.
fn pages(text: &str, name: &str) -> PageCount {
    PageCount(field(text, name).unwrap_or(0) / 4)
}

fn totals(meminfo: &str) -> Totals {
    let huge = PageCount(pages(meminfo, "Hugetlb").0);
    Totals { ram: pages(meminfo, "MemTotal"), huge, swap: pages(meminfo, "SwapTotal") }
}

fn policy() -> Option<Policy> {
    let kbytes = sysctl("overcommit_kbytes")?;
    Some(Policy {
        mode: Mode::of_number(u8::try_from(sysctl("overcommit_memory")?).ok()?)?,
        share: match kbytes {
            0 => Share::Percent(u32::try_from(sysctl("overcommit_ratio")?).ok()?),
            _ => Share::Pages(PageCount(kbytes / 4)),
        },
        admin_reserve: PageCount(sysctl("admin_reserve_kbytes")? / 4),
        user_reserve: PageCount(sysctl("user_reserve_kbytes")? / 4),
    })
}

fn assert_limit_is_that_of_the_kernel() {
    let (Some(meminfo), Some(policy)) = (read("/proc/meminfo"), policy()) else { return };
    assert_eq!(policy.limit(totals(&meminfo)), pages(&meminfo, "CommitLimit"), "{policy:?}");
}

/// A sysctl that gets its value back.
struct Restored {
    path: String,
    before: String,
}

impl Restored {
    fn new(name: &str) -> Option<Self> {
        let path = format!("/proc/sys/vm/{name}");
        Some(Self { before: read(&path)?, path })
    }

    fn set(&self, value: u64) -> bool {
        fs::write(&self.path, value.to_string()).is_ok()
    }
}

impl Drop for Restored {
    fn drop(&mut self) {
        // A ratio or a number of kilobytes of 0 means that the other one is set.
        if self.before.trim() != "0" || self.path.ends_with("overcommit_memory") {
            let _ = fs::write(&self.path, &self.before);
        }
    }
}

#[test]
fn the_commit_limit_is_that_of_the_kernel() {
    let _alone = PROMISES.lock().unwrap_or_else(PoisonError::into_inner);
    assert_limit_is_that_of_the_kernel();
    if !may_set() {
        return;
    }
    if sysctl("overcommit_memory") == Some(2) {
        println!("skipped: other ratios: they would bind here");
        return;
    }
    // Writing one of the two clears the other, so the one that was set is restored last.
    let (Some(ratio), Some(kbytes)) = (Restored::new("overcommit_ratio"), Restored::new("overcommit_kbytes"))
    else {
        return;
    };
    for percent in [0, 1, 7, 33, 50, 80, 99, 100, 101, 250] {
        if !ratio.set(percent) {
            println!("skipped: other ratios: not allowed to set them");
            return;
        }
        assert_limit_is_that_of_the_kernel();
    }
    for value in [1, 3, 4, 5, 4096, 1 << 20, 1 << 33] {
        assert!(kbytes.set(value));
        assert_limit_is_that_of_the_kernel();
    }
}

#[test]
fn mode_0_refuses_what_the_kernel_refuses() {
    let _alone = PROMISES.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(meminfo), Some(policy)) = (read("/proc/meminfo"), policy()) else { return };
    if policy.mode != Mode::Heuristic {
        println!("skipped: the mode is {:?}", policy.mode);
        return;
    }
    let totals = totals(&meminfo);
    let most = totals.ram.0 + totals.swap.0;
    let requester = Requester { address_space: PageCount(1000), is_admin: false };
    for mapped in [most - 1, most, most + 1, most + 2, 2 * most] {
        let admits = policy.admits(totals, PageCount(0), PageCount(mapped), requester);
        assert_eq!(is_granted(mapped), admits, "{mapped} pages of {most}");
    }
}

#[test]
fn mode_2_refuses_what_the_kernel_refuses() {
    let _alone = PROMISES.lock().unwrap_or_else(PoisonError::into_inner);
    if !may_set() || sysctl("overcommit_memory") == Some(2) {
        return;
    }
    let Some(mode) = Restored::new("overcommit_memory") else { return };
    if !mode.set(2) {
        println!("skipped: not allowed to set the mode");
        return;
    }
    let (Some(meminfo), Some(policy), Some(status)) =
        (read("/proc/meminfo"), policy(), read("/proc/self/status"))
    else {
        return;
    };
    let requester = Requester {
        address_space: pages(&status, "VmSize"),
        // CAP_SYS_ADMIN is bit 21.
        is_admin: status.lines().any(|line| {
            line.strip_prefix("CapEff:")
                .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
                .is_some_and(|mask| mask >> 21 & 1 == 1)
        }),
    };
    let (totals, committed) = (totals(&meminfo), pages(&meminfo, "Committed_AS"));
    // Bisects for the most that is granted, here and there.
    let most = |is_granted: &dyn Fn(u64) -> bool| {
        let (mut granted, mut refused) = (0, policy.limit(totals).0 + 1);
        while granted + 1 < refused {
            let middle = granted.midpoint(refused);
            *(if is_granted(middle) { &mut granted } else { &mut refused }) = middle;
        }
        granted
    };
    let live = most(&is_granted);
    drop(mode);
    let ours = most(&|pages| policy.admits(totals, committed, PageCount(pages), requester));
    // Each processor keeps a 256th of its share of memory to itself before it tells the others.
    let tolerance = totals.ram.0 / 256;
    println!("Committed_AS {}: the kernel grants {live} pages, we {ours}", committed.0);
    assert!(live.abs_diff(ours) <= tolerance, "the kernel grants {live} pages, we {ours}");
}

/// What the killer counts of a live process.
fn task(pid: u32) -> Option<(Task<'static>, u32)> {
    let status = read(&format!("/proc/{pid}/status"))?;
    let score = read(&format!("/proc/{pid}/oom_score"))?.trim().parse().ok()?;
    let adjustment = read(&format!("/proc/{pid}/oom_score_adj"))?.trim().parse().ok()?;
    // Processes of the kernel have no memory of their own.
    field(&status, "VmRSS")?;
    let usage = Usage {
        anonymous: pages(&status, "RssAnon"),
        file: pages(&status, "RssFile"),
        shared: pages(&status, "RssShmem"),
        swapped: pages(&status, "VmSwap"),
        page_tables: pages(&status, "VmPTE"),
    };
    let task = Task {
        pid,
        uid: 0,
        name: "live",
        usage,
        address_space: pages(&status, "VmSize"),
        adjustment: Adjustment::new(adjustment)?,
        standing: if pid == 1 { Standing::Protected } else { Standing::Ordinary },
    };
    Some((task, score))
}

fn total() -> Option<PageCount> {
    let totals = totals(&read("/proc/meminfo")?);
    Some(PageCount(totals.ram.0 + totals.swap.0))
}

#[test]
fn scores_are_those_of_the_kernel() {
    let (Some(total), Ok(entries)) = (total(), fs::read_dir("/proc")) else { return };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut compared = 0;
    for (task, score) in numbers.filter_map(task) {
        // Counts of resident pages are kept by each processor and may be a few hundred pages off.
        let tolerance = 1 + u32::try_from(1000 * 512 / total.0).unwrap();
        assert!(
            task.score(total).abs_diff(score) <= tolerance,
            "{score} and {}: {task:?}",
            task.score(total)
        );
        compared += 1;
    }
    println!("compared {compared} processes");
}

/// A process that does nothing, with its end.
struct Idle(Child);

impl Drop for Idle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn adjusted_scores_are_those_of_the_kernel() {
    let (Some(total), Ok(child)) = (total(), Command::new("sleep").arg("60").spawn()) else { return };
    let idle = Idle(child);
    let pid = idle.0.id();
    // Lowering it again is a privilege, so it only rises.
    for adjustment in [0, 1, 2, 3, 99, 250, 500, 501, 502, 750, 999, 1000] {
        if fs::write(format!("/proc/{pid}/oom_score_adj"), adjustment.to_string()).is_err() {
            println!("skipped: not allowed to set oom_score_adj");
            return;
        }
        let Some((task, score)) = task(pid) else { return };
        assert_eq!(task.adjustment.get(), adjustment);
        assert!(task.score(total).abs_diff(score) <= 1, "{score} and {}: {task:?}", task.score(total));
    }
}

#[test]
fn watermarks_are_those_of_the_kernel() {
    let (Some(zoneinfo), Some(min_free)) = (read("/proc/zoneinfo"), sysctl("min_free_kbytes")) else {
        return;
    };
    let Some(factor) = sysctl("watermark_scale_factor") else { return };
    let mut zones = Vec::new();
    for zone in zoneinfo.split("Node ").skip(1) {
        let number = |name: &str| {
            let mut words = zone.lines().filter_map(|line| line.trim().strip_prefix(name));
            words.find_map(|rest| rest.strip_prefix(' ')?.trim().parse::<u32>().ok())
        };
        let name = zone.lines().next().and_then(|line| line.split_whitespace().last()).unwrap_or_default();
        let (Some(min), Some(low), Some(high)) = (number("min"), number("low"), number("high")) else {
            continue;
        };
        let Some(managed) = number("managed") else { continue };
        if number("boost") == Some(0) && managed > 0 && name != "Movable" {
            zones.push((name.to_owned(), managed, Watermarks { min, low, high }));
        }
    }
    let tuning = Tuning {
        min_free_kbytes: Some(min_free),
        watermark_scale_factor: u32::try_from(factor).unwrap(),
        ..Tuning::default()
    };
    let memory = zones.iter().map(|(_, managed, _)| managed).sum();
    for (name, managed, live) in zones {
        assert_eq!(tuning.watermarks(managed, memory), live, "zone {name} of {managed} frames");
    }
}
