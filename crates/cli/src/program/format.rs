//! What kind of file a program is, by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::script::Script;

/// Bytes. As many as the kernel looks at.
const HEAD_BYTES: u64 = 256;

/// A kind of file that can be executed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A program for some processor.
    Elf,
    /// Text that begins by naming what runs it.
    Script(Script),
    /// Text without such a line; the shell runs it.
    Text,
    /// Something else, or a file that cannot be read.
    Other,
}

impl Format {
    pub(super) fn of(file: &Path) -> Self {
        head(file).map_or(Self::Other, |head| Self::of_head(&head))
    }

    fn of_head(head: &[u8]) -> Self {
        if head.starts_with(b"\x7fELF") {
            Self::Elf
        } else if let Some(script) = Script::parse(head) {
            Self::Script(script)
        } else if head.contains(&0) {
            Self::Other
        } else {
            Self::Text
        }
    }
}

fn head(file: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(file)?.take(HEAD_BYTES).read_to_end(&mut head)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_programs_scripts_and_text_apart() {
        assert_eq!(Format::of_head(b"\x7fELF\x02\x01"), Format::Elf);
        assert!(matches!(Format::of_head(b"#!/bin/sh\n"), Format::Script(_)));
        assert_eq!(Format::of_head(b"echo hello\n"), Format::Text);
        assert_eq!(Format::of_head(b""), Format::Text);
        assert_eq!(Format::of_head(b"PK\x03\x04\x00\x00"), Format::Other);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_something_else() {
        assert_eq!(Format::of(Path::new("/nonexistent")), Format::Other);
    }
}
