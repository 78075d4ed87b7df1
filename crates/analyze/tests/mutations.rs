//! Mutations: every parser is given recorded files with all that can go wrong with them, one thing at a time.
//!
//! ```text
//!  recorded file ──► cut off, a byte changed, a line twice or gone, a number huge, NULs ──► parser ──► what is made of it
//! ```
//!
//! None may panic, the build's checks of overflow among the reasons; and an error names the start of a line of the file, or its end.
//! What was read goes on into accounts, maps, pages and pictures, which must bear it too.

#![cfg(test)]

use core::sync::atomic::{AtomicU32, Ordering};
use std::panic;

use mallow_analyze::account::Account;
use mallow_analyze::html;
use mallow_analyze::json::Why;
use mallow_analyze::kill;
use mallow_analyze::map::{Map, svg};
use mallow_analyze::read::cgroup::group::Group;
use mallow_analyze::read::cgroup::place::{self, Version};
use mallow_analyze::read::{
    ReadError, buddyinfo, counts, kmsg, meminfo, mountinfo, oom, passwd, pressure, rlimits, slabinfo, smaps,
    stat, statm, status, vmallocinfo, zoneinfo,
};
use mallow_analyze::recording::Recording;
use mallow_analyze::system;
use mallow_trace::{Snapshot, segment};

const MACHINE: &str = include_str!("../../cli/tests/trees/machine.tree");
const PROCESSES: &str = include_str!("../../cli/tests/trees/processes.tree");
const SNAPSHOT: &str = include_str!("../../cli/tests/recorded/mallow.json");
const LOGS: [&str; 3] = [
    include_str!("kernel-logs/2.6.32-cgroup.log"),
    include_str!("kernel-logs/5.4-group.log"),
    include_str!("kernel-logs/6.18-cgroup-v1.kmsg"),
];
/// Bytes of a recorded file that are used: mutations are tried at every one of them.
const MOST: usize = 3000;
/// What takes the place of a byte.
const BYTES: [u8; 8] = [0, 0xff, b'-', b'9', b' ', b'\n', b':', b'f'];
/// What takes the place of a number.
const NUMBERS: [&str; 6] =
    ["18446744073709551615", "18446744073709551616", "9223372036854775808", "0", "-1", ""];

/// A parser with everything that is made of its answer; `Err` is the place of an error.
type Read = fn(&[u8]) -> Result<(), usize>;

/// A file of a recorded tree, as far as it is used; whole lines.
fn recorded(tree: &str, path: &str) -> Vec<u8> {
    let (_, rest) = tree.split_once(&format!("== {path}\n")).unwrap_or_else(|| panic!("{path} is recorded"));
    let whole = rest.split("== ").next().unwrap_or_default();
    let short: Vec<&str> = whole
        .split_inclusive('\n')
        .scan(0, |bytes, line| {
            *bytes += line.len();
            (*bytes <= MOST).then_some(line)
        })
        .collect();
    short.concat().into_bytes()
}

/// Calls `tried` with every mutation of `file`, and a name for it.
fn mutate(file: &[u8], mut tried: impl FnMut(&str, Vec<u8>)) {
    for place in 0..=file.len() {
        tried(&format!("cut off at {place}"), file[..place].to_vec());
    }
    for place in 0..file.len() {
        for byte in BYTES.into_iter().chain([file[place] ^ 1, file[place] ^ 0x80]) {
            let mut changed = file.to_vec();
            changed[place] = byte;
            tried(&format!("byte {place} is {byte:#x}"), changed);
        }
    }
    let lines: Vec<&[u8]> = file.split_inclusive(|byte| *byte == b'\n').collect();
    for nth in 0..lines.len() {
        let with = |middle: &[&[u8]]| [&lines[..nth], middle, &lines[nth + 1..]].concat().concat();
        let line = lines[nth];
        tried(&format!("line {nth} twice"), with(&[line, line]));
        tried(&format!("line {nth} a hundred times"), with(&[line; 100]));
        tried(&format!("line {nth} gone"), with(&[]));
        tried(&format!("line {nth} at the end, too"), [file, line].concat());
        tried(&format!("line {nth} with NULs"), with(&[b"\0\0\0\0", line, b"\0"]));
        tried(&format!("line {nth} without its end"), with(&[line.trim_ascii_end()]));
        tried(&format!("line {nth} is long"), with(&[&vec![b'7'; 70_000][..], line]));
    }
    let text = String::from_utf8_lossy(file);
    let is_digit = |byte: u8| byte.is_ascii_digit();
    for place in 0..text.len() {
        let bytes = text.as_bytes();
        if !is_digit(bytes[place]) || place > 0 && is_digit(bytes[place - 1]) {
            continue;
        }
        let end = place + bytes[place..].iter().take_while(|byte| is_digit(**byte)).count();
        for number in NUMBERS {
            let changed = [&bytes[..place], number.as_bytes(), &bytes[end..]].concat();
            tried(&format!("the number at {place} is '{number}'"), changed);
        }
    }
    tried("NULs only", vec![0; file.len()]);
    tried("twice", [file, file].concat());
    tried("with lines as elsewhere", text.replace('\n', "\r\n").into_bytes());
}

