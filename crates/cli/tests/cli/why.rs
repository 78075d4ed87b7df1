//! Why, watched, saved, compared, reported: from a process to an answer, and from a file to the same one.

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use libtest_mimic::Trial;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::command::{assert_contains, done, mallow, output, stderr, stdout};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        lines_and_residual_add_up_to_rss,
        text_is_plain_in_a_pipe_and_as_narrow_as_asked,
        sizes_can_be_exact,
        what_is_saved_gives_the_same_answer,
        what_is_no_snapshot_is_refused,
        a_limit_of_the_process_is_told_when_it_is_near,
        watching_counts_looks,
        ctrl_c_ends_watching_with_a_conclusion,
        a_file_cannot_be_watched,
        a_process_that_ends_while_it_is_watched_is_told,
        times_that_make_no_sense_are_refused,
        what_has_changed_is_told,
        a_report_is_one_page_that_fetches_nothing,
    ];
    let no_chromium = (!Path::new("/usr/bin/chromium").exists()).then_some("/usr/bin/chromium is missing");
    trials.extend(
        crate::trials![a_report_works_in_a_browser]
            .into_iter()
            .map(|trial| crate::unless(no_chromium, trial)),
    );
    trials
}

/// A program that waits until it is dropped.
struct Waiting(Child);

impl Waiting {
    fn start() -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "echo; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let child = done(command.spawn());
        let comm = format!("/proc/{}/comm", child.id());
        while fs::read_to_string(&comm).is_ok_and(|name| name != "cat\n") {
            thread::sleep(Duration::from_millis(2));
        }
        thread::sleep(Duration::from_millis(50));
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The object that a command prints.
fn object(arguments: &[&str]) -> Value {
    let output = output(&mut mallow(arguments));
    done(serde_json::from_slice(&output.stdout))
}

fn lines_and_residual_add_up_to_rss() {
    let cat = Waiting::start();
    let why = object(&["why", "--json", &cat.pid()]);
    let bytes = |value: &Value| value.as_i64().unwrap_or_else(|| panic!("{why}"));
    let lines: i64 = why["lines"].as_array().into_iter().flatten().map(|line| bytes(&line["bytes"])).sum();
    assert_eq!(lines + bytes(&why["residual_bytes"]), bytes(&why["rss_bytes"]));
    assert_eq!(why["verdict"], "nothing wrong");
    assert_eq!(why["name"], "cat");
}

fn text_is_plain_in_a_pipe_and_as_narrow_as_asked() {
    let cat = Waiting::start();
    let text = stdout(mallow(["why", &cat.pid()]).env("COLUMNS", "60"));
    assert!(!text.contains('\x1b'), "{text:?}");
    let ledger =
        text.lines().skip_while(|line| !line.is_empty()).take_while(|line| !line.contains("residual"));
    assert!(ledger.clone().count() > 5, "{text}");
    assert!(ledger.into_iter().all(|line| line.chars().count() <= 60), "{text}");
}

fn sizes_can_be_exact() {
    let cat = Waiting::start();
    let why = object(&["why", "--json", &cat.pid()]);
    let text = stdout(&mut mallow(["why", "--bytes", &cat.pid()]));
    assert_contains(&text, &format!("RSS {}", why["rss_bytes"]));
    assert!(
        !text.lines().take_while(|line| !line.contains("residual")).any(|line| line.contains("iB")),
        "{text}"
    );
}

fn snapshot(folder: &Path, name: &str, pid: &str) -> PathBuf {
    let file = folder.join(name);
    stdout(mallow(["why", "--save"]).arg(&file).arg(pid));
    file
}

fn what_is_saved_gives_the_same_answer() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::start();
    let file = folder.path().join("cat.json");
    let now = stdout(mallow(["why", "--json", "--save"]).arg(&file).arg(cat.pid()));
    assert_eq!(stdout(mallow(["why", "--json"]).arg(&file)), now);
    drop(cat);
    assert_eq!(stdout(mallow(["why", "--json"]).arg(&file)), now, "without the process too");
    assert_eq!(
        stdout(mallow(["why", "--json", "cat.json"]).current_dir(&folder)),
        now,
        "by a name without a slash"
    );
}

