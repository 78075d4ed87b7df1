//! Scripts: the line `#! INTERPRETER [ARGUMENT]`, and what it leads to.
//!
//! The kernel hands everything after the interpreter over as one argument, so `env -S` exists to split it.
//!
//! # Source
//!
//! `execve(2)`, "Interpreter scripts"; `env(1)`, option `-S`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::search;

/// The first line of a script.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Script {
    interpreter: PathBuf,
    argument: Vec<u8>,
}

impl Script {
    /// Reads the first line of a file; `None` if it names no interpreter.
    pub(super) fn parse(head: &[u8]) -> Option<Self> {
        let line = head.strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let (interpreter, argument) = line.split_at(end);
        (!interpreter.is_empty()).then(|| Self {
            interpreter: PathBuf::from(OsStr::from_bytes(interpreter)),
            argument: argument.trim_ascii().to_vec(),
        })
    }

    /// Returns the program that runs the script: the interpreter or, for `env`, the program that `env` starts.
    ///
    /// If `env` would not find that program it is `env` itself, which then says so better than anybody.
    pub(super) fn runner(&self) -> PathBuf {
        let is_env = self.interpreter.file_name() == Some(OsStr::new("env"));
        let started = self.first_operand().filter(|_| is_env).and_then(|name| search::executable(name).ok());
        started.unwrap_or_else(|| Path::new(&self.interpreter).to_owned())
    }

    /// Returns the first word of the argument that is neither an option nor a variable for the environment.
    fn first_operand(&self) -> Option<&OsStr> {
        let words = self.argument.strip_prefix(b"-S").unwrap_or(&self.argument);
        words
            .split(u8::is_ascii_whitespace)
            .find(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='))
            .map(OsStr::from_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter_and_operand(head: &str) -> Option<(String, Option<String>)> {
        let script = Script::parse(head.as_bytes())?;
        let operand = script.first_operand().map(|word| word.to_string_lossy().into_owned());
        Some((script.interpreter.display().to_string(), operand))
    }

    #[test]
    fn reads_the_first_line_only() {
        assert_eq!(interpreter_and_operand("#!/bin/sh\nexit"), Some(("/bin/sh".into(), None)));
        assert_eq!(interpreter_and_operand("#! /bin/sh -e\n"), Some(("/bin/sh".into(), None)));
        assert_eq!(interpreter_and_operand("#!\n/bin/sh"), None);
        assert_eq!(interpreter_and_operand("echo '#!/bin/sh'"), None);
    }

    #[test]
    fn finds_what_env_starts() {
        let env = |operand: &str| Some(("/usr/bin/env".to_owned(), Some(operand.to_owned())));
        assert_eq!(interpreter_and_operand("#!/usr/bin/env python3\n"), env("python3"));
        assert_eq!(interpreter_and_operand("#!/usr/bin/env -S python3 -u\n"), env("python3"));
        assert_eq!(interpreter_and_operand("#!/usr/bin/env -Sperl\n"), env("perl"));
        assert_eq!(interpreter_and_operand("#!/usr/bin/env -S LANG=C perl -w\n"), env("perl"));
    }

    #[test]
    fn an_interpreter_that_is_not_env_runs_the_script_itself() {
        let script = Script::parse(b"#!/opt/python3 sh\n").unwrap();
        assert_eq!(script.runner(), Path::new("/opt/python3"));
    }
}
