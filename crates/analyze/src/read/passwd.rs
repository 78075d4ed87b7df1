//! `/etc/passwd`: the names of users.
//!
//! Called by the command, to say whose a process is. Users that only a network knows are not in it.

use super::{decimal, lines};

/// The users in the file, number and name. Lines that say neither are left out: a comment, or what refers to a network.
///
/// # Source
///
/// `passwd(5)`: `NAME:PASSWORD:UID:GID:...`.
pub fn parse(file: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    lines(file).filter_map(|(_, line)| {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        Some((decimal(fields.nth(1)?)?, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stand_with_their_numbers() {
        let file = b"root:x:0:0:root:/:/bin/sh\n# a comment\n+\ndaemon:*:1:1::/:/bin/false\n:x:2:2::/:\nlast:x:70000:1";
        let found: Vec<_> = parse(file).collect();
        assert_eq!(found, [(0, &b"root"[..]), (1, b"daemon"), (70_000, b"last")]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(file: Vec<u8>) {
            for (_, name) in parse(&file) {
                prop_assert!(!name.is_empty() && !name.contains(&b':'));
            }
        }
    }
}
