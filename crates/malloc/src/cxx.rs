//! The C++ operators `new` and `delete`, all twenty.
//!
//! A `new` that finds no memory calls the program's new-handler until there is some, or throws `std::bad_alloc`. The
//! exception passes through our frame, and so may one that the handler throws; Rust frames do not let
//! exceptions through, so these few are written in assembly with unwind information.

use core::arch::naked_asm;

use mallow_sys::{hooks, line};
use mallow_units::size_class::QUANTUM;

use crate::aligned;
use crate::c_api;

/// `operator new(size_t)` in machine code, for one exported name.
macro_rules! throwing_new {
    ($($name:ident)*) => { $(
        /// `operator new`: a block, or `std::bad_alloc`.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(bytes: usize) -> *mut u8 {
            naked_asm!(
                ".cfi_startproc",
                "push rdi",
                ".cfi_adjust_cfa_offset 8",
                "call {malloc}",
                "pop rdi",
                ".cfi_adjust_cfa_offset -8",
                "test rax, rax",
                "je {retry}",
                "ret",
                ".cfi_endproc",
                malloc = sym c_api::malloc,
                retry = sym new_after_failure,
            )
        }
    )* };
}

/// `operator new(size_t, align_val_t)` in machine code, for one exported name.
macro_rules! throwing_aligned_new {
    ($($name:ident)*) => { $(
        /// `operator new` with an alignment: a block, or `std::bad_alloc`.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(bytes: usize, align: usize) -> *mut u8 {
            naked_asm!(
                ".cfi_startproc",
                "push rbx",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_rel_offset rbx, 0",
                "push r12",
                ".cfi_adjust_cfa_offset 8",
                ".cfi_rel_offset r12, 0",
                "sub rsp, 8",
                ".cfi_adjust_cfa_offset 8",
                "mov rbx, rdi",
                "mov r12, rsi",
                "2:",
                "mov rdi, r12",
                "mov rsi, rbx",
                "call {memalign}",
                "test rax, rax",
                "jne 3f",
                "call {handle}",
                "jmp 2b",
                "3:",
                "add rsp, 8",
                ".cfi_adjust_cfa_offset -8",
                "pop r12",
                ".cfi_adjust_cfa_offset -8",
                "pop rbx",
                ".cfi_adjust_cfa_offset -8",
                "ret",
                ".cfi_endproc",
                memalign = sym aligned::memalign,
                handle = sym handle_failure,
            )
        }
    )* };
}

throwing_new! { _Znwm _Znam }
throwing_aligned_new! { _ZnwmSt11align_val_t _ZnamSt11align_val_t }

/// Goes on after `malloc` has failed: handler and `malloc` by turns.
#[unsafe(naked)]
extern "C" fn new_after_failure(bytes: usize) -> *mut u8 {
    naked_asm!(
        ".cfi_startproc",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbx, 0",
        "mov rbx, rdi",
        "2:",
        "call {handle}",
        "mov rdi, rbx",
        "call {malloc}",
        "test rax, rax",
        "je 2b",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        handle = sym handle_failure,
        malloc = sym c_api::malloc,
    )
}

/// Calls the new-handler; throws `std::bad_alloc` if there is none; ends the process if there is no C++ library.
///
/// Throws as the compiler would: allocate the exception, make it a `bad_alloc`, hand it over with its type and its
/// destructor. A statically linked program that catches `bad_alloc` has all of these symbols, but not necessarily the
/// library's own function for it.
///
/// # Source
///
/// Itanium C++ ABI, "Exception Handling", 2.4.
#[unsafe(naked)]
extern "C" fn handle_failure() {
    naked_asm!(
        ".weak _ZSt15get_new_handlerv",
        ".weak __cxa_allocate_exception",
        ".weak __cxa_throw",
        ".weak _ZTVSt9bad_alloc",
        ".weak _ZTISt9bad_alloc",
        ".weak _ZNSt9bad_allocD1Ev",
        ".cfi_startproc",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov rax, qword ptr [rip + _ZSt15get_new_handlerv@GOTPCREL]",
        "test rax, rax",
        "je 2f",
        "call rax",
        "test rax, rax",
        "je 2f",
        "call rax",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_adjust_cfa_offset 8",
        "2:",
        "mov rax, qword ptr [rip + __cxa_allocate_exception@GOTPCREL]",
        "test rax, rax",
        "je 3f",
        "mov rax, qword ptr [rip + __cxa_throw@GOTPCREL]",
        "test rax, rax",
        "je 3f",
        "mov rax, qword ptr [rip + _ZTVSt9bad_alloc@GOTPCREL]",
        "test rax, rax",
        "je 3f",
        "mov edi, 8",
        "mov rax, qword ptr [rip + __cxa_allocate_exception@GOTPCREL]",
        "call rax",
        // An object of a class with virtual functions begins with the address of its table, behind two words of it.
        "mov rcx, qword ptr [rip + _ZTVSt9bad_alloc@GOTPCREL]",
        "add rcx, 16",
        "mov qword ptr [rax], rcx",
        "mov rdi, rax",
        "mov rsi, qword ptr [rip + _ZTISt9bad_alloc@GOTPCREL]",
        "mov rdx, qword ptr [rip + _ZNSt9bad_allocD1Ev@GOTPCREL]",
        "mov rax, qword ptr [rip + __cxa_throw@GOTPCREL]",
        "call rax",
        "3:",
        "call {without_library}",
        ".cfi_endproc",
        without_library = sym fail_without_library,
    )
}

