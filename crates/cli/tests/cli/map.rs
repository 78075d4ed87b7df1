//! `mallow map`: what the address space of a process looks like, recorded and live.

use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use libtest_mimic::Trial;

use crate::command::{assert_contains, done, mallow, stderr, stdout};
use crate::golden::{assert_golden, mallow_of, recorded};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        a_recorded_map_is_as_it_was,
        without_smaps_what_is_in_memory_is_not_known,
        an_empty_smaps_is_refused,
        damaged_smaps_are_refused_with_the_place,
        a_picture_that_cannot_be_written_is_named,
        waits_that_make_no_sense_are_refused,
        options_that_exclude_each_other_are_refused,
    ];
    let no_python =
        Command::new("python3").arg("--version").output().err().map(|_| "python3 is not installed");
    let live = crate::trials![
        pages_are_those_that_were_written,
        a_reservation_of_a_tebibyte_is_not_read_to_its_end,
        what_changes_is_shown,
        thousands_of_mappings_are_quick_and_few_lines,
    ];
    trials.extend(live.into_iter().map(|trial| crate::unless(no_python, trial)));
    trials
}

fn a_recorded_map_is_as_it_was() {
    let worker = recorded("worker");
    let map = |options: &[&str], columns: Option<&str>| {
        let mut command = mallow_of(&worker, [&["map", "4121"], options].concat());
        columns.map(|columns| command.env("COLUMNS", columns));
        stdout(&mut command)
    };
    assert_golden("map.txt", &map(&[], None));
    assert_golden("map-80.txt", &map(&[], Some("80")));
    assert_golden("map-all.txt", &map(&["--all", "--bytes"], None));
    assert_golden("map.json", &map(&["--json"], None));
    assert_golden("map.svg", &map(&["--svg", "-"], None));
    assert_golden("map-resident.svg", &map(&["--svg", "-", "--scale", "resident"], None));
    let narrow = map(&[], Some("80"));
    let longest =
        narrow.lines().filter(|line| !line.starts_with("bases")).map(|line| line.chars().count()).max();
    assert!(longest <= Some(80), "{narrow}");
}

/// A copy of the recorded process without its `smaps`, or with another one.
fn copied(smaps: Option<&str>) -> tempfile::TempDir {
    let folder = done(tempfile::tempdir());
    let process = folder.path().join("4121");
    done(fs::create_dir(&process));
    for file in ["maps", "stat", "status", "comm"] {
        done(fs::copy(recorded("worker/4121").join(file), process.join(file)));
    }
    if let Some(smaps) = smaps {
        done(fs::write(process.join("smaps"), smaps));
    }
    folder
}

fn without_smaps_what_is_in_memory_is_not_known() {
    let copy = copied(None);
    let text = stdout(&mut mallow_of(copy.path(), ["map", "4121"]));
    assert_contains(&text, "RSS n/a, PSS n/a");
    assert_contains(&text, "in memory   n/a (smaps: ");
    assert_contains(&text, "heap (brk)");
    assert_contains(&text, "ASLR        n/a (");
    assert!(!text.contains("0 B"), "what is not known is not 0: {text}");
    let json = stdout(&mut mallow_of(copy.path(), ["map", "--json", "4121"]));
    assert_contains(&json, "\"rss_bytes\":null");
    assert_contains(&json, "\"unavailable\":\"smaps: ");
    let picture = stdout(&mut mallow_of(copy.path(), ["map", "--svg", "-", "4121"]));
    assert_contains(&picture, "worker 4121, RSS n/a (smaps: ");
}

fn an_empty_smaps_is_refused() {
    let copy = copied(Some(""));
    done(fs::write(copy.path().join("4121/maps"), ""));
    done(fs::write(copy.path().join("4121/status"), "Name:\tworker\nState:\tS (sleeping)\n"));
    assert_contains(&stderr(&mut mallow_of(copy.path(), ["map", "4121"]), 2), "is a thread of the kernel");
}

fn damaged_smaps_are_refused_with_the_place() {
    let copy = copied(Some("1000-2000 rw-p 0 00:00 0\nRss: much\n"));
    let said = stderr(&mut mallow_of(copy.path(), ["map", "4121"]), 2);
    assert_contains(&said, "cannot understand smaps of process 4121: at byte 25: expected a number of kB");
}

fn a_picture_that_cannot_be_written_is_named() {
    let said = stderr(&mut mallow_of(&recorded("worker"), ["map", "4121", "--svg", "/no/such/place.svg"]), 2);
    assert_contains(&said, "cannot write the picture to /no/such/place.svg");
}

