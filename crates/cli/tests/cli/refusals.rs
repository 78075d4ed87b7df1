//! Refusals: a program that the library cannot reach is not started, and the reason is said.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::command::{assert_contains, done, mallow, output, stderr, stdout};
use crate::elf::{self, RISC_V, THIS_PROCESSOR, write_executable};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials![
        a_program_that_is_not_there_is_127,
        a_file_that_is_not_executable_is_126,
        a_program_for_another_processor_names_both,
        a_program_for_musl_names_its_loader,
        a_program_whose_loader_is_missing_is_127,
        a_script_without_its_interpreter_is_127,
        scripts_that_run_each_other_end_somewhere,
        text_without_an_interpreter_is_run_by_the_shell,
        a_binary_of_no_known_kind_is_126,
    ];
    let no_static = static_program(done(tempfile::tempdir()).path()).is_none();
    trials.extend(
        crate::trials![a_static_program_is_told_what_to_link, a_script_is_judged_by_what_runs_it]
            .into_iter()
            .map(|trial| crate::unless(no_static.then_some("`cc -static` does not work"), trial)),
    );
    trials.extend(
        crate::trials![refuses_exactly_the_privileged_programs_that_the_loader_protects]
            .into_iter()
            .map(|trial| crate::unless(no_privilege(), trial)),
    );
    trials
}

/// Runs `program` under the command, which must end with `status`, and returns its complaint.
fn complaint(program: &Path, status: i32) -> String {
    stderr(mallow(["run", "--"]).arg(program), status)
}

fn in_folder(name: &str) -> (TempDir, PathBuf) {
    let folder = done(tempfile::tempdir());
    let file = folder.path().join(name);
    (folder, file)
}

fn a_program_that_is_not_there_is_127() {
    assert_contains(
        &complaint(Path::new("no-such-program"), 127),
        "mallow: no program 'no-such-program' was found.",
    );
    assert_contains(&complaint(Path::new("/no/such/program"), 127), "'/no/such/program'");
}

fn a_file_that_is_not_executable_is_126() {
    let (folder, file) = in_folder("notes");
    done(fs::write(&file, "text"));
    assert_contains(&complaint(&file, 126), "is not an executable file.\nMake it one: chmod +x");
    assert_contains(&complaint(folder.path(), 126), "is not an executable file");
    let output = output(mallow(["run", "notes"]).env("PATH", folder.path()));
    assert_eq!(output.status.code(), Some(126), "{output:?}");
}

fn a_program_for_another_processor_names_both() {
    let (_folder, file) = in_folder("foreign");
    elf::write_program(&file, RISC_V, "/lib/ld.so");
    let sentence = format!(
        "mallow: {} is built for 64-bit RISC-V, and the allocator is built for 64-bit {}.\n",
        file.display(),
        std::env::consts::ARCH
    );
    assert_contains(&complaint(&file, 125), &sentence);
}

fn a_program_for_musl_names_its_loader() {
    let (_folder, file) = in_folder("small");
    elf::write_program(&file, THIS_PROCESSOR, "/lib/ld-musl-x86_64.so.1");
    assert_contains(
        &complaint(&file, 125),
        "musl (/lib/ld-musl-x86_64.so.1), and the allocator is built for glibc.",
    );
}

fn a_program_whose_loader_is_missing_is_127() {
    let (_folder, file) = in_folder("lost");
    elf::write_program(&file, THIS_PROCESSOR, "/no/loader");
    assert_contains(&complaint(&file, 127), "needs /no/loader to run, which does not exist.");
}

fn a_script_without_its_interpreter_is_127() {
    let (_folder, file) = in_folder("script");
    write_executable(&file, b"#!/no/interpreter -x\n");
    assert_contains(&complaint(&file, 127), "needs /no/interpreter to run, which does not exist.");
}

fn scripts_that_run_each_other_end_somewhere() {
    let (_folder, file) = in_folder("circle");
    write_executable(&file, format!("#!{}\n", file.display()).as_bytes());
    assert_contains(&complaint(&file, 126), "more than 4 scripts");
}

