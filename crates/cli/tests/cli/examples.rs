//! Examples: every command line that the help and the README show is run as it stands, by a shell.
//!
//! A number or name of a process is replaced by that of one that is started here, a long time by a short one, and a
//! folder of the machine by one of the test's own. What the words of an example become is all in [`World::on_stage`].

use core::sync::atomic::{AtomicU32, Ordering};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::command::{MALLOW, assert_contains, done, mallow, output, stdout};
use crate::elf;
use crate::heap::{self, Program};

/// Recorded kernel logs, of which one stands for what a log of the machine would hold.
const LOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../analyze/tests/kernel-logs/5.4-group.log");

const README: &str = include_str!("../../../../README.md");

/// Programs that examples name. The machine's own would serve on ports, ask for passwords, or show what is not ours.
const STAND_INS: [(&str, &str); 5] = [
    ("sudo", "exec \"$@\""),
    ("journalctl", "exec cat ../log"),
    ("man", "exec cat"),
    ("nginx", "exec cat /proc/self/maps"),
    ("make", "exec echo made"),
];

pub(crate) fn trials() -> Vec<Trial> {
    let missing = ["python3", "jq", "script", "bash"]
        .into_iter()
        .find(|program| output(Command::new("which").arg(program)).stdout.is_empty())
        .map(|program| format!("{program} is not installed"));
    crate::trials![every_example_of_the_help_runs, every_example_of_the_readme_runs]
        .into_iter()
        .map(|trial| crate::unless(missing.as_deref(), trial))
        .collect()
}

fn every_example_of_the_help_runs() {
    let world = World::new();
    let pages: Vec<Vec<String>> = verbs()
        .iter()
        .map(|verb| vec!["help".to_owned(), verb.clone()])
        .chain([vec!["help".to_owned()], vec!["completions".to_owned(), "--help".to_owned()]])
        .chain([vec!["man".to_owned(), "--help".to_owned()]])
        .collect();
    for page in pages {
        let help = stdout(&mut mallow(&page));
        let examples = help.lines().skip_while(|line| *line != "Examples:").skip(1);
        let examples: Vec<_> = examples.take_while(|line| !line.is_empty()).collect();
        assert!(!examples.is_empty(), "{page:?} has no example:\n{help}");
        for example in examples {
            // What it is good for stands behind two spaces, or more.
            world.play(example.trim_start().split("  ").next().unwrap_or_default());
        }
    }
}

/// The verbs that the help lists.
fn verbs() -> Vec<String> {
    let help = stdout(&mut mallow(["help"]));
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    let verbs: Vec<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    assert!(verbs.len() >= 12, "{verbs:?}");
    verbs
}

fn every_example_of_the_readme_runs() {
    let world = World::new();
    let mut count = 0;
    for block in README.split("\n```").skip(1).step_by(2) {
        let (language, text) = block.split_once('\n').unwrap_or_default();
        let lines: Vec<&str> = match language {
            "sh" => text.lines().filter(|line| !line.is_empty()).collect(),
            "text" => text.lines().filter_map(|line| line.strip_prefix("$ ")).collect(),
            // Tested with the crate it is about.
            "rust" => continue,
            _ => panic!("a block of {language:?} in the README"),
        };
        for line in lines {
            match line.strip_prefix("cargo ") {
                Some(words) => the_workspace_has_what_it_takes(&world, words),
                // Tested with the archive, by the package that builds it.
                None if line.starts_with("cc ") => continue,
                None => world.play(line),
            }
            count += 1;
        }
    }
    assert!(count >= 20, "{count}");
}

/// Checks a line of the README that builds the project, without building it again.
fn the_workspace_has_what_it_takes(world: &World, words: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |file: &str| done(fs::read_to_string(root.join(file)));
    if let Some(rest) = words.strip_prefix("run --release -- ") {
        assert_contains(&read("Cargo.toml"), "\ndefault-members = [\"crates/cli\"]\n");
        world.play(&format!("mallow {rest}"));
    } else if let Some(path) = words.strip_prefix("install --path ") {
        assert_contains(&read(&format!("{path}/Cargo.toml")), "[[bin]]\nname = \"mallow\"\n");
    } else if words == "xtask test" {
        assert_contains(&read(".cargo/config.toml"), "\nxtask = ");
    } else {
        panic!("no test for this line of the README: cargo {words}");
    }
}

/// What the examples speak of: a process on mallow, one that is not, files, and programs to run.
struct World {
    folder: TempDir,
    server: Program,
    server_name: String,
    _database: Program,
    database_name: String,
}

