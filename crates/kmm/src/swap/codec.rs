//! Compression of one page: the block format of LZ4, both ways.
//!
//! ```text
//!  sequence: | token | more length | literals ... | distance | more length |
//!              hi: literals, lo: match - 4; 15 means that bytes follow, each adding up to 255
//!  the last sequence of a block has literals only
//! ```
//!
//! Called by the compressed store. Nothing here allocates; the table of the compressor is 4 KiB that the caller keeps.
//!
//! # Source
//!
//! `doc/lz4_Block_format.md` of LZ4: among its rules are that the last five bytes are literals, and that no match begins
//! within the last twelve.

use mallow_units::page::PAGE_BYTES;

/// A page's contents.
pub type PageBytes = [u8; PAGE_BYTES];

/// Bytes of the shortest match.
const MATCH_MIN: usize = 4;
/// Bytes at the end in which no match begins.
const MATCH_LIMIT: usize = 12;
/// Bytes at the end that are literals.
const LAST_LITERALS: usize = 5;
/// Entries of the table of places. Twice as many found hardly longer matches in pages of text and of pointers.
const PLACES: usize = 1 << 11;
/// Misses after which the search moves one byte faster.
const PATIENCE_LOG2: u32 = 5;

/// Where in the page each hash was seen last. Its contents do not outlive a call.
pub struct Workspace([u16; PLACES]);

impl Workspace {
    /// An empty table.
    pub const fn new() -> Self {
        Self([0; PLACES])
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Workspace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Workspace")
    }
}

/// Compresses `page` into `out`; the length, or `None` if it does not fit there.
///
/// Cost: one pass over the page and one over the table.
pub fn compress(page: &PageBytes, out: &mut [u8], workspace: &mut Workspace) -> Option<usize> {
    let places = &mut workspace.0;
    places.fill(0);
    let mut out = Writer { out, len: 0 };
    let (mut at, mut anchor, mut misses) = (1, 0, 0_u32);
    while at < PAGE_BYTES - MATCH_LIMIT {
        let word = word(page, at);
        let place = &mut places[hash(word)];
        // 0 also stands for "not seen yet"; the comparison sorts that out, and `at` begins after it.
        let candidate = usize::from(*place);
        *place = narrow(at);
        if word != self::word(page, candidate) {
            misses += 1;
            at += 1 + (misses >> PATIENCE_LOG2) as usize;
            continue;
        }
        let (mut from, mut start) = (candidate, at);
        while start > anchor && from > 0 && page[start - 1] == page[from - 1] {
            start -= 1;
            from -= 1;
        }
        let len = common(page, from, start);
        out.sequence(&page[anchor..start], start - from, len)?;
        at = start + len;
        anchor = at;
        misses = 0;
    }
    out.literals(&page[anchor..], 0)?;
    Some(out.len)
}

/// The bytes from which `decompress` cannot make a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Corrupt;

impl core::fmt::Display for Corrupt {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("these bytes are not a compressed page")
    }
}

impl core::error::Error for Corrupt {}

/// Fills `page` with what was compressed into `packed`.
///
/// # Errors
///
/// [`Corrupt`] if `packed` is not exactly one page; what is in `page` then means nothing.
pub fn decompress(packed: &[u8], page: &mut PageBytes) -> Result<(), Corrupt> {
    let mut input = Reader { rest: packed };
    let mut len = 0;
    loop {
        let token = input.byte()?;
        let literals = input.take_len(usize::from(token >> 4))?;
        let from = input.take(literals)?;
        page.get_mut(len..len + literals).ok_or(Corrupt)?.copy_from_slice(from);
        len += literals;
        if input.rest.is_empty() {
            return if len == PAGE_BYTES { Ok(()) } else { Err(Corrupt) };
        }
        let distance = usize::from(input.byte()?) | usize::from(input.byte()?) << 8;
        let matched = input.take_len(usize::from(token & 15))? + MATCH_MIN;
        let from = len.checked_sub(distance).ok_or(Corrupt)?;
        if distance == 0 || matched > PAGE_BYTES - len {
            return Err(Corrupt);
        }
        repeat(page, from, len, matched);
        len += matched;
    }
}

/// Copies `len` bytes within the page from `from` to the later place `to`; where they overlap, they repeat.
fn repeat(page: &mut PageBytes, from: usize, to: usize, len: usize) {
    let distance = to - from;
    let mut done = 0;
    while done < len {
        // What has been copied doubles what can be copied at once.
        let step = (distance + done).min(len - done);
        page.copy_within(from..from + step, to + done);
        done += step;
    }
}

/// Bytes that are the same from `from` and from the later `to`, as far as a match may reach.
fn common(page: &PageBytes, from: usize, to: usize) -> usize {
    let end = PAGE_BYTES - LAST_LITERALS;
    let pairs = page[from..end].iter().zip(&page[to..end]);
    pairs.take_while(|(a, b)| a == b).count()
}

fn word(page: &PageBytes, at: usize) -> u32 {
    u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]])
}

fn hash(word: u32) -> usize {
    // Knuth's multiplicative hash: 2^32 divided by the golden ratio.
    (word.wrapping_mul(2_654_435_761) >> (u32::BITS - PLACES.ilog2())) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "a place in a page")]
