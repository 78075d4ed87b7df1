//! ELF headers: processor, word size, and the loader that a program asks for.
//!
//! # Source
//!
//! `elf(5)`: `e_ident`, `e_machine` and the `PT_INTERP` program header.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use object::elf::{self, FileHeader32, FileHeader64, Machine};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind, ReadCache};

use super::obstacle::Obstacle;

/// The processor that the library is built for.
const PROCESSOR: Machine = if cfg!(target_arch = "aarch64") { elf::EM_AARCH64 } else { elf::EM_X86_64 };

/// What the headers of a program say.
#[derive(Debug, PartialEq, Eq)]
struct Headers {
    word_bits: u32,
    processor: Machine,
    loader: Option<PathBuf>,
}

/// Looks for a reason why the loader would not bring the library into `program`.
///
/// Headers that make no sense are left to the kernel.
pub(super) fn inspect(program: &Path) -> Result<(), Obstacle> {
    let Some(headers) = File::open(program).ok().and_then(Headers::read) else { return Ok(()) };
    if headers.word_bits != usize::BITS || headers.processor != PROCESSOR {
        let processor = format!("{}-bit {}", headers.word_bits, processor_name(headers.processor));
        return Err(Obstacle::OtherProcessor(processor));
    }
    match headers.loader {
        None if begins_with(program, "ld-linux") => Ok(()),
        None => Err(Obstacle::Static),
        Some(loader) if begins_with(&loader, "ld-musl") => Err(Obstacle::Musl(loader)),
        Some(loader) if !loader.exists() => Err(Obstacle::NoInterpreter(loader)),
        Some(_) => Ok(()),
    }
}

/// Says whether the name of the file that `path` leads to begins with `prefix`.
fn begins_with(path: &Path, prefix: &str) -> bool {
    let file = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    [path, &file]
        .into_iter()
        .filter_map(Path::file_name)
        .any(|name| name.as_bytes().starts_with(prefix.as_bytes()))
}

impl Headers {
    fn read(file: File) -> Option<Self> {
        let cache = ReadCache::new(file);
        match FileKind::parse(&cache).ok()? {
            FileKind::Elf32 => Self::of::<FileHeader32<Endianness>>(&cache, 32),
            FileKind::Elf64 => Self::of::<FileHeader64<Endianness>>(&cache, 64),
            _ => None,
        }
    }

    fn of<Header: FileHeader>(data: &ReadCache<File>, word_bits: u32) -> Option<Self> {
        let header = Header::parse(data).ok()?;
        let endian = header.endian().ok()?;
        let segments = header.program_headers(endian, data).ok()?;
        let loader = segments
            .iter()
            .find_map(|segment| segment.interpreter(endian, data).ok().flatten())
            .map(|path| PathBuf::from(OsStr::from_bytes(path)));
        Some(Self { word_bits, processor: header.e_machine(endian), loader })
    }
}

/// Returns the name of a processor family as people say it.
fn processor_name(processor: Machine) -> String {
    let name = match processor {
        elf::EM_386 | elf::EM_X86_64 => "x86",
        elf::EM_ARM | elf::EM_AARCH64 => "Arm",
        elf::EM_RISCV => "RISC-V",
        elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
        elf::EM_MIPS => "MIPS",
        elf::EM_S390 => "S/390",
        elf::EM_LOONGARCH => "LoongArch",
        Machine(number) => return format!("processor number {number}"),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A file that holds a 64-bit little-endian header for `processor` and nothing else.
    fn header_for(processor: Machine) -> tempfile::NamedTempFile {
        let mut header = [0; 64];
        header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        header[18..20].copy_from_slice(&processor.0.to_le_bytes());
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&header).unwrap();
        file
    }

    #[test]
    fn names_the_processor_of_a_foreign_program() {
        let foreign = if PROCESSOR == elf::EM_X86_64 { elf::EM_RISCV } else { elf::EM_X86_64 };
        let expected = format!("64-bit {}", processor_name(foreign));
        assert_eq!(inspect(header_for(foreign).path()), Err(Obstacle::OtherProcessor(expected)));
    }

    #[test]
    fn a_program_without_a_loader_is_static() {
        assert_eq!(inspect(header_for(PROCESSOR).path()), Err(Obstacle::Static));
    }

    #[test]
    fn this_very_program_has_a_loader() {
        assert_eq!(inspect(&std::env::current_exe().unwrap()), Ok(()));
    }

    #[test]
    fn broken_headers_are_left_to_the_kernel() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"\x7fELF\x02\x01").unwrap();
        assert_eq!(inspect(file.path()), Ok(()));
    }
}
