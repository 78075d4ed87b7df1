//! `mallow explain-address`: what it says of addresses of which the program knows what they are.

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::command::{assert_contains, done, mallow, output, stderr};
use crate::heap::Program;

/// Takes blocks from `malloc` by itself, so that it knows their addresses.
const BLOCKS: &str = "\
    import ctypes\n\
    libc = ctypes.CDLL(None)\n\
    libc.malloc.restype = ctypes.c_void_p\n\
    def take(size, touched):\n\
    \x20 block = libc.malloc(ctypes.c_size_t(size))\n\
    \x20 if touched: ctypes.memset(block, 1, size)\n\
    \x20 return block\n\
    small = take(5000, True)\n\
    freed = [take(5000, True) for _ in range(4)]\n\
    for block in freed: libc.free(ctypes.c_void_p(block))\n\
    medium = take(100000, True)\n\
    large = take(4 << 20, True)\n\
    untouched = take(8 << 20, False)\n\
    ready()\n\
    print(small, freed[1], medium, large, untouched, flush=True)\n\
    wait()";

pub(crate) fn trials() -> Vec<Trial> {
    let python = (!Path::new("/usr/bin/python3").exists()).then_some("/usr/bin/python3 is missing");
    let of_python = crate::trials![blocks_of_every_kind_are_found].into_iter();
    let mut trials: Vec<Trial> = of_python.map(|trial| crate::unless(python, trial)).collect();
    trials.extend(crate::trials![
        an_address_that_is_not_mapped_is_found_missing,
        a_process_on_another_allocator_has_no_block,
        what_is_no_address_is_refused,
    ]);
    trials
}

/// What is said of an address, as JSON.
fn explain(pid: &str, address: u64) -> Value {
    let output = output(&mut mallow(["explain-address", "--json", pid, &format!("{address:#x}")]));
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    done(serde_json::from_slice(&output.stdout))
}

fn blocks_of_every_kind_are_found() {
    let mut program = Program::python(BLOCKS);
    let line = program.line();
    let addresses: Vec<u64> = line.split(' ').map(|word| done(word.parse())).collect();
    let [small, freed, medium, large, untouched] = addresses[..] else { panic!("five addresses: {line}") };
    let pid = program.pid();

    let report = explain(&pid, small + 100);
    let heap = &report["heap"];
    assert_eq!((&heap["kind"], &heap["is_live"]), (&"block".into(), &true.into()), "{report}");
    assert_eq!((heap["start"].as_u64(), heap["block_bytes"].as_u64()), (Some(small), Some(5120)), "{report}");
    assert_eq!(report["page"]["is_in"], "memory", "{report}");
    assert_eq!(report["tables"][3], (small + 100) >> 12 & 511, "{report}");
    // The number of a frame is for root.
    if report["frame"].is_null() {
        assert_contains(report["missing"]["frame"].as_str().unwrap_or_default(), "CAP_SYS_ADMIN");
    } else {
        let flags = report["frame"]["flags"].as_array().expect("names");
        assert!(flags.contains(&"anon".into()), "{report}");
        assert!(report["zone"]["free_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{report}");
    }

    let heap = explain(&pid, freed)["heap"].clone();
    assert_eq!((&heap["kind"], &heap["is_live"]), (&"block".into(), &false.into()), "{heap}");
    let heap = explain(&pid, medium + 99_999)["heap"].clone();
    assert_eq!((heap["kind"].as_str(), heap["start"].as_u64()), (Some("medium"), Some(medium)), "{heap}");
    let heap = explain(&pid, large + 12_345)["heap"].clone();
    assert_eq!((heap["kind"].as_str(), heap["start"].as_u64()), (Some("large"), Some(large)), "{heap}");
    let report = explain(&pid, untouched + (5 << 20));
    assert_eq!(report["page"]["is_in"], "nowhere", "{report}");
    assert_eq!(report["missing"]["frame"], "the page is not in memory", "{report}");

    let text = crate::command::stdout(&mut mallow(["explain-address", &pid, &small.to_string()]));
    assert_contains(&text, "byte 0 of a live block of 5120 bytes at ");
    assert_contains(&text, "in memory, anonymous");
}

fn an_address_that_is_not_mapped_is_found_missing() {
    let program = Program::start(&mut Command::new("cat"));
    let output = output(&mut mallow(["explain-address", &program.pid(), "16"]));
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_contains(&String::from_utf8_lossy(&output.stdout), "nothing is mapped there");
}

fn a_process_on_another_allocator_has_no_block() {
    let program = Program::start(&mut Command::new("cat"));
    let maps = done(std::fs::read_to_string(format!("/proc/{}/maps", program.pid())));
    let stack = maps.lines().find(|line| line.ends_with("[stack]")).expect("it has a stack");
    let end = done(u64::from_str_radix(stack.split(['-', ' ']).nth(1).unwrap_or_default(), 16));
    let report = explain(&program.pid(), end - 8);
    assert_eq!(report["missing"]["heap"], "the process is not on mallow", "{report}");
    assert_contains(report["mapping"]["owner"].as_str().unwrap_or_default(), "stack");
}

fn what_is_no_address_is_refused() {
    for word in ["0xzz", "0x", "-5", "0x10000000000000000", "0x+5"] {
        let sentence = stderr(&mut mallow(["explain-address", "1", "--", word]), 2);
        assert_contains(&sentence, "hexadecimal");
    }
}
