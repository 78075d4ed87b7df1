//! Search: which file a program's name means.
//!
//! A name with a slash is a path. Any other name is looked up in `PATH`, and the first executable file of that
//! name wins; files that cannot be executed are passed over, and only mentioned if nothing better comes.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::failure::{self, Failure};

/// Where programs are looked for if `PATH` is not set, as in the C library.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// Returns the executable file that `name` means.
pub(super) fn executable(name: &OsStr) -> Result<PathBuf, Failure> {
    let candidates: Vec<PathBuf> = if name.as_bytes().contains(&b'/') {
        vec![PathBuf::from(name)]
    } else {
        let path = env::var_os("PATH").unwrap_or_else(|| OsString::from(DEFAULT_PATH));
        env::split_paths(&path).map(|folder| Path::new(".").join(folder).join(name)).collect()
    };
    if let Some(found) = candidates.iter().find(|candidate| is_executable(candidate)) {
        return Ok(found.clone());
    }
    match candidates.iter().find(|candidate| candidate.exists()) {
        Some(found) => Err(Failure::new(
            failure::NOT_EXECUTABLE,
            format!("{} is not an executable file", found.display()),
            format!("Make it one: chmod +x {}", found.display()),
        )),
        None => Err(not_found(name)),
    }
}

fn is_executable(file: &Path) -> bool {
    file.is_file() && accessat(CWD, file, Access::EXEC_OK, AtFlags::EACCESS).is_ok()
}

fn not_found(name: &OsStr) -> Failure {
    let name = Path::new(name).display();
    Failure::new(
        failure::NOT_FOUND,
        format!("no program '{name}' was found"),
        "Give a path to an executable file, or the name of one in a directory of PATH.",
    )
}
