//! The library on disk: `libmallow.so` travels inside the command and is written out once per user.
//!
//! ```text
//!  <temporary directory, or the user's cache>
//!    mallow-<uid>/                     ours, writable by nobody else, readable by all
//!      libmallow-<content hash>.so     compared byte by byte before every use
//! ```
//!
//! Others may read it because the program may change its user. A stranger may have put anything under these
//! names, so nothing is believed that is not ours; if the name of the directory is taken, a fresh one is made.
//!
//! Called by `cmd::run`. Two commands that start at once write the same content under two temporary names, and
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

/// The library, as `build.rs` made it.
static CONTENT: &[u8] = include_bytes!(env!("MALLOW_LIBRARY"));

/// Its file name, which changes with the content.
const FILE_NAME: &str = concat!("libmallow-", env!("MALLOW_LIBRARY_HASH"), ".so");

/// Permission bits that would let somebody else change a file.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Makes sure that the library is on disk and returns its path.
pub(crate) fn install() -> Result<PathBuf, Failure> {
    let mut refusals = Vec::new();
    for base in bases() {
        match install_under(&base) {
            Ok(path) => return Ok(path),
            Err(error) => refusals.push(format!("{}: {error:#}", base.display())),
        }
    }
    Err(Failure::new(
        failure::OURS,
        format!("cannot put libmallow.so anywhere the loader could read it: {}", refusals.join("; ")),
        "Set TMPDIR or XDG_CACHE_HOME to a writable directory that is not mounted noexec.",
    ))
}

/// Returns the directories to try, best first.
fn bases() -> impl Iterator<Item = PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|cache| !cache.is_empty()).map(PathBuf::from);
    let home_cache = || env::home_dir().map(|home| home.join(".cache"));
    [Some(env::temp_dir()), cache.or_else(home_cache)].into_iter().flatten()
}

fn install_under(base: &Path) -> anyhow::Result<PathBuf> {
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
    let path = directory.join(FILE_NAME);
    if !is_intact(&path) {
        write(&directory, &path)?;
    }
    Ok(path)
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

/// Says whether `path` holds the library and nobody else can have a hand in it.
fn is_intact(path: &Path) -> bool {
    let read = || -> io::Result<bool> {
        let mut file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() || !is_private(&found) || found.len() != CONTENT.len() as u64 {
            return Ok(false);
        }
        let mut content = Vec::with_capacity(CONTENT.len());
        file.read_to_end(&mut content)?;
        Ok(content == CONTENT)
    };
    read().unwrap_or(false)
}

/// Writes the library beside `path` and moves it there in one step.
fn write(directory: &Path, path: &Path) -> io::Result<()> {
    let mut name = OsString::from(FILE_NAME);
    name.push(format!(".{:016x}", random()?));
    let unfinished = directory.join(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let moved = file
        .write_all(CONTENT)
        .and_then(|()| file.set_permissions(Permissions::from_mode(0o644)))
        .and_then(|()| fs::rename(&unfinished, path));
    if moved.is_err() {
        // Leave nothing behind; the error that matters is the first one.
        let _ = fs::remove_file(&unfinished);
    }
    moved
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
