//! Users: whose a process is, by name.
//!
//! Called by `watch`.

use alloc::collections::BTreeMap;
use std::fs;

use mallow_analyze::escape;
use mallow_analyze::read::passwd;

/// The names of users, as far as this machine has them in a file.
#[derive(Debug)]
pub(super) struct Users(BTreeMap<u64, String>);

impl Users {
    /// Reads `/etc/passwd`. Without it users have numbers.
    pub(super) fn read() -> Self {
        let file = fs::read("/etc/passwd").unwrap_or_default();
        // Of several names for one user, the first is the usual one.
        let mut users = BTreeMap::new();
        for (number, name) in passwd::parse(&file) {
            users.entry(number).or_insert_with(|| escape::name(name));
        }
        Self(users)
    }

    /// The name of a user, or its number.
    pub(super) fn name(&self, number: u64) -> String {
        self.0.get(&number).cloned().unwrap_or_else(|| number.to_string())
    }
}
