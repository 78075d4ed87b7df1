//! The C library's hooks: the end of a thread, fork, and the end of the process.
//!
//! Called by `heap::process` when the process-wide allocator starts and when a thread gets its heap. These are the
//! only functions of libc that the allocator calls on its own behalf; none of them may be called under a lock of ours,
//! because each may allocate.

use core::ffi::{c_int, c_uint, c_ulong, c_void};
use core::ptr::null_mut;

use mallow_ds::sync::{AtomicU64, Ordering};

type Destructor = unsafe extern "C" fn(*mut c_void);
type ForkHandler = extern "C" fn();

#[link(name = "c")]
unsafe extern "C" {
    #[link_name = "abort"]
    fn libc_abort() -> !;
    fn pthread_key_create(key: *mut c_uint, destructor: Destructor) -> c_int;
    fn pthread_key_delete(key: c_uint) -> c_int;
    fn pthread_setspecific(key: c_uint, value: *const c_void) -> c_int;
    safe fn getauxval(kind: c_ulong) -> c_ulong;
    fn __register_atfork(
        prepare: ForkHandler,
        parent: ForkHandler,
        child: ForkHandler,
        library: *mut c_void,
    ) -> c_int;
}

/// Rounds of destructors that libc runs at the end of a thread.
///
/// # Source
///
/// `PTHREAD_DESTRUCTOR_ITERATIONS` of glibc.
pub const DESTRUCTOR_ROUNDS: u8 = 4;

/// A hook that runs at the end of each thread that has armed it.
#[derive(Debug)]
pub struct ThreadExit {
    /// 0 until the key exists, then the key plus one.
    key_plus_one: AtomicU64,
    destructor: Destructor,
}

impl ThreadExit {
    /// A hook that will call `destructor` with the value it was armed with.
    pub const fn new(destructor: Destructor) -> Self {
        Self { key_plus_one: AtomicU64::new(0), destructor }
    }

    /// Arms the hook for this thread, or for one more round inside the destructor itself.
    ///
    /// Does nothing if the C library is out of keys: the thread's heap is then not reused when it exits.
    pub fn arm(&self, value: usize) {
        if let Some(key) = self.key() {
            let value = core::ptr::without_provenance::<c_void>(value);
            // SAFETY: a key that exists; the value is only handed back. May call `calloc` for high key numbers.
            let _ = unsafe { pthread_setspecific(key, value) };
        }
    }

    fn key(&self) -> Option<c_uint> {
        // ORDERING: the key is a number and publishes nothing.
        let known = self.key_plus_one.load(Ordering::Relaxed);
        if known != 0 {
            return c_uint::try_from(known - 1).ok();
        }
        let mut key = 0;
        // SAFETY: writes the new key to `key`.
        if unsafe { pthread_key_create(&raw mut key, self.destructor) } != 0 {
            return None;
        }
        let mine = u64::from(key) + 1;
        match self.key_plus_one.compare_exchange(0, mine, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => Some(key),
            Err(other) => {
                // SAFETY: made above and not used by any thread.
                let _ = unsafe { pthread_key_delete(key) };
                c_uint::try_from(other - 1).ok()
            }
        }
    }
}

/// Registers functions to run before a fork, and after it in the parent and in the child.
///
/// Handlers that were registered earlier run later before the fork and earlier after it.
pub fn at_fork(prepare: ForkHandler, parent: ForkHandler, child: ForkHandler) {
    // SAFETY: functions that live as long as the process (the library is linked `nodelete`). Without a library handle the
    // handlers are never removed. A failure to register leaves fork as unsafe as without us.
    let _ = unsafe { __register_atfork(prepare, parent, child, null_mut()) };
}

/// Whether the process has more rights than the user that started it, who must not influence it then.
///
/// # Source
///
/// `getauxval(3)`, `AT_SECURE`.
pub fn is_secure() -> bool {
    const AT_SECURE: c_ulong = 23;
    getauxval(AT_SECURE) != 0
}

/// Ends the process with `SIGABRT`.
pub fn abort() -> ! {
    // SAFETY: does not return, and needs nothing of ours.
    unsafe { libc_abort() }
}
