//! A folder for one experiment, gone when it ends.

use std::env;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::{Obstacle, reason};

/// Names that are tried.
const MOST_TRIES: u32 = 100;

/// A folder that nobody else can look into.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes one among temporary files.
    pub(crate) fn make() -> Result<Self, Obstacle> {
        let mut number = 0;
        loop {
            let path = env::temp_dir().join(format!("mallow-lab-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                // Somebody else's, or left behind.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < MOST_TRIES => {
                    number += 1;
                }
                Err(error) => {
                    return Err(Obstacle::new(format!("cannot make {}: {}", path.display(), reason(&error))));
                }
            }
        }
    }

    /// The path of a file in it.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed stays among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
