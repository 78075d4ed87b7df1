//! Makes a script that shows a difference as small as it gets.

use mallow_kmm::script::{Call, Script};

/// Runs at most.
const BUDGET: usize = 3000;

/// The smallest script found that `fails`; `script` does.
pub(crate) fn smallest(script: &Script, mut fails: impl FnMut(&Script) -> bool) -> Script {
    let mut best = script.clone();
    let mut runs = 0;
    loop {
        let smaller = candidates(&best).into_iter().filter(is_script).find(|candidate| {
            runs += 1;
            runs < BUDGET && fails(candidate)
        });
        match smaller {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}

/// Whether a script says nothing about processes and files that it does not make.
fn is_script(script: &Script) -> bool {
    script.to_string().parse::<Script>().is_ok()
}

/// Scripts that are a little smaller, the smallest first.
fn candidates(script: &Script) -> Vec<Script> {
    let count = script.statements.len();
    let mut candidates = Vec::new();
    for length in [count / 2, count / 4, 2, 1] {
        for start in (0..count).rev().filter(|start| length > 0 && start + length <= count) {
            let mut shorter = script.clone();
            shorter.statements.drain(start..start + length);
            candidates.push(shorter);
        }
    }
    candidates.extend((0..count).filter_map(|index| without_fork(script, index)));
    for index in 0..count {
        let mut other = script.clone();
        if other.statements[index].process > 0 {
            other.statements[index].process = 0;
            candidates.push(other);
        }
        for call in simpler(&script.statements[index].call) {
            let mut other = script.clone();
            other.statements[index].call = call;
            candidates.push(other);
        }
    }
    candidates
}

/// The script without a fork and what its child does.
fn without_fork(script: &Script, index: usize) -> Option<Script> {
    if script.statements[index].call != Call::Fork {
        return None;
    }
    let forks = script.statements[..index].iter().filter(|one| one.call == Call::Fork).count();
    let child = u32::try_from(forks).ok()? + 1;
    let mut other = script.clone();
    other.statements.remove(index);
    other.statements.retain(|one| one.process != child || one.call == Call::Fork);
    for one in &mut other.statements {
        if one.process >= child {
            one.process -= 1;
        }
    }
    Some(other)
}

/// The same call with simpler arguments.
fn simpler(call: &Call) -> Vec<Call> {
    let bits = |bits: u32| (0..32).map(move |bit| bits & !(1 << bit)).filter(move |less| *less != bits);
    let mut calls = Vec::new();
    match call {
        Call::Mmap { at, bytes, protection, flags, source } => {
            let with = |bytes: u64, flags: u32, protection: u32| Call::Mmap {
                at: at.clone(),
                bytes,
                protection,
                flags,
                source: source.clone(),
            };
            calls.extend(shorter(*bytes).map(|bytes| with(bytes, *flags, *protection)));
            // The type is not a set of bits: it stays.
            calls.extend(
                bits(*flags).filter(|less| less & 3 == flags & 3).map(|less| with(*bytes, less, *protection)),
            );
            calls.extend(bits(*protection).map(|less| with(*bytes, *flags, less)));
        }
        Call::Munmap { at, bytes } => {
            calls.extend(shorter(*bytes).map(|bytes| Call::Munmap { at: at.clone(), bytes }));
        }
        Call::Mprotect { at, bytes, protection } => {
            let with = |bytes, protection| Call::Mprotect { at: at.clone(), bytes, protection };
            calls.extend(shorter(*bytes).map(|bytes| with(bytes, *protection)));
            calls.extend(bits(*protection).map(|less| with(*bytes, less)));
        }
        Call::Mremap { at, old_bytes, new_bytes, flags, to } => {
            let with = |old_bytes, new_bytes, flags| Call::Mremap {
                at: at.clone(),
                old_bytes,
                new_bytes,
                flags,
                to: to.clone(),
            };
            calls.extend(shorter(*old_bytes).map(|bytes| with(bytes, *new_bytes, *flags)));
            calls.extend(shorter(*new_bytes).map(|bytes| with(*old_bytes, bytes, *flags)));
            calls.extend(bits(*flags).map(|less| with(*old_bytes, *new_bytes, less)));
        }
        Call::Mlock { at, bytes, on_fault } => {
            let with = |bytes, on_fault| Call::Mlock { at: at.clone(), bytes, on_fault };
            calls.extend(shorter(*bytes).map(|bytes| with(bytes, *on_fault)));
            calls.extend(on_fault.then(|| with(*bytes, false)));
        }
        Call::Munlock { at, bytes } => {
            calls.extend(shorter(*bytes).map(|bytes| Call::Munlock { at: at.clone(), bytes }));
        }
        Call::Mlockall { flags } => calls.extend(bits(*flags).map(|flags| Call::Mlockall { flags })),
        Call::Madvise { at, bytes, advice } => {
            calls.extend(shorter(*bytes).map(|bytes| Call::Madvise {
                at: at.clone(),
                bytes,
                advice: *advice,
            }));
        }
        Call::Read { at, bytes } => {
            calls.extend(shorter(*bytes).map(|bytes| Call::Read { at: at.clone(), bytes }));
        }
        Call::Write { at, bytes, value } => {
            calls.extend(shorter(*bytes).map(|bytes| Call::Write { at: at.clone(), bytes, value: *value }));
        }
        _ => {}
    }
    calls
}

fn shorter(bytes: u64) -> impl Iterator<Item = u64> {
    let pages = bytes.div_ceil(4096);
    [4096, pages / 2 * 4096, pages.saturating_sub(1) * 4096, pages.saturating_mul(4096)].into_iter().filter(
        move |less| {
            *less > 0 && *less < bytes || *less > bytes && !bytes.is_multiple_of(4096) && *less < bytes + 4096
        },
    )
}
