//! System calls and accesses that need neither the heap nor thread-local memory.

use core::arch::asm;

/// A system call; returns what the kernel returns, errors as negative numbers.
pub(crate) fn call(number: i64, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    let result;
    // SAFETY: the callers pass addresses of the shared memory, of constants, or of the arena, whose contents belong to
    // scripts; what a call does to other memory than that it does to nothing that this process uses.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack)
        );
    }
    result
}

/// Marks an access of [`load`] or [`store`] for the handler.
const ACCESS: u64 = 0x6d61_6c6c_6f77;

/// Loads a byte; the signal and its code if there was one.
pub(crate) fn load(address: u64) -> Result<u8, (i32, i32)> {
    let (byte, signal): (u64, u64);
    // SAFETY: the address is a script's, and the handler goes on behind the load if it cannot be carried out.
    unsafe {
        asm!(
            "lea r8, [rip + 2f]",
            "movzx eax, byte ptr [rdi]",
            "2:",
            in("rdi") address, in("r10") ACCESS, inout("r9") 0u64 => signal, out("rax") byte, out("r8") _,
            options(nostack)
        );
    }
    if signal == 0 { Ok(byte.to_le_bytes()[0]) } else { Err(parts(signal)) }
}

/// Stores a byte; the signal and its code if there was one.
pub(crate) fn store(address: u64, byte: u8) -> Result<(), (i32, i32)> {
    let signal: u64;
    // SAFETY: as for `load`; nothing of this process lies where scripts write.
    unsafe {
        asm!(
            "lea r8, [rip + 2f]",
            "mov byte ptr [rdi], al",
            "2:",
            in("rdi") address, in("r10") ACCESS, inout("r9") 0u64 => signal, in("rax") u64::from(byte), out("r8") _,
            options(nostack)
        );
    }
    if signal == 0 { Ok(()) } else { Err(parts(signal)) }
}

fn parts(signal: u64) -> (i32, i32) {
    let [number, code, ..] = signal.to_le_bytes();
    (i32::from(number), i32::from(code))
}

/// Goes on behind the access, with the signal in the register that the access looks at.
extern "C" fn on_signal(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel passes a context that may be changed until the handler returns.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    if registers[libc::REG_R10 as usize].cast_unsigned() != ACCESS {
        call(libc::SYS_exit_group, [98, 0, 0, 0, 0, 0]);
    }
    // SAFETY: the kernel passes a description that lives until the handler returns.
    let code = unsafe { (*info).si_code };
    registers[libc::REG_RIP as usize] = registers[libc::REG_R8 as usize];
    registers[libc::REG_R9 as usize] = i64::from(signal | code << 8);
}

/// Takes the signals of accesses from now on, on a stack of its own: a script may have taken the other one's room to grow.
pub(crate) fn handle_signals(stack: &mut [u8]) {
    let stack = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    // SAFETY: the stack is shared memory that is never unmapped, and only one process handles a signal at a time.
    unsafe { libc::sigaltstack(&raw const stack, core::ptr::null_mut()) };
    // SAFETY: all zeroes is a `sigaction`: the default action without flags.
    let mut action: libc::sigaction = unsafe { core::mem::zeroed() };
    action.sa_sigaction = on_signal as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: the handler touches nothing but its arguments.
        unsafe { libc::sigaction(signal, &raw const action, core::ptr::null_mut()) };
    }
}

/// Reads a file of `/proc` from its start; how many bytes there were room for.
pub(crate) fn read_file(path: &core::ffi::CStr, buffer: &mut [u8]) -> usize {
    let file = call(libc::SYS_open, [path.as_ptr() as u64, 0, 0, 0, 0, 0]);
    let mut used = 0;
    while file >= 0 && used < buffer.len() {
        let rest = &mut buffer[used..];
        let arguments = [file.cast_unsigned(), rest.as_mut_ptr() as u64, rest.len() as u64, 0, 0, 0];
        match usize::try_from(call(libc::SYS_read, arguments)) {
            Ok(0) | Err(_) => break,
            Ok(bytes) => used += bytes,
        }
    }
    call(libc::SYS_close, [file.cast_unsigned(), 0, 0, 0, 0, 0]);
    used
}

/// The number behind `key` in a text of lines such as `VmSize:  12 kB`.
pub(crate) fn field(text: &[u8], key: &[u8]) -> u64 {
    let mut lines = text.split(|byte| *byte == b'\n');
    let line = lines.find(|line| line.starts_with(key)).unwrap_or_default();
    let digits = line.iter().filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}
