//! The environment that the program is started with: ours, plus the library and where it reports.
//!
//! Called by `cmd::run`. A variable that the user has set is extended, never replaced: other preloaded
//! libraries stay behind ours, and options for the allocator stay in front of ours.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Names and values, in no particular order, each name once.
#[derive(Debug)]
pub(crate) struct Environment(Vec<(OsString, OsString)>);

impl Environment {
    /// Returns the environment of this process.
    pub(crate) fn inherited() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// Puts `library` in front of the libraries that the loader preloads.
    pub(crate) fn with_preload(self, library: &Path) -> Self {
        self.extended("LD_PRELOAD", |others| joined(library.as_os_str(), ":", others))
    }

    /// Appends an option for the allocator; where a key occurs twice the library believes the later one.
    pub(crate) fn with_option(self, key: &str, value: &str) -> Self {
        self.extended("MALLOW", |others| joined(others, ",", format!("{key}={value}").as_ref()))
    }

    /// Returns every variable.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    fn extended(mut self, name: &str, extend: impl FnOnce(&OsStr) -> OsString) -> Self {
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, value)) => *value = extend(value),
            None => self.0.push((name.into(), extend(OsStr::new("")))),
        }
        self
    }
}

/// Joins two lists, either of which may be empty.
fn joined(first: &OsStr, separator: &str, second: &OsStr) -> OsString {
    let separator = if first.is_empty() || second.is_empty() { "" } else { separator };
    [first, separator.as_ref(), second].into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(before: &[(&str, &str)], name: &str) -> Option<String> {
        Environment(before.iter().map(|&(name, value)| (name.into(), value.into())).collect())
            .with_preload(Path::new("/lib/ours.so"))
            .with_option("segment", "/proc/1/fd/3")
            .variables()
            .find(|&(other, _)| other == name)
            .map(|(_, value)| value.to_string_lossy().into_owned())
    }

    #[test]
    fn sets_what_was_not_set() {
        assert_eq!(after(&[], "LD_PRELOAD").unwrap(), "/lib/ours.so");
        assert_eq!(after(&[], "MALLOW").unwrap(), "segment=/proc/1/fd/3");
    }

    #[test]
    fn an_empty_variable_gets_no_separator() {
        assert_eq!(after(&[("LD_PRELOAD", "")], "LD_PRELOAD").unwrap(), "/lib/ours.so");
    }

    #[test]
    fn comes_before_other_libraries_and_after_other_options() {
        assert_eq!(after(&[("LD_PRELOAD", "a.so b.so")], "LD_PRELOAD").unwrap(), "/lib/ours.so:a.so b.so");
        assert_eq!(after(&[("MALLOW", "purge=0")], "MALLOW").unwrap(), "purge=0,segment=/proc/1/fd/3");
    }

    #[test]
    fn leaves_other_variables_alone() {
        assert_eq!(after(&[("LANG", "C")], "LANG").unwrap(), "C");
    }
}
