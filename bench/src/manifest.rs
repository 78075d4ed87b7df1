//! Manifests: one TOML file per workload, which says how it is run and what it must print.
//!
//! Read by `main`, used by `session`. Every mistake in a manifest is one sentence that names the file; nothing is
//! guessed. The keys are explained in `bench/README.md`.

use alloc::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What may stand in braces in an argument or a variable.
const PLACEHOLDERS: [&str; 3] = ["bin", "bench", "work"];

/// Length of a SHA-256 digest in hexadecimal digits.
const DIGEST_DIGITS: usize = 64;

/// A workload.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// The name of the file without its ending.
    pub(crate) name: String,
    /// What it stands for, in one line.
    pub(crate) role: String,
    /// With which others it is summed up.
    pub(crate) group: Group,
    /// How it gets its allocator.
    pub(crate) kind: Kind,
    /// A C or C++ file to compile, below `bench`.
    pub(crate) source: Option<PathBuf>,
    /// Libraries to link it with.
    pub(crate) libraries: Vec<String>,
    /// The program and its arguments, with placeholders.
    pub(crate) arguments: Vec<String>,
    /// Variables that it needs, with placeholders.
    pub(crate) environment: BTreeMap<String, String>,
    /// Programs that must be there.
    pub(crate) needs: Vec<String>,
    /// A program to run once in its scratch folder, below `bench`.
    pub(crate) prepare: Option<PathBuf>,
    /// What it must print.
    pub(crate) expected: Expected,
    /// Whether it is part of the means and ratios.
    pub(crate) is_counted: bool,
    /// How many threads it has.
    pub(crate) threads: Option<u32>,
    /// The family with which its throughput is compared across numbers of threads.
    pub(crate) scaling: Option<String>,
}

/// What workloads are summed up with.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Group {
    /// One thread, small and middling blocks.
    Single,
    /// Several threads.
    Threads,
    /// Large blocks.
    Large,
    /// What stays resident.
    Memory,
    /// Other people's programs.
    Program,
}

impl Group {
    /// All of them, in the order of the tables.
    pub(crate) const ALL: [Self; 5] = [Self::Single, Self::Threads, Self::Large, Self::Memory, Self::Program];

    /// Returns the name as it stands in manifests.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Threads => "threads",
            Self::Large => "large",
            Self::Memory => "memory",
            Self::Program => "program",
        }
    }
}

/// How a workload gets its allocator.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// The suite preloads it into the program.
    Direct,
    /// The program is told and preloads it into others; it measures them itself.
    Script,
    /// A Rust program that is built once per allocator.
    Rust,
}

/// What standard output must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// This text; white space at the ends does not matter.
    Text(String),
    /// Something with this SHA-256 digest.
    Digest(String),
}

/// A manifest as it stands in its file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    role: String,
    group: Group,
    kind: Kind,
    source: Option<PathBuf>,
    #[serde(default)]
    libraries: Vec<String>,
    arguments: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    needs: Vec<String>,
    prepare: Option<PathBuf>,
    check: Option<String>,
    check_hash: Option<String>,
    #[serde(default = "yes")]
    counted: bool,
    threads: Option<u32>,
    scaling: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Reads every manifest of a folder, by name; numbers in names by value.
pub(crate) fn read_folder(folder: &Path) -> Result<Vec<Manifest>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "toml"));
    files.sort_by_cached_key(|file| natural(&file.file_stem().unwrap_or_default().to_string_lossy()));
    ensure!(!files.is_empty(), "there is no manifest in {}", folder.display());
    files.iter().map(|file| read(file)).collect()
}

/// A key that puts 2 before 10: words by letters, numbers by value.
fn natural(name: &str) -> Vec<(String, u64)> {
    let part = |word: &str| match word.parse() {
        Ok(number) => (String::new(), number),
        Err(_) => (word.to_owned(), 0),
    };
    name.split('-').map(part).collect()
}

fn read(file: &Path) -> Result<Manifest> {
    let shown = || format!("the manifest {}", file.display());
    let text = fs::read_to_string(file).with_context(shown)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    Manifest::parse(&name, &text).with_context(shown)
}

impl Manifest {
    fn parse(name: &str, text: &str) -> Result<Self> {
        let raw: Raw = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", one_line(&error, text)))?;
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-+".contains(&byte);
        ensure!(name.bytes().all(is_plain), "a workload is named in lower case, with digits, `-` and `+`");
        ensure!(!raw.role.trim().is_empty() && !raw.role.contains('\n'), "`role` is one line");
        ensure!(!raw.arguments.is_empty(), "`arguments` begins with the program, so it cannot be empty");
        ensure!(raw.threads != Some(0), "`threads` is at least 1");
        ensure!(raw.scaling.is_none() || raw.threads.is_some(), "`scaling` needs `threads`");
        ensure!(raw.kind != Kind::Rust || raw.source.is_none(), "kind \"rust\" has its source already");
        if let Some(source) = &raw.source {
            let ending = source.extension().unwrap_or_default();
            ensure!(ending == "c" || ending == "cpp", "`source` ends in .c or .cpp");
        }
        let texts = raw.arguments.iter().chain(raw.environment.values());
        let used = texts.flat_map(|text| placeholders(text)).collect::<Vec<_>>();
        let has_product = raw.source.is_some() || raw.kind == Kind::Rust;
        for one in used {
            ensure!(
                PLACEHOLDERS.contains(&one),
                "there is no placeholder {{{one}}}; allowed are {{bin}}, {{bench}} and {{work}}"
            );
            ensure!(one != "bin" || has_product, "{{bin}} needs a `source`");
        }
        let expected = match (raw.check, raw.check_hash) {
            (Some(text), None) => Expected::Text(text),
            (None, Some(digest)) => {
                let is_digest = digest.len() == DIGEST_DIGITS
                    && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
                ensure!(is_digest, "`check-hash` is {DIGEST_DIGITS} hexadecimal digits in lower case");
                Expected::Digest(digest)
            }
            _ => bail!("exactly one of `check` and `check-hash` is wanted"),
        };
        Ok(Self {
            name: name.to_owned(),
            role: raw.role,
            group: raw.group,
            kind: raw.kind,
            source: raw.source,
            libraries: raw.libraries,
            arguments: raw.arguments,
            environment: raw.environment,
            needs: raw.needs,
            prepare: raw.prepare,
            expected,
            is_counted: raw.counted,
            threads: raw.threads,
            scaling: raw.scaling,
        })
    }
}

