//! Slots: many blocks by number, for loops over an array of pointers.
//!
//! The array is static and made resident before an experiment begins, so that it does not show in its numbers.

use core::hint::black_box;
use core::sync::atomic::{AtomicUsize, Ordering};

use super::pointer;
use crate::Answer;
use crate::wire::Request;

const COUNT: usize = 1 << 17;
static SLOTS: [AtomicUsize; COUNT] = [const { AtomicUsize::new(0) }; COUNT];

/// `slots COUNT`: touches the array.
pub(super) fn ready(request: &Request<'_>) -> Answer {
    for slot in SLOTS.get(..request.number(1)).ok_or(libc::ERANGE)? {
        black_box(slot).store(0, Ordering::Relaxed);
    }
    Ok(0)
}

/// `mallocs FIRST BEHIND STEP BYTES`: fills the slots; how many got a block.
pub(super) fn mallocs(request: &Request<'_>) -> Answer {
    let mut count = 0;
    for slot in range(request)? {
        // SAFETY: any size may be asked for.
        let block = unsafe { libc::malloc(request.number(4)) };
        if block.is_null() {
            break;
        }
        slot.store(block.expose_provenance(), Ordering::Relaxed);
        count += 1;
    }
    Ok(count)
}

/// `frees FIRST BEHIND STEP`: frees what is in the slots; how many there were.
pub(super) fn frees(request: &Request<'_>) -> Answer {
    let mut count = 0;
    for slot in range(request)? {
        let block = slot.swap(0, Ordering::Relaxed);
        // SAFETY: it came from `mallocs` and was not freed since, or is none.
        unsafe { libc::free(pointer(block)) };
        count += u64::from(block != 0);
    }
    Ok(count)
}

/// `fills FIRST BEHIND STEP BYTES`: writes to the blocks in the slots.
pub(super) fn fills(request: &Request<'_>) -> Answer {
    for slot in range(request)? {
        let block = slot.load(Ordering::Relaxed);
        if block != 0 {
            // SAFETY: the block is as long as `mallocs` was asked for, by promise 1 of the crate.
            unsafe { libc::memset(pointer(block), 1, request.number(4)) };
        }
    }
    Ok(0)
}

/// The slots that a request names.
fn range(request: &Request<'_>) -> Result<impl Iterator<Item = &'static AtomicUsize>, i32> {
    let named = SLOTS.get(request.number(1)..request.number(2)).ok_or(libc::ERANGE)?;
    Ok(named.iter().step_by(request.number(3).max(1)))
}
