//! The heap of a process on mallow: its lines add up, say what is so, and cost the process nothing.
//!
//! Programs of known shape in Python, with every object in a block of its own (`PYTHONMALLOC=malloc`), under `mallow run` and with the
//! library preloaded by hand.

use core::time::Duration;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::command::{MALLOW, assert_contains, done, mallow, output, quiet_shell, stderr, stdout};

const PYTHON: &str = "/usr/bin/python3";
const MIB: u64 = 1 << 20;

/// What the programs are made of: a word to say that they are ready, and waiting to be told to end.
const PRELUDE: &str = "import gc, os, sys, threading, time\n\
    def ready():\n  print('ready', flush=True)\n\
    def wait():\n  sys.stdin.readline()\n";

pub(crate) fn trials() -> Vec<Trial> {
    let python = (!Path::new(PYTHON).exists()).then_some("/usr/bin/python3 is missing");
    let mut trials = crate::trials![
        what_is_live_is_called_live,
        what_is_freed_is_kept_or_gone,
        a_comb_is_called_fragmentation,
        blocks_at_hand_of_many_threads_add_up,
        blocks_that_other_threads_freed_are_told,
        large_blocks_that_were_never_touched_do_not_count,
        a_process_of_run_is_seen_like_any_other,
        a_forked_child_has_lines_of_its_own,
        a_child_that_closes_its_descriptors_is_seen,
        no_descriptor_is_added,
        a_map_tells_the_parts_of_the_heap,
        a_heap_is_known_without_a_library_of_that_name,
        with_little_address_space_the_heap_is_told_too,
        a_damaged_segment_is_named_with_its_place,
        a_busy_process_trims_at_once,
        a_process_that_sleeps_is_said_to_sleep,
    ];
    let redis = (!Path::new("/usr/bin/redis-server").exists()).then_some("/usr/bin/redis-server is missing");
    trials = trials.into_iter().map(|trial| crate::unless(python, trial)).collect();
    let of_redis = crate::trials![a_database_adds_up];
    trials.extend(of_redis.into_iter().map(|trial| crate::unless(redis, trial)));
    trials.extend(crate::trials![a_process_on_another_allocator_is_not_asked]);
    trials
}

/// The library, as `mallow run` loads it.
pub(crate) fn library() -> String {
    let preload = stdout(&mut quiet_shell("printf %s \"$LD_PRELOAD\""));
    preload.split(':').next().unwrap_or_default().to_owned()
}

/// A program that is ready, and ends when it is dropped.
pub(crate) struct Program {
    child: Child,
    lines: BufReader<std::process::ChildStdout>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = done(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
        let lines = BufReader::new(child.stdout.take().expect("standard output is a pipe"));
        Self { child, lines }
    }

    /// Python with the library preloaded and nothing else of ours.
    pub(crate) fn python(script: &str) -> Self {
        Self::python_on(&library(), script)
    }

    /// The same with another file of the library.
    fn python_on(library: &str, script: &str) -> Self {
        let mut python = Command::new(PYTHON);
        python.args(["-c", &format!("{PRELUDE}{script}")]).env("PYTHONMALLOC", "malloc");
        python.env("LD_PRELOAD", library);
        let mut program = Self::start(&mut python);
        assert_eq!(program.line(), "ready");
        program
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        done(self.lines.read_line(&mut line));
        line.trim_end().to_owned()
    }

    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What `mallow why --json` says of a process.
struct Answer(Value);

impl Answer {
    fn of(pid: &str) -> Self {
        let output = output(&mut mallow(["why", "--json", pid]));
        assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
        let answer = Self(done(serde_json::from_slice(&output.stdout)));
        answer.ties_out();
        answer
    }

    fn bytes(&self, field: &str) -> u64 {
        self.0[field].as_u64().unwrap_or_else(|| panic!("{field} in {}", self.0))
    }

