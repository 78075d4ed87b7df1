//! x86-64: system calls, the thread's words, the cycle counter.

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
    pub const SIGACTION: usize = 13;
    pub const SIGPROCMASK: usize = 14;
    pub const SIGRETURN: usize = 15;
    pub const IOCTL: usize = 16;
    pub const MREMAP: usize = 25;
    pub const MINCORE: usize = 27;
    pub const MADVISE: usize = 28;
    pub const GETPID: usize = 39;
    pub const FTRUNCATE: usize = 77;
    pub const GETRLIMIT: usize = 97;
    pub const FUTEX: usize = 202;
    pub const SCHED_GETAFFINITY: usize = 204;
    pub const CLOCK_GETTIME: usize = 228;
    pub const MEMFD_CREATE: usize = 319;
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

// Static thread-local storage, zero in every new thread. Declared here because stable Rust has no `#[thread_local]`, and
// `thread_local!` in a shared library would call `__tls_get_addr`, which may allocate.
global_asm!(
    ".pushsection .tbss.mallow_thread, \"awT\", @nobits",
    ".hidden mallow_thread",
    ".globl mallow_thread",
    ".type mallow_thread, @object",
    ".size mallow_thread, 48",
    ".p2align 3",
    "mallow_thread:",
    ".zero 48",
    ".popsection",
);

/// The place of this thread's words, initial-exec: one load, no call.
///
/// The accesses below are one instruction each with the word as its memory operand; that is what they are for.
#[derive(Clone, Copy, Debug)]
pub struct ThreadWords {
    /// From the thread pointer; the same in all threads.
    offset: usize,
}

impl ThreadWords {
    /// This thread's words.
    #[inline(always)]
    pub fn here() -> Self {
        let offset;
        // SAFETY: reads a constant from the GOT.
        unsafe {
            asm!("mov {offset}, qword ptr [rip + mallow_thread@GOTTPOFF]",
                offset = out(reg) offset, options(nostack, preserves_flags, pure, readonly));
        }
        Self { offset }
    }

    /// Word `WORD`.
    #[inline(always)]
    pub fn get<const WORD: usize>(self) -> usize {
        let word;
        // SAFETY: reads a word of this thread. Not `pure`: the word changes.
        unsafe {
            asm!("mov {word}, qword ptr fs:[{offset} + 8 * {at}]",
                offset = in(reg) self.offset, at = const WORD, word = lateout(reg) word,
                options(nostack, preserves_flags, readonly));
        }
        word
    }

    /// Sets word `WORD`.
    #[inline(always)]
    pub fn set<const WORD: usize>(self, word: usize) {
        // SAFETY: only this module knows the words.
        unsafe {
            asm!("mov qword ptr fs:[{offset} + 8 * {at}], {word}",
                offset = in(reg) self.offset, at = const WORD, word = in(reg) word,
                options(nostack, preserves_flags));
        }
    }

    /// Word `WORD` plus `number`.
    #[inline(always)]
    pub fn plus<const WORD: usize>(self, number: usize) -> usize {
        let mut sum = number;
        // SAFETY: reads a word of this thread. Not `pure`: the word changes.
        unsafe {
            asm!("add {sum}, qword ptr fs:[{offset} + 8 * {at}]",
                offset = in(reg) self.offset, at = const WORD, sum = inout(reg) sum,
                options(nostack, readonly));
        }
        sum
    }

    /// `number` minus word `WORD`.
    #[inline(always)]
    pub fn taken_from<const WORD: usize>(self, number: usize) -> usize {
        let mut difference = number;
        // SAFETY: reads a word of this thread. Not `pure`: the word changes.
        unsafe {
            asm!("sub {difference}, qword ptr fs:[{offset} + 8 * {at}]",
                offset = in(reg) self.offset, at = const WORD, difference = inout(reg) difference,
                options(nostack, readonly));
        }
        difference
    }

    /// Whether `number` is below word `WORD`.
    #[inline(always)]
    pub fn is_above<const WORD: usize>(self, number: usize) -> bool {
        // SAFETY: reads a word of this thread, and leaves by one of two ways.
        unsafe {
            asm!("cmp {number}, qword ptr fs:[{offset} + 8 * {at}]", "jae {not}",
                offset = in(reg) self.offset, at = const WORD, number = in(reg) number,
                not = label { return false }, options(nostack, readonly));
        }
        true
    }

    /// Whether the low 16 bits of `number` are those of word `WORD`.
    #[inline(always)]
    pub fn has_low_half_word<const WORD: usize>(self, number: u64) -> bool {
        // SAFETY: reads a word of this thread, and leaves by one of two ways.
        unsafe {
            asm!("cmp {number:x}, word ptr fs:[{offset} + 8 * {at}]", "jne {not}",
                offset = in(reg) self.offset, at = const WORD, number = in(reg) number,
                not = label { return false }, options(nostack, readonly));
        }
        true
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
