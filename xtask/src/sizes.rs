//! Code lines per file: no comments, no blank lines, no tests.
//!
//! A file is about one noun, and a noun that takes more than 400 lines is looked at again; above 600 it is split.

use alloc::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::report::{Finding, Report};
use crate::source;
use crate::token::Token;
use crate::workspace::Workspace;

const LOOK_AT: usize = 400;
const MOST: usize = 600;

/// Counts every file that is shipped.
pub(crate) fn check(workspace: &Workspace) -> Result<Report> {
    let mut counts = BTreeMap::new();
    for one in &workspace.crates {
        for source in source::of_crate(workspace, one)? {
            counts.insert(source.file, code_lines(&source.tokens));
        }
    }
    Ok(judge(&counts))
}

fn code_lines(tokens: &[Token]) -> usize {
    tokens.iter().flat_map(|token| token.line..=token.end_line).collect::<BTreeSet<usize>>().len()
}

fn judge(counts: &BTreeMap<String, usize>) -> Report {
    let mut report = Report::default();
    for (file, count) in counts {
        report.notes.push(format!("{count:>5} {file}"));
        if *count > MOST {
            let message = format!("{count} code lines; {MOST} are allowed: split it by noun");
            report.findings.push(Finding::of(file, message));
        } else if *count > LOOK_AT {
            report.warnings.push(format!("{file}: {count} code lines; is it still about one thing?"));
        }
    }
    report.notes.push(format!("{:>5} in {} files", counts.values().sum::<usize>(), counts.len()));
    report
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token;

    #[test]
    fn only_code_counts() {
        let text =
            "//! A file.\n\nfn a() {\n    // nothing\n    b(\"x\ny\");\n}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(code_lines(&token::read(text).unwrap()), 4);
    }

    #[test]
    fn a_long_file_is_looked_at_and_a_longer_one_refused() {
        let counts = BTreeMap::from([("a".into(), 400), ("b".into(), 401), ("c".into(), 601)]);
        let report = judge(&counts);
        assert_eq!((report.warnings.len(), report.findings.len()), (1, 1));
        assert!(report.findings[0].to_string().starts_with("c: 601 code lines"));
        assert!(report.notes.iter().any(|note| note.contains("1402 in 3 files")));
    }
}
