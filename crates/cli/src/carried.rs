//! Carried files: the library, and the subject of experiments, travel inside the command and are written out once per
//! user.
//!
//! ```text
//!  <temporary directory, or the user's cache>
//!    mallow-<uid>/                     ours, writable by nobody else, readable by all
//!      libmallow-<content hash>.so     compared byte by byte before every use
//!      mallow-subject-<content hash>
//! ```
//!
//! Others may read it because the program may change its user. A stranger may have put anything under these
//! names, so nothing is believed that is not ours; if the name of the directory is taken, a fresh one is made.
//!
//! Called by `cmd::run` and `lab`. Two commands that start at once write the same content under two temporary names, and
//! the later rename wins.

use std::env;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf, absolute};

use anyhow::ensure;
use rustix::fs::{OFlags, StatVfsMountFlags, statvfs};
use rustix::process::geteuid;

use crate::failure::{self, Failure};

/// The allocator, for programs that are to run on it.
pub(crate) static LIBRARY: Carried = Carried {
    what: "libmallow.so",
    content: include_bytes!(env!("MALLOW_LIBRARY")),
    file_name: concat!("libmallow-", env!("MALLOW_LIBRARY_HASH"), ".so"),
    mode: 0o644,
};

/// The program that experiments are made with.
pub(crate) static SUBJECT: Carried = Carried {
    what: "the program for experiments",
    content: include_bytes!(env!("MALLOW_SUBJECT")),
    file_name: concat!("mallow-subject-", env!("MALLOW_SUBJECT_HASH")),
    mode: 0o755,
};

/// A file that `build.rs` made.
#[derive(Debug)]
pub(crate) struct Carried {
    what: &'static str,
    content: &'static [u8],
    /// Changes with the content.
    file_name: &'static str,
    mode: u32,
}

/// Permission bits that would let somebody else change a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

impl Carried {
    /// Makes sure that the file is on disk and returns its path.
    pub(crate) fn install(&self) -> Result<PathBuf, Failure> {
        let mut refusals = Vec::new();
        for base in bases() {
            match self.install_under(&base) {
                Ok(path) => return Ok(path),
                Err(error) => refusals.push(format!("{}: {error:#}", base.display())),
            }
        }
        Err(Failure::new(
            failure::OURS,
            format!("cannot put {} anywhere the loader could read it: {}", self.what, refusals.join("; ")),
            "Set TMPDIR or XDG_CACHE_HOME to a writable directory that is not mounted noexec.",
        ))
    }

    fn install_under(&self, base: &Path) -> anyhow::Result<PathBuf> {
        let base = absolute(base)?;
        ensure!(
            !base.as_os_str().as_bytes().iter().any(|byte| b" :".contains(byte)),
            "the loader splits paths at spaces and colons"
        );
        ensure!(!statvfs(&base)?.f_flag.contains(StatVfsMountFlags::NOEXEC), "mounted noexec");
        let directory = match own_directory(&base) {
            Ok(directory) => directory,
            Err(_) => fresh_directory(&base)?,
        };
        let path = directory.join(self.file_name);
        if !self.is_intact(&path) {
            self.write(&directory, &path)?;
        }
        Ok(path)
    }

    /// Says whether `path` holds the content and nobody else can have a hand in it.
    fn is_intact(&self, path: &Path) -> bool {
        let read = || -> io::Result<bool> {
            let mut file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path)?;
            let found = file.metadata()?;
            if !found.is_file() || !is_private(&found) || found.len() != self.content.len() as u64 {
                return Ok(false);
            }
            let mut content = Vec::with_capacity(self.content.len());
            file.read_to_end(&mut content)?;
            Ok(content == self.content)
        };
        read().unwrap_or(false)
    }

    /// Writes the content beside `path` and moves it there in one step.
    fn write(&self, directory: &Path, path: &Path) -> io::Result<()> {
        let mut name = OsString::from(self.file_name);
        name.push(format!(".{:016x}", random()?));
        let unfinished = directory.join(name);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let moved = file
            .write_all(self.content)
            .and_then(|()| file.set_permissions(Permissions::from_mode(self.mode)))
            .and_then(|()| fs::rename(&unfinished, path));
        if moved.is_err() {
            // Leave nothing behind; the error that matters is the first one.
            let _ = fs::remove_file(&unfinished);
        }
        moved
    }
}

/// Returns the directories to try, best first.
fn bases() -> impl Iterator<Item = PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    let home_cache = || env::home_dir().map(|home| home.join(".cache"));
    [Some(env::temp_dir()), cache.or_else(home_cache)].into_iter().flatten()
}

/// Returns this user's directory below `base`, made now or earlier.
fn own_directory(base: &Path) -> anyhow::Result<PathBuf> {
    let above = fs::metadata(base)?;
    let is_sticky = above.mode() & 0o1000 != 0;
    ensure!(is_sticky || above.mode() & 0o002 == 0, "everybody can rename files in it");
    let directory = base.join(format!("mallow-{}", geteuid().as_raw()));
    match make_directory(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(&directory)?;
    ensure!(found.is_dir() && is_private(&found), "{} belongs to somebody else", directory.display());
    Ok(directory)
}

/// Makes a directory below `base` whose name nobody could foresee.
fn fresh_directory(base: &Path) -> io::Result<PathBuf> {
    let directory = base.join(format!("mallow-{}-{:016x}", geteuid().as_raw(), random()?));
    make_directory(&directory)?;
    Ok(directory)
}

fn make_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(path)?;
    // Whatever the user's umask says: the program may change its user.
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

fn is_private(found: &fs::Metadata) -> bool {
    found.uid() == geteuid().as_raw() && found.mode() & WRITABLE_BY_OTHERS == 0
}

fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u64::from_ne_bytes(bytes))
}

fn no_follow() -> i32 {
    OFlags::NOFOLLOW.bits().cast_signed()
}
