//! The workshop: where everything that is measured, or measures, is built.
//!
//! ```text
//!  target/bench/bin/NAME-DIGEST   compiled C and C++, named after all that went in: command, source, headers
//!             /rust/NAME          the Rust program on one allocator
//!             /lib/libmallow.so   a copy, so that a build during a run changes nothing
//!             /peers/libNAME.so   what bench/peers/build.sh made
//!             /scratch/WORKLOAD   emptied at the start of a session
//! ```
//!
//! Every C and C++ source is compiled once with the same flags; all allocators get the same file. Called by `allocator`,
//! `proof` and `session`.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::progress;

/// Flags of every workload, for C and C++ alike.
const FLAGS: [&str; 3] = ["-O2", "-g", "-pthread"];

/// Exit status of a script for what does not exist here, after a sentence about it.
const NO_SUCH_THING: i32 = 3;

/// Bytes of a digest in a file name: enough for a few hundred files.
const DIGEST_BYTES: usize = 8;

/// Lines of a failed build that are shown.
const SHOWN_LINES: usize = 25;

/// The root of this repository.
pub(crate) fn root() -> &'static Path {
    bench().parent().unwrap_or(bench())
}

/// The folder `bench`.
pub(crate) fn bench() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folders to build into, and the runner.
#[derive(Debug)]
pub(crate) struct Workshop {
    target: PathBuf,
    folder: PathBuf,
    /// Held as long as the workshop is open: two suites would disturb each other, and share scratch folders.
    _turn: File,
    /// The program that starts and measures others.
    pub(crate) runner: PathBuf,
}

/// What came of asking for a build.
#[derive(Debug)]
pub(crate) enum Built {
    /// Here it is.
    Product(PathBuf),
    /// There is no such thing, for this reason.
    Absent(String),
}

impl Workshop {
    /// Makes the folders and the runner.
    pub(crate) fn open() -> Result<Self> {
        let target = root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
        let folder = target.join("bench");
        for part in ["bin", "rust", "lib", "peers", "scratch"] {
            let part = folder.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        let turn = take_turn(&folder.join("lock"))?;
        let mut workshop = Self { target, folder, _turn: turn, runner: PathBuf::new() };
        workshop.runner = workshop.compile(&bench().join("runner/runner.c"), &["-static"])?;
        Ok(workshop)
    }

    /// Compiles one C or C++ file, unless it was compiled before; `more` comes after the source.
    pub(crate) fn compile(&self, source: &Path, more: &[&str]) -> Result<PathBuf> {
        let compiler = if source.extension() == Some(OsStr::new("cpp")) { "c++" } else { "cc" };
        let mut command = Command::new(compiler);
        command.args(FLAGS).arg(source).args(more);
        let digest = digest(&command, source).with_context(|| format!("cannot read {}", source.display()))?;
        let stem = source.file_stem().unwrap_or_default().to_string_lossy();
        let product = self.folder.join("bin").join(format!("{stem}-{digest}"));
        if !product.exists() {
            let fresh = product.with_extension(process::id().to_string());
            finish(command.arg("-o").arg(&fresh))?;
            fs::rename(&fresh, &product).with_context(|| format!("cannot make {}", product.display()))?;
        }
        Ok(product)
    }

    /// Builds our own library for release and returns a copy of it.
    pub(crate) fn mallow(&self) -> Result<PathBuf> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let arguments = ["build", "--quiet", "--release", "--package", "mallow-malloc"];
        finish(Command::new(cargo).args(arguments).current_dir(root()))?;
        self.copy(&self.target.join("release/libmallow.so"))
    }

    fn copy(&self, library: &Path) -> Result<PathBuf> {
        let copy = self.folder.join("lib").join(library.file_name().unwrap_or_default());
        let fresh = copy.with_extension(process::id().to_string());
        let copied = fs::copy(library, &fresh).and_then(|_| fs::rename(&fresh, &copy));
        copied.with_context(|| format!("cannot copy {}", library.display()))?;
        Ok(copy)
    }

    /// Builds a peer and returns its library and its version.
    pub(crate) fn peer(&self, name: &str) -> Result<(PathBuf, String)> {
        let folder = self.folder.join("peers");
        finish(Command::new(bench().join("peers/build.sh")).arg(name).arg(&folder))?;
        let library = folder.join(format!("lib{name}.so"));
        ensure!(library.is_file(), "bench/peers/build.sh has left no {}", library.display());
        let version = fs::read_to_string(folder.join(format!("{name}.version")));
        let version = version.with_context(|| format!("the version of {name} is unknown"))?;
        // One line, whatever line endings the sources of a peer may have.
        Ok((library, version.split_whitespace().collect::<Vec<_>>().join(" ")))
    }