fn what_is_no_snapshot_is_refused() {
    let folder = done(tempfile::tempdir());
    for (content, expected) in [
        (&b"text"[..], "is no snapshot of `mallow why --save`: "),
        (b"{\"format\":\"mallow-recording\",\"version\":2}", "is a snapshot of version 2; 1 can be read"),
        (b"{\"format\":\"other\"}", "is JSON, and no snapshot of"),
        (b"", "is no snapshot of `mallow why --save`: EOF"),
    ] {
        let file = folder.path().join("file.json");
        done(fs::write(&file, content));
        for verb in ["why", "report"] {
            assert_contains(&stderr(mallow([verb]).arg(&file), 2), expected);
        }
    }
    assert_contains(
        &stderr(&mut mallow(["why", "/no/such/file"]), 2),
        "cannot read /no/such/file: No such file",
    );
}

/// The same process, with as much address space allowed as it has, and a little.
fn a_limit_of_the_process_is_told_when_it_is_near() {
    let cat = Waiting::start();
    let status = done(fs::read_to_string(format!("/proc/{}/status", cat.pid())));
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap_or_default();
    let kib: u64 = done(size.trim().trim_end_matches(" kB").parse());
    stdout(Command::new("prlimit").args(["--pid", &cat.pid(), &format!("--as={}", (kib + kib / 20) << 10)]));
    let output = output(&mut mallow(["why", &cat.pid()]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_contains(&text, "too little left before the limit: Only ");
    assert_contains(&text, "that RLIMIT_AS allows: mmap, brk or mlock fail with ENOMEM");
    assert_contains(&text, "prlimit --pid PID --as=BYTES");
}

fn watching_counts_looks() {
    let cat = Waiting::start();
    let why = object(&["why", "--json", "--watch", "500ms", "--every", "100ms", &cat.pid()]);
    let samples = why["slope"]["samples"].as_u64();
    assert!(samples.is_some_and(|samples| (5..=7).contains(&samples)), "{why}");
    assert_eq!(why["verdict"], "nothing wrong");
}

/// Whoever watches for a minute and presses Ctrl-C after a second is told what was seen in that second.
fn ctrl_c_ends_watching_with_a_conclusion() {
    let growing =
        "import time\nkept = []\nwhile True: kept.append(bytearray(b'x' * (1 << 20))); time.sleep(.05)";
    let python = Command::new("python3").args(["-c", growing]).spawn().ok().map(Waiting);
    let cat = Waiting::start();
    let mut cases = vec![(cat.pid(), 0, "nothing wrong")];
    cases.extend(python.as_ref().map(|python| (python.pid(), 1, "growing")));
    for (pid, status, verdict) in cases {
        for (format, head) in [(None, "\nwatched for "), (Some("--json"), "\"slope\":{")] {
            let began = Instant::now();
            let mut why = mallow(["why", "--watch", "60s", "--every", "100ms"]);
            let why = done(why.args(format).arg(&pid).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
            thread::sleep(Duration::from_millis(1500));
            let number = done(i32::try_from(why.id()));
            done(kill(Pid::from_raw(number), Signal::SIGINT));
            let output = done(why.wait_with_output());
            assert!(began.elapsed() < Duration::from_secs(30), "it went on");
            assert_eq!(output.status.code(), Some(status), "{output:?}");
            let text = String::from_utf8_lossy(&output.stdout);
            assert_contains(&text, head);
            assert_contains(&text, verdict);
            assert!(output.stderr.is_empty(), "{output:?}");
        }
    }
}

fn a_file_cannot_be_watched() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::start();
    let file = snapshot(folder.path(), "cat.json", &cat.pid());
    assert_contains(
        &stderr(mallow(["why", "--watch", "1s"]).arg(file), 2),
        "is a file, and only a process can be watched",
    );
}

fn a_process_that_ends_while_it_is_watched_is_told() {
    let mut child = done(Command::new("sleep").arg("0.5").spawn());
    let pid = child.id().to_string();
    let reaper = thread::spawn(move || child.wait());
    let said = stderr(&mut mallow(["why", "--watch", "30s", "--every", "100ms", &pid]), 2);
    assert_contains(&said, &format!("process {pid} has ended after 0 s; its RSS went from "));
    let _ = reaper.join();
}

fn times_that_make_no_sense_are_refused() {
    let said = stderr(&mut mallow(["why", "--watch", "soon", "1"]), 2);
    assert_contains(
        &said,
        "'soon' is wrong for --watch <TIME>: a time from 100ms to 30d is allowed, such as 30s, 5m or 1h",
    );
    let said = stderr(&mut mallow(["why", "--every", "1s", "1"]), 2);
    assert_contains(&said, "--watch");
}

fn what_has_changed_is_told() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::start();
    let before = snapshot(folder.path(), "before.json", &cat.pid());
    let same = stdout(mallow(["diff"]).arg(&before).arg(&before));
    assert_contains(&same, "No mapping has changed.");
    let script = "import sys; print(flush=True); sys.stdin.readline(); x = bytearray(50 << 20); print(flush=True); sys.stdin.read()";
    let Ok(mut python) =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return;
    };
    let mut printed = std::io::BufReader::new(python.stdout.take().expect("it is piped"));
    let mut input = python.stdin.take().expect("it is piped");
    let mut line = String::new();
    done(std::io::BufRead::read_line(&mut printed, &mut line));
    let python = Waiting(python);
    let before = snapshot(folder.path(), "python.json", &python.pid());
    done(std::io::Write::write_all(&mut input, b"\n"));
    done(std::io::BufRead::read_line(&mut printed, &mut line));
    let text = stderr_free(mallow(["diff"]).arg(&before).arg(python.pid()), 1);
    assert_contains(&text, "(+50.");
    assert_contains(&text, "mappings that have changed:");
    let diff: Value = done(serde_json::from_str(&stderr_free(
        mallow(["diff", "--json"]).arg(&before).arg(python.pid()),
        1,
    )));
    let sum: i64 =
        diff["lines"].as_array().into_iter().flatten().filter_map(|line| line["change_bytes"].as_i64()).sum();
    assert_eq!(Some(sum), diff["rss_change_bytes"].as_i64(), "{diff}");
    assert!(diff["mappings"][0]["rss_change_bytes"].as_i64() >= Some(50 << 20), "{diff}");
}

