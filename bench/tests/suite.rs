//! The suite from outside, on manifests of a test's own: mallow and glibc only, one round.

#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Takes some memory, checks it, and tells a figure of its own.
const SOURCE: &str = r#"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words) {
    size_t size = count > 1 ? strtoul(words[1], NULL, 10) : 0;
    char *block = malloc(size);
    if (!block || !memset(block, 7, size)) {
        return 1;
    }
    FILE *figures = fopen(getenv("BENCH_FIGURES"), "a");
    fprintf(figures, "rss_after %zu KiB\n", size >> 10);
    fclose(figures);
    printf("%d\n", block[size - 1]);
    free(block);
    return 0;
}
"#;

/// A folder with one manifest, `tiny`, whose program must print `expected`.
fn manifests(expected: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("tiny.c");
    fs::write(&source, SOURCE).expect("a source");
    let manifest = format!(
        "role = \"takes memory\"\ngroup = \"single\"\nkind = \"direct\"\nsource = {source:?}\n\
         arguments = [\"{{bin}}\", \"8388608\"]\ncheck = \"{expected}\"\n"
    );
    fs::write(folder.path().join("tiny.toml"), manifest).expect("a manifest");
    folder
}

fn suite(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.arg("--manifests").arg(folder).args(["--allocators", "mallow,glibc"]);
    command.args(["--rounds", "1", "--warm-gib", "0.01"]).args(more).output().expect("the suite starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_workload_is_measured_shown_and_stored() {
    let folder = manifests("7");
    let (json, svg) = (folder.path().join("a.json"), folder.path().join("a.svg"));
    let output = suite(folder.path(), &["--json", &json.to_string_lossy(), "--svg", &svg.to_string_lossy()]);
    let shown = text(&output.stdout);
    assert!(output.status.success(), "{shown}{}", text(&output.stderr));
    for part in ["tiny on mallow", "tiny: rss_after", "geometric mean of 1", "Must hold", "not judged"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 140 || line.contains(": ")), "{shown}");
    assert!(fs::read_to_string(svg).unwrap().contains(">mallow</text>"));

    let again = Command::new(env!("CARGO_BIN_EXE_bench")).arg("--from").arg(&json).output().unwrap();
    assert_eq!(text(&again.stdout), shown, "{}", text(&again.stderr));
    let stored = fs::read_to_string(json).unwrap();
    assert_eq!(stored.matches("\"round\":1").count(), stored.matches("\"peak_rss\"").count());
    assert!(!stored.contains(env!("CARGO_MANIFEST_DIR")), "{stored}");
}

#[test]
fn a_session_that_was_interrupted_goes_on() {
    let folder = manifests("7");
    let (whole, part) = (folder.path().join("whole.json"), folder.path().join("part.json"));
    assert!(suite(folder.path(), &["--json", &whole.to_string_lossy()]).status.success());
    let mut record: serde_json::Value = serde_json::from_str(&fs::read_to_string(&whole).unwrap()).unwrap();
    let runs = record["runs"].as_array_mut().unwrap();
    runs.retain(|run| run["allocator"] == "mallow");
    runs[0]["measured"]["time"] = 1234.5.into();
    fs::write(&part, record.to_string()).unwrap();
    let output =
        suite(folder.path(), &["--resume", &part.to_string_lossy(), "--json", &whole.to_string_lossy()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let stored = fs::read_to_string(&whole).unwrap();
    assert!(stored.contains("1234.5") && stored.contains("\"resumed\""), "{stored}");
    assert!(stored.contains("\"allocator\":\"glibc\",\"round\":1"), "{stored}");
    let output = suite(folder.path(), &["--resume", &part.to_string_lossy(), "--timeout", "9"]);
    let said = text(&output.stderr);
    assert!(said.contains("the interrupted session had other settings"), "{said}");
}

#[test]
fn wrong_output_is_a_failure_by_name_and_no_time() {
    let folder = manifests("8");
    let output = suite(folder.path(), &[]);
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("failed   tiny on mallow: wrong output: expected `8`, got `7`"), "{shown}");
    assert!(!shown.contains("Geometric means"), "{shown}");
}

#[test]
fn a_library_that_is_no_allocator_is_found_out() {
    let folder = manifests("7");
    let source = folder.path().join("empty.c");
    let library = folder.path().join("libempty.so");
    fs::write(&source, "int nothing;\n").unwrap();
    let built = Command::new("cc").args(["-shared", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(built.success());
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .arg("--manifests")
        .arg(folder.path())
        .args(["--rounds", "1", "--allocators"])
        .arg(format!("empty={}", library.display()))
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("empty is not in effect: `malloc` comes from"), "{said}");
}

#[test]
fn a_mistake_in_a_manifest_is_one_sentence() {
    let folder = manifests("7");
    fs::write(folder.path().join("tiny.toml"), "role = 1\n").unwrap();
    let output = suite(folder.path(), &["--list"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("tiny.toml: line 1: ") && said.lines().count() == 1, "{said}");
}
