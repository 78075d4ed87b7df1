//! Programs made by hand: ELF headers of machines and C libraries that this machine need not have.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::command::{done, stdout};

/// `e_machine` of the processor that runs the tests.
pub(crate) const THIS_PROCESSOR: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

/// `e_machine` of RISC-V.
pub(crate) const RISC_V: u16 = 243;

/// Bytes. Size of a 64-bit file header; the only program header follows it.
const HEADER_BYTES: u16 = 64;

/// Bytes. Size of a 64-bit program header; the name of the loader follows it.
const PROGRAM_HEADER_BYTES: u16 = 56;

/// Writes an executable file that is a 64-bit program for `processor` and asks for `loader`.
///
/// It has headers and nothing that could run.
pub(crate) fn write_program(file: &Path, processor: u16, loader: &str) {
    let name_bytes = loader.len() as u64 + 1;
    let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |bytes: &mut Vec<u8>, value: u16| bytes.extend(value.to_le_bytes());
    let word = |bytes: &mut Vec<u8>, value: u32| bytes.extend(value.to_le_bytes());
    let long = |bytes: &mut Vec<u8>, value: u64| bytes.extend(value.to_le_bytes());
    half(&mut bytes, 3); // e_type: shared object, as every position-independent program
    half(&mut bytes, processor);
    word(&mut bytes, 1); // e_version
    long(&mut bytes, 0); // e_entry
    long(&mut bytes, u64::from(HEADER_BYTES)); // e_phoff
    long(&mut bytes, 0); // e_shoff
    word(&mut bytes, 0); // e_flags
    half(&mut bytes, HEADER_BYTES);
    half(&mut bytes, PROGRAM_HEADER_BYTES);
    half(&mut bytes, 1); // e_phnum
    [0; 3].into_iter().for_each(|section| half(&mut bytes, section));
    word(&mut bytes, 3); // p_type: PT_INTERP
    word(&mut bytes, 4); // p_flags: readable
    long(&mut bytes, u64::from(HEADER_BYTES + PROGRAM_HEADER_BYTES)); // p_offset
    [0; 2].into_iter().for_each(|address| long(&mut bytes, address));
    [name_bytes; 2].into_iter().for_each(|size| long(&mut bytes, size));
    long(&mut bytes, 1); // p_align
    bytes.extend(loader.bytes());
    bytes.push(0);
    write_executable(file, &bytes);
}

/// Writes an executable file.
pub(crate) fn write_executable(file: &Path, content: &[u8]) {
    let draft = file.with_extension("draft");
    done(fs::write(&draft, content));
    copy_executable(&draft, file);
    done(fs::remove_file(draft));
    done(fs::set_permissions(file, Permissions::from_mode(0o755)));
}

/// Copies a file that is to be executed. Another process does it: one that a test beside this one is just starting could have
/// what this process writes open as well, and what is open for writing cannot be executed.
pub(crate) fn copy_executable(from: &Path, to: &Path) {
    stdout(Command::new("cp").arg(from).arg(to));
}
