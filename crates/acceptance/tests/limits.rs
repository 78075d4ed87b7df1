//! The edges of every function, and what happens when memory runs out. The scenarios lie in `c/limits`.

use std::process::ExitCode;

use libtest_mimic::{Completion, Failed, Trial};
use mallow_acceptance::suite;
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::{self, Run};

/// Values of `MALLOW`, and the words of each line that a program says about them.
const OPTIONS: &[(&str, &[&[&str]])] = &[
    ("", &[]),
    ("perturb=0", &[]),
    ("perturb=7,trim_threshold=1000000", &[]),
    ("nonsense=1", &[&["nonsense", "perturb", "trim_threshold"]]),
    ("perturb=300", &[&["perturb", "300", "255"]]),
    ("trim_threshold=lots", &[&["trim_threshold", "lots"]]),
    ("perturb", &[&["perturb"]]),
    ("=", &[&["perturb"]]),
    ("one=1,perturb=5,two=2", &[&["one"], &["two"]]),
];

fn main() -> ExitCode {
    let options = OPTIONS.iter().map(|&(options, lines)| {
        Trial::ignorable_test(format!("MALLOW={options}"), move || says(options, lines, &Run::new("true")))
    });
    let linked = [("static", Link::Static), ("static-pie", Link::StaticPie)].map(|(name, link)| {
        Trial::ignorable_test(format!("MALLOW=nonsense=1 ({name})"), move || {
            let program = compile(&suite::folder("limits").join("zero.c"), link, &[])?;
            says("nonsense=1", &[&["nonsense"]], &Run::new(program).without_library())
        })
    });
    suite::run("limits", options.chain(linked))
}

/// Runs a program whose `MALLOW` is `options`: it works as ever, and says exactly `lines` about it.
fn says(options: &str, lines: &[&[&str]], run: &Run) -> Result<Completion, Failed> {
    if !preload::is_mallow() {
        return Ok(Completion::ignored_with("only mallow reads MALLOW, and it is not under test"));
    }
    let outcome = run.clone().env("MALLOW", options).finish()?.success()?;
    outcome.require("name each mistake and what is allowed in one line", |outcome| {
        let said = outcome.stderr();
        let is_expected = |(line, words): (&str, &&[&str])| words.iter().all(|word| line.contains(word));
        said.lines().count() == lines.len() && said.lines().zip(lines).all(is_expected)
    })?;
    Ok(Completion::Completed)
}
