//! Threads that allocate one block each and wait.
//!
//! ```text
//!  threads N  ──► each: malloc, write, post ARRIVED, wait for LEAVE ──► join: post LEAVE, each frees and ends
//! ```
//!
//! # Concurrency
//!
//! The two semaphores are the only thing that threads share; each has its block to itself.

use core::cell::UnsafeCell;
use core::ffi::c_void;
use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::pointer;
use crate::Answer;
use crate::wire::Request;

const MOST: usize = 1 << 13;

/// A semaphore of the C library.
struct Semaphore(UnsafeCell<MaybeUninit<libc::sem_t>>);

// SAFETY: the cell is reached through the C library's functions only, which are made for several threads.
unsafe impl Sync for Semaphore {}

static ARRIVED: Semaphore = Semaphore(UnsafeCell::new(MaybeUninit::zeroed()));
static LEAVE: Semaphore = Semaphore(UnsafeCell::new(MaybeUninit::zeroed()));
/// Threads by number, as `pthread_create` gave them.
static THREADS: [AtomicU64; MOST] = [const { AtomicU64::new(0) }; MOST];
static COUNT: AtomicUsize = AtomicUsize::new(0);

impl Semaphore {
    fn init(&self) {
        // SAFETY: nobody waits for it: it is made before the first thread.
        unsafe { libc::sem_init(self.0.get().cast(), 0, 0) };
    }

    fn post(&self) {
        // SAFETY: `init` came before, in `start`.
        unsafe { libc::sem_post(self.0.get().cast()) };
    }

    fn wait(&self) {
        // SAFETY: `init` came before, in `start`.
        while unsafe { libc::sem_wait(self.0.get().cast()) } != 0 {}
    }
}

/// `threads COUNT STACK_BYTES BLOCK_BYTES`: starts them and waits until each has its block; 0 bytes of stack are
/// the default.
pub(super) fn start(request: &Request<'_>) -> Answer {
    let threads = THREADS.get(..request.number(1)).ok_or(libc::ERANGE)?;
    ARRIVED.init();
    LEAVE.init();
    COUNT.store(0, Ordering::Relaxed);
    for slot in threads {
        slot.store(create(request.number(2), request.number(3))?, Ordering::Relaxed);
        ARRIVED.wait();
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
    Ok(threads.len() as u64)
}

/// `join`: lets the threads go and waits for their ends.
pub(super) fn join(_request: &Request<'_>) -> Answer {
    let count = COUNT.swap(0, Ordering::Relaxed);
    for _ in 0..count {
        LEAVE.post();
    }
    for slot in &THREADS[..count] {
        // SAFETY: each thread is joined once: the count was taken.
        unsafe { libc::pthread_join(slot.load(Ordering::Relaxed), ptr::null_mut()) };
    }
    Ok(count as u64)
}

/// Starts one thread; its handle.
fn create(stack_bytes: usize, block_bytes: usize) -> Result<u64, i32> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: there is room for the attributes.
    unsafe { libc::pthread_attr_init(attributes.as_mut_ptr()) };
    if stack_bytes != 0 {
        // SAFETY: they have just been made.
        let errno = unsafe { libc::pthread_attr_setstacksize(attributes.as_mut_ptr(), stack_bytes) };
        if errno != 0 {
            return Err(errno);
        }
    }
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    let block = ptr::without_provenance_mut(block_bytes);
    // SAFETY: the function takes a number in the place of a pointer, and there is room for the handle.
    let errno =
        unsafe { libc::pthread_create(thread.as_mut_ptr(), attributes.as_ptr(), allocate_and_wait, block) };
    if errno != 0 {
        return Err(errno);
    }
    // SAFETY: the call has succeeded and written it.
    Ok(unsafe { thread.assume_init() })
}

extern "C" fn allocate_and_wait(block_bytes: *mut c_void) -> *mut c_void {
    let bytes = block_bytes.addr();
    let block = if bytes == 0 {
        ptr::null_mut()
    } else {
        // SAFETY: any size may be asked for.
        unsafe { libc::malloc(bytes) }
    };
    if !block.is_null() {
        // SAFETY: the block is that long.
        unsafe { libc::memset(block, 1, bytes) };
    }
    ARRIVED.post();
    LEAVE.wait();
    // SAFETY: the block is this thread's own, or none.
    unsafe { libc::free(pointer(block.expose_provenance())) };
    ptr::null_mut()
}
