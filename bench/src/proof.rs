//! The proof that an allocator is in effect: a loader that cannot preload a library goes on without it, and then
//! a column would show another allocator.
//!
//! A small program (`bench/runner/proof.c`) is started as every workload is. Its functions must come from the library, and the
//! library must be in its memory. Called by `main` before anything is measured.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::allocator::{Allocator, GLIBC};
use crate::workshop::{self, Workshop};

/// Where one function comes from.
#[derive(Debug, PartialEq)]
struct Origin<'a> {
    function: &'a str,
    file: &'a str,
}

/// Fails with a sentence unless a program gets its memory from `allocator`.
pub(crate) fn is_in_effect(workshop: &Workshop, allocator: &Allocator) -> Result<()> {
    let proof = workshop.compile(&workshop::bench().join("runner/proof.c"), &["-ldl"])?;
    let mut command = Command::new(proof);
    command.env("LD_PRELOAD", &allocator.library).envs(&allocator.environment);
    command.args(allocator.symbol.iter().filter(|symbol| is_symbol(symbol)));
    let output = workshop::finish(&mut command)
        .with_context(|| format!("a program with {} preloaded does not run", allocator.name))?;
    let said = String::from_utf8_lossy(&output.stdout);
    judge(&said, allocator).with_context(|| format!("{} is not in effect", allocator.name))
}

fn judge(said: &str, allocator: &Allocator) -> Result<()> {
    let (origins, maps) = said.split_once("\nmaps\n").context("the proof says nothing of its memory")?;
    let library = allocator.library.canonicalize().unwrap_or_else(|_| allocator.library.clone());
    for origin in origins.lines().filter_map(parse) {
        let file = Path::new(origin.file);
        let is_ours = file.canonicalize().is_ok_and(|file| file == library);
        ensure!(
            is_ours,
            "`{}` comes from {}, not from {}",
            origin.function,
            if origin.file == "-" { "nowhere" } else { origin.file },
            library.display()
        );
    }
    ensure!(maps.contains(&*library.to_string_lossy()), "{} is not in its memory", library.display());
    // glibc has no library of its own, and so no mark.
    if let Some(mark) = allocator.symbol.as_deref().filter(|mark| !is_symbol(mark) && allocator.name != GLIBC)
    {
        ensure!(maps.contains(mark), "nothing in its memory is called {mark}");
    }
    Ok(())
}

fn parse(line: &str) -> Option<Origin<'_>> {
    line.split_once(' ').map(|(function, file)| Origin { function, file })
}

/// Tells a symbol from a part of a file name.
fn is_symbol(mark: &str) -> bool {
    mark.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use std::fs;

    fn allocator(folder: &Path) -> Allocator {
        let library = folder.join("libfast.so");
        fs::write(&library, "").unwrap();
        Allocator {
            name: "fast".into(),
            library: library.canonicalize().unwrap(),
            version: String::new(),
            environment: BTreeMap::new(),
            symbol: Some("libfast.so".into()),
        }
    }

    #[test]
    fn functions_and_mappings_must_be_the_library_s() {
        let folder = tempfile::tempdir().unwrap();
        let fast = allocator(folder.path());
        let library = fast.library.display();
        let verdict = |said: String| judge(&said, &fast).map_err(|error| error.to_string());
        assert_eq!(verdict(format!("malloc {library}\nfree {library}\nmaps\n0-1 {library}\n")), Ok(()));
        let other = verdict(format!("malloc {library}\nfree /lib/libc.so.6\nmaps\n{library}\n")).unwrap_err();
        assert!(other.contains("`free` comes from /lib/libc.so.6"), "{other}");
        let nowhere = verdict(format!("malloc -\nmaps\n{library}\n")).unwrap_err();
        assert!(nowhere.contains("`malloc` comes from nowhere"), "{nowhere}");
        let unmapped = verdict(format!("malloc {library}\nmaps\n0-1 [heap]\n")).unwrap_err();
        assert!(unmapped.contains("is not in its memory"), "{unmapped}");
    }

    #[test]
    fn a_mark_is_a_symbol_or_part_of_a_file_name() {
        assert!(is_symbol("mi_version"));
        assert!(!is_symbol("libsnmalloc.so"));
    }
}