fn text_without_an_interpreter_is_run_by_the_shell() {
    let (_folder, file) = in_folder("plain");
    write_executable(&file, b"printf '%s,' \"$0\" \"$@\"\n");
    let printed = stdout(mallow(["run", "--quiet", "--"]).arg(&file).args(["one", "two words"]));
    assert_eq!(printed, format!("{},one,two words,", file.display()));
}

fn a_binary_of_no_known_kind_is_126() {
    let (_folder, file) = in_folder("noise");
    write_executable(&file, b"\0\x01\x02\x03");
    assert_contains(&complaint(&file, 126), "cannot execute");
}

/// Builds a program without a loader; `None` if that does not work here.
fn static_program(folder: &Path) -> Option<PathBuf> {
    let source = folder.join("hello.c");
    done(fs::write(&source, "int main(void) { return 0; }\n"));
    let program = folder.join("hello");
    let status = Command::new("cc").arg("-static").arg("-o").arg(&program).arg(&source).status().ok()?;
    status.success().then_some(program)
}

fn a_static_program_is_told_what_to_link() {
    let folder = done(tempfile::tempdir());
    let program = static_program(folder.path()).expect("the compiler worked a moment ago");
    let said = complaint(&program, 125);
    assert_contains(&said, &format!("mallow: {} is statically linked: ", program.display()));
    assert_contains(&said, "\nLink libmallow.a into it");
}

fn a_script_is_judged_by_what_runs_it() {
    let folder = done(tempfile::tempdir());
    let program = static_program(folder.path()).expect("the compiler worked a moment ago");
    let script = folder.path().join("script");
    let expected =
        format!("{} is run by {}, which is statically linked", script.display(), program.display());
    for line in
        [format!("#! {} -x", program.display()), format!("#!/usr/bin/env -S A=b {} c", program.display())]
    {
        write_executable(&script, line.as_bytes());
        assert_contains(&complaint(&script, 125), &expected);
    }
}

/// Returns why the set-id bits of a file in the temporary directory would not count.
fn no_privilege() -> Option<&'static str> {
    if !geteuid().is_root() {
        return Some("needs root to give files to others");
    }
    let flags = done(statvfs(std::env::temp_dir())).f_flag;
    flags.contains(StatVfsMountFlags::NOSUID).then_some("the temporary directory is mounted nosuid")
}

/// The oracle is the loader itself: is the library among the mappings of a copy of `cat` with these bits?
fn refuses_exactly_the_privileged_programs_that_the_loader_protects() {
    const NOBODY: u32 = 65534;
    let cases = [
        (0o4755, Some(NOBODY), None, "is set-uid and runs as user 65534"),
        (0o2755, None, Some(NOBODY), "is set-gid and runs as group 65534"),
        (0o2745, None, Some(NOBODY), "cannot happen: the group may not execute the file"),
        (0o6755, None, None, "cannot happen: runs as its caller"),
        (0o755, Some(NOBODY), Some(NOBODY), "cannot happen: no set-id bit"),
    ];
    let library = stdout(&mut mallow(["run", "--quiet", "sh", "-c", "printf %s $LD_PRELOAD"]));
    for (mode, user, group, reason) in cases {
        let (_folder, file) = in_folder("cat");
        elf::copy_executable(Path::new("/bin/cat"), &file);
        done(chown(&file, user, group));
        done(fs::set_permissions(&file, Permissions::from_mode(mode)));
        let is_ignored = !stdout(Command::new(&file).arg("/proc/self/maps").env("LD_PRELOAD", &library))
            .contains(&library);
        let run = output(mallow(["run", "--"]).arg(&file).arg("/dev/null"));
        assert_eq!(run.status.code(), Some(if is_ignored { 125 } else { 0 }), "{mode:o}: {run:?}");
        assert_eq!(String::from_utf8_lossy(&run.stderr).contains(reason), is_ignored, "{mode:o}: {run:?}");
    }
}
