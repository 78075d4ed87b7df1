//! What a library without `std` has to bring itself: the end of a panic, and stand-ins for the unwinder.

use core::panic::PanicInfo;

use mallow_sys::{hooks, line};

/// A panic is a bug of ours. It ends the process with one line; it never unwinds into C.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    line::warn(format_args!("internal error: {info}"));
    hooks::abort()
}

// The prebuilt `core` refers to the unwinder's personality function, which is never called because nothing unwinds.
// Hidden, so that it does not take the place of the real one in a Rust program.
core::arch::global_asm!(
    ".pushsection .text.mallow_personality, \"ax\", @progbits",
    ".hidden rust_eh_personality",
    ".weak rust_eh_personality",
    ".type rust_eh_personality, @function",
    "rust_eh_personality:",
    "ud2",
    ".size rust_eh_personality, . - rust_eh_personality",
    ".popsection",
);
