use core::time::Duration;

use super::*;
use crate::read::cgroup::place::Version;
use crate::read::{meminfo, rlimits, status};

const MEMINFO: &[u8] = b"\
MemTotal: 1000 kB\nMemAvailable: 600 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\nCommitLimit: 600 kB\nCommitted_AS: 590 kB\n";
const STATUS: &[u8] = b"\
VmSize: 4000 kB\nVmLck: 60 kB\nVmData: 300 kB\nVmStk: 132 kB\nCapEff: 0000000000000000\n";
const LIMITS: &[u8] = b"\
Max data size             unlimited            unlimited            bytes
Max stack size            8388608              unlimited            bytes
Max locked memory         65536                65536                bytes
Max address space         unlimited            unlimited            bytes
";

fn group(version: Version, files: &[(&str, &str)]) -> Group {
    let find = |name: &str| files.iter().find(|(found, _)| *found == name);
    Group::read(version, |name| find(name).map(|(_, text)| text.as_bytes().to_vec())).unwrap()
}

fn look(groups: &[(Vec<u8>, Group)], status: &[u8], mode: u64) -> Vec<Bound> {
    bounds(&Look {
        groups,
        rlimits: Some(&rlimits::parse(LIMITS).unwrap()),
        status: &status::parse(status).unwrap(),
        meminfo: &meminfo::parse(MEMINFO).unwrap(),
        mappings: Some(40),
        most_mappings: Some(65530),
        overcommit_mode: Some(mode),
    })
}

fn find(bounds: &[Bound], kind: Kind) -> &Bound {
    bounds.iter().find(|bound| bound.kind == kind).unwrap()
}

#[test]
fn the_machine_is_the_limit_where_nothing_else_is() {
    let bounds = look(&[], STATUS, 0);
    let nearest = nearest(&bounds).unwrap();
    assert_eq!(
        (nearest.kind, nearest.headroom(), nearest.headroom_share()),
        (Kind::Machine, Some(650 << 10), Some(590))
    );
    assert!(!find(&bounds, Kind::Data).binds, "there is no limit");
    assert_eq!(find(&bounds, Kind::Locked).headroom(), Some(4 << 10));
}

#[test]
fn the_commit_limit_binds_in_strict_mode_only() {
    for (mode, expected) in [(0, Kind::Machine), (1, Kind::Machine), (2, Kind::Commit)] {
        assert_eq!(nearest(&look(&[], STATUS, mode)).unwrap().kind, expected, "{mode}");
    }
}

#[test]
fn the_nearest_of_all_groups_above_counts() {
    let own = group(
        Version::V2,
        &[("memory.current", "4096\n"), ("memory.max", "max\n"), ("memory.high", "max\n")],
    );
    let stat = "file 100000\nshmem 30000\n";
    let above = [
        ("memory.current", "200000\n"),
        ("memory.max", "204800\n"),
        ("memory.high", "300000\n"),
        ("memory.stat", stat),
    ];
    let above = group(Version::V2, &above);
    let bounds = look(&[(b"/a/b".to_vec(), own), (b"/a".to_vec(), above)], STATUS, 0);
    let nearest = nearest(&bounds).unwrap();
    assert_eq!((nearest.kind, nearest.scope.as_deref()), (Kind::GroupMax, Some(&b"/a"[..])));
    assert_eq!((nearest.headroom(), nearest.reclaimable), (Some(4800), Some(70_000)));
    let high = bounds.iter().find(|bound| bound.kind == Kind::GroupHigh && bound.binds).unwrap();
    assert_eq!((high.effect, high.headroom()), (Effect::Slows, Some(100_000)));
}

#[test]
fn a_group_says_who_is_killed() {
    let whole = [("memory.current", "1\n"), ("memory.max", "2\n"), ("memory.oom.group", "1\n")];
    let nobody = [("memory.limit_in_bytes", "2\n"), ("memory.oom_control", "oom_kill_disable 1\n")];
    for (group, effect) in [
        (group(Version::V2, &whole), Effect::KillsGroup),
        (group(Version::V2, &whole[..2]), Effect::Kills),
        (group(Version::V1, &nobody), Effect::Stops),
    ] {
        let bounds = look(&[(b"/".to_vec(), group)], STATUS, 0);
        assert_eq!(find(&bounds, Kind::GroupMax).effect, effect);
    }
}

#[test]
fn version_1_tells_of_limits_out_of_sight() {
    let stat = "cache 0\nhierarchical_memory_limit 100000\n";
    let files = [
        ("memory.usage_in_bytes", "40000\n"),
        ("memory.limit_in_bytes", "9223372036854771712\n"),
        ("memory.stat", stat),
    ];
    let bounds = look(&[(b"/".to_vec(), group(Version::V1, &files))], STATUS, 0);
    let nearest = nearest(&bounds).unwrap();
    assert_eq!((nearest.kind, nearest.headroom()), (Kind::UnseenGroup, Some(60_000)));
    let seen = [("memory.limit_in_bytes", "100000\n"), ("memory.stat", stat)];
    let bounds = look(&[(b"/".to_vec(), group(Version::V1, &seen))], STATUS, 0);
    assert!(bounds.iter().all(|bound| bound.kind != Kind::UnseenGroup));
}

#[test]
fn who_may_lock_all_is_not_limited() {
    let status = [STATUS, b"CapEff: 0000000000004000\n"].concat();
    assert!(!find(&look(&[], &status, 0), Kind::Locked).binds);
    assert!(find(&look(&[], STATUS, 0), Kind::Locked).binds);
}

#[test]
fn more_than_allowed_is_no_headroom() {
    let bound = Bound::new(Kind::Locked, Some(5), Limit::At(3), Effect::Refuses);
    assert_eq!((bound.headroom(), bound.headroom_share()), (Some(0), Some(0)));
    let nothing = Bound::new(Kind::Locked, Some(0), Limit::At(0), Effect::Refuses);
    assert_eq!(nothing.headroom_share(), Some(0));
    assert_eq!(Bound::new(Kind::Locked, None, Limit::At(3), Effect::Refuses).headroom(), None);
}

#[test]
fn two_looks_have_a_slope_and_an_end() {
    let bound = |used| Bound::new(Kind::GroupMax, Some(used), Limit::At(1000), Effect::Kills);
    let time_left = |before, now| {
        growth(&[bound(before)], vec![bound(now)], Duration::from_secs(2)).bounds[0].time_left()
    };
    assert_eq!(time_left(100, 200), Some(Duration::from_secs(16)));
    assert_eq!((time_left(200, 200), time_left(300, 200)), (None, None), "not at all");
    let other = Bound { scope: Some(b"/a".to_vec()), ..bound(1) };
    let growth = growth(&[other], vec![bound(2)], Duration::ZERO);
    assert_eq!(growth.bounds[0].slope, None, "of another group");
}