/// The parser's complaint without its drawing, but with the line.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', "; ");
    match error.span() {
        Some(span) => {
            let line = text[..span.start].matches('\n').count() + 1;
            format!("line {line}: {message}")
        }
        None => message,
    }
}

/// The words in braces; braces that hold anything else belong to the program.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let inside = text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(inside, _)| inside));
    inside.filter(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        role = "small blocks"
        group = "single"
        kind = "direct"
        source = "workloads/small.c"
        arguments = ["{bin}", "10"]
        check = "10"
    "#;

    fn complaint(text: &str) -> String {
        format!("{:#}", Manifest::parse("name", text).unwrap_err())
    }

    /// The good one with a line in place of the one of that key, or one more.
    fn with(line: &str) -> String {
        let key = line.split('=').next().unwrap_or_default().trim();
        let kept = GOOD.lines().filter(|other| !other.trim().starts_with(&format!("{key} =")));
        kept.chain([line]).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_good_one_is_read() {
        let manifest = Manifest::parse("small", GOOD).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.group), ("small", Group::Single));
        assert_eq!(manifest.expected, Expected::Text("10".into()));
        assert!(manifest.is_counted && manifest.threads.is_none() && manifest.needs.is_empty());
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (line, sentence) in [
            ("colour = \"red\"", "unknown field `colour`"),
            ("group = \"sinlge\"", "unknown variant `sinlge`"),
            ("kind = 1", "line 8"),
            ("role = \" \"", "`role` is one line"),
            ("arguments = []", "`arguments` begins with the program"),
            ("arguments = [\"{bni}\"]", "no placeholder {bni}"),
            ("source = \"workloads/small.rs\"", "ends in .c or .cpp"),
            ("threads = 0", "`threads` is at least 1"),
            ("scaling = \"server\"", "`scaling` needs `threads`"),
            ("kind = \"rust\"", "has its source already"),
            ("check-hash = \"00\"", "exactly one of"),
        ] {
            let complaint = complaint(&with(line));
            assert!(complaint.contains(sentence), "{line}: {complaint}");
            assert!(!complaint.contains('\n'), "{complaint}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let without =
            |key: &str| GOOD.lines().filter(|line| !line.contains(key)).collect::<Vec<_>>().join("\n");
        assert!(complaint(&without("role =")).contains("missing field `role`"));
        assert!(complaint(&without("source =")).contains("{bin} needs a `source`"));
        assert!(complaint(&without("check =")).contains("exactly one of"));
    }

    #[test]
    fn a_digest_is_64_digits() {
        let hash = |digest: &str| GOOD.replace("check = \"10\"", &format!("check-hash = \"{digest}\""));
        let digest = "0123456789abcdef".repeat(4);
        assert_eq!(Manifest::parse("a", &hash(&digest)).unwrap().expected, Expected::Digest(digest.clone()));
        assert!(complaint(&hash("")).contains("64 hexadecimal digits"));
        assert!(complaint(&hash(&digest.to_uppercase())).contains("lower case"));
    }

    #[test]
    fn names_are_plain() {
        for name in ["Small", "small_blocks", "small blocks"] {
            assert!(Manifest::parse(name, GOOD).is_err(), "{name}");
        }
    }

    #[test]
    fn braces_of_other_languages_are_left_alone() {
        let text = with("arguments = [\"{bin}\", \"a{1,2} {} ${HOME} {x: 1}\"]");
        assert!(Manifest::parse("a", &text).is_ok());
    }

    #[test]
    fn names_are_sorted_as_people_would() {
        let mut names = ["server-64", "server", "idle-100-main", "server-8", "idle-90-main", "clang++"];
        names.sort_by_cached_key(|name| natural(name));
        assert_eq!(names, ["clang++", "idle-90-main", "idle-100-main", "server", "server-8", "server-64"]);
    }

    #[test]
    fn a_folder_is_read_by_name_and_a_bad_file_named() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_folder(folder.path()).unwrap_err().to_string().contains("no manifest"));
        fs::write(folder.path().join("b.toml"), GOOD).unwrap();
        fs::write(folder.path().join("a.toml"), GOOD).unwrap();
        fs::write(folder.path().join("notes.md"), "").unwrap();
        let names: Vec<String> =
            read_folder(folder.path()).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b"]);
        fs::write(folder.path().join("b.toml"), "role").unwrap();
        assert!(format!("{:#}", read_folder(folder.path()).unwrap_err()).contains("b.toml"));
    }
}
