//! `mallow top`: all processes, once and on a screen; keys are sent and screens compared by way of tmux.

use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Instant;

use libtest_mimic::Trial;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stderr, stdout};
use crate::golden::assert_golden;
use crate::tree::Tree;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        a_recorded_machine_is_listed_once,
        the_list_is_sorted_and_filtered_as_asked,
        this_machine_is_listed_too,
        without_a_terminal_it_says_what_to_do,
        a_column_that_is_none_is_named,
    ];
    let no_tmux = Command::new("tmux").arg("-V").output().err().map(|_| "tmux is not installed");
    let screens = crate::trials![
        screens_are_as_they_were,
        keys_choose_sort_filter_and_arrange,
        other_verbs_are_a_key_away,
        a_snapshot_is_saved,
        leaving_gives_the_terminal_back,
        a_signal_gives_the_terminal_back,
        a_terminal_that_is_closed_ends_it,
        stopping_gives_the_terminal_back_for_a_while,
        a_lost_proc_gives_the_terminal_back,
        no_color_means_no_colours,
        a_tiny_terminal_is_told_so,
        five_hundred_processes_cost_little,
    ];
    trials.extend(screens.into_iter().map(|trial| crate::unless(no_tmux, trial)));
    trials
}

/// A process of the recorded machine. Sizes are in pages.
struct Recorded {
    pid: u32,
    parent: u32,
    name: &'static str,
    user: u32,
    resident: u64,
    shared: u64,
    swapped_kb: u64,
    group: &'static str,
}

const PROCESSES: [Recorded; 6] = [
    Recorded {
        pid: 1,
        parent: 0,
        name: "systemd",
        user: 0,
        resident: 3000,
        shared: 2000,
        swapped_kb: 0,
        group: "/init.scope",
    },
    Recorded {
        pid: 2,
        parent: 0,
        name: "kthreadd",
        user: 0,
        resident: 0,
        shared: 0,
        swapped_kb: 0,
        group: "/",
    },
    Recorded {
        pid: 40,
        parent: 1,
        name: "web\x1b[31m",
        user: 70_000,
        resident: 250_000,
        shared: 9000,
        swapped_kb: 0,
        group: "/app.slice",
    },
    Recorded {
        pid: 41,
        parent: 40,
        name: "worker",
        user: 70_000,
        resident: 90_000,
        shared: 60_000,
        swapped_kb: 4096,
        group: "/app.slice",
    },
    Recorded {
        pid: 42,
        parent: 40,
        name: "worker",
        user: 70_000,
        resident: 80_000,
        shared: 60_000,
        swapped_kb: 0,
        group: "/app.slice",
    },
    Recorded {
        pid: 50,
        parent: 1,
        name: "a) R (b",
        user: 0,
        resident: 500,
        shared: 400,
        swapped_kb: 0,
        group: "/init.scope",
    },
];

