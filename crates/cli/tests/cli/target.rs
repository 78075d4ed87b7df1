//! The operand `PID|NAME`: a process is found, or a sentence says why not.

use core::time::Duration;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use libtest_mimic::Trial;
use rustix::process::geteuid;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stderr, stdout};
use crate::elf;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        a_process_is_found_by_its_number,
        a_number_alone_asks_why,
        a_thread_stands_for_its_process,
        a_process_is_found_by_the_name_of_its_file,
        several_of_a_name_are_listed,
        a_name_that_nobody_has_is_said,
        a_number_that_nobody_has_is_said,
        hostile_names_are_printed_escaped,
        a_zombie_is_called_one,
        a_process_may_end_at_any_moment,
    ];
    let no_kernel_threads =
        (!Path::new("/proc/2/comm").exists()).then_some("no threads of the kernel are seen here");
    trials.extend(
        crate::trials![a_thread_of_the_kernel_is_called_one]
            .into_iter()
            .map(|trial| crate::unless(no_kernel_threads, trial)),
    );
    let not_root = (!geteuid().is_root()).then_some("needs root to become somebody else");
    trials.extend(
        crate::trials![what_belongs_to_others_is_said, what_is_hidden_is_said]
            .into_iter()
            .map(|trial| crate::unless(not_root, trial)),
    );
    trials
}

/// A program that waits until it is dropped.
struct Waiting(Child);

impl Waiting {
    /// Starts a copy of `cat` under `name`, and waits until it reads.
    fn cat(folder: &Path, name: &str) -> Self {
        let file = folder.join(name);
        if !file.exists() {
            elf::copy_executable(Path::new("/bin/cat"), &file);
        }
        let child = done(Command::new(file).stdin(Stdio::piped()).stdout(Stdio::null()).spawn());
        let state = format!("/proc/{}/wchan", child.id());
        let is_waiting = || fs::read_to_string(&state).is_ok_and(|place| place.contains("pipe"));
        for _ in 0..500 {
            if is_waiting() {
                break;
            }
            thread::sleep(Duration::from_millis(2));
        }
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

fn a_process_is_found_by_its_number() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::cat(folder.path(), "cat-by-number");
    let text = stdout(&mut mallow(["why", &cat.pid()]));
    assert_contains(&text, &format!("cat-by-number {}    RSS ", cat.pid()));
    assert_contains(&text, "libraries: text and constants");
    assert_contains(&text, "residual");
}

fn a_number_alone_asks_why() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::cat(folder.path(), "cat-alone");
    let text = stdout(&mut mallow([&cat.pid(), "--json"]));
    assert_contains(&text, &format!("{{\"pid\":{},\"name\":\"cat-alone\",", cat.pid()));
}

fn a_thread_stands_for_its_process() {
    let script = "import threading,time,sys\n\
                  t=threading.Thread(target=time.sleep,args=(60,),daemon=True)\n\
                  t.start()\nprint(t.native_id,flush=True)\nsys.stdin.read()";
    let Ok(mut python) =
        Command::new("python3").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
    else {
        return;
    };
    let mut line = String::new();
    let mut printed = std::io::BufReader::new(python.stdout.take().expect("it is piped"));
    done(std::io::BufRead::read_line(&mut printed, &mut line));
    let python = Waiting(python);
    let text = stdout(&mut mallow(["why", "--json", line.trim()]));
    assert_contains(&text, &format!("{{\"pid\":{},", python.pid()));
}

fn a_process_is_found_by_the_name_of_its_file() {
    let folder = done(tempfile::tempdir());
    let name = "cat-with-a-name-longer-than-comm";
    let cat = Waiting::cat(folder.path(), name);
    assert_contains(&stdout(&mut mallow(["why", name])), &format!("cat-with-a-name {}", cat.pid()));
}

