//! `mallow sim`: what a script does to a simulated machine, as text, as JSON and as a picture.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use libtest_mimic::Trial;

use crate::command::{assert_contains, done, mallow, output, stderr};

pub(crate) fn trials() -> Vec<Trial> {
    crate::trials![
        what_does_not_fit_goes_to_swap_and_comes_back,
        without_swap_somebody_is_killed_and_the_log_is_one_of_the_kernel,
        what_may_be_promised_depends_on_the_mode,
        a_huge_page_is_made_of_pieces,
        a_picture_has_all_layers,
        wrong_scripts_are_named_with_line_and_column,
        the_same_script_ends_the_same,
        a_log_is_played_on_the_allocator,
        a_program_of_a_log_is_killed_in_the_midst_of_a_call,
        a_block_of_a_log_is_explained_down_to_its_zone,
        wrong_logs_are_named_with_line_and_offset,
    ]
}

/// Plays a script that comes from standard input.
fn play(arguments: &[&str], script: &str) -> Output {
    let mut command: Command = mallow(["sim"].iter().chain(arguments).chain(&["-"]));
    let mut child = done(command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn());
    if let Some(mut input) = child.stdin.take() {
        done(input.write_all(script.as_bytes()));
    }
    done(child.wait_with_output())
}

fn played(arguments: &[&str], script: &str, status: i32) -> String {
    let output = play(arguments, script);
    assert_eq!(output.status.code(), Some(status), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const LARGE: &str = "a = mmap 0 30M rw- private anon\nwrite a 30M 7\nread a 30M\n";

fn what_does_not_fit_goes_to_swap_and_comes_back() {
    let text = played(&["--ram", "16M", "--swap", "64M", "--trace"], LARGE, 0);
    for part in
        ["statement", "write a 7680p 7", "swapped in", "wake background reclaim", "oom_score", "SwapFree:"]
    {
        assert_contains(&text, part);
    }
    let object = played(&["--ram", "16M", "--swap", "64M", "--zswap", "0", "--json"], LARGE, 0);
    assert_eq!(object.lines().count(), 1, "{object}");
    assert_contains(&object, "\"oom_kill\":0");
    assert!(!object.contains("\"disk_reads\":0,"), "{object}");
}

fn without_swap_somebody_is_killed_and_the_log_is_one_of_the_kernel() {
    let script =
        "a = mmap 0 15M rw- private anon\nfork\n1: exit\nfork\nwrite a 4M 7\n2: write a 15M 9\nread a 4M\n";
    let text = played(&["--ram", "16M"], script, 1);
    for part in [
        "signal 9",
        "script invoked oom-killer",
        "Out of memory: Killed process 2 (script)",
        "2 is killed: it has",
    ] {
        assert_contains(&text, part);
    }
    // What the killer wrote is read by the verb that reads the logs of kernels.
    let log: String = text
        .lines()
        .skip_while(|line| !line.contains("invoked oom-killer"))
        .take_while(|line| line.starts_with("  ["))
        .map(|line| format!("{}\n", line.trim_start()))
        .collect();
    let folder = done(tempfile::tempdir());
    let path = folder.path().join("log");
    done(fs::write(&path, &log));
    let told = output(mallow(["oom"]).arg(&path));
    assert_eq!(told.status.code(), Some(1), "{log}\n{told:?}");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert_contains(&told, "killed   script (2)");
    assert_contains(&told, "it had the most points");
}

fn a_huge_page_is_made_of_pieces() {
    use core::fmt::Write;

    let mut script = "a = mmap 0 7400p rw- private anon\nwrite a 7400p 7\n".to_owned();
    for page in (1..7400).step_by(2) {
        let _ = writeln!(script, "madvise a+{page}p 1p dontneed");
    }
    script += "b = mmap 0 2M rw- private anon\nmadvise b 2M hugepage\nwrite b 1p 9\nread a 1p\n";
    let text = played(&["--ram", "32M", "--huge-pages", "advised", "--trace"], &script, 0);
    assert_contains(&text, "compact for order 9, Light");
    let line = text.lines().find(|line| line.trim_start().starts_with("huge pages"));
    let line = line.unwrap_or_else(|| panic!("no line on huge pages in {text}"));
    assert_eq!(line.split_whitespace().nth(2), Some("1"), "{line}");
    let object = played(&["--ram", "32M", "--huge-pages", "advised", "--json"], &script, 0);
    assert_contains(&object, "\"thp_fault_alloc\":1,\"compact_stall\":1,\"compact_success\":1");
    let never = played(&["--ram", "32M", "--trace"], &script, 0);
    assert!(!never.contains("compact for order"), "{never}");
}

fn what_may_be_promised_depends_on_the_mode() {
    let script = "mmap 0 12M rw- private anon\nmmap 0 12M rw- private anon\n";
    for (arguments, is_refused) in [
        (&["--overcommit", "0"][..], false),
        (&["--overcommit", "2"], true),
        (&["--overcommit", "2", "--overcommit-ratio", "300"], false),
    ] {
        let all: Vec<&str> = ["--ram", "16M"].iter().chain(arguments).copied().collect();
        assert_eq!(played(&all, script, 0).contains("ENOMEM"), is_refused, "{arguments:?}");
    }
}

fn a_picture_has_all_layers() {
    let svg = played(&["--ram", "16M", "--swap", "64M", "--svg", "-"], LARGE, 0);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    for part in ["page tables", "compressed pages", "processes", "in swap", "memory 16 MiB"] {
        assert_contains(&svg, part);
    }
    assert!(!svg.contains("NaN"), "{svg}");
}

fn wrong_scripts_are_named_with_line_and_column() {
    let output = play(&[], "mmap @ 4p rw- private anon\nmunmap @ 4q\n");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let sentence = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_contains(&sentence, "cannot play standard input: line 2, column 10: `4q` is not a size");
    let folder = done(tempfile::tempdir());
    let path = folder.path().join("script");
    done(fs::write(&path, b"fork\n\xff\n"));
    let sentence = stderr(mallow(["sim"]).arg(&path), 2);
    assert_contains(&sentence, "line 2, offset 5: this is not text");
    let sentence = stderr(mallow(["sim"]).arg(folder.path().join("none")), 2);
    assert_contains(&sentence, "cannot read ");
    let sentence = stderr(&mut mallow(["sim", "--ram", "4K", "/dev/null"]), 2);
    assert_contains(&sentence, "cannot make a machine with 4096 bytes of memory");
}

fn the_same_script_ends_the_same() {
    let arguments = ["--ram", "16M", "--swap", "64M", "--json"];
    assert_eq!(played(&arguments, LARGE, 0), played(&arguments, LARGE, 0));
}

/// A program that asks for 48 MiB in blocks of 64 KiB, frees every second one, and makes the first longer.
fn log() -> String {
    let mut log = "= Start\n".to_owned();
    for nth in 1..=768 {
        log += &format!("@ ./a program:(main+0x1)[0x1169] + {:#x} 0x10000\n", nth * 16);
    }
    for nth in (2..=768).step_by(2) {
        log += &format!("@ ./a program:[0x1170] - {:#x}\n", nth * 16);
    }
    log + "@ [0x1180] < 0x10\n@ [0x1180] > 0x20 0x20000\n@ [0x1190] - 0x99999\n= End\n"
}

fn a_log_is_played_on_the_allocator() {
    let object = played(&["--ram", "16M", "--swap", "64M", "--json"], &log(), 0);
    let object: serde_json::Value = done(serde_json::from_str(&object));
    let timeline = object["timeline"].as_array().expect("a list");
    let at =
        |line: u64| timeline.iter().rfind(|moment| moment["line"].as_u64() <= Some(line)).expect("a moment");
    let bytes = |line, name: &str| at(line)[name].as_u64().expect("a number");
    let held = bytes(769, "anon_bytes") + bytes(769, "swapped_bytes");
    assert!(held > 48 << 20, "all of it was filled: {}", at(769));
    assert!(bytes(769, "swapped_bytes") > 30 << 20, "{}", at(769));
    let last = timeline.last().expect("a moment");
    assert_eq!(
        (last["statement"].as_str(), last["outcome"].as_str()),
        (Some("free"), Some("not in the log"))
    );
    assert!(object["processes"][0]["maps"].as_str().expect("text").contains("rw-p"));
    let short =
        "= Start\n@ [0x1] + 0x10 0x20\n@ [0x1] < 0x10\n@ [0x1] > 0x30 0x20000\n@ [0x1] - 0x30\n= End\n";
    let text = played(&[], short, 0);
    for part in ["   2  ", "malloc 32", "   4  ", "realloc 131072", "   5  ", "free"] {
        assert_contains(&text, part);
    }
}

fn a_program_of_a_log_is_killed_in_the_midst_of_a_call() {
    let text = played(&["--ram", "16M"], &log(), 1);
    for part in [
        "in the midst of this call",
        "program invoked oom-killer",
        "Out of memory: Killed process 0 (program)",
    ] {
        assert_contains(&text, part);
    }
    let svg = played(&["--ram", "16M", "--svg", "-"], &log(), 1);
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{svg}");
    // What is promised to nobody is refused instead, and the program goes on.
    let text = played(
        &["--ram", "16M", "--json"],
        "= Start\n@ [0x1] + 0x10 0x4000000000000\n@ [0x1] + 0x20 0x10\n= End\n",
        0,
    );
    assert_contains(&text, "\"outcome\":\"ENOMEM\"");
}

fn a_block_of_a_log_is_explained_down_to_its_zone() {
    let log = "= Start\n@ [0x1] + 0x10 0x100000\n@ [0x1] + 0x20 0x21\n= End\n";
    let text = played(&["--ram", "64M", "--explain", "0x20"], log, 0);
    let from = text.find("the address").expect("a heading");
    let parts = [
        "0x20 of the log: 33 bytes were asked for",
        "live block of 48 bytes",
        "of the slab at ",
        "area  ",
        "table    top",
        "table    page",
        "frame  ",
        "block    order 0",
        "zone     Dma32",
    ];
    parts.iter().fold(&text[from..], |rest, part| {
        let place =
            rest.find(part).unwrap_or_else(|| panic!("`{part}` is not behind the others in:\n{text}"));
        &rest[place..]
    });
    assert_contains(&played(&["--explain", "0x30"], log, 0), "0x30 is no live block at the end of the log");
    let script = "a = mmap @ 1M rw- private anon\nwrite a 4K\n";
    assert_contains(&played(&["--explain", "0x700000000000"], script, 0), "frame  ");
}

fn wrong_logs_are_named_with_line_and_offset() {
    let whole = log();
    let cut = &whole[..whole.len() / 2];
    let line = cut.lines().count();
    let offset = cut.rfind('\n').expect("many lines") + 1;
    for (log, expected) in [
        (cut, format!("line {line}, offset {offset}: the log is cut off in the middle of this line")),
        (
            "= Start\n@ [0x1] + 12 0x10\n",
            "line 2, offset 8: `12` is not a number such as 0x55d0c8".to_owned(),
        ),
    ] {
        let output = play(&[], log);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert_contains(
            &String::from_utf8_lossy(&output.stderr),
            &format!("cannot play standard input: {expected}"),
        );
    }
}