/// A machine with these processes.
fn machine() -> Tree {
    let tree = Tree::new(include_str!("../trees/top.tree"));
    for Recorded { pid, parent, name, user, resident, shared, swapped_kb, group } in PROCESSES {
        let write = |file: &str, content: &str| tree.write(&format!("proc/{pid}/{file}"), content);
        let (size, flags) = if resident > 0 { (resident * 2 * 4096, 0x40_0000) } else { (0, 0x20_0000) };
        let rest = "0 0 0 0 18446744073709551615 1 1 140000000000 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 1 1 94000000 1 1 1 1 0";
        let rest = &rest["0 0 0 0 ".len()..];
        write(
            "stat",
            &format!(
                "{pid} ({name}) S {parent} 1 1 0 -1 {flags} 10 0 0 0 0 0 0 0 20 0 1 0 {pid}00 {size} {resident} {rest}\n"
            ),
        );
        write("statm", &format!("{} {resident} {shared} 1 0 1 0\n", resident * 2));
        write("oom_score", if pid == 1 { "0\n" } else { "700\n" });
        write("oom_score_adj", if pid == 50 { "-1000\n" } else { "0\n" });
        write("cgroup", &format!("0::{group}\n"));
        write(
            "limits",
            "Limit                     Soft Limit           Hard Limit           Units     \nMax address space         unlimited            unlimited            bytes     \n",
        );
        write("comm", &format!("{name}\n"));
        let shown = name.replace('\x1b', "\\033");
        let mut status = format!(
            "Name:\t{shown}\nState:\tS (sleeping)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{parent}\nUid:\t{user}\t{user}\t{user}\t{user}\n"
        );
        if resident > 0 {
            status += &format!(
                "VmSize:\t{} kB\nVmRSS:\t{} kB\nVmPTE:\t40 kB\nVmSwap:\t{swapped_kb} kB\n",
                resident * 8,
                resident * 4
            );
            let (all, half, own) = (resident * 4, (resident - shared / 2) * 4, (resident - shared) * 4);
            let amounts = format!(
                "Rss: {all} kB\nPss: {half} kB\nPrivate_Clean: 0 kB\nPrivate_Dirty: {own} kB\nAnonHugePages: 2048 kB\n"
            );
            if pid != 42 {
                write("smaps_rollup", &format!("1000-2000 ---p 0 00:00 0 [rollup]\n{amounts}"));
            }
            let heap = format!(
                "55aec1561000-{:x} rw-p 00000000 00:00 0 [heap]\n{amounts}",
                0x55ae_c156_1000 + resident * 4096
            );
            write("smaps", &heap);
        }
        write("status", &status);
    }
    tree
}

fn a_recorded_machine_is_listed_once() {
    let tree = machine();
    assert_golden("top.txt", &stdout(&mut tree.mallow(&["top", "--once"])));
    assert_golden("top.json", &stdout(&mut tree.mallow(&["top", "--json"])));
    let narrow = stdout(tree.mallow(&["top", "--once"]).env("COLUMNS", "80"));
    assert_golden("top-80.txt", &narrow);
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
}

