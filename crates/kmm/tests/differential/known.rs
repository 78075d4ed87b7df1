//! Where the two sides differ and are known to: each rule with its reason.

use mallow_kmm::script::Script;

/// A difference that is known: scripts that may show it are passed over.
pub(crate) struct Rule {
    /// Why the simulated side does otherwise.
    pub(crate) reason: &'static str,
    applies: fn(&Script) -> bool,
}

/// All of them; at most ten.
const RULES: &[Rule] = &[];

const _: () = assert!(RULES.len() <= 10);

/// The rule that explains a difference in this script.
pub(crate) fn rule(script: &Script) -> Option<&'static Rule> {
    RULES.iter().find(|rule| (rule.applies)(script))
}