/// Tries every mutation of `file` on `read`.
fn survives(name: &str, file: &[u8], read: Read) {
    assert!(!file.is_empty() && read(file).is_ok(), "{name} as it was recorded: {:?}", read(file));
    mutate(file, |mutation, changed| {
        let outcome = panic::catch_unwind(|| read(&changed));
        let outcome = outcome.unwrap_or_else(|_| panic!("{name} panics: {mutation}"));
        if let Err(offset) = outcome {
            let is_start = offset == 0 || changed.get(offset - 1) == Some(&b'\n') || offset == changed.len();
            assert!(is_start, "{name}: {mutation}: an error at {offset}, which is no line");
        }
    });
}

fn place<T>(read: Result<T, ReadError>) -> Result<T, usize> {
    read.map_err(|error| error.offset)
}

fn plain<T>(read: Result<T, ReadError>) -> Result<(), usize> {
    place(read).map(drop)
}

/// One of so many mutations goes through everything that is made of a process.
const SAMPLED: u32 = 16;

/// The recording of a process, with one file in place of what was recorded.
fn account_with(name: &str, file: &[u8]) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    if !COUNT.fetch_add(1, Ordering::Relaxed).is_multiple_of(SAMPLED) {
        return;
    }
    const FILES: [&str; 3] = ["smaps", "status", "limits"];
    let mut recording = Recording::new(4121, 0);
    for file in FILES {
        recording.put(file, recorded(PROCESSES, &format!("proc/4121/{file}")));
    }
    for file in ["cgroup", "mountinfo"] {
        let path = if file == "cgroup" { "proc/4121/cgroup" } else { "proc/self/mountinfo" };
        let tree = if file == "cgroup" { PROCESSES } else { MACHINE };
        recording.put(file, recorded(tree, path));
    }
    recording.put("meminfo", recorded(MACHINE, "proc/meminfo"));
    recording.put("overcommit_memory", b"2\n".to_vec());
    recording.put(name, file.to_vec());
    if let Ok(account) = Account::of(&recording) {
        let _ = serde_json::to_string(&Why::of(&account));
        let _ = html::page(&account);
    }
}

fn read_smaps(file: &[u8]) -> Result<(), usize> {
    let mappings = place(smaps::parse(file))?;
    let stat = stat::parse(&recorded(PROCESSES, "proc/4121/stat")).ok();
    let map = Map::of(mappings, b"/usr/bin/perl", stat.as_ref());
    let _ = (map.rows(20).len(), map.total(), svg::draw(&map, "perl", svg::Scale::Log));
    account_with("smaps", file);
    Ok(())
}

fn read_status(file: &[u8]) -> Result<(), usize> {
    plain(status::parse(file))?;
    account_with("status", file);
    Ok(())
}

fn read_stat(file: &[u8]) -> Result<(), usize> {
    let stat = place(stat::parse(file))?;
    let mappings = smaps::parse(&recorded(PROCESSES, "proc/4121/smaps")).unwrap_or_default();
    let _ = Map::of(mappings, b"", Some(&stat)).total();
    Ok(())
}

fn read_limits(file: &[u8]) -> Result<(), usize> {
    account_with("limits", file);
    plain(rlimits::parse(file))
}

fn read_meminfo(file: &[u8]) -> Result<(), usize> {
    account_with("meminfo", file);
    let meminfo = place(meminfo::parse(file))?;
    let _ = (system::summary(&meminfo), system::lines(&meminfo), system::residual(&meminfo));
    Ok(())
}

fn read_buddyinfo(file: &[u8]) -> Result<(), usize> {
    let _ = system::orders(&place(buddyinfo::parse(file))?, 4096);
    Ok(())
}

fn read_place(file: &[u8]) -> Result<(), usize> {
    account_with("cgroup", file);
    let mounts = mountinfo::parse(&recorded(MACHINE, "proc/self/mountinfo")).unwrap_or_default();
    let _ = place::of_memory(&place(place::parse(file))?, &mounts);
    Ok(())
}

fn read_mountinfo(file: &[u8]) -> Result<(), usize> {
    account_with("mountinfo", file);
    plain(mountinfo::parse(file))
}

fn read_log(file: &[u8]) -> Result<(), usize> {
    let _ = kmsg::entries(file).count();
    for kill in oom::kills(file) {
        let _ = (
            kill::page_bytes(&kill),
            kill::total_bytes(&kill),
            kill::ranked(&kill).len(),
            kill::reason(&kill),
        );
    }
    Ok(())
}

fn read_passwd(file: &[u8]) -> Result<(), usize> {
    let _ = passwd::parse(file).count();
    Ok(())
}

/// A group all of whose files hold the same.
fn read_group(version: Version, file: &[u8]) -> Result<(), usize> {
    match Group::read(version, |_| Some(file.to_vec())) {
        Err(error) => Err(error.error.offset),
        Ok(group) => {
            let _ = (group.working_set(), group.kills(), group.limit_with_ancestors());
            Ok(())
        }
    }
}