extern "C" fn fail_without_library() -> ! {
    line::warn(format_args!("operator new: out of memory, and no C++ library to throw std::bad_alloc"));
    hooks::abort()
}

/// `operator new` that returns null instead of throwing, for exported names and what they allocate.
macro_rules! nothrow_new {
    ($($name:ident($($argument:ident),*) = $first:expr, $align:expr;)*) => { $(
        /// `operator new` that returns null instead of throwing.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(bytes: usize, $($argument: usize,)* _nothrow: usize) -> *mut u8 {
            let block: *mut u8 = $first(bytes);
            if block.is_null() { new_or_null(bytes, $align) } else { block }
        }
    )* };
}

/// The throwing `operator new` within a `try`, and null from its `catch (...)`.
///
/// The table says so to the C++ library's personality function, if there is one: without it, nothing throws.
///
/// # Source
///
/// Itanium C++ ABI, "Exception Handling Tables".
#[unsafe(naked)]
extern "C" fn new_or_null(bytes: usize, align: usize) -> *mut u8 {
    naked_asm!(
        ".weak __gxx_personality_v0",
        ".weak __cxa_begin_catch",
        ".weak __cxa_end_catch",
        ".Lmallow_begin:",
        ".cfi_startproc",
        ".cfi_personality 0x9b, .Lmallow_personality",
        ".cfi_lsda 0x1b, .Lmallow_table",
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        ".Lmallow_try:",
        "call {throwing}",
        ".Lmallow_tried:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_adjust_cfa_offset 8",
        ".Lmallow_catch:",
        "mov rdi, rax",
        "call qword ptr [rip + __cxa_begin_catch@GOTPCREL]",
        "call qword ptr [rip + __cxa_end_catch@GOTPCREL]",
        "xor eax, eax",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
        ".cfi_endproc",
        ".pushsection .data.rel.ro.mallow_personality, \"aw\", @progbits",
        ".p2align 3",
        ".Lmallow_personality:",
        ".quad __gxx_personality_v0",
        ".popsection",
        ".pushsection .gcc_except_table, \"a\", @progbits",
        ".p2align 2",
        ".Lmallow_table:",
        // Landing pads count from the start of the function; types are relative and indirect.
        ".byte 0xff",
        ".byte 0x9b",
        ".uleb128 .Lmallow_types - .Lmallow_after_types",
        ".Lmallow_after_types:",
        ".byte 0x01",
        ".uleb128 .Lmallow_sites_end - .Lmallow_sites",
        ".Lmallow_sites:",
        ".uleb128 .Lmallow_try - .Lmallow_begin",
        ".uleb128 .Lmallow_tried - .Lmallow_try",
        ".uleb128 .Lmallow_catch - .Lmallow_begin",
        ".uleb128 1",
        ".Lmallow_sites_end:",
        // One action: type 1, and no other. Type 1 is null, which catches everything.
        ".byte 1",
        ".byte 0",
        ".p2align 2",
        ".long 0",
        ".Lmallow_types:",
        ".popsection",
        throwing = sym _ZnwmSt11align_val_t,
    )
}

nothrow_new! {
    _ZnwmRKSt9nothrow_t() = c_api::malloc, QUANTUM;
    _ZnamRKSt9nothrow_t() = c_api::malloc, QUANTUM;
    _ZnwmSt11align_val_tRKSt9nothrow_t(align) = |bytes| aligned::memalign(align, bytes), align;
    _ZnamSt11align_val_tRKSt9nothrow_t(align) = |bytes| aligned::memalign(align, bytes), align;
}

macro_rules! delete {
    ($($name:ident($($argument:ident),*);)*) => { $(
        /// `operator delete`. What it is told about the block is not needed.
        ///
        /// # Safety
        ///
        /// 1. As [`c_api::free`].
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name(pointer: *mut u8 $(, $argument: usize)*) {
            // SAFETY: by (1).
            unsafe { c_api::free(pointer) };
        }
    )* };
}

delete! {
    _ZdlPv();
    _ZdaPv();
    _ZdlPvm(_bytes);
    _ZdaPvm(_bytes);
    _ZdlPvRKSt9nothrow_t(_nothrow);
    _ZdaPvRKSt9nothrow_t(_nothrow);
    _ZdlPvSt11align_val_t(_align);
    _ZdaPvSt11align_val_t(_align);
    _ZdlPvmSt11align_val_t(_bytes, _align);
    _ZdaPvmSt11align_val_t(_bytes, _align);
    _ZdlPvSt11align_val_tRKSt9nothrow_t(_align, _nothrow);
    _ZdaPvSt11align_val_tRKSt9nothrow_t(_align, _nothrow);
}
