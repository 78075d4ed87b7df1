//! The C and C++ programs in the folder `examples`: built and run on the preloaded library and with the archive in them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use mallow_testkit::compile::{Link, compile};
use mallow_testkit::preload::{self, Run};

/// Each program and what it prints.
const PROGRAMS: [(&str, &str); 2] = [
    ("hello.c", "72000 words in 4 threads\n"),
    ("hello.cpp", "40000 numbers in 97 lists, and no room for everything\n"),
];

fn main() -> ExitCode {
    let links = [(Link::Dynamic, "preloaded"), (Link::Static, "static"), (Link::StaticPie, "static-pie")];
    let trials = PROGRAMS.iter().flat_map(|&(program, prints)| {
        links.map(|(link, name)| {
            Trial::ignorable_test(format!("{program} ({name})"), move || runs(program, link, prints))
        })
    });
    let readme = Trial::ignorable_test("README.md", the_line_of_the_readme_links);
    libtest_mimic::run(&Arguments::from_args(), trials.chain([readme]).collect()).exit_code()
}

fn runs(program: &str, link: Link, prints: &str) -> Result<Completion, Failed> {
    if link != Link::Dynamic && preload::library().is_some() && preload::archive().is_none() {
        return Ok(Completion::ignored_with("the library under test comes without an archive"));
    }
    let executable = compile(&preload::workspace().join("examples").join(program), link, &[])?;
    let run = Run::new(executable);
    let run = if link == Link::Dynamic { run } else { run.without_library() };
    run.finish()?.success()?.require("print what it computed", |outcome| outcome.stdout() == prints)?;
    Ok(Completion::Completed)
}

/// The README's `cc` is run as it stands, in a folder with what it names.
fn the_line_of_the_readme_links() -> Result<Completion, Failed> {
    let Some(archive) = preload::archive() else {
        return Ok(Completion::ignored_with("the library under test comes without an archive"));
    };
    let workspace = preload::workspace();
    let readme = fs::read_to_string(workspace.join("README.md"))?;
    let line = readme.lines().find(|line| line.starts_with("cc ")).ok_or("no line with cc")?;
    let folder = tempfile::tempdir()?;
    let release = folder.path().join("target/release");
    fs::create_dir_all(&release)?;
    symlink(archive, release.join("libmallow.a"))?;
    symlink(workspace.join("examples/hello.c"), folder.path().join("program.c"))?;
    let output = Command::new("sh").args(["-c", line]).current_dir(&folder).output()?;
    if !output.status.success() {
        return Err(format!("{line}: {output:?}").into());
    }
    let run = Run::new(folder.path().join("program")).without_library();
    run.finish()?
        .success()?
        .require("print what it computed", |outcome| outcome.stdout() == PROGRAMS[0].1)?;
    Ok(Completion::Completed)
}
