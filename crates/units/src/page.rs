//! The OS page: its size, and rounding to it.

/// Bytes in an OS page on x86-64; checked against `AT_PAGESZ` when the library starts.
pub const PAGE_BYTES: usize = 4096;

/// Rounds `bytes` up to whole pages; `None` if that would not fit an address.
pub const fn round_up(bytes: usize) -> Option<usize> {
    match bytes.checked_add(PAGE_BYTES - 1) {
        Some(sum) => Some(sum & !(PAGE_BYTES - 1)),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_to_whole_pages_and_refuses_overflow() {
        assert_eq!(round_up(0), Some(0));
        assert_eq!(round_up(1), Some(PAGE_BYTES));
        assert_eq!(round_up(PAGE_BYTES), Some(PAGE_BYTES));
        assert_eq!(round_up(usize::MAX), None);
    }
}