impl World {
    fn new() -> Self {
        let folder = done(tempfile::tempdir());
        let path = |name: &str| folder.path().join(name);
        for name in
            ["bin", "here", "etc/bash_completion.d", "share/man1", ".zfunc", ".config/fish/completions"]
        {
            done(fs::create_dir_all(path(name)));
        }
        done(fs::write(path("here/script.py"), "print(sum(range(10)))\n"));
        done(fs::copy(LOG, path("log")));
        for (name, script) in STAND_INS {
            elf::write_executable(&path("bin").join(name), format!("#!/bin/sh\n{script}\n").as_bytes());
        }
        let (server_name, database_name) = (unique("server"), unique("base"));
        let server = Program::python(&format!(
            "open('/proc/self/comm', 'w').write('{}')\nready()\n\
             for _ in range(6000):\n  kept = [bytearray(1000) for _ in range(100)]; time.sleep(.02)",
            server_name
        ));
        // Where the server is not looked at but started, it need not serve.
        elf::copy_executable(Path::new("/bin/echo"), &path("bin").join(&server_name));
        elf::copy_executable(Path::new("/bin/cat"), &path("bin").join(&database_name));
        let database = Program::start(&mut Command::new(path("bin").join(&database_name)));
        Self { folder, server, server_name, _database: database, database_name }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The words of an example with what is there in place of what they only name.
    fn on_stage(&self, example: &str) -> String {
        let replaced = [
            ("0x7f2ccd801230", self.address()),
            ("0x55d0c0de0000", self.address()),
            ("4121", self.server.pid()),
            ("redis-server", self.server_name.clone()),
            ("postgres", self.database_name.clone()),
            ("5m", "300ms".to_owned()),
            ("--watch 60", "--watch 1".to_owned()),
            ("--diff 10", "--diff 0.3".to_owned()),
            // Each experiment has a test of its own.
            ("lab all", "lab lazy".to_owned()),
            ("/var/log/kern.log", self.path("log").display().to_string()),
            ("/etc/", format!("{}/", self.path("etc").display())),
            ("/usr/local/share/man/man1/", format!("{}/", self.path("share/man1").display())),
            ("$PWD/target/release/libmallow.so", heap::library()),
        ];
        replaced.iter().fold(example.to_owned(), |words, (from, to)| words.replace(from, to))
    }

    /// An address of the server that is mapped.
    fn address(&self) -> String {
        let maps = done(fs::read_to_string(format!("/proc/{}/maps", self.server.pid())));
        format!("0x{}", maps.split('-').next().unwrap_or_default())
    }

    /// Runs `words` as a shell does, in the folder of the test.
    fn shell(&self, words: &str) -> Output {
        let bin = Path::new(MALLOW).parent().unwrap_or(Path::new("/")).display();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("/usr/bin/env");
        shell.args(["--default-signal", "bash", "-c", &format!("set -o pipefail; {words}")]);
        shell.env("PATH", format!("{}:{bin}:{path}", self.path("bin").display()));
        shell.env("HOME", self.folder.path()).env("TERM", "xterm").current_dir(self.path("here"));
        output(shell.stdin(Stdio::null()))
    }

    /// Runs an example; it must do what it is there for.
    fn play(&self, example: &str) {
        let words = self.on_stage(example);
        let is_screen =
            words.starts_with("mallow top") && !["--once", "--json"].iter().any(|w| words.contains(w));
        let output = if is_screen { self.shell(&on_a_screen(&words)) } else { self.shell(&words) };
        let told = || format!("{example}\nrun as: {words}\n{output:?}");
        let must_be_well = ["mallow run", "mallow lab"].iter().any(|verb| words.starts_with(verb));
        let status = output.status.code();
        let no_log =
            status == Some(2) && words.starts_with("mallow oom") && fs::File::open("/dev/kmsg").is_err();
        assert!(status == Some(0) || (status == Some(1) && !must_be_well) || no_log, "{}", told());
        // The summary of `run` is for people, beside what the program prints.
        assert!(output.stderr.is_empty() || words.starts_with("mallow run") || no_log, "{}", told());
        let is_for_a_file = [" > ", " -o ", "--svg map.svg"].iter().any(|sign| words.contains(sign));
        assert!(!output.stdout.is_empty() || is_for_a_file || no_log, "{}", told());
        if let Some((producer, filter)) = words.split_once(" | jq ") {
            self.what_is_filtered_is_there(producer, filter);
        }
    }

    /// Checks the names of fields in a filter: jq takes one that is nowhere for one that is `null` everywhere.
    fn what_is_filtered_is_there(&self, producer: &str, filter: &str) {
        let filter = filter.trim_matches('\'');
        let (list, rest) = filter.split_once(" | select(").unwrap_or((filter, ""));
        let (chosen, shown) = rest.split_once(')').unwrap_or_default();
        let field = chosen.split_whitespace().next().map(|field| format!("{list} | {field}"));
        let shown = shown.strip_prefix(" | ").map(|field| format!("{list} | {field}"));
        let paths = if rest.is_empty() { filter.split(',').map(str::to_owned).collect() } else { Vec::new() };
        for path in paths.into_iter().chain(field).chain(shown) {
            let found = self.shell(&format!("{producer} | jq '{path}'"));
            let text = String::from_utf8_lossy(&found.stdout);
            assert!(text.lines().any(|line| line != "null"), "{producer} | jq '{path}': {found:?}");
        }
    }
}

/// A name that no other process of this machine has.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{name}-{}{}", COUNT.fetch_add(1, Ordering::Relaxed), std::process::id())
}

/// Words that run a program on a terminal, and press q until it has ended.
fn on_a_screen(words: &str) -> String {
    format!(
        "(trap '' PIPE; for _ in $(seq 40); do sleep .3; echo -n q || break; done 2> /dev/null; true) | \
         script -qec 'stty rows 24 cols 80; {words}' /dev/null"
    )
}
