//! Where the two sides differ and are known to: each rule with its reason.

use mallow_kmm::script::{Call, Resource, Script, Source, advice, flag, remap};

/// A difference that is known.
pub(crate) struct Rule {
    /// Why the simulated side does otherwise.
    pub(crate) reason: &'static str,
    /// What of a script it concerns.
    concerns: Concern,
    applies: fn(&Script) -> bool,
}

/// What is not compared, or not as closely.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Concern {
    /// The script is passed over.
    Everything,
    /// The commit account.
    Committed,
    /// Where one of two areas that are alike ends.
    Borders,
}

/// The kind of memory that may vanish under pressure.
const DROPPABLE: u32 = 8;

/// All of them; at most ten.
const RULES: &[Rule] = &[
    Rule {
        reason: "mremap to a fixed address that also shrinks charges what it shrinks by, and never gives that back: \
                 an error of Linux since 6.17",
        concerns: Concern::Committed,
        applies: |script| {
            has(script, |call| {
                matches!(call, Call::Mremap { flags, old_bytes, new_bytes, .. }
                    if flags & remap::FIXED != 0 && new_bytes < old_bytes)
            })
        },
    },
    Rule {
        reason: "a stack is charged when it grows even if it is not writable, and then gives nothing back: \
                 an error of Linux",
        concerns: Concern::Committed,
        applies: |script| has_flag(script, flag::GROWSDOWN),
    },
    Rule {
        reason: "after mremap with dontunmap, Linux still counts the old range as locked, which it is not",
        concerns: Concern::Everything,
        applies: |script| {
            let keeps =
                |call: &Call| matches!(call, Call::Mremap { flags, .. } if flags & remap::DONTUNMAP != 0);
            let locks = |call: &Call| matches!(call, Call::Mlock { .. } | Call::Mlockall { .. });
            has(script, keeps) && (has(script, locks) || has_flag(script, flag::LOCKED))
        },
    },
    Rule {
        reason: "pageout reclaims pages of shared memory that were only read, and those that may vanish, if no \
                 processor has them in a batch",
        concerns: Concern::Everything,
        applies: |script| {
            let shares = |call: &Call| match call {
                Call::Mmap { source: Source::File { .. }, .. } => true,
                Call::Mmap { flags, .. } => flags & (flag::SHARED | DROPPABLE) != 0,
                _ => false,
            };
            has(script, |call| matches!(call, Call::Madvise { advice: advice::PAGEOUT, .. }))
                && has(script, shares)
        },
    },
    Rule {
        reason: "mmap over areas that is refused for a limit leaves them split at the borders; here nothing changes",
        concerns: Concern::Borders,
        applies: |script| {
            has(script, |call| {
                matches!(call, Call::Rlimit { resource: Resource::AddressSpace | Resource::Data, .. })
            })
        },
    },
];

const _: () = assert!(RULES.len() <= 10);

fn has(script: &Script, is: impl Fn(&Call) -> bool) -> bool {
    script.statements.iter().any(|statement| is(&statement.call))
}

fn has_flag(script: &Script, bits: u32) -> bool {
    has(script, |call| matches!(call, Call::Mmap { flags, .. } if flags & bits != 0))
}

/// The rules that a script meets.
pub(crate) fn rules(script: &Script) -> impl Iterator<Item = &'static Rule> {
    RULES.iter().filter(|rule| (rule.applies)(script))
}

/// Whether something of a script is not compared.
pub(crate) fn is_excused(script: &Script, concern: Concern) -> bool {
    rules(script).any(|rule| rule.concerns == concern)
}