/// Runs a command that ends with `status` and complains of nothing; returns what it prints.
fn stderr_free(command: &mut Command, status: i32) -> String {
    let output = output(command);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn a_report_is_one_page_that_fetches_nothing() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::start();
    let file = folder.path().join("report.html");
    assert_eq!(stdout(mallow(["report", "-o"]).arg(&file).arg(cat.pid())), "");
    let page = done(fs::read_to_string(&file));
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    for fetched in ["src=", "href=", "url(", "@import"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert_contains(&stdout(&mut mallow(["report", &cat.pid()])), "<h2>Ledger</h2>");
}

/// The page is changed by its own script as if somebody had clicked, and what the browser then has is printed.
fn a_report_works_in_a_browser() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::start();
    let file = folder.path().join("report.html");
    stdout(mallow(["report", "--watch", "300ms", "-o"]).arg(&file).arg(cat.pid()));
    let clicks = "<script>\
        document.querySelector('#ledger tr[data-kind=\"main stack\"]').click();\
        document.querySelectorAll('#mappings th')[2].click();\
        </script></body>";
    let page = done(fs::read_to_string(&file)).replace("</body>", clicks);
    done(fs::write(&file, page));
    let data = format!("--user-data-dir={}", folder.path().join("data").display());
    let dom = stdout(
        Command::new("/usr/bin/chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", &data])
            .arg(&file)
            .stderr(Stdio::null()),
    );
    assert_contains(&dom, ": main stack</span>");
    assert_contains(&dom, "class=\"m-n m-down\"");
    let shown = dom
        .split("<tr data-kind=")
        .filter(|row| !row.split('>').next().unwrap_or_default().contains("hidden"));
    let shown: Vec<_> = shown.skip(1).collect();
    assert!(shown.len() == 1 && shown[0].starts_with("\"main stack\""), "{shown:?}");
    assert!(!dom.contains("ms since 1970"), "times are the reader's");
}
