//! x86-64: system calls, the thread's word, the cycle counter.

use core::arch::{asm, global_asm};

/// Numbers of the system calls used.
///
/// # Source
///
/// The kernel's `arch/x86/entry/syscalls/syscall_64.tbl`.
pub mod number {
    #![expect(missing_docs, reason = "each is the system call of its name")]
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const OPEN: usize = 2;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const MPROTECT: usize = 10;
    pub const MUNMAP: usize = 11;
    pub const SIGPROCMASK: usize = 14;
    pub const MREMAP: usize = 25;
    pub const MADVISE: usize = 28;
    pub const GETPID: usize = 39;
    pub const GETRLIMIT: usize = 97;
    pub const FUTEX: usize = 202;
    pub const CLOCK_GETTIME: usize = 228;
}

/// Makes a system call with up to six arguments; returns what the kernel left in the result register.
///
/// # Safety
///
/// 1. The call with these arguments breaks no memory that the program relies on.
#[inline]
pub unsafe fn syscall(number: usize, arguments: [usize; 6]) -> isize {
    let result: isize;
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the instruction clobbers rcx and r11 and nothing else; effects on memory are the caller's (1).
    unsafe {
        asm!("syscall", inlateout("rax") number => result, in("rdi") a, in("rsi") b, in("rdx") c,
            in("r10") d, in("r8") e, in("r9") f, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    result
}

// One word of static thread-local storage, zero in every new thread. Declared here because stable Rust has no
// `#[thread_local]`, and `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate.
global_asm!(
    ".pushsection .tbss.mallow_thread_word, \"awT\", @nobits",
    ".hidden mallow_thread_word",
    ".globl mallow_thread_word",
    ".type mallow_thread_word, @object",
    ".size mallow_thread_word, 8",
    ".p2align 3",
    "mallow_thread_word:",
    ".zero 8",
    ".popsection",
);

/// `base` plus this thread's word, initial-exec: two instructions, no call.
#[inline(always)]
pub fn add_thread_word(base: usize) -> usize {
    let mut sum = base;
    // SAFETY: the GOT holds the word's offset from the thread pointer, which is valid for this thread's life; the
    // asm reads it and writes nothing else. Not `pure`: the word changes when the thread attaches and exits.
    unsafe {
        asm!("mov {offset}, qword ptr [rip + mallow_thread_word@GOTTPOFF]",
            "add {sum}, qword ptr fs:[{offset}]",
            offset = out(reg) _, sum = inout(reg) sum, options(nostack, readonly));
    }
    sum
}

/// Sets this thread's word.
#[inline]
pub fn set_thread_word(word: usize) {
    // SAFETY: as in `add_thread_word`; only this module knows the word.
    unsafe {
        asm!("mov {offset}, qword ptr [rip + mallow_thread_word@GOTTPOFF]",
            "mov qword ptr fs:[{offset}], {word}",
            offset = out(reg) _, word = in(reg) word, options(nostack, preserves_flags));
    }
}

/// A counter that rises at a constant rate, a few per nanosecond; only good for "has a while passed".
#[cfg(not(shuttle))]
#[inline]
pub fn cycles() -> u64 {
    // SAFETY: the instruction exists on every x86-64 processor and only writes its result registers.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Cycles that take about a millisecond on processors of today (2 to 5 GHz).
pub const CYCLES_PER_MS: u64 = 3_000_000;
