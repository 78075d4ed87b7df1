//! Obstacles: the reasons why a library cannot be preloaded into a program, and what to do about each.

use std::path::{Path, PathBuf};

use super::MAX_SCRIPTS;
use crate::failure::{self, Failure};

/// Why the loader would not bring the library into a program.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// The program has no loader.
    Static,
    /// The program is built for this processor and word size.
    OtherProcessor(String),
    /// The program's loader belongs to musl.
    Musl(PathBuf),
    /// The program runs as this user.
    OtherUser(u32),
    /// The program runs as this group.
    OtherGroup(u32),
    /// The program gains capabilities.
    Capabilities,
    /// The program needs this file to run, and it is not there.
    NoInterpreter(PathBuf),
    /// Scripts run each other without an end in sight.
    TooManyScripts,
}

/// An obstacle and the file that has it.
#[derive(Debug)]
pub(super) struct Blocked {
    /// The program itself, or what runs it if it is a script.
    pub(super) file: PathBuf,
    /// What is in the way.
    pub(super) obstacle: Obstacle,
}

impl Blocked {
    /// Explains to the user why `program` is not run.
    pub(super) fn explain(&self, program: &Path) -> Failure {
        let subject = if self.file == program {
            program.display().to_string()
        } else {
            format!("{} is run by {}, which", program.display(), self.file.display())
        };
        let sentence = format!("{subject} {}", self.obstacle.reason());
        Failure::new(self.obstacle.status(), sentence, self.obstacle.advice())
    }
}

impl Obstacle {
    /// Continues a sentence that begins with the name of the file.
    fn reason(&self) -> String {
        const IGNORED: &str = "and the loader ignores LD_PRELOAD in a program that gains rights";
        match self {
            Self::Static => {
                "is statically linked: the dynamic loader never runs, so no allocator can be put under it"
                    .to_owned()
            }
            Self::OtherProcessor(name) => format!(
                "is built for {name}, and the allocator is built for {}-bit {}",
                usize::BITS,
                std::env::consts::ARCH
            ),
            Self::Musl(loader) => {
                format!(
                    "is built for the C library musl ({}), and the allocator is built for glibc",
                    loader.display()
                )
            }
            Self::OtherUser(user) => format!("is set-uid and runs as user {user}, {IGNORED}"),
            Self::OtherGroup(group) => format!("is set-gid and runs as group {group}, {IGNORED}"),
            Self::Capabilities => format!("has file capabilities, {IGNORED}"),
            Self::NoInterpreter(path) => format!("needs {} to run, which does not exist", path.display()),
            Self::TooManyScripts => {
                format!(
                    "is a script at the end of a chain of more than {MAX_SCRIPTS} scripts that run each other"
                )
            }
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Static => "Link libmallow.a into it, or use a dynamically linked build of it.",
            Self::OtherProcessor(_) => "Use a build of it for this processor.",
            Self::Musl(_) => "Use a build of it for glibc.",
            Self::OtherUser(_) | Self::OtherGroup(_) => {
                "Run mallow as that user and group, or use a copy of the program without the set-id bits."
            }
            Self::Capabilities => {
                "Run mallow as root, or use a copy of the program without the capabilities."
            }
            Self::NoInterpreter(_) => "Install that file, or correct the path to it.",
            Self::TooManyScripts => "Name the program that runs the last script.",
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::NoInterpreter(_) => failure::NOT_FOUND,
            Self::TooManyScripts => failure::NOT_EXECUTABLE,
            _ => failure::OURS,
        }
    }
}
