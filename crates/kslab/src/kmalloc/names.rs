//! The names of the size classes in `slabinfo`: `kmalloc-16` to `kmalloc-16k`.

use mallow_units::SizeClass;
use mallow_units::bytes::KIB;
use mallow_units::size_class::CLASS_COUNT;

const PREFIX: &[u8] = b"kmalloc-";
const MAX_LENGTH: usize = PREFIX.len() + 5;

/// A name and its length.
type Name = ([u8; MAX_LENGTH], usize);

const NAMES: [Name; CLASS_COUNT] = {
    let mut names = [([0; MAX_LENGTH], 0); CLASS_COUNT];
    let mut index = 0;
    while index < CLASS_COUNT {
        if let Some(class) = SizeClass::at(index) {
            names[index] = name(class.block_bytes());
        }
        index += 1;
    }
    names
};

const fn name(bytes: usize) -> Name {
    let is_whole = bytes.is_multiple_of(KIB);
    let number = if is_whole { bytes / KIB } else { bytes };
    let mut text = [0; MAX_LENGTH];
    let mut length = 0;
    while length < PREFIX.len() {
        text[length] = PREFIX[length];
        length += 1;
    }
    let mut power = 1;
    while number / power >= 10 {
        power *= 10;
    }
    while power > 0 {
        text[length] = digit(number / power % 10);
        length += 1;
        power /= 10;
    }
    if is_whole {
        text[length] = b'k';
        length += 1;
    }
    (text, length)
}

#[expect(clippy::cast_possible_truncation, reason = "below ten")]
const fn digit(value: usize) -> u8 {
    b'0' + value as u8
}

/// The name of a class.
pub(super) fn of(class: SizeClass) -> &'static str {
    let (text, length) = &NAMES[class.index()];
    // Digits and letters, so this never fails.
    core::str::from_utf8(&text[..*length]).unwrap_or("kmalloc")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn every_class_is_named_by_its_size() {
        for class in SizeClass::all() {
            let bytes = class.block_bytes();
            let expected = if bytes % KIB == 0 {
                format!("kmalloc-{}k", bytes / KIB)
            } else {
                format!("kmalloc-{bytes}")
            };
            assert_eq!(of(class), expected);
        }
    }
}
