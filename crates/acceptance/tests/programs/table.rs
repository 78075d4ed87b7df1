//! Which programs there are, and what each proves beyond running.

use crate::program::Program;

/// One test each. The longest come first, so that the others run beside them.
pub(crate) const PROGRAMS: &[Program] = &[
    Program::new("python: processes", "python.sh", PYTHON).with(PROCESSES).at_most(180),
    Program::new("python: processes, PYTHONMALLOC", "python.sh", PYTHON)
        .with(PROCESSES)
        .under(ON_MALLOC)
        .at_most(180),
    Program::new("python: threads", "python.sh", PYTHON).with(THREADS).at_most(120),
    Program::new("python: threads, PYTHONMALLOC", "python.sh", PYTHON)
        .with(THREADS)
        .under(ON_MALLOC)
        .at_most(120),
    Program::new("python: data", "python.sh", PYTHON).with(DATA).at_most(120),
    Program::new("python: data, PYTHONMALLOC", "python.sh", PYTHON).with(DATA).under(ON_MALLOC).at_most(120),
    Program::new("python, long", "python.sh", PYTHON).with(LONG).at_most(1200).soaking(),
    Program::new("python, long, PYTHONMALLOC", "python.sh", PYTHON)
        .with(LONG)
        .under(ON_MALLOC)
        .at_most(1200)
        .soaking(),
    Program::new("bash", "bash.sh", &["bash"]),
    Program::new("cargo", "cargo.sh", &["cargo", "cc", "whole"]).at_most(120),
    Program::new("coreutils", "coreutils.sh", &["sort", "find", "tar", "xz", "gzip", "sed", "ls"]),
    Program::new("gcc", "gcc.sh", &["gcc", "cc1", "cc1plus", "as", "ld", "lto1"]).at_most(180),
    Program::new("ghostscript", "ghostscript.sh", &["gs"]),
    Program::new("git", "git.sh", &["git"]),
    Program::new("lua", "lua.sh", &["lua5.4"]),
    Program::new("nginx", "nginx.sh", &["nginx", "curl"]).at_most(120),
    Program::new("node", "node.sh", &["node"]),
    Program::new("openjdk", "openjdk.sh", &["javac", "java"]).at_most(120),
    Program::new("perl", "perl.sh", &["perl"]),
    Program::new("postgres", "postgres.sh", &["initdb", "postgres", "pgbench", "psql"]).at_most(120),
    Program::new("postgres, long", "postgres.sh", &["postgres"]).with(&["2000"]).at_most(600).soaking(),
    Program::new("redis", "redis.sh", &["redis-server", "redis-benchmark"]).at_most(120),
    Program::new("redis, long", "redis.sh", &["redis-server"]).with(&["1000000"]).at_most(600).soaking(),
    Program::new("ruby", "ruby.sh", &["ruby"]),
    Program::new("sqlite3", "sqlite.sh", &["sqlite3"]),
];

const PYTHON: &[&str] = &["python3"];

/// Python's own small-block allocator takes arenas from the system; with this, each object comes from `malloc`.
const ON_MALLOC: &[(&str, &str)] = &[("PYTHONMALLOC", "malloc")];

const DATA: &[&str] = &[
    "test_json",
    "test_re",
    "test_pickle",
    "test_zlib",
    "test_ctypes",
    "test_dict",
    "test_list",
    "test_unicode",
    "test_bytes",
    "test_gc",
];

const THREADS: &[&str] = &["test_threading", "test_thread", "test_queue"];

const PROCESSES: &[&str] = &["-j4", "test_subprocess", "test_multiprocessing_fork"];

const LONG: &[&str] = &[
    "-j4",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_spawn",
    "test_multiprocessing_main_handling",
    "test_concurrent_futures",
    "test_asyncio",
    "test_capi",
    "test_decimal",
    "test_embed",
    "test_fork1",
    "test_memoryview",
    "test_set",
    "test_sqlite3",
    "test_tracemalloc",
    "test_weakref",
    "test_zipfile",
];