fn several_of_a_name_are_listed() {
    let folder = done(tempfile::tempdir());
    let cats: Vec<_> = (0..10).map(|_| Waiting::cat(folder.path(), "cat-of-ten")).collect();
    let said = stderr(&mut mallow(["why", "cat-of-ten"]), 2);
    assert_contains(&said, "mallow: 10 processes are named 'cat-of-ten': ");
    // The lowest numbers come first; the kernel begins again at the bottom when it has reached the top.
    let lowest = cats.iter().map(|cat| cat.0.id()).min().expect("there are ten");
    assert_contains(&said, &format!("{lowest} (cat-of-ten), "));
    assert_contains(&said, " and 2 more.\nSay which one by its number.\n");
}

fn a_name_that_nobody_has_is_said() {
    let said = stderr(&mut mallow(["why", "no\x1b[31msuch"]), 2);
    assert_contains(
        &said,
        "mallow: no process is named 'no\\u{1b}[31msuch'; a number (PID) or a name is allowed.\n",
    );
}

fn a_number_that_nobody_has_is_said() {
    for number in ["0", "4194305", "99999999999999999999"] {
        assert_contains(&stderr(&mut mallow(["why", number]), 2), &format!("there is no process {number}"));
    }
}

fn hostile_names_are_printed_escaped() {
    let folder = done(tempfile::tempdir());
    let cat = Waiting::cat(folder.path(), "a\x1b[2J\nb");
    for options in [&["why"][..], &["why", "--json"]] {
        let text = stdout(mallow(options).arg(cat.pid()));
        assert!(!text.contains('\x1b') && !text.contains("J\nb"), "{text:?}");
        assert!(text.contains(r"a\u{1b}[2J\nb") || text.contains(r"a\\u{1b}[2J\\nb"), "{text:?}");
    }
}

fn a_zombie_is_called_one() {
    let mut ended = done(Command::new("true").spawn());
    let state = format!("/proc/{}/stat", ended.id());
    while !done(fs::read_to_string(&state)).contains(") Z ") {
        thread::sleep(Duration::from_millis(2));
    }
    let said = stderr(&mut mallow(["why", &ended.id().to_string()]), 2);
    done(ended.wait());
    assert_contains(&said, "has ended, and its parent has not asked how");
    assert_contains(&said, &format!("Its parent is process {}.\n", std::process::id()));
}

fn a_thread_of_the_kernel_is_called_one() {
    assert_contains(&stderr(&mut mallow(["why", "2"]), 2), "is a thread of the kernel");
}

/// This process is root's; the command looks at it as nobody.
fn what_belongs_to_others_is_said() {
    let pid = std::process::id().to_string();
    let folder = done(
        tempfile::Builder::new().permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755)).tempdir(),
    );
    let copy = folder.path().join("mallow");
    elf::copy_executable(Path::new(MALLOW), &copy);
    let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
    let said = stderr(Command::new("setpriv").args(nobody).arg(&copy).args(["why", &pid]), 2);
    assert_contains(&said, "belongs to another user or protects itself: its smaps may not be read");
}

/// In a view of `/proc` that shows nobody the processes of others.
fn what_is_hidden_is_said() {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    let folder = done(tempfile::Builder::new().permissions(mode).tempdir());
    let copy = folder.path().join("mallow");
    elf::copy_executable(Path::new(MALLOW), &copy);
    let script = "mount -t proc -o hidepid=2 proc /proc || exit 77; \
                  exec setpriv --reuid=65534 --regid=65534 --clear-groups $1 why 1";
    let output = output(Command::new("unshare").args(["-m", "sh", "-c", script, "sh"]).arg(&copy));
    if output.status.code() == Some(77) {
        return;
    }
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_contains(&said, "process 1 is there, and /proc does not show it: it is mounted with hidepid");
}

fn a_process_may_end_at_any_moment() {
    for nth in 0..40 {
        let mut child = done(Command::new("sleep").arg(format!("0.0{}", nth % 10)).spawn());
        let pid = child.id().to_string();
        let reaper = thread::spawn(move || child.wait());
        let output = output(&mut mallow(["why", "--json", &pid]));
        assert!(matches!(output.status.code(), Some(0 | 2)), "{output:?}");
        assert_eq!(output.status.code() == Some(2), !output.stderr.is_empty(), "{output:?}");
        let _ = reaper.join();
    }
}