    /// Builds the Rust program on an allocator, if that has a crate.
    pub(crate) fn rust_program(&self, allocator: &str) -> Result<Built> {
        let product = self.folder.join("rust").join(allocator);
        let mut command = Command::new(bench().join("rust-program/build.sh"));
        let output = start(command.arg(allocator).arg(&product))?;
        if output.status.code() == Some(NO_SUCH_THING) {
            return Ok(Built::Absent(last_line(&output)));
        }
        succeed(&command, &output)?;
        Ok(Built::Product(product))
    }

    /// Returns the empty scratch folder of a workload.
    pub(crate) fn scratch(&self, workload: &str) -> Result<PathBuf> {
        let folder = self.folder.join("scratch").join(workload);
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir(&folder),
        }
        .with_context(|| format!("cannot empty {}", folder.display()))?;
        Ok(folder)
    }

    /// Returns the folder for what a run leaves: its output, its errors, its figures.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Waits until no other suite is at work in this target folder.
fn take_turn(path: &Path) -> Result<File> {
    let lock = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    if lock.try_lock().is_err() {
        progress::note("another suite is at work; waiting for it to end");
        lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(lock)
}

/// Runs a command that must succeed.
pub(crate) fn finish(command: &mut Command) -> Result<Output> {
    let output = start(command)?;
    succeed(command, &output)?;
    Ok(output)
}

/// Runs a script that prepares a workload; returns the reason if it says that this machine lacks something.
pub(crate) fn prepare(script: &mut Command) -> Result<Option<String>> {
    let output = start(script)?;
    if output.status.code() == Some(NO_SUCH_THING) {
        return Ok(Some(last_line(&output)));
    }
    succeed(script, &output)?;
    Ok(None)
}

fn start(command: &mut Command) -> Result<Output> {
    let output = command.stdin(Stdio::null()).output();
    output.with_context(|| format!("cannot start {}", command.get_program().display()))
}

fn succeed(command: &Command, output: &Output) -> Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    let tail = lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n");
    let program = command.get_program().display();
    let arguments: Vec<_> = command.get_args().map(OsStr::to_string_lossy).collect();
    bail!("`{program} {}` failed with {}:\n{tail}", arguments.join(" "), output.status)
}

fn last_line(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&said).lines().last().unwrap_or("it has no crate").to_owned()
}

/// A digest of the command line, the source, and the headers beside it.
fn digest(command: &Command, source: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    hasher.update(format!("{command:?}"));
    hasher.update(fs::read(source)?);
    let folder = source.parent().unwrap_or(Path::new("."));
    let mut headers = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    headers.retain(|file| file.extension().is_some_and(|ending| ending == "h" || ending == "hpp"));
    headers.sort();
    for header in headers {
        hasher.update(fs::read(header)?);
    }
    Ok(hexadecimal(&hasher.finalize()[..DIGEST_BYTES]))
}

/// Returns bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_build_is_told_with_its_last_words() {
        let error = finish(Command::new("sh").args(["-c", "echo no such header >&2; exit 4"])).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("`sh -c") && error.contains("exit status: 4"), "{error}");
        assert!(error.ends_with("no such header"), "{error}");
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = finish(&mut Command::new("there-is-no-such-command")).unwrap_err();
        assert!(format!("{error:#}").contains("cannot start there-is-no-such-command"));
    }

    #[test]
    fn a_product_is_named_after_all_that_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("a.c");
        fs::write(&source, "int main() {}").unwrap();
        let plain = digest(&Command::new("cc"), &source).unwrap();
        assert_eq!(plain, digest(&Command::new("cc"), &source).unwrap());
        assert_ne!(plain, digest(Command::new("cc").arg("-lm"), &source).unwrap());
        fs::write(folder.path().join("a.h"), "").unwrap();
        let with_header = digest(&Command::new("cc"), &source).unwrap();
        fs::write(folder.path().join("a.h"), "int a;").unwrap();
        assert_ne!(with_header, digest(&Command::new("cc"), &source).unwrap());
    }
}
