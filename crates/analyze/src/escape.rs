//! Foreign names as text: what a program calls itself, made safe to print.
//!
//! Names of processes, files and mappings are bytes that somebody else chose: they may move the cursor, begin a new line,
//! or be no UTF-8. Here everything that is not plain to see becomes an escape, so that two different names never look
//! the same and no name does anything to a terminal.
//!
//! Called by everything that prints a name, as text, JSON or HTML.

use core::fmt;

/// Returns `name` with each byte that is no UTF-8 as `\xff`, and each character that does not show as `\n`, `\u{1b}` and the
/// like. A backslash becomes two.
///
/// ```
/// use mallow_analyze::escape;
/// assert_eq!(escape::name("größe 1".as_bytes()), "größe 1");
/// assert_eq!(escape::name(b"a\x1b[2J\n\xffb\\"), r"a\u{1b}[2J\n\xffb\\");
/// ```
pub fn name(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                // Quotes have no meaning here.
                '"' | '\'' => text.push(character),
                _ => text.extend(character.escape_debug()),
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Returns the bytes of an escaped name; `None` if it is none.
///
/// ```
/// use mallow_analyze::escape;
/// assert_eq!(escape::bytes(r"a\u{1b}\n\xffb\\"), Some(b"a\x1b\n\xffb\\".to_vec()));
/// assert_eq!(escape::bytes(r"\q"), None);
/// ```
pub fn bytes(escaped: &str) -> Option<Vec<u8>> {
    let mut found = Vec::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(place) = rest.find('\\') {
        found.extend_from_slice(&rest.as_bytes()[..place]);
        let escape = &rest[place + 1..];
        let (character, behind) = one(escape)?;
        match character {
            Escaped::Byte(byte) => found.push(byte),
            Escaped::Character(character) => {
                found.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = behind;
    }
    found.extend_from_slice(rest.as_bytes());
    Some(found)
}

enum Escaped {
    Byte(u8),
    Character(char),
}

/// What the text behind a backslash stands for, and the text behind that.
fn one(escape: &str) -> Option<(Escaped, &str)> {
    let letter = escape.chars().next()?;
    let behind = &escape[letter.len_utf8()..];
    let character = match letter {
        '\\' => '\\',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'x' => {
            let byte = u8::from_str_radix(behind.get(..2)?, 16).ok()?;
            return Some((Escaped::Byte(byte), &behind[2..]));
        }
        'u' => {
            let (digits, behind) = behind.strip_prefix('{')?.split_once('}')?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            return Some((Escaped::Character(character), behind));
        }
        _ => return None,
    };
    Some((Escaped::Character(character), behind))
}

/// Text that a page or a picture is to show as it is.
///
/// ```
/// use mallow_analyze::escape::Markup;
/// assert_eq!(Markup("a<b>&\"c'é").to_string(), "a&lt;b&gt;&amp;&quot;c&#39;é");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Markup<'a>(pub &'a str);

impl fmt::Display for Markup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(place) = rest.find(['&', '<', '>', '"', '\'']) {
            f.write_str(&rest[..place])?;
            f.write_str(match rest.as_bytes()[place] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &rest[place + 1..];
        }
        f.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_does_not_show_is_escaped() {
        for (raw, expected) in [
            (&b"plain-name_1.so"[..], "plain-name_1.so"),
            (b"it's \"quoted\"", "it's \"quoted\""),
            (b"\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            (b"tab\tnul\0", "tab\\tnul\\0"),
            ("left\u{202e}right\u{200b}".as_bytes(), "left\\u{202e}right\\u{200b}"),
            (b"cut \xe2\x82", "cut \\xe2\\x82"),
            (b"\x9b31m", "\\x9b31m"),
            ("\u{9b}31m".as_bytes(), "\\u{9b}31m"),
        ] {
            assert_eq!(name(raw), expected);
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(raw: Vec<u8>) {
            let escaped = name(&raw);
            prop_assert!(!escaped.chars().any(char::is_control), "{escaped:?}");
            prop_assert_eq!(bytes(&escaped), Some(raw));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String) {
            let _ = bytes(&text);
        }
    }
}
