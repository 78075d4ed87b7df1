//! `/proc/vmallocinfo`: what the kernel has mapped page by page, and which of its functions asked. Only root may read it.
//!
//! Called by the command.

use super::{ReadError, decimal, lines, words};

/// A piece of the kernel's address space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Area {
    /// Bytes of address space, with a guard page.
    pub bytes: u64,
    /// Pages of memory in it; 0 if it shows a device.
    pub pages: u64,
    /// The function that asked; empty if that is not known.
    pub caller: Vec<u8>,
}

/// Reads the file.
///
/// # Errors
///
/// The first line that is not of the form below.
///
/// # Source
///
/// `proc_vmallocinfo(5)`: `0xADDRESS-0xADDRESS BYTES CALLER pages=N vmalloc`.
pub fn parse(file: &[u8]) -> Result<Vec<Area>, ReadError> {
    lines(file)
        .map(|(offset, line)| {
            area(line).ok_or(ReadError { offset, expected: "an address range and a number of bytes" })
        })
        .collect()
}

fn area(line: &[u8]) -> Option<Area> {
    let mut words = words(line);
    words.next()?.starts_with(b"0x").then_some(())?;
    let bytes = decimal(words.next()?)?;
    let rest: Vec<_> = words.collect();
    // `name+0x12/0x34`, and behind it the module in brackets.
    let caller =
        rest.first().filter(|word| word.contains(&b'+')).map(|word| word.split(|byte| *byte == b'+').next());
    let pages = rest.iter().find_map(|word| decimal(word.strip_prefix(b"pages=")?));
    Some(Area { bytes, pages: pages.unwrap_or(0), caller: caller.flatten().unwrap_or_default().to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
0x00000000a1b2c3d4-0x00000000a1b2d3d4   20480 dup_task_struct+0x5b/0x1b0 pages=4 vmalloc N0=4
0x00000000a1b2c3d4-0x00000000a1b2d3d4    8192 acpi_os_map_iomem+0x1a0/0x1d0 phys=0x7ffe1000 ioremap
0x00000000a1b2c3d4-0x00000000a1b2d3d4    4096 unpurged vm_area
";

    #[test]
    fn areas_are_read() {
        let areas = parse(FILE).unwrap();
        assert_eq!(areas.len(), 3);
        assert_eq!(
            (&areas[0].caller[..], areas[0].pages, areas[0].bytes),
            (&b"dup_task_struct"[..], 4, 20480)
        );
        assert_eq!((areas[1].pages, &areas[2].caller[..]), (0, &b""[..]));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for file in [&b"0x1-0x2 1\nx 1\n"[..], b"0x1-0x2 1\n0x1-0x2 many\n"] {
            assert_eq!(parse(file).unwrap_err().offset, 10, "{file:?}");
        }
    }

    #[test]
    fn this_machine_can_be_read() {
        let Ok(file) = std::fs::read("/proc/vmallocinfo") else { return };
        assert!(parse(&file).unwrap().iter().any(|area| area.pages > 0));
    }

    refuses_only_with_a_place!(parse, FILE);
}
