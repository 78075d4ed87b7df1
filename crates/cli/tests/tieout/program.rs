//! The programs: how each is started, and what is to be said of it.

use alloc::sync::Arc;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

extern crate alloc;

/// Where the program's memory comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Allocator {
    /// The one it was linked with.
    Libc,
    /// Ours, by `mallow run`.
    Mallow,
}

impl Allocator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Libc => "libc",
            Self::Mallow => "mallow",
        }
    }
}

/// A program with a shape.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// A line for `sh`; `$SHAPES`, `$STATIC` and `$FOLDER` are set. It prints the number of the process to look at, and ends
    /// when its input ends.
    pub(crate) script: &'static str,
    /// What it cannot run without: files, or names of programs.
    pub(crate) needs: &'static [&'static str],
    pub(crate) allocators: &'static [Allocator],
    /// Options for `mallow why`.
    pub(crate) options: &'static [&'static str],
    /// Whether it does nothing while it is looked at, so that two looks see the same.
    pub(crate) waits: bool,
    verdict: &'static [&'static str],
    on_mallow: &'static [&'static str],
}

impl Program {
    /// The verdicts that are right.
    pub(crate) const fn verdict(&self, allocator: Allocator) -> &'static [&'static str] {
        match allocator {
            Allocator::Libc => self.verdict,
            Allocator::Mallow => self.on_mallow,
        }
    }

    const fn with(self, needs: &'static [&'static str], allocators: &'static [Allocator]) -> Self {
        Self { needs, allocators, ..self }
    }

    const fn busy(self, options: &'static [&'static str]) -> Self {
        Self { options, waits: false, ..self }
    }

    const fn on_mallow(self, on_mallow: &'static [&'static str]) -> Self {
        Self { on_mallow, ..self }
    }
}

const BOTH: &[Allocator] = &[Allocator::Libc, Allocator::Mallow];
const NOTHING: &[&str] = &["nothing wrong"];

const fn program(name: &'static str, script: &'static str, verdict: &'static [&'static str]) -> Program {
    Program {
        name,
        script,
        needs: &[],
        allocators: BOTH,
        options: &[],
        waits: true,
        verdict,
        on_mallow: verdict,
    }
}

/// All of them.
#[rustfmt::skip]
pub(crate) const PROGRAMS: &[Program] = &[
    program("all_live",         "exec $SHAPES live",     NOTHING),
    program("all_freed",        "exec $SHAPES freed",    &["flat but empty: high-water heap"]).on_mallow(NOTHING),
    program("comb",             "exec $SHAPES comb",     &["flat but empty: fragmentation"]),
    program("huge_pages",       "exec $SHAPES huge",     &["THP padding"])
        .with(&["/sys/kernel/mm/transparent_hugepage/enabled"], BOTH),
    program("forked_child",     "exec $SHAPES forked",   &["shared after fork"]),
    program("threads_200",      "exec $SHAPES threads",  &["many thread stacks"]),
    // What threads have freed goes back while they work, and here they sleep.
    program("arenas",           "exec $SHAPES arenas",   &["many arenas"])
        .on_mallow(&["nothing wrong", "flat but empty: high-water heap"]),
    program("big_files",        "exec $SHAPES files",    &["file cache"]),
    program("shared_memory",    "exec $SHAPES shm",      &["shared memory"]),
    program("memfd",            "exec $SHAPES memfd",    &["shared memory"]),
    program("a_tebibyte",       "exec $SHAPES sparse",   &["page tables"]),
    // Where vm.max_map_count is as the kernel has it, that is nearly all that may be.
    program("mappings_60000",   "exec $SHAPES mappings", &["too little left before the limit", "nothing wrong"]),
    program("leak",             "exec $SHAPES leak",     &["growing"]).busy(&["--watch", "1500ms"]),
    program("static_program",   "exec $STATIC live",     NOTHING).with(&["$STATIC"], &[Allocator::Libc]),
    program("python",           "exec python3 -c 'import os,sys; print(os.getpid(), flush=True); sys.stdin.read()'", NOTHING)
        .with(&["python3"], BOTH),
    program("node",             "exec node -e 'console.log(process.pid); process.stdin.resume()'", NOTHING)
        .with(&["node"], BOTH).busy(&[]),
    program("jvm",              "echo 'class W{public static void main(String[]a)throws Exception{System.out.println(\
                                 ProcessHandle.current().pid());System.in.read();}}' >$FOLDER/W.java && cd $FOLDER && \
                                 javac W.java && exec java -Xmx64m -cp . W", NOTHING)
        .with(&["java", "javac"], BOTH).busy(&[]),
    program("redis_after_fork", include_str!("redis.sh"), &["shared after fork"]).with(&["redis-server", "redis-cli"], BOTH).busy(&[]),
    program("postgres",         include_str!("postgres.sh"), &["shared memory"])
        .with(&["postgres", "initdb", "psql", "setpriv"], BOTH).busy(&[]),
];

/// Where the shapes are, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Folder(Arc<TempDir>);

impl Folder {
    /// Compiles the shapes; what does not compile is missed by [`Folder::obstacle`].
    pub(crate) fn build() -> Self {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("a temporary folder: {error}"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tieout/shapes.c");
        for (name, options) in
            [("shapes", &["-O1", "-pthread"][..]), ("static", &["-O1", "-pthread", "-static"])]
        {
            let _ = Command::new("cc")
                .args(options)
                .arg("-o")
                .arg(folder.path().join(name))
                .arg(&source)
                .output();
        }
        Self(Arc::new(folder))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Why a program cannot run here.
    pub(crate) fn obstacle(&self, program: &Program) -> Option<String> {
        if program.script.contains("$SHAPES") && !self.path("shapes").exists() {
            return Some("`cc` does not work".to_owned());
        }
        let is_there = |need: &&&str| match **need {
            "$STATIC" => self.path("static").exists(),
            need if need.starts_with('/') => {
                fs::read_to_string(need).is_ok_and(|mode| !mode.contains("[never]"))
            }
            need => is_in_path(need),
        };
        program.needs.iter().find(|need| !is_there(need)).map(|need| format!("there is no {need}"))
    }
}

fn is_in_path(name: &str) -> bool {
    let script = format!("PATH=$PATH:$(echo /usr/lib/postgresql/*/bin) command -v {name}");
    Command::new("sh").args(["-c", &script]).output().is_ok_and(|output| output.status.success())
}