#[test]
fn every_parser_survives_mutations() {
    let process = |file: &str| recorded(PROCESSES, &format!("proc/4121/{file}"));
    let machine = |file: &str| recorded(MACHINE, &format!("proc/{file}"));
    let group = |file: &str| recorded(MACHINE, &format!("sys/fs/cgroup/app.slice/web.service/{file}"));
    let table: Vec<(&str, Vec<u8>, Read)> = vec![
        ("smaps", process("smaps"), read_smaps),
        ("maps", process("maps"), read_smaps),
        ("status", process("status"), read_status),
        ("stat", process("stat"), read_stat),
        ("statm", process("statm"), |file| plain(statm::parse(file))),
        ("limits", process("limits"), read_limits),
        ("cgroup", process("cgroup"), read_place),
        ("mountinfo", machine("self/mountinfo"), read_mountinfo),
        ("meminfo", machine("meminfo"), read_meminfo),
        ("node0/meminfo", recorded(MACHINE, "sys/devices/system/node/node0/meminfo"), read_meminfo),
        ("buddyinfo", machine("buddyinfo"), read_buddyinfo),
        ("zoneinfo", machine("zoneinfo"), |file| plain(zoneinfo::parse(file))),
        ("slabinfo", machine("slabinfo"), |file| plain(slabinfo::parse(file))),
        ("vmallocinfo", machine("vmallocinfo"), |file| plain(vmallocinfo::parse(file))),
        ("pressure", machine("pressure/memory"), |file| plain(pressure::parse(file))),
        ("memory.stat", group("memory.stat"), |file| plain(counts::parse(file))),
        ("memory.events", group("memory.events"), |file| plain(counts::parse(file))),
        ("memory.max", group("memory.max"), |file| read_group(Version::V2, file).or(Ok(()))),
        ("memory.limit_in_bytes", group("memory.max"), |file| read_group(Version::V1, file).or(Ok(()))),
        ("passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:70000:1::/:\n".to_vec(), read_passwd),
    ];
    for (name, file, read) in table {
        survives(name, &file, read);
    }
    for log in LOGS {
        survives("the kernel's log", &log.as_bytes()[..log.len().min(MOST)], read_log);
    }
}

#[test]
fn a_segment_survives_mutations() {
    let mut whole = segment::blank();
    segment::put(&mut whole, segment::PID_WORD, 4121);
    let decode: Read = |bytes| Snapshot::decode(bytes).map(drop).map_err(|error| error.offset());
    assert_eq!(decode(&whole), Ok(()));
    for end in 0..whole.len() {
        assert_eq!(decode(&whole[..end]), Err(end), "cut off");
    }
    assert_eq!(decode(&[&whole[..], b"x"].concat()), Err(whole.len()), "too long");
    for place in 0..whole.len() {
        for byte in BYTES.into_iter().chain((0..8).map(|bit| whole[place] ^ 1 << bit)) {
            let mut changed = whole;
            changed[place] = byte;
            if let Err(offset) = decode(&changed) {
                // The word that is wrong, or one that no longer fits to it.
                assert!(offset <= whole.len(), "byte {place} is {byte:#x}: an error at {offset}");
            }
        }
    }
    for word in 0..segment::WORDS {
        for value in [0, 1, u64::MAX, 1 << 63, u64::from(u32::MAX), u64::MAX << 32] {
            let mut changed = whole;
            segment::put(&mut changed, word, value);
            if let Ok(snapshot) = Snapshot::decode(&changed) {
                let _ = (snapshot.claimed_by(), snapshot.trims(), snapshot.kept_blocks().count());
            }
        }
    }
}

/// A part of the mutations only: each goes through everything that is made of a snapshot.
#[test]
fn a_snapshot_survives_mutations() {
    let recording = |json: &[u8]| Recording::from_json(json).ok();
    let account = |recording: Recording| {
        if let Ok(account) = Account::of(&recording) {
            let _ = serde_json::to_string(&Why::of(&account));
            let _ = html::page(&account);
        }
    };
    let whole = SNAPSHOT.as_bytes();
    account(recording(whole).expect("the snapshot as it was recorded"));
    // Behind the files of the process, which have tests of their own, is what was seen of its heap.
    let heap = SNAPSHOT.find("\"heaps\":").expect("what was seen of the heap");
    let is_digit = |place: usize| whole[place].is_ascii_digit();
    for place in (0..whole.len()).step_by(97).chain(heap..whole.len()) {
        assert!(recording(&whole[..place]).is_none(), "cut off at {place}");
    }
    for place in (heap..whole.len()).filter(|place| is_digit(*place) && !is_digit(place - 1)) {
        let end = (place..whole.len()).find(|end| !is_digit(*end)).unwrap_or(whole.len());
        for number in NUMBERS {
            let changed = [&whole[..place], number.as_bytes(), &whole[end..]].concat();
            let outcome = panic::catch_unwind(|| recording(&changed).map(account));
            let around = &SNAPSHOT[place.saturating_sub(60)..place];
            assert!(outcome.is_ok(), "'{number}' behind {around}");
        }
    }
}
