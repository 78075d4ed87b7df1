//! The fault handler of a process: somebody else decides what is at an address, when it is touched.
//!
//! The kernel reports an access that it cannot resolve as `SIGSEGV`; the handler here asks a resolver, and lets the access be
//! tried again if that says so. What the resolver does not know goes to whoever handled the signal before. For simulated
//! machines; the allocator does not use it.
//!
//! The handler runs on the stack of the thread, as deep as the resolver goes: an alternate stack is a few pages. So a thread that
//! overflows its stack is killed without a word.

use core::arch::naked_asm;

use crate::cpu::{number, syscall};
use crate::linux::call::result;
use crate::lock::Lock;
use crate::os::OsError;

/// Decides about an access at an address, a write if so; whether it is to be tried again.
///
/// It runs on the thread that made the access, in the middle of it: it may take locks and memory unless code that holds them
/// makes such accesses.
pub type Resolver = fn(address: usize, is_write: bool) -> bool;

const SIGSEGV: usize = 11;
const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;
/// The handler may be interrupted by itself: the host's allocator may fault inside the resolver.
const SA_NODEFER: u64 = 0x4000_0000;

/// The kernel's `struct sigaction`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

/// The start of the kernel's `siginfo_t` for a fault.
#[derive(Debug)]
#[repr(C)]
struct Info {
    signal: i32,
    errno: i32,
    code: i32,
    padding: i32,
    address: usize,
}

/// The start of the kernel's `ucontext_t`: what lies before the registers, and the registers up to the error code.
#[derive(Debug)]
#[repr(C)]
struct Context {
    before: [u64; 5],
    registers: [u64; 19],
    error_code: u64,
}

/// Bit of a page fault's error code: it was a write.
const WRITE: u64 = 1 << 1;

/// Who decides, and who handled the signal before.
static RESOLVER: Lock<Option<(Resolver, Action)>> = Lock::new(None);

/// Returns from a signal.
#[unsafe(naked)]
extern "C" fn restore() {
    naked_asm!("mov eax, {}", "syscall", const number::SIGRETURN)
}

extern "C" fn handle(_signal: i32, info: &Info, context: &Context) {
    let Some((resolver, before)) = *RESOLVER.lock() else { return };
    if !resolver(info.address, context.error_code & WRITE != 0) {
        // The access is tried again, and then reported to the one before.
        let _ = set_action(&before);
    }
}

fn set_action(action: &Action) -> Result<Action, OsError> {
    let mut old = Action::default();
    let new = core::ptr::from_ref(action).addr();
    let arguments = [SIGSEGV, new, core::ptr::from_mut(&mut old).expose_provenance(), size_of::<u64>(), 0, 0];
    // SAFETY: both are of the kernel's layout; the handlers are functions of its signature, or what the kernel gave us.
    result(unsafe { syscall(number::SIGACTION, arguments) })?;
    Ok(old)
}

/// Lets `resolver` decide about accesses that the kernel cannot resolve, from now on.
///
/// # Errors
///
/// The kernel's reason.
///
/// # Source
///
/// `sigaction(2)`.
pub fn resolve_with(resolver: Resolver) -> Result<(), OsError> {
    let mut installed = RESOLVER.lock();
    if let Some((current, _)) = &mut *installed {
        *current = resolver;
        return Ok(());
    }
    let handler: extern "C" fn(i32, &Info, &Context) = handle;
    let restorer: extern "C" fn() = restore;
    let flags = SA_SIGINFO | SA_RESTORER | SA_NODEFER;
    *installed = Some((resolver, Action::default()));
    let action = Action { handler: handler as usize, flags, restorer: restorer as usize, mask: 0 };
    match set_action(&action) {
        Ok(before) => *installed = Some((resolver, before)),
        Err(error) => {
            *installed = None;
            return Err(error);
        }
    }
    Ok(())
}
