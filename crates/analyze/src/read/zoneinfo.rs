//! `/proc/zoneinfo`: the zones of memory, and the marks at which the kernel begins to reclaim.
//!
//! ```text
//!  free pages of a zone
//!  |----------------|----------|----------|---------------------------|
//!  0               min        low        high                      managed
//!   only for those    a task     kswapd
//!   that must not     reclaims   reclaims in the
//!   wait              itself     background until high
//! ```
//!
//! Called by `system`. What is counted by event is left out.

use super::{ReadError, decimal, lines, words};

/// A zone of a node, in pages.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Zone {
    /// The number of the node.
    pub node: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Pages in no use.
    pub free: Option<u64>,
    /// Below this only what must not wait gets memory.
    pub min: Option<u64>,
    /// Below this memory is reclaimed in the background.
    pub low: Option<u64>,
    /// Until there is so much.
    pub high: Option<u64>,
    /// Pages that there are, for everybody.
    pub managed: Option<u64>,
    /// The number of the first frame.
    pub start_frame: Option<u64>,
    /// Frames from the first to the last, holes included.
    pub spanned: Option<u64>,
}

/// Reads the file.
///
/// # Errors
///
/// A known line whose value is no number, or a heading that is wrong.
///
/// # Source
///
/// `proc_zoneinfo(5)`.
pub fn parse(file: &[u8]) -> Result<Vec<Zone>, ReadError> {
    let mut zones: Vec<Zone> = Vec::new();
    for (offset, line) in lines(file) {
        let wrong = |expected| ReadError { offset, expected };
        if line.starts_with(b"Node ") {
            zones.push(heading(line).ok_or(wrong("`Node N, zone NAME`"))?);
            continue;
        }
        let mut words = words(line);
        let key = words.next().unwrap_or_default();
        // `pages free 123` in one line, the others behind it; `high:` with a colon is of a processor.
        let key = if key == b"pages" { words.next().unwrap_or_default() } else { key };
        let Some(zone) = zones.last_mut() else { continue };
        let place = match key {
            b"free" => &mut zone.free,
            b"min" => &mut zone.min,
            b"low" => &mut zone.low,
            b"high" => &mut zone.high,
            b"managed" => &mut zone.managed,
            b"spanned" => &mut zone.spanned,
            b"start_pfn:" => &mut zone.start_frame,
            _ => continue,
        };
        *place = Some(words.next().and_then(decimal).ok_or(wrong("a number of pages"))?);
    }
    Ok(zones)
}

fn heading(line: &[u8]) -> Option<Zone> {
    let mut words = words(line).skip(1);
    let node = decimal(words.next()?.strip_suffix(b",")?)?;
    (words.next()? == b"zone").then_some(())?;
    let name = words.next()?.to_vec();
    let unknown = None;
    Some(Zone {
        node,
        name,
        free: unknown,
        min: unknown,
        low: unknown,
        high: unknown,
        managed: unknown,
        start_frame: unknown,
        spanned: unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = b"\
Node 0, zone   Normal
  per-node stats
      nr_inactive_anon 1762
  pages free     4910
        boost    0
        min      67
        low      83
        high     99
        spanned  4095
        managed  3840
  pagesets
    cpu: 0
              count:    0
              high:     0
";

    #[test]
    fn zones_are_read() {
        let zones = parse(FILE).unwrap();
        let [zone] = &zones[..] else { panic!("{zones:?}") };
        assert_eq!((zone.node, &zone.name[..]), (0, &b"Normal"[..]));
        assert_eq!((zone.free, zone.min, zone.low), (Some(4910), Some(67), Some(83)));
        assert_eq!((zone.high, zone.managed), (Some(99), Some(3840)), "not that of a processor");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (file, offset) in [(&b"Node 0 zone a\n"[..], 0), (b"Node 0, zone a\n  pages free x\n", 15)] {
            assert_eq!(parse(file).unwrap_err().offset, offset, "{file:?}");
        }
        assert_eq!(parse(b"  pages free 1\n"), Ok(Vec::new()), "of no zone");
    }

    #[test]
    fn this_machine_can_be_read() {
        let Ok(file) = std::fs::read("/proc/zoneinfo") else { return };
        assert!(parse(&file).unwrap().iter().any(|zone| zone.free > Some(0)));
    }

    refuses_only_with_a_place!(parse, FILE);
}
