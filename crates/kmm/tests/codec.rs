//! The codec beside the `lz4` command: what we compress, it decompresses.
#![expect(clippy::tests_outside_test_module, reason = "an integration test")]

use std::io::Write;
use std::process::{Command, Stdio};

use mallow_kmm::swap::codec::{Workspace, compress};
use mallow_units::page::PAGE_BYTES;

/// The header of a stream of independent blocks of at most 64 KiB without checksums, with its own checksum.
const HEADER: [u8; 7] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];

#[test]
fn the_lz4_command_reads_our_blocks() {
    let text = include_bytes!("codec.rs");
    let mut plain = Vec::new();
    let mut stream = HEADER.to_vec();
    for round in 0..200_usize {
        // Text that is cut elsewhere each time, with numbers in between.
        let page: [u8; PAGE_BYTES] = core::array::from_fn(|at| match at % (3 * round + 20) {
            0..9 => (at * round).to_le_bytes()[at % 3],
            _ => text[(at + 31 * round) % text.len()],
        });
        let mut packed = [0; PAGE_BYTES];
        let Some(len) = compress(&page, &mut packed, &mut Workspace::new()) else { continue };
        plain.extend(page);
        stream.extend(u32::try_from(len).unwrap().to_le_bytes());
        stream.extend(&packed[..len]);
    }
    stream.extend([0; 4]);
    assert!(plain.len() > 100 * PAGE_BYTES, "most pages compress");
    let lz4 = Command::new("lz4").args(["-dc"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut lz4) = lz4 else {
        println!("skipped: lz4 is not installed");
        return;
    };
    let mut input = lz4.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(&stream));
    let output = lz4.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    assert!(output.stdout == plain, "lz4 made other bytes of it");
}
