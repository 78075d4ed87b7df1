//! The killer's log, whole, as it is read by others.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use mallow_kmm::oom::{
    Adjustment, Asker, Choice, Explanation, Log, MemInfo, Purpose, Reaped, Standing, Task, Usage, ZoneInfo,
    choose,
};
use mallow_units::address::PageCount;
use mallow_units::order::Order;

fn task(pid: u32, name: &'static str, resident: u64, adjustment: i16) -> Task<'static> {
    Task {
        pid,
        uid: 1000,
        name,
        usage: Usage {
            anonymous: PageCount(resident),
            file: PageCount(12),
            page_tables: PageCount(5),
            ..Usage::default()
        },
        address_space: PageCount(resident + 40),
        adjustment: Adjustment::new(adjustment).expect("within the range"),
        standing: Standing::Ordinary,
    }
}

const TOTAL: PageCount = PageCount(16_384);

fn tasks() -> [Task<'static>; 3] {
    [task(1, "sshd", 50, -1000), task(7, "database", 9000, 0), task(12, "batch", 2500, 500)]
}

#[test]
fn the_log_has_the_form_of_linux() {
    let zones = [ZoneInfo {
        name: "DMA32",
        free: 250,
        min: 256,
        low: 320,
        high: 384,
        present: 16_384,
        managed: 16_000,
        blocks: [10, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0],
    }];
    let choice = choose(tasks().into_iter(), TOTAL);
    let log = Log {
        at_ns: Some(12_345_678_901),
        asker: Asker { task: tasks()[1], cpu: 1, purpose: Purpose::Zeroed, order: Order::ZERO },
        memory: MemInfo {
            active_anon: 11_000,
            free: 250,
            present: 16_384,
            reserved: 384,
            ..MemInfo::default()
        },
        zones: &zones,
        tasks: tasks().into_iter(),
        choice,
    };
    let expected = "\
[   12.345678] database invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE|__GFP_ZERO|__GFP_COMP), order=0, oom_score_adj=0
[   12.345678] CPU: 1 UID: 1000 PID: 7 Comm: database Not tainted simulated
[   12.345678] Mem-Info:
[   12.345678] active_anon:11000 inactive_anon:0 isolated_anon:0
[   12.345678]  active_file:0 inactive_file:0 isolated_file:0
[   12.345678]  unevictable:0 dirty:0 writeback:0
[   12.345678]  slab_reclaimable:0 slab_unreclaimable:0
[   12.345678]  mapped:0 shmem:0 pagetables:0
[   12.345678]  sec_pagetables:0 bounce:0
[   12.345678]  kernel_misc_reclaimable:0
[   12.345678]  free:250 free_pcp:0 free_cma:0
[   12.345678] Node 0 DMA32 free:1000kB boost:0kB min:1024kB low:1280kB high:1536kB present:65536kB managed:64000kB
[   12.345678] Node 0 DMA32: 10*4kB 0*8kB 60*16kB 0*32kB 0*64kB 0*128kB 0*256kB 0*512kB 0*1024kB 0*2048kB 0*4096kB = 1000kB
[   12.345678] 0 total pagecache pages
[   12.345678] 0 pages in swap cache
[   12.345678] Free swap  = 0kB
[   12.345678] Total swap = 0kB
[   12.345678] 16384 pages RAM
[   12.345678] 0 pages HighMem/MovableOnly
[   12.345678] 384 pages reserved
[   12.345678] Tasks state (memory values in pages):
[   12.345678] [  pid  ]   uid  tgid total_vm      rss rss_anon rss_file rss_shmem pgtables_bytes swapents oom_score_adj name
[   12.345678] [      1]  1000     1       90       62       50       12         0    20480        0         -1000 sshd
[   12.345678] [      7]  1000     7     9040     9012     9000       12         0    20480        0             0 database
[   12.345678] [     12]  1000    12     2540     2512     2500       12         0    20480        0           500 batch
[   12.345678] oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/,task=batch,pid=12,uid=1000
[   12.345678] Out of memory: Killed process 12 (batch) total-vm:10160kB, anon-rss:10000kB, file-rss:48kB, shmem-rss:0kB, UID:1000 pgtables:20kB oom_score_adj:500
";
    assert_eq!(log.to_string(), expected);
}

#[test]
fn the_explanation_adds_up() {
    let choice = choose(tasks().into_iter(), TOTAL);
    let expected = "\
memory to share: 16384 pages; one point of oom_score_adj is 16 pages
      1 sshd            62 resident + 0 swapped + 5 page tables - 16000 for oom_score_adj -1000: immune
      7 database        9012 resident + 0 swapped + 5 page tables = 9017 points
     12 batch           2512 resident + 0 swapped + 5 page tables + 8000 for oom_score_adj 500 = 10517 points
12 is killed: it has 1500 points more than 7, the next
";
    assert_eq!(Explanation { tasks: tasks().into_iter(), total: TOTAL, choice }.to_string(), expected);
}

#[test]
fn nobody_left_is_said() {
    let immune = [task(1, "sshd", 50, -1000)];
    let choice = choose(immune.into_iter(), TOTAL);
    assert_eq!(choice, Choice::Nobody);
    let asker = Asker { task: immune[0], cpu: 0, purpose: Purpose::PageTable, order: Order::ZERO };
    let log =
        Log { at_ns: None, asker, memory: MemInfo::default(), zones: &[], tasks: immune.into_iter(), choice };
    assert!(log.to_string().ends_with("\nOut of memory and no killable processes...\n"), "{log}");
}

#[test]
fn the_reaper_says_what_it_left() {
    assert_eq!(
        Reaped(task(12, "batch", 0, 500)).to_string(),
        "oom_reaper: reaped process 12 (batch), now anon-rss:0kB, file-rss:48kB, shmem-rss:0kB"
    );
}
