//! Allocators: which there are, their libraries, and what each needs.
//!
//! Our own is built for release, the peers by `bench/peers/build.sh`, and glibc's is there already. `NAME=FILE` on the
//! command line adds any other library, such as an older build of our own. Called by `main`.

use alloc::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::progress;
use crate::workshop::{self, Workshop};

/// Ours.
pub(crate) const OURS: &str = "mallow";

/// The one that the others are compared with.
pub(crate) const REFERENCE: &str = "mimalloc3";

/// The one that every program has.
pub(crate) const GLIBC: &str = "glibc";

/// All of them, in the order of the columns.
pub(crate) const ALL: [&str; 9] =
    [OURS, REFERENCE, "mimalloc2", "snmalloc", "rpmalloc", "jemalloc", "tcmalloc", "gperftools", GLIBC];

/// An allocator that can be preloaded.
#[derive(Clone, Debug)]
pub(crate) struct Allocator {
    /// As in the tables.
    pub(crate) name: String,
    /// What to preload. Of glibc's the C library itself, which changes nothing but for programs that are linked with
    /// another allocator.
    pub(crate) library: PathBuf,
    /// Which version, and where from.
    pub(crate) version: String,
    /// Variables that it needs.
    pub(crate) environment: BTreeMap<String, String>,
    /// A symbol, or part of a mapping's name, by which it is recognised.
    pub(crate) symbol: Option<String>,
}

/// A row of `peers.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Needs {
    #[serde(default)]
    env: BTreeMap<String, String>,
    symbol: Option<String>,
}

/// Builds the allocators that were asked for, or all.
pub(crate) fn gather(workshop: &Workshop, wanted: &[String]) -> Result<Vec<Allocator>> {
    let all: Vec<String> = ALL.iter().map(|name| (*name).to_owned()).collect();
    let wanted = if wanted.is_empty() { &all } else { wanted };
    let mut needs = read_needs(&workshop::bench().join("peers/peers.toml"))?;
    let mut found: Vec<Allocator> = Vec::new();
    for word in wanted {
        let (name, file) =
            word.split_once('=').map_or((word.as_str(), None), |(name, file)| (name, Some(file)));
        check_name(name, file)?;
        ensure!(found.iter().all(|other| other.name != name), "there are two allocators called {name}");
        progress::note(&format!("building {name}"));
        let (library, version) = obtain(workshop, name, file)
            .with_context(|| format!("cannot build {name} (--allocators chooses others)"))?;
        let Needs { env, symbol } = needs.remove(name).unwrap_or_default();
        found.push(Allocator { name: name.to_owned(), library, version, environment: env, symbol });
    }
    Ok(found)
}

fn check_name(name: &str, file: Option<&str>) -> Result<()> {
    match file {
        None if ALL.contains(&name) => Ok(()),
        None => {
            bail!("there is no allocator {name}; there are {}, and NAME=FILE for any other", ALL.join(", "))
        }
        Some(_) if ALL.contains(&name) => bail!("{name} is built here; another library needs another name"),
        Some(_) => {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
            ensure!(!name.is_empty() && name.bytes().all(is_plain), "`{name}` is no name for an allocator");
            Ok(())
        }
    }
}

/// Returns the library and its version.
fn obtain(workshop: &Workshop, name: &str, file: Option<&str>) -> Result<(PathBuf, String)> {
    match (name, file) {
        (_, Some(file)) => {
            let library =
                Path::new(file).canonicalize().with_context(|| format!("there is no library {file}"))?;
            let content = fs::read(&library).with_context(|| format!("cannot read {file}"))?;
            let hash = workshop::hexadecimal(&Sha256::digest(content)[..5]);
            Ok((library, format!("given on the command line, SHA-256 {hash}")))
        }
        (OURS, None) => Ok((workshop.mallow()?, format!("{} ({})", env!("CARGO_PKG_VERSION"), commit()))),
        (GLIBC, None) => {
            let version = workshop::finish(Command::new("getconf").arg("GNU_LIBC_VERSION"))?;
            let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
            let version = version.strip_prefix("glibc ").map(str::to_owned).unwrap_or(version);
            let library = fs::canonicalize("/lib/x86_64-linux-gnu/libc.so.6")
                .or_else(|_| fs::canonicalize("/lib64/libc.so.6"))
                .context("cannot find libc.so.6")?;
            Ok((library, version))
        }
        _ => workshop.peer(name),
    }
}

/// The commit that our own library was built from, and whether there is more in it than that.
fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=10"]).current_dir(workshop::root());
    match workshop::finish(&mut git) {
        Ok(output) => format!("commit {}", String::from_utf8_lossy(&output.stdout).trim()),
        Err(_) => "commit unknown".to_owned(),
    }
}

fn read_needs(file: &Path) -> Result<BTreeMap<String, Needs>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let needs: BTreeMap<String, Needs> =
        toml::from_str(&text).with_context(|| format!("{} is not as it must be", file.display()))?;
    match needs.keys().find(|name| !ALL.contains(&name.as_str())) {
        Some(name) => bail!("{} speaks of {name}, which is not an allocator", file.display()),
        None => Ok(needs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_for_what_is_built_here_or_for_a_file() {
        assert!(check_name("snmalloc", None).is_ok());
        assert!(check_name("before", Some("old.so")).is_ok());
        assert!(check_name("before", None).unwrap_err().to_string().contains("there is no allocator before"));
        assert!(check_name("mallow", Some("old.so")).unwrap_err().to_string().contains("another name"));
        assert!(check_name("a b", Some("old.so")).unwrap_err().to_string().contains("no name"));
    }

    #[test]
    fn needs_are_read_and_mistakes_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peers.toml");
        fs::write(&file, "[tcmalloc]\nenv = { A = \"b=0\" }\nsymbol = \"tc\"\n").unwrap();
        let needs = read_needs(&file).unwrap();
        assert_eq!(needs["tcmalloc"].env["A"], "b=0");
        assert_eq!(needs["tcmalloc"].symbol.as_deref(), Some("tc"));
        fs::write(&file, "[tcmaloc]\n").unwrap();
        assert!(read_needs(&file).unwrap_err().to_string().contains("tcmaloc"));
        fs::write(&file, "[tcmalloc]\nenvironment = 1\n").unwrap();
        assert!(format!("{:#}", read_needs(&file).unwrap_err()).contains("environment"));
    }
}