fn waits_that_make_no_sense_are_refused() {
    for wait in ["0", "-1", "nan", "1e9", "soon"] {
        let said = stderr(&mut mallow(["map", "1", &format!("--diff={wait}")]), 2);
        assert_contains(&said, "seconds from 0.1 to 86400 are allowed");
    }
}

fn options_that_exclude_each_other_are_refused() {
    let said = stderr(&mut mallow(["map", "1", "--svg", "-", "--json"]), 2);
    assert_contains(&said, "exclude each other");
}

/// A script that has printed a line, and goes on until it is dropped.
struct Script(Child, BufReader<std::process::ChildStdout>);

impl Script {
    fn start(script: &str) -> Self {
        let mut child = done(
            Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn(),
        );
        let printed = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut script = Self(child, printed);
        script.line();
        script
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        done(self.1.read_line(&mut line));
        line
    }

    /// Runs the map with `options` on the script.
    fn map(&self, options: &[&str]) -> String {
        let pid = self.0.id().to_string();
        stdout(&mut mallow([&["map", &pid], options].concat()))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The part of the JSON about the mapping of `bytes`.
fn mapping_of(json: &str, bytes: u64) -> &str {
    let key = format!("\"size_bytes\":{bytes},");
    let place = json.find(&key).unwrap_or_else(|| panic!("no mapping of {bytes} bytes in {json}"));
    json[place..].split("\"kind\"").next().unwrap_or_default()
}

fn pages_are_those_that_were_written() {
    let script = Script::start(
        "import mmap,sys\nm=mmap.mmap(-1,333*4096,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\nm.madvise(mmap.MADV_NOHUGEPAGE)\n\
         for page in list(range(100))+[332]: m[page*4096]=1\nprint(1,flush=True)\nsys.stdin.read()",
    );
    let json = script.map(&["--pages", "--json", "--all"]);
    assert_contains(
        mapping_of(&json, 333 * 4096),
        "\"pages\":{\"count\":333,\"known\":333,\"present\":101,\"swapped\":0,",
    );
    let text = script.map(&["--pages", "--all"]);
    assert_contains(&text, "  101 of 333 pages\n");
    assert_contains(&text, "pages       by pagemap");
}

fn a_reservation_of_a_tebibyte_is_not_read_to_its_end() {
    let script = Script::start(
        "import mmap,sys\nm=mmap.mmap(-1,1<<40,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x4000)\nm.madvise(mmap.MADV_NOHUGEPAGE)\n\
         for page in range(2560): m[page*4096]=1\nprint(1,flush=True)\nsys.stdin.read()",
    );
    let start = Instant::now();
    let json = script.map(&["--pages", "--json"]);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_contains(mapping_of(&json, 1 << 40), "\"present\":2560,");
}

fn what_changes_is_shown() {
    let script = Script::start(
        "import mmap,sys,time\nprint(1,flush=True)\nall=[]\nwhile True:\n\
         \x20m=mmap.mmap(-1,5<<20,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS)\n m.write(b'x'*(5<<20))\n all.append(m)\n time.sleep(.1)",
    );
    let text = script.map(&["--diff", "0.5"]);
    assert_contains(&text, "within 0.5 s: address space +");
    assert!(text.contains("grown") || text.contains("new"), "{text}");
    let json = script.map(&["--diff", "0.3", "--json"]);
    assert_contains(&json, "\"seconds\":0.3,");
    assert_contains(&json, "\"rss_change_bytes\":");
}

fn thousands_of_mappings_are_quick_and_few_lines() {
    let limit = fs::read_to_string(Path::new("/proc/sys/vm/max_map_count")).unwrap_or_default();
    let count = limit.trim().parse().unwrap_or(65_530_u64).min(65_530) - 5_530;
    let script = Script::start(&format!(
        "import mmap,sys,ctypes\nc=ctypes.CDLL(None)\nc.mprotect.argtypes=[ctypes.c_void_p,ctypes.c_size_t,ctypes.c_int]\n\
         c.mmap.restype=ctypes.c_void_p\nc.mmap.argtypes=[ctypes.c_void_p,ctypes.c_size_t]+[ctypes.c_int]*3+[ctypes.c_size_t]\n\
         p=c.mmap(None,{count}*4096,3,0x22,-1,0)\nfor n in range(0,{count},2): c.mprotect(p+n*4096,4096,1)\n\
         print(1,flush=True)\nsys.stdin.read()"
    ));
    let start = Instant::now();
    let text = script.map(&["--pages"]);
    // The build with checks, on a machine that does other things too.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(text.lines().count() < 1000, "{} lines", text.lines().count());
    assert_contains(&text, " mappings of anonymous memory");
}
