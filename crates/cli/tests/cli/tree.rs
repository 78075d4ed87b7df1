//! Recorded machines: what `/proc` and `/sys` hold, as one text, laid out as files for the command to look at.
//!
//! ```text
//!  == proc/meminfo
//!  MemTotal: 1000 kB
//!  == proc/40/exe -> /usr/bin/perl
//! ```

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::command::{done, mallow};

/// A folder with `proc` and `sys` in it.
#[derive(Debug)]
pub(crate) struct Tree(TempDir);

impl Tree {
    /// Lays out the files of `text`.
    pub(crate) fn new(text: &str) -> Self {
        let tree = Self(done(tempfile::tempdir()));
        for folder in ["proc", "sys"] {
            done(fs::create_dir(tree.0.path().join(folder)));
        }
        for part in text.split("== ").skip(1) {
            let (path, content) = part.split_once('\n').unwrap_or((part, ""));
            match path.split_once(" -> ") {
                Some((link, to)) => done(symlink(to, tree.path(link))),
                None => tree.write(path, content),
            }
        }
        tree
    }

    /// Where one of its files or folders is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds a file, or replaces it.
    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.0.path().join(path);
        done(fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))));
        done(fs::write(path, content));
    }

    /// The folder that stands for `/proc`.
    pub(crate) fn proc(&self) -> PathBuf {
        self.0.path().join("proc")
    }

    /// Removes a file.
    pub(crate) fn remove(&self, path: &str) {
        done(fs::remove_file(self.0.path().join(path)));
    }

    /// The command that looks at this machine.
    pub(crate) fn mallow(&self, arguments: &[&str]) -> Command {
        let mut command = mallow(arguments);
        command.env("HOST_PROC", self.proc()).env("HOST_SYS", self.0.path().join("sys"));
        command.env_remove("COLUMNS");
        command
    }
}
