//! The workspace: its root, its crates with what each uses, and its files.
//!
//! Asks `cargo metadata` once. Everything is given relative to the root, so that messages are the same everywhere.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 2] = ["target", ".git"];

/// The repository.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Where it lies.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Its crates, by name.
    pub(crate) crates: Vec<Crate>,
}

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The package name without the prefix, as in the table of layers.
    pub(crate) name: String,
    /// Relative to the root.
    pub(crate) folder: String,
    /// The other crates of the workspace that it depends on.
    pub(crate) uses: Vec<Use>,
}

/// A dependency on a crate of the workspace.
#[derive(Debug)]
pub(crate) struct Use {
    /// The other crate's name, as in [`Crate::name`].
    pub(crate) name: String,
    /// Whether it is needed for tests and examples only.
    pub(crate) is_dev: bool,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn load() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec()?;
        let root = metadata.workspace_root.into_std_path_buf();
        let mut crates =
            metadata.packages.iter().map(|package| Crate::new(package, &root)).collect::<Result<Vec<_>>>()?;
        crates.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { root, target: metadata.target_directory.into_std_path_buf(), crates })
    }

    /// The text of a file.
    pub(crate) fn read(&self, file: &str) -> Result<String> {
        fs::read_to_string(self.root.join(file)).with_context(|| format!("cannot read {file}"))
    }

    /// Replaces the text of a file.
    pub(crate) fn write(&self, file: &str, text: &str) -> Result<()> {
        fs::write(self.root.join(file), text).with_context(|| format!("cannot write {file}"))
    }

    /// The files whose names end in one of `extensions`, sorted, relative to the root.
    pub(crate) fn files(&self, extensions: &[&str]) -> Result<Vec<String>> {
        let mut found = Vec::new();
        self.walk(Path::new(""), extensions, &mut found)?;
        found.sort();
        Ok(found)
    }

    fn walk(&self, folder: &Path, extensions: &[&str], found: &mut Vec<String>) -> Result<()> {
        let here = self.root.join(folder);
        let entries = fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", here.display()))?;
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                if !FOREIGN.iter().any(|foreign| name == *foreign) {
                    self.walk(&path, extensions, found)?;
                }
            } else if path.extension().is_some_and(|end| extensions.iter().any(|wanted| end == *wanted)) {
                found.push(path.to_string_lossy().into_owned());
            }
        }
        Ok(())
    }
}

impl Crate {
    fn new(package: &Package, root: &Path) -> Result<Self> {
        let manifest = package.manifest_path.as_std_path();
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
        let folder = folder.with_context(|| format!("{} lies outside the workspace", manifest.display()))?;
        Ok(Self {
            name: short_name(&package.name).to_owned(),
            folder: folder.to_string_lossy().into_owned(),
            uses: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.path.is_some())
                .map(|dependency| Use {
                    name: short_name(&dependency.name).to_owned(),
                    is_dev: dependency.kind == DependencyKind::Development,
                })
                .collect(),
        })
    }

    /// The manifest, relative to the root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Whether `file` is part of what the crate ships: below `src`, and not a file of tests.
    pub(crate) fn ships(&self, file: &str) -> bool {
        let inside = file.strip_prefix(&self.folder).and_then(|rest| rest.strip_prefix("/src/"));
        inside.is_some_and(|rest| rest.ends_with(".rs") && rest != "tests.rs" && !rest.ends_with("/tests.rs"))
    }
}

/// The name of a package without the project's prefix.
pub(crate) fn short_name(package: &str) -> &str {
    package.strip_prefix("mallow-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_ships_its_sources_but_not_its_tests() {
        let heap = Crate { name: "heap".into(), folder: "crates/heap".into(), uses: Vec::new() };
        assert!(heap.ships("crates/heap/src/slab.rs"));
        assert!(!heap.ships("crates/heap/src/slab/tests.rs"));
        assert!(!heap.ships("crates/heap/tests/model.rs"));
        assert!(!heap.ships("crates/heaps/src/slab.rs"));
    }

    #[test]
    fn only_the_prefix_is_dropped() {
        assert_eq!(short_name("mallow-heap"), "heap");
        assert_eq!(short_name("mallow"), "mallow");
        assert_eq!(short_name("xtask"), "xtask");
    }
}
