//! What the kernel says about an address, from `/proc/self/maps`, without allocating.

use mallow_heap::misuse::Pointer;
use mallow_sys::linux::call;

/// One line of the file.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    start: usize,
    end: usize,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    BreakHeap,
    Stack,
    File,
    Anonymous,
}

/// Whether `address` is in the heap that grows by `brk`.
pub(crate) fn is_in_break_heap(address: usize) -> bool {
    containing(address).is_some_and(|(mapping, _)| mapping.kind == Kind::BreakHeap)
}

/// What `address` is, for a message.
pub(crate) fn describe(address: usize) -> Pointer {
    let on_this_stack = 0_u8;
    let Some((mapping, follows_file)) = containing(address) else { return Pointer::Unmapped };
    let own_stack = (&raw const on_this_stack).addr();
    match mapping.kind {
        Kind::Stack => Pointer::Stack,
        _ if own_stack >= mapping.start && own_stack < mapping.end => Pointer::Stack,
        Kind::File => Pointer::File,
        // Zero-initialised variables of a program lie directly behind its mapped file.
        Kind::Anonymous if follows_file => Pointer::File,
        Kind::Anonymous | Kind::BreakHeap => Pointer::Unknown,
    }
}

/// The mapping that `address` is in, and whether it directly follows a mapped file.
fn containing(address: usize) -> Option<(Mapping, bool)> {
    let mut file_end = 0;
    find_mapping(|mapping| {
        if address >= mapping.start && address < mapping.end {
            return Some((mapping, mapping.start == file_end));
        }
        if mapping.kind == Kind::File {
            file_end = mapping.end;
        }
        None
    })
}

/// Reads the file line by line until `found` is satisfied.
fn find_mapping<T>(mut found: impl FnMut(Mapping) -> Option<T>) -> Option<T> {
    let file = call::open(c"/proc/self/maps", false).ok()?;
    let mut buffer = [0_u8; 2048];
    let mut len = 0;
    let mut result = None;
    while result.is_none() {
        let room = buffer.get_mut(len..).unwrap_or_default();
        match call::read(file, room) {
            Ok(count) if count > 0 => len += count,
            _ => break,
        }
        let mut used = 0;
        while let Some(line_end) = buffer[used..len].iter().position(|byte| *byte == b'\n') {
            if let Some(mapping) = parse(&buffer[used..used + line_end])
                && result.is_none()
            {
                result = found(mapping);
            }
            used += line_end + 1;
        }
        // A line longer than the buffer (a very long path) is cut: its beginning has been all we need.
        used = if used == 0 && len == buffer.len() { len } else { used };
        buffer.copy_within(used..len, 0);
        len -= used;
    }
    call::close(file);
    result
}

/// `start-end permissions offset device inode   path`.
fn parse(line: &[u8]) -> Option<Mapping> {
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let mut ends = words.next()?.split(|byte| *byte == b'-').map(hex);
    let (start, end) = (ends.next()??, ends.next()??);
    let kind = match words.nth(4) {
        Some(b"[heap]") => Kind::BreakHeap,
        Some(b"[stack]") => Kind::Stack,
        Some(path) if path.starts_with(b"/") => Kind::File,
        _ => Kind::Anonymous,
    };
    Some(Mapping { start, end, kind })
}

fn hex(digits: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}