const fn narrow(at: usize) -> u16 {
    const { assert!(PAGE_BYTES <= 1 << 16) };
    at as u16
}

struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Writer<'_> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        *self.out.get_mut(self.len)? = byte;
        self.len += 1;
        Some(())
    }

    /// What the token has no room for, as bytes that add up.
    fn more(&mut self, len: usize) -> Option<()> {
        let Some(mut rest) = len.checked_sub(15) else { return Some(()) };
        while rest >= 255 {
            self.byte(255)?;
            rest -= 255;
        }
        self.byte(low_byte(rest))
    }

    fn literals(&mut self, literals: &[u8], nibble: usize) -> Option<()> {
        self.byte(low_byte(literals.len().min(15) << 4 | nibble))?;
        self.more(literals.len())?;
        let end = self.len + literals.len();
        self.out.get_mut(self.len..end)?.copy_from_slice(literals);
        self.len = end;
        Some(())
    }

    fn sequence(&mut self, literals: &[u8], distance: usize, matched: usize) -> Option<()> {
        let beyond = matched - MATCH_MIN;
        self.literals(literals, beyond.min(15))?;
        self.byte(low_byte(distance))?;
        self.byte(low_byte(distance >> 8))?;
        self.more(beyond)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low byte is what is meant")]
const fn low_byte(value: usize) -> u8 {
    value as u8
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, Corrupt> {
        let (first, rest) = self.rest.split_first().ok_or(Corrupt)?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(Corrupt)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The length that a nibble begins.
    fn take_len(&mut self, nibble: usize) -> Result<usize, Corrupt> {
        let mut len = nibble;
        if nibble == 15 {
            loop {
                let more = self.byte()?;
                len += usize::from(more);
                // A page is no longer; the sum cannot overflow.
                if len > PAGE_BYTES {
                    return Err(Corrupt);
                }
                if more != 255 {
                    break;
                }
            }
        }
        Ok(len)
    }
}

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "random numbers")]
mod tests {
    use super::*;

    fn round_trip(page: &PageBytes) -> Option<usize> {
        let mut packed = [0xaa; PAGE_BYTES];
        let len = compress(page, &mut packed, &mut Workspace::new())?;
        let mut again = [0x55; PAGE_BYTES];
        assert_eq!(decompress(&packed[..len], &mut again), Ok(()));
        assert!(again == *page, "the page came back different");
        Some(len)
    }

    fn random(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    #[test]
    fn a_page_of_one_byte_becomes_a_few() {
        assert!(round_trip(&[0; PAGE_BYTES]).is_some_and(|len| len < 32));
        assert!(round_trip(&[7; PAGE_BYTES]).is_some_and(|len| len < 32));
    }

    #[test]
    fn random_bytes_do_not_fit() {
        let mut next = random(3);
        assert_eq!(round_trip(&core::array::from_fn(|_| (next() >> 32) as u8)), None);
    }

    #[test]
    fn pages_of_every_kind_come_back() {
        let mut next = random(1);
        for round in 0..2000 {
            // Runs of random length, from a small or large alphabet, now and then copied from before.
            let alphabet = 1 << (round % 9);
            let mut page = [0; PAGE_BYTES];
            let mut at = 0;
            while at < PAGE_BYTES {
                let len = (next() % 80 + 1).min((PAGE_BYTES - at) as u64) as usize;
                if at > len && next().is_multiple_of(3) {
                    let from = (next() % (at - len) as u64) as usize;
                    page.copy_within(from..from + len, at);
                } else {
                    page[at..at + len].fill_with(|| (next() % alphabet) as u8);
                }
                at += len;
            }
            round_trip(&page);
        }
    }

    #[test]
    fn a_short_buffer_is_refused_at_every_length() {
        let mut next = random(9);
        let page = core::array::from_fn(|at| if at % 100 < 60 { 3 } else { (next() % 4) as u8 });
        let mut packed = [0; PAGE_BYTES];
        let len = compress(&page, &mut packed, &mut Workspace::new()).expect("it repeats");
        for room in 0..len {
            assert_eq!(compress(&page, &mut packed[..room], &mut Workspace::new()), None);
        }
        assert_eq!(compress(&page, &mut packed[..len], &mut Workspace::new()), Some(len));
    }

    #[test]
    fn broken_bytes_are_an_error_and_never_a_panic() {
        let mut next = random(5);
        let page = core::array::from_fn(|at| (at / 7 % 11) as u8);
        let mut packed = [0; PAGE_BYTES];
        let len = compress(&page, &mut packed, &mut Workspace::new()).expect("it repeats");
        let mut out = [0; PAGE_BYTES];
        for cut in 0..len {
            assert_eq!(decompress(&packed[..cut], &mut out), Err(Corrupt), "cut at {cut}");
        }
        for _ in 0..20_000 {
            let mut broken = packed;
            broken[(next() % len as u64) as usize] = (next() >> 20) as u8;
            let _ = decompress(&broken[..len], &mut out);
        }
        for _ in 0..20_000 {
            let noise: [u8; 40] = core::array::from_fn(|_| (next() >> 30) as u8);
            let _ = decompress(&noise, &mut out);
        }
    }
}
