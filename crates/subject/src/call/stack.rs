//! The stack: growing it by calls, by `alloca`, and by touching what lies below.

use core::hint::black_box;
use core::ptr;

use crate::Answer;
use crate::wire::Request;

/// Bytes of a frame of [`deeper`], a little less than a page.
const FRAME: usize = 4000;

/// `recurse BYTES`: calls itself until its frames take that much; the lowest address.
pub(super) fn recurse(request: &Request<'_>) -> Answer {
    Ok(deeper(here(), request.number(1)) as u64)
}

#[inline(never)]
fn deeper(top: usize, bytes: usize) -> usize {
    let frame = black_box([1_u8; FRAME]);
    let lowest = black_box(&frame).as_ptr().addr();
    let deepest = if top - lowest < bytes { deeper(top, bytes) } else { lowest };
    // Used after the call, so that the frame must still be there.
    black_box(&frame);
    deepest
}

/// `below BYTES`: writes that far below the stack pointer, without moving it.
pub(super) fn below(request: &Request<'_>) -> Answer {
    let place = here() - request.number(1);
    let byte: *mut u8 = super::pointer(place).cast();
    // SAFETY: nothing of the program's own is below the stack pointer, and whether the kernel lets it be
    // written is what is asked.
    unsafe { ptr::write_volatile(byte, 1) };
    Ok(place as u64)
}

/// `alloca COUNT BYTES`: takes that many pieces, one below the other, in one function; how far down it came.
pub(super) fn alloca(request: &Request<'_>) -> Answer {
    pieces(request.number(1), request.number(2), true)
}

/// `vla COUNT BYTES`: an array in the body of a loop: taken and given back each time; how far down it came.
pub(super) fn vla(request: &Request<'_>) -> Answer {
    pieces(request.number(1), request.number(2), false)
}

/// An address in the caller's frame.
#[inline(always)]
fn here() -> usize {
    let local = 0_u8;
    black_box(&raw const local).addr()
}

/// Rust has neither `alloca` nor arrays of variable length; these are the instructions that C makes of them.
#[cfg(target_arch = "x86_64")]
fn pieces(count: usize, bytes: usize, are_kept: bool) -> Answer {
    let lowest: usize;
    // SAFETY: the stack pointer is put back before the end; what is written lies below it and is nobody's. If
    // it leaves the stack, that is what the experiment is about.
    unsafe {
        core::arch::asm!(
            "mov {top}, rsp",
            "2:",
            "sub rsp, {bytes}",
            "mov byte ptr [rsp], 1",
            "test {are_kept}, {are_kept}",
            "jnz 3f",
            "add rsp, {bytes}",
            "3:",
            "dec {count}",
            "jnz 2b",
            "mov {lowest}, {top}",
            "sub {lowest}, rsp",
            "test {are_kept}, {are_kept}",
            "cmovz {lowest}, {bytes}",
            "mov rsp, {top}",
            top = out(reg) _,
            lowest = out(reg) lowest,
            bytes = in(reg) bytes,
            are_kept = in(reg) usize::from(are_kept),
            count = inout(reg) count.max(1) => _,
        );
    }
    Ok(lowest as u64)
}

#[cfg(not(target_arch = "x86_64"))]
fn pieces(_count: usize, _bytes: usize, _are_kept: bool) -> Answer {
    Err(libc::ENOSYS)
}