    /// A line of the ledger, 0 if there is none.
    fn line(&self, name: &str) -> u64 {
        let lines = self.0["lines"].as_array().expect("lines");
        lines.iter().filter(|line| line["name"] == name).filter_map(|line| line["bytes"].as_u64()).sum()
    }

    /// Lines and residual add up, the residual is at most 1 %, and hardly anything of the heap is left over for "anonymous".
    fn ties_out(&self) {
        let lines = self.0["lines"].as_array().expect("lines");
        let sum: u64 = lines.iter().filter_map(|line| line["bytes"].as_u64()).sum();
        let (rss, residual) = (self.bytes("rss_bytes"), self.0["residual_bytes"].as_i64().expect("residual"));
        assert_eq!(rss.cast_signed(), sum.cast_signed() + residual, "{}", self.0);
        assert!(residual.unsigned_abs() * 100 <= rss, "{}", self.0);
        let over = self.line("anonymous memory");
        assert!(over <= rss / 100 + 256 * 1024, "{over} bytes of the heap in no part: {}", self.0);
    }

    /// The blocks of a field over all size classes.
    fn blocks(&self, field: &str) -> u64 {
        let classes = self.0["mallow"]["classes"].as_array().expect("classes");
        classes.iter().filter_map(|class| class[field].as_u64()).sum()
    }
}

#[track_caller]
fn about(found: u64, expected: u64, percent: u64) {
    let difference = found.abs_diff(expected);
    assert!(difference * 100 <= expected * percent, "{found}, expected about {expected}");
}

fn what_is_live_is_called_live() {
    let program = Program::python("keep = [bytes(991) for _ in range(100000)]\nready(); wait()");
    let answer = Answer::of(&program.pid());
    // 991 bytes and 33 of Python's own, in blocks of 1024.
    let live = answer.line("heap: live blocks");
    assert!((100_000 * 1024..120_000 * 1024).contains(&live), "{live}");
    about(answer.blocks("live_blocks"), 120_000, 25);
    assert_eq!(answer.0["verdict"], "nothing wrong");
}

fn what_is_freed_is_kept_or_gone() {
    let program = Program::python("keep = [bytes(991) for _ in range(100000)]\nkeep = None\nready(); wait()");
    let answer = Answer::of(&program.pid());
    let live = answer.line("heap: live blocks");
    assert!(live < 16 * MIB, "{live} of what is freed");
    assert!(answer.bytes("rss_bytes") < 100 * MIB, "most has gone back");
}

fn a_comb_is_called_fragmentation() {
    let script = "keep = [bytes(991) for _ in range(200000)]\ndel keep[::2]\nready(); wait()";
    let answer = Answer::of(&Program::python(script).pid());
    about(answer.line("heap: free beside live"), 100_000 * 1024, 3);
    assert_eq!(answer.0["verdict"], "flat but empty: fragmentation");
}

fn blocks_at_hand_of_many_threads_add_up() {
    let script = "\
        def work():\n  keep = [bytes(700) for _ in range(500)]\n  started.release(); time.sleep(1000)\n\
        started = threading.Semaphore(0)\n\
        for _ in range(100): threading.Thread(target=work, daemon=True).start()\n\
        for _ in range(100): started.acquire()\n\
        ready(); wait()";
    let answer = Answer::of(&Program::python(script).pid());
    assert!(answer.blocks("live_blocks") > 50_000);
    assert_eq!(answer.0["mallow"]["has_all_lists"], true);
    assert_eq!(answer.0["mallow"]["odd_slabs"], 0);
}

/// Each thread frees what the other has made, then all sleep: nobody comes by to take in what is his.
fn blocks_that_other_threads_freed_are_told() {
    let script = "\
        made = []\n\
        def make():\n  made.append([bytes(991) for _ in range(50000)]); done.release(); time.sleep(1000)\n\
        done = threading.Semaphore(0)\n\
        threading.Thread(target=make, daemon=True).start()\n\
        done.acquire(); time.sleep(0.2); made.clear()\n\
        ready(); wait()";
    let look = || Answer::of(&Program::python(script).pid());
    let is_held = |answer: &Answer| answer.blocks("waiting_blocks") > 40_000;
    // On a machine that does much else, freeing may take so long that they are given back for the sleeper meanwhile.
    let answer = (0..5).map(|_| look()).find(is_held).unwrap_or_else(look);
    let live = answer.line("heap: live blocks");
    assert!(live < 24 * MIB, "{live}: what is freed is not live");
    assert!(is_held(&answer), "{}", answer.0["mallow"]);
    about(answer.line("heap: freed by other threads"), 50_000 * 1024, 10);
    assert_eq!(answer.0["verdict"], "flat but empty: high-water heap");
}

fn large_blocks_that_were_never_touched_do_not_count() {
    let script = "keep = [bytearray(b'x') * (8 << 20)]\n\
        import ctypes\nmalloc = ctypes.CDLL(None).malloc\nmalloc.restype = ctypes.c_void_p\n\
        more = [malloc(ctypes.c_size_t(1 << 30)) for _ in range(4)]\nready(); wait()";
    let answer = Answer::of(&Program::python(script).pid());
    assert!(answer.0["mallow"]["large_bytes"].as_u64() > Some(4096 * MIB));
    let live = answer.line("heap: live blocks");
    assert!(live > 8 * MIB && live < 64 * MIB, "{live}");
}

fn a_process_of_run_is_seen_like_any_other() {
    let script = format!(
        "{PRELUDE}keep = [bytes(991) for _ in range(100000)]\nprint(os.getpid(), flush=True)\nwait()"
    );
    let mut run = mallow(["run", "--quiet", "--", PYTHON, "-c", &script]);
    let mut program = Program::start(run.env("PYTHONMALLOC", "malloc"));
    let pid = program.line();
    let answer = Answer::of(&pid);
    assert!(answer.line("heap: live blocks") > 100_000 * 1024);
    // What was claimed is its own, and what it shows at the end comes from there.
    drop(program.child.stdin.take());
    done(program.child.wait());
}

/// The child frees what it has inherited; the parent still has it. Both count for themselves.
fn a_forked_child_has_lines_of_its_own() {
    let script = format!(
        "{PRELUDE}keep = [bytes(991) for _ in range(100000)]\nif os.fork() == 0:\n  keep = None\n  \
         more = [bytes(991) for _ in range(30000)]\n  print(os.getpid(), flush=True); wait(); os._exit(0)\n\
         print(os.getpid(), flush=True)\nwait()"
    );
    for prefix in [&[][..], &[MALLOW, "run", "--quiet", "--"]] {
        let mut words = prefix.to_vec();
        words.extend([PYTHON, "-c", &script]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).env("PYTHONMALLOC", "malloc");
        if prefix.is_empty() {
            command.env("LD_PRELOAD", library());
        }
        let mut program = Program::start(&mut command);
        let pids = [program.line(), program.line()];
        thread::sleep(Duration::from_millis(100));
        let mut live = pids.map(|pid| Answer::of(&pid).blocks("live_blocks"));
        live.sort_unstable();
        assert!(live[0] > 30_000 && live[0] < 60_000 && live[1] > 100_000, "{live:?}");
    }
}

fn a_child_that_closes_its_descriptors_is_seen() {
    let script =
        "os.dup2(1, 200)\nos.closerange(3, 1024)\nkeep = [bytes(991) for _ in range(50000)]\nready(); wait()";
    let answer = Answer::of(&Program::python(script).pid());
    assert!(answer.line("heap: live blocks") > 50_000 * 1024);
}

fn a_map_tells_the_parts_of_the_heap() {
    let program =
        Program::python("keep = [bytes(991) for _ in range(40000)]; keep = keep[::2]; ready(); wait()");
    let map: Value = done(serde_json::from_str(&stdout(&mut mallow(["map", "--json", &program.pid()]))));
    let pieces = map["pieces"].as_array().expect("pieces");
    let bytes = |part: &Value| part["resident_bytes"].as_u64().expect("bytes");
    for piece in pieces {
        let sum: u64 = piece["heap_parts"].as_array().into_iter().flatten().map(bytes).sum();
        assert!(sum <= piece["rss_bytes"].as_u64().unwrap_or(0) + MIB, "{piece}");
    }
    let sum_of = |name: &str| -> u64 {
        let parts = pieces.iter().flat_map(|piece| piece["heap_parts"].as_array().into_iter().flatten());
        parts.filter(|part| part["part"] == name).map(bytes).sum()
    };
    about(sum_of("live"), 20_000 * 1024 + 4 * MIB, 30);
    assert!(sum_of("fragmentation") > 10 * MIB && sum_of("metadata") > 0, "{map}");
    assert_contains(&stdout(&mut mallow(["map", &program.pid()])), "\nmallow heap live ");
}

/// As in a program that has mallow inside: no name tells of it, only the segment.
fn a_heap_is_known_without_a_library_of_that_name() {
    let folder = done(tempfile::tempdir());
    let copy = folder.path().join("inside.so");
    done(fs::copy(library(), &copy));
    let program = Program::python_on(
        &copy.display().to_string(),
        "keep = [bytes(991) for _ in range(40000)]\nready(); wait()",
    );
    let pid = program.pid();
    let answer = Answer::of(&pid);
    assert!(answer.line("heap: live blocks") > 40_000 * 1024, "{}", answer.0);
    let map = stdout(&mut mallow(["map", "--all", &pid]));
    assert_contains(&map, "\nmallow heap live ");
    assert!(!map.contains("libmallow") && !map.contains("arena"), "{map}");
    let map: Value = done(serde_json::from_str(&stdout(&mut mallow(["map", "--json", &pid]))));
    let pieces = map["pieces"].as_array().expect("pieces");
    assert!(pieces.iter().any(|piece| piece["heap_parts"][0]["part"] == "live"), "{map}");
    let outside = output(&mut mallow(["explain-address", "--json", &pid, &main_stack(pieces)]));
    let outside: Value = done(serde_json::from_slice(&outside.stdout));
    assert_eq!(outside["missing"]["heap"], "not memory of the heap", "{outside}");
}

/// An address in the stack of the first thread.
fn main_stack(pieces: &[Value]) -> String {
    let stack = pieces.iter().find(|piece| piece["name"] == "[stack]").expect("a stack");
    stack["start"].as_str().expect("an address").to_owned()
}

/// Regions are shorter then, and must not be taken for arenas of glibc.
fn with_little_address_space_the_heap_is_told_too() {
    for kib in [1_000_000, 2_000_000, 4_000_000] {
        let script = "keep = [bytes(991) for _ in range(40000)]; ready(); wait()";
        let limited = format!("ulimit -v {kib}; exec {PYTHON} -c \"$SCRIPT\"");
        let mut shell = Command::new("sh");
        shell.args(["-c", &limited]).env("SCRIPT", format!("{PRELUDE}{script}"));
        let mut program = Program::start(shell.env("PYTHONMALLOC", "malloc").env("LD_PRELOAD", library()));
        assert_eq!(program.line(), "ready");
        let answer = Answer::of(&program.pid());
        assert!(answer.line("heap: live blocks") > 40 * MIB, "{}", answer.0);
        assert_eq!(answer.line("arenas of glibc"), 0, "{}", answer.0);
    }
}

fn no_descriptor_is_added() {
    let list = |preload: &str| {
        stdout(Command::new("sh").args(["-c", "exec ls /proc/self/fd"]).env("LD_PRELOAD", preload))
    };
    assert_eq!(list(&library()), list(""));
}

/// Writes over the number of landmarks, as a program that has gone wild would.
fn a_damaged_segment_is_named_with_its_place() {
    let script = "\
        def segment():\n\
        \x20 before = None\n\
        \x20 for line in open('/proc/self/maps'):\n\
        \x20   start = int(line.split('-')[0], 16)\n\
        \x20   if line.split()[1] == 'rw-p' and start % (2 << 20) == 0:\n\
        \x20     if ctypes.string_at(start, 8) == b'MALLOWSG': return start\n\
        import ctypes\n\
        ctypes.memmove(segment() + 24, (99).to_bytes(8, 'little'), 8)\n\
        ready(); wait()";
    let program = Program::python(script);
    let pid = program.pid();
    let output = output(&mut mallow(["why", "--json", &pid]));
    let answer: Value = done(serde_json::from_slice(&output.stdout));
    let reason = answer["mallow_missing"].as_str().unwrap_or_default();
    assert_contains(reason, "99 landmarks at byte 24, expected 0 or 36 to 64");
    assert!(answer["mallow"].is_null());
    assert_contains(&stderr(&mut mallow(["trim", &pid]), 2), "99 landmarks at byte 24");
}

fn a_busy_process_trims_at_once() {
    let script = "\
        made = []\n\
        def make():\n  made.append([bytes(991) for _ in range(100000)]); done.release()\n\
        \x20 while True: time.sleep(0.005); [bytes(500) for _ in range(200)]\n\
        done = threading.Semaphore(0)\n\
        threading.Thread(target=make, daemon=True).start()\n\
        done.acquire()\nready(); wait()";
    let program = Program::python(script);
    let output = output(&mut mallow(["trim", "--json", &program.pid()]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report: Value = done(serde_json::from_slice(&output.stdout));
    assert_eq!(report["is_done"], true);
    assert!(report["took_ms"].as_u64().is_some_and(|ms| ms < 1000), "{report}");
    let text = stdout(&mut mallow(["trim", &program.pid()]));
    assert_contains(&text, "asked to trim, and done within ");
    assert_contains(&text, "RSS a second later");
}

fn a_process_that_sleeps_is_said_to_sleep() {
    let mut program = Program::python(
        "keep = [bytes(991) for _ in range(1000)]\nready(); wait()\n\
        keep = [bytes(991) for _ in range(100000)]\nready(); wait()",
    );
    let output = output(&mut mallow(["trim", &program.pid()]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_contains(&text, "not answered within a second");
    // It wakes up, and answers then.
    done(program.child.stdin.as_mut().expect("a pipe").write_all(b"\n"));
    assert_eq!(program.line(), "ready");
    drop(program);
}

fn a_process_on_another_allocator_is_not_asked() {
    let program = Program::start(&mut Command::new("cat"));
    thread::sleep(Duration::from_millis(50));
    let sentence = stderr(&mut mallow(["trim", &program.pid()]), 2);
    assert_contains(&sentence, "(cat) is not on mallow.\nTo start a program on mallow: mallow run PROGRAM\n");
}

fn a_database_adds_up() {
    let folder = done(tempfile::tempdir());
    let socket = folder.path().join("socket").display().to_string();
    let mut server = Command::new("/usr/bin/redis-server");
    server.args(["--port", "0", "--unixsocket", &socket, "--save", "", "--dir"]).arg(folder.path());
    let program = Program::start(server.env("LD_PRELOAD", library()));
    let client = |words: &[&str]| {
        output(Command::new("redis-cli").args(["-s", &socket]).args(words).stdin(Stdio::null()))
    };
    for _ in 0..500 {
        if client(&["ping"]).stdout == b"PONG\n" {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let script = "for i = 1, 200000 do redis.call('set', 'key' .. i, string.rep('x', 100)) end";
    client(&["eval", script, "0"]);
    let answer = Answer::of(&program.pid());
    assert!(answer.line("heap: live blocks") > 20 * MIB, "{}", answer.0);
}