fn the_list_is_sorted_and_filtered_as_asked() {
    let tree = machine();
    let pids = |options: &[&str]| {
        let text = stdout(&mut tree.mallow(&[&["top", "--once"], options].concat()));
        let rows = text.lines().skip(5);
        rows.map(|row| row.split_whitespace().next().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(pids(&[]), "40 41 42 1 50");
    assert_eq!(pids(&["--reverse"]), "50 1 42 41 40");
    assert_eq!(pids(&["--sort", "pid"]), "1 40 41 42 50");
    assert_eq!(pids(&["--sort", "swap"]), "41 1 40 42 50");
    assert_eq!(pids(&["--sort", "PSS"]), "40 41 1 50 42", "what is not known comes last");
    assert_eq!(pids(&["--sort", "headroom"]), "40 41 42 1 50");
    assert_eq!(pids(&["--filter", "WORK"]), "41 42");
    assert_eq!(pids(&["--filter", "41"]), "41");
    assert_eq!(pids(&["--filter", "nobody has this"]), "");
    assert_eq!(pids(&["--tree"]), "1 40 41 42 50");
}

fn this_machine_is_listed_too() {
    let text = stdout(&mut mallow(["top", "--once"]));
    let own = std::process::id().to_string();
    assert!(text.lines().any(|line| line.trim_start().starts_with(&own)), "{text}");
    let json = stdout(&mut mallow(["top", "--json", "--filter", &std::process::id().to_string()]));
    assert_contains(&json, &format!("\"processes\":[{{\"pid\":{},", std::process::id()));
}

fn without_a_terminal_it_says_what_to_do() {
    let said = stderr(mallow(["top"]).env("TERM", "xterm"), 2);
    assert_contains(&said, "needs a terminal");
    assert_contains(&said, "mallow top --once");
}

fn a_column_that_is_none_is_named() {
    let said = stderr(&mut mallow(["top", "--once", "--sort", "cpu"]), 2);
    assert_contains(&said, "'cpu' is wrong for --sort <COLUMN>: allowed are pid, user, name, rss,");
    assert_contains(
        &stderr(&mut mallow(["top", "--interval", "0"]), 2),
        "seconds from 0.1 to 86400 are allowed",
    );
}

/// A terminal, of a tmux of its own, in which something runs.
struct Terminal {
    socket: String,
}

static TERMINALS: AtomicUsize = AtomicUsize::new(0);

impl Terminal {
    /// Starts `command` as a shell would, in a terminal of so many columns and rows; afterwards it says how that ended.
    fn start(tree: Option<&Tree>, size: (u16, u16), folder: &Path, command: &str) -> Self {
        let number = TERMINALS.fetch_add(1, Ordering::Relaxed);
        let terminal = Self { socket: format!("mallow-test-{}-{number}", std::process::id()) };
        let mut tmux =
            terminal.tmux(&["new-session", "-d", "-x", &size.0.to_string(), "-y", &size.1.to_string()]);
        tmux.args(["-c", &folder.display().to_string()]);
        if let Some(tree) = tree {
            tmux.args(["-e", &format!("HOST_PROC={}", tree.path("proc").display())]);
            tmux.args(["-e", &format!("HOST_SYS={}", tree.path("sys").display())]);
        }
        tmux.arg(format!("{command}; echo \"status $?\"; stty -a | grep -o ' icanon\\| echo '; exec cat"));
        let output = output(&mut tmux);
        assert!(output.status.success(), "{output:?}");
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-L", &self.socket, "-f", "/dev/null"]).args(arguments);
        command.env_remove("TMUX").env_remove("NO_COLOR").env_remove("COLUMNS").env("LC_ALL", "C.UTF-8");
        command
    }

    /// Presses keys, one after the other, by the names that tmux has for them.
    fn press(&self, keys: &[&str]) {
        output(self.tmux(&["send-keys"]).args(keys));
    }

    fn screen(&self) -> String {
        let output: Output = output(&mut self.tmux(&["capture-pane", "-p"]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Waits until the screen shows `part`, and returns it.
    fn wait_for(&self, part: &str) -> String {
        self.wait(part, |screen| screen.contains(part))
    }

    fn wait(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no {what:?} on the screen:\n{screen}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The number of the command that runs in it.
    fn pid(&self) -> String {
        let shell = output(&mut self.tmux(&["display-message", "-p", "#{pane_pid}"]));
        let shell = String::from_utf8_lossy(&shell.stdout).trim().to_owned();
        let children = done(fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")));
        children.split_whitespace().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        output(&mut self.tmux(&["kill-server"]));
    }
}

/// The command on the recorded machine, with everything on the screen that there will be.
fn top(tree: &Tree, size: (u16, u16), options: &str) -> Terminal {
    let folder = std::env::temp_dir();
    let terminal =
        Terminal::start(Some(tree), size, &folder, &format!("{MALLOW} top --interval 1000 {options}"));
    terminal.wait("all that is read of each process", is_complete);
    terminal
}

/// Whether PSS and limits of every recorded process are on the screen, or why they are not.
fn is_complete(screen: &str) -> bool {
    let rows: Vec<Vec<&str>> =
        screen.lines().skip(4).map(|line| line.split_whitespace().collect()).take(5).collect();
    let is_complete = |row: &Vec<&str>| {
        let has_limit = row.contains(&"95.4M") || row.iter().filter(|word| **word == "-").count() >= 2;
        has_limit && row.len() >= 8
    };
    rows.len() == 5 && rows.iter().all(is_complete)
}

fn screens_are_as_they_were() {
    let tree = machine();
    assert_golden("top-80x24.txt", &top(&tree, (80, 24), "").screen());
    let wide = top(&tree, (200, 60), "--tree");
    assert_golden("top-200x60.txt", &wide.screen());
    wide.press(&["?"]);
    assert_golden("top-help.txt", &wide.wait_for("mallow top: keys"));
}

/// The numbers of the processes on the screen, from above.
fn pids(screen: &str) -> Vec<u32> {
    screen.lines().skip(4).filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect()
}

fn keys_choose_sort_filter_and_arrange() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    assert_eq!(pids(&terminal.screen()), [40, 41, 42, 1, 50]);
    terminal.press(&["Down", "Down"]);
    terminal.wait_for(" worker 42  ·");
    terminal.press(&["I"]);
    let screen = terminal.wait_for("PID▼");
    assert_eq!(pids(&screen), [1, 40, 41, 42, 50]);
    assert_contains(&screen, " worker 42  ·");
    terminal.press(&["r"]);
    assert_eq!(pids(&terminal.wait_for("PID▲")), [50, 42, 41, 40, 1]);
    terminal.press(&["/", "W", "o", "r"]);
    assert_eq!(pids(&terminal.wait_for("filter: Wor")), [42, 41]);
    terminal.press(&["Enter"]);
    terminal.wait_for("2 of 5 match Wor");
    terminal.press(&["Escape"]);
    terminal.wait("all of them", |screen| pids(screen).len() == 5);
    terminal.press(&["I", "t"]);
    let screen = terminal.wait_for("└─ worker");
    assert_contains(&screen, "├─ web\\u{1b}[31m");
    assert_eq!(pids(&screen), [1, 40, 41, 42, 50]);
}

fn other_verbs_are_a_key_away() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    terminal.press(&["Enter"]);
    terminal.wait_for("mallow why 40");
    terminal.wait_for("heap");
    terminal.press(&["q"]);
    terminal.wait_for("Enter why");
    terminal.press(&["m"]);
    terminal.wait_for("mallow map 40");
    terminal.wait_for("heap (brk)");
    terminal.press(&["Escape"]);
    terminal.wait_for("Enter why");
    terminal.press(&["l"]);
    terminal.wait_for("mallow limits 40");
    terminal.wait_for("cgroup max");
}

fn a_snapshot_is_saved() {
    let (tree, folder) = (machine(), done(tempfile::tempdir()));
    let terminal =
        Terminal::start(Some(&tree), (80, 24), folder.path(), &format!("{MALLOW} top --interval 1000"));
    terminal.wait_for("systemd");
    terminal.press(&["e"]);
    terminal.wait_for("saved mallow-web-u-1b--31m-40.json");
    assert!(folder.path().join("mallow-web-u-1b--31m-40.json").exists());
    terminal.press(&["e"]);
    terminal.wait_for("saved mallow-web-u-1b--31m-40-1.json");
}

/// That the shell has its terminal as it was, and what the command ended with.
fn assert_given_back(terminal: &Terminal, status: &str) {
    let screen = terminal.wait_for(&format!("status {status}"));
    terminal.wait("a terminal that echoes", |screen| screen.contains("icanon") && screen.contains(" echo"));
    assert!(!screen.contains("Enter why"), "what was there before: {screen}");
}

fn leaving_gives_the_terminal_back() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    terminal.press(&["q"]);
    assert_given_back(&terminal, "0");
    let terminal = top(&tree, (80, 24), "");
    terminal.press(&["C-c"]);
    assert_given_back(&terminal, "0");
}

fn a_signal_gives_the_terminal_back() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    done(Command::new("kill").args(["-TERM", &terminal.pid()]).status());
    assert_given_back(&terminal, "143");
}

fn a_terminal_that_is_closed_ends_it() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    let pid = terminal.pid();
    drop(terminal);
    let start = Instant::now();
    while Path::new(&format!("/proc/{pid}")).exists() {
        assert!(start.elapsed() < Duration::from_secs(20), "it goes on without a terminal");
        thread::sleep(Duration::from_millis(20));
    }
}

fn stopping_gives_the_terminal_back_for_a_while() {
    let tree = machine();
    let terminal = top(&tree, (80, 24), "");
    let pid = terminal.pid();
    terminal.press(&["C-z"]);
    let state = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "));
    let start = Instant::now();
    while !state() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not stop");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(!terminal.screen().contains("Enter why"));
    done(Command::new("kill").args(["-CONT", &pid]).status());
    terminal.wait_for("Enter why");
    terminal.press(&["q"]);
    assert_given_back(&terminal, "0");
}

fn a_lost_proc_gives_the_terminal_back() {
    let tree = machine();
    let terminal = Terminal::start(
        Some(&tree),
        (80, 24),
        &std::env::temp_dir(),
        &format!("{MALLOW} top --interval 0.2"),
    );
    terminal.wait_for("Enter why");
    tree.remove("proc/meminfo");
    terminal.wait_for("cannot read");
    assert_given_back(&terminal, "2");
}

fn no_color_means_no_colours() {
    let tree = machine();
    for (variable, has_colours) in [("NO_COLOR=1", false), ("NO_COLOR=", true)] {
        let command = format!("env {variable} {MALLOW} top --interval 1000");
        let terminal = Terminal::start(Some(&tree), (80, 24), &std::env::temp_dir(), &command);
        terminal.wait("all that is read of each process", is_complete);
        let painted = output(&mut terminal.tmux(&["capture-pane", "-p", "-e"]));
        let painted = String::from_utf8_lossy(&painted.stdout).into_owned();
        // What a process calls itself may look like a colour, but has no escape in front.
        let is_coloured = (0..8).any(|colour| {
            painted.contains(&format!("\x1b[38;5;{colour}m")) || painted.contains(&format!("\x1b[3{colour}m"))
        });
        assert_eq!(is_coloured, has_colours, "{variable}: {painted:?}");
        assert_contains(&painted, "\x1b[7m");
    }
}

fn a_tiny_terminal_is_told_so() {
    let tree = machine();
    let terminal = Terminal::start(Some(&tree), (30, 8), &std::env::temp_dir(), &format!("{MALLOW} top"));
    terminal.wait_for("needs 40 x 10");
    output(&mut terminal.tmux(&["resize-window", "-x", "90", "-y", "30"]));
    terminal.wait_for("Enter why");
}

/// Programs that sleep until they are dropped.
struct Sleeping(Vec<Child>);

impl Drop for Sleeping {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn five_hundred_processes_cost_little() {
    let sleep = || done(Command::new("sleep").arg("300").stdin(Stdio::null()).spawn());
    let sleeping = Sleeping((0..500).map(|_| sleep()).collect());
    let command = format!("{MALLOW} top --interval 0.5");
    let terminal = Terminal::start(None, (200, 60), &std::env::temp_dir(), &command);
    terminal.wait_for("Enter why");
    let pid = terminal.pid();
    // What is read for the first time is read at the start.
    thread::sleep(Duration::from_secs(2));
    let ticks = || {
        let stat = done(fs::read_to_string(format!("/proc/{pid}/stat")));
        let behind = stat.rsplit(')').next().unwrap_or_default().to_owned();
        behind.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>()
    };
    let before = ticks();
    thread::sleep(Duration::from_secs(5));
    // Ticks are of 10 ms, and there were ten refreshes. The build with checks takes about twice as long.
    let per_refresh_ms = ticks() - before;
    let most = if cfg!(debug_assertions) { 100 } else { 50 };
    assert!(per_refresh_ms <= most, "{per_refresh_ms} ms for each refresh");
    let status = done(fs::read_to_string(format!("/proc/{pid}/status")));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim();
    let peak_kib: u64 = peak.trim_end_matches(" kB").parse().unwrap_or(u64::MAX);
    assert!(peak_kib < 20 << 10, "{peak}");
    drop(sleeping);
}
