//! A program with its library inside, beside one that loads it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::look::{Column, Look};
use super::super::scratch::Scratch;
use super::super::subject::{Done, Subject, Surroundings};
use super::super::{Experiment, Lab, Obstacle, reason, size};

pub(super) const STATIC_LINK: Experiment = Experiment {
    name: "static",
    title: "a static program is larger on disk and smaller in memory, and cannot be preloaded",
    explanation: &[
        "A dynamic program maps the loader and each library, and the loader writes addresses into their data: pages that no \
         other process shares. A static program maps its own file and nothing else. On disk every static program has its own \
         copy of the library; in memory the text of libc.so is there once for all processes that use it.",
        "LD_PRELOAD is read by the loader, which a static program does not have. To run one on mallow, link it with libmallow.a.",
    ],
    run,
};

/// Says that it is there, and waits.
const SOURCE: &str = "\
#include <stdlib.h>
#include <unistd.h>
int main(void) {
    char byte, *p = malloc(1000);
    p[0] = '\\n';
    if (write(1, \"= 0 0\\n\", 6) != 6) return 1;
    return read(0, &byte, 1) < 0;
}
";

fn run(lab: &mut Lab) -> Result<(), Obstacle> {
    lab.columns(&[
        Column::Mappings,
        Column::Mapped,
        Column::Resident,
        Column::Proportional,
        Column::Anonymous,
    ]);
    // Only to ask which C library it is.
    drop(lab.start()?);
    let scratch = Scratch::make()?;
    let source = scratch.path("program.c");
    fs::write(&source, SOURCE)
        .map_err(|error| Obstacle::new(format!("cannot write {}: {}", source.display(), reason(&error))))?;
    let dynamic = compile(&source, scratch.path("dynamic"), &[])?;
    let fixed = compile(&source, scratch.path("static"), &["-static"])?;
    lab.part("linked dynamically: cc program.c");
    let (look, file) = look_at(lab, &dynamic, "dynamic program: ")?;
    lab.part("linked statically: cc -static program.c");
    let (static_look, static_file) = look_at(lab, &fixed, "static program: ")?;

    let count = |look: &Look| look.get(Column::Mappings);
    lab.expect(
        count(&static_look) < count(&look),
        format!("the dynamic program has {} mappings, the static one {}", count(&look), count(&static_look)),
    );
    lab.expect(static_file > 4 * file, format!("the files have {} and {}", size(file), size(static_file)));
    let resident = |look: &Look| size(look.get(Column::Resident));
    lab.expect(
        static_look.get(Column::Resident) < look.get(Column::Resident),
        format!("in memory they have {} and {}", resident(&look), resident(&static_look)),
    );
    lab.expect(
        look.has_file("libc.so") && !static_look.has_file("libc.so"),
        "the dynamic program maps libc.so, the static one does not",
    );
    if lab.is_on_mallow() {
        lab.expect(
            look.has_file("libmallow") && !static_look.has_file("libmallow"),
            "the library is preloaded into the dynamic program, and the static one takes no notice",
        );
    }
    Ok(())
}

fn compile(source: &Path, program: PathBuf, options: &[&str]) -> Result<PathBuf, Obstacle> {
    let mut command = Command::new("cc");
    command.args(["-O1", "-fno-builtin-malloc"]).args(options).arg(source).arg("-o").arg(&program);
    let output = command.output().map_err(|error| {
        Obstacle::new(format!("it takes a C compiler, and cc cannot be started: {}", reason(&error)))
    })?;
    if !output.status.success() {
        let mut lines = output.stderr.trim_ascii().split(|byte| *byte == b'\n');
        let complaint = mallow_analyze::escape::name(lines.next().unwrap_or_default());
        let command = ["cc"].iter().chain(options).copied().collect::<Vec<_>>().join(" ");
        return Err(Obstacle::new(format!("{command} fails here: {}", complaint.trim_end_matches('.'))));
    }
    Ok(program)
}

/// Looks at a program while it waits; how large its file is.
fn look_at(lab: &mut Lab, program: &Path, who: &str) -> Result<(Look, u64), Obstacle> {
    let file = fs::metadata(program)
        .map_err(|error| Obstacle::new(format!("{}: {error}", program.display())))?
        .len();
    let surroundings = lab.surroundings(Surroundings::default());
    let mut process = Subject::start(program, &surroundings)?;
    process.wait_for_sign()?;
    let started = Done { shown: "waits in read()".to_owned(), faults: None };
    Ok((lab.look_after(vec![started], process.pid(), who)?, file))
}
