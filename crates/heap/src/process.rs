//! The allocator of this process: one static, and each thread's heap through its thread-local word.
//!
//! Called by `malloc` (C and C++) and `mallow` (Rust). The functions here have Rust signatures and no standard's rules:
//! no `errno`, no rounding of alignments, no meaning of zero sizes beyond "a block".
//!
//! A thread's word is the distance from [`ROOT`]'s empty heap to the thread's own. It is 0 at first, so a new thread,
//! and even one whose thread-local storage is not set up yet, finds a heap whose lists are all empty, and the slow path
//! gives it a real one, or, while it needs little, a visit to one that it shares with others (`shared`).

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr;

use mallow_ds::sync::{AtomicU64, Ordering};
use mallow_sys::environ::Environ;
use mallow_sys::hooks::{self, DESTRUCTOR_ROUNDS, ThreadExit};
use mallow_sys::line;
use mallow_sys::linux::{LINUX, call};
use mallow_sys::thread::{self, Here};
use mallow_trace::segment;
use mallow_units::size_class::{MAX_CLASS_BYTES, MAX_INDEXED_BYTES};
use mallow_units::{Align, SizeClass};

use crate::allocator::{Allocator, Foreign};
use crate::heap::Heap;
use crate::options::Key;
use crate::realloc::fits_in_place;
use crate::shared::Found;

/// The allocator of this process.
pub static ROOT: Allocator = Allocator::before_start(&LINUX);

static THREAD_EXIT: ThreadExit = ThreadExit::new(thread_exits);

/// The address that thread words count from.
#[inline(always)]
fn origin() -> usize {
    (&raw const ROOT.empty).expose_provenance()
}

/// The heap that this thread's word points to: its own, or one of the two that belong to no thread.
#[inline(always)]
fn heap_of_word() -> &'static Heap {
    let heap = ptr::with_exposed_provenance::<Heap>(thread::at_distance_from(origin()));
    // SAFETY: the word is 0 or was set by `set_heap`, to a heap, which lives for ever.
    unsafe { &*heap }
}

fn set_heap(heap: &'static Heap) {
    thread::set_distance(origin(), ptr::from_ref(heap).expose_provenance());
    thread::set_window(heap.window());
}

/// Runs `f` with a heap that this thread owns; `None` if there is no memory for one.
fn with_heap<R>(f: impl FnOnce(&'static Heap) -> R) -> Option<R> {
    let heap = heap_of_word();
    if heap.id() != 0 {
        let result = f(heap);
        // The step may have met new units, or a change of the options.
        thread::set_window(heap.window());
        return Some(result);
    }
    with_found_heap(f)
}

/// As [`with_heap`], for a thread that has none.
#[cold]
#[inline(never)]
fn with_found_heap<R>(f: impl FnOnce(&'static Heap) -> R) -> Option<R> {
    let found = find_heap()?;
    let result = f(found.heap());
    let_go(found);
    Some(result)
}

/// Whether this thread is past its last destructor.
fn has_exited() -> bool {
    ptr::eq(heap_of_word(), &raw const ROOT.exited)
}

/// A heap for this thread, which has none.
#[cold]
#[inline(never)]
fn find_heap() -> Option<Found> {
    if has_exited() {
        // A thread that is about to end needs little.
        return ROOT.find_heap(1);
    }
    let earlier_calls = thread::count_call();
    let found = ROOT.find_heap(earlier_calls)?;
    if let Found::Own(heap) = found {
        set_heap(heap);
    }
    if earlier_calls == 0 {
        // May allocate, and finds the heap in place then, or another one to share.
        THREAD_EXIT.arm(origin());
    }
    Some(found)
}

/// After a call with a heap that was found for it.
#[cold]
#[inline(never)]
fn let_go(found: Found) {
    match found {
        Found::Shared(heap) => ROOT.leave(heap),
        // Nobody would tell us when to let go, so do it right away.
        Found::Own(heap) if has_exited() => ROOT.detach(heap),
        Found::Own(heap) => thread::set_window(heap.window()),
    }
}

/// The end of a thread. Other destructors may still allocate and free, so the heap stays until the last round.
unsafe extern "C" fn thread_exits(_armed_with: *mut c_void) {
    if has_exited() {
        return;
    }
    let heap = heap_of_word();
    if heap.id() == 0 {
        // What it had lies in shared heaps. It gets no heap of its own any more, however much other destructors need: nobody
        // would tell us when to let go of it.
        set_heap(&ROOT.exited);
        ROOT.purge_after_exit();
        return;
    }
    let round = heap.exit_rounds.get() + 1;
    if round < DESTRUCTOR_ROUNDS {
        heap.exit_rounds.set(round);
        THREAD_EXIT.arm(origin());
        return;
    }
    set_heap(&ROOT.exited);
    ROOT.detach(heap);
    ROOT.purge_after_exit();
}

/// A block of at least `bytes`, aligned to 16; null if this thread has none at hand.
#[inline(always)]
pub fn allocate_fast(bytes: usize) -> *mut u8 {
    ROOT.allocate_fast(heap_of_word(), bytes)
}

/// A block of at least `bytes`, aligned to 16; null if there is no memory.
#[inline]
pub fn allocate_slow(bytes: usize) -> *mut u8 {
    let Some(class) = SizeClass::for_bytes(bytes) else { return allocate_long(bytes) };
    if bytes > MAX_INDEXED_BYTES {
        let block = heap_of_word().pop(class);
        if !block.is_null() {
            return block.cast();
        }
    }
    allocate_restocked(bytes, class)
}

/// As [`allocate_slow`], for a small block whose list is empty.
#[inline(never)]
fn allocate_restocked(bytes: usize, class: SizeClass) -> *mut u8 {
    let heap = heap_of_word();
    if ROOT.restock(heap, class) { heap.pop(class).cast() } else { allocate_anew(bytes) }
}

/// As [`allocate_slow`], for a medium or large block.
#[inline(never)]
fn allocate_long(bytes: usize) -> *mut u8 {
    let block = ROOT.allocate_kept(Here::new(), heap_of_word(), bytes);
    if block.is_null() { allocate_anew(bytes) } else { block }
}

/// As [`allocate_slow`], if neither a list nor a kept run has the block.
#[inline(never)]
fn allocate_anew(bytes: usize) -> *mut u8 {
    with_heap(|heap| ROOT.allocate_anew(heap, bytes)).unwrap_or(ptr::null_mut())
}

/// A block of at least `bytes` zero bytes; null if there is no memory.
#[inline]
pub fn allocate_zeroed(bytes: usize) -> *mut u8 {
    let heap = heap_of_word();
    if let Some(class) = SizeClass::for_bytes(bytes) {
        let block = heap.pop_zeroed(class, bytes);
        if !block.is_null() {
            return block;
        }
    }
    with_heap(|heap| ROOT.allocate_zeroed(heap, bytes)).unwrap_or(ptr::null_mut())
}

/// A block of at least `bytes` at a multiple of `align`; null if there is no memory.
pub fn allocate_aligned(bytes: usize, align: Align) -> *mut u8 {
    with_heap(|heap| ROOT.allocate_aligned(heap, bytes, align)).unwrap_or(ptr::null_mut())
}

/// Frees the block at `pointer` if that is simple; returns whether it did.
///
/// # Safety
///
/// 1. If `pointer` is a live block, nobody uses it any more.
#[inline(always)]
pub unsafe fn free_fast(pointer: *mut u8) -> bool {
    // SAFETY: the caller's promise (1); the heap is this thread's or belongs to none.
    unsafe { ROOT.free_fast(Here::new(), heap_of_word, pointer) }
}

/// Frees the block at `pointer`; null is ignored. Stops the process if the pointer is ours but no live block.
///
/// # Errors
///
/// [`Foreign`] if it is not ours.
///
/// # Safety
///
/// 1. As [`free_fast`].
#[inline]
pub unsafe fn free_slow(pointer: *mut u8) -> Result<(), Foreign> {
    // SAFETY: the caller's promise (1); the heap is this thread's or belongs to none.
    if unsafe { ROOT.free_nearby(Here::new(), heap_of_word(), pointer) } {
        return Ok(());
    }
    // SAFETY: the caller's promise (1).
    unsafe { free_elsewhere(pointer) }
}

/// As [`free_slow`], if the block is neither another heap's, with nothing wrong about it, nor a run that this thread keeps.
///
/// # Errors
///
/// [`Foreign`] if it is not ours.
///
/// # Safety
///
/// 1. As [`free_fast`].
#[inline(never)]
unsafe fn free_elsewhere(pointer: *mut u8) -> Result<(), Foreign> {
    let heap = heap_of_word();
    if heap.id() == 0 && !ptr::eq(heap, &raw const ROOT.exited) && !pointer.is_null() {
        // A thread that only frees needs a heap too: to collect what it has to send, and for its blocks of shared heaps.
        // SAFETY: the caller's promise (1); `with_heap` gives a heap of this thread.
        if let Some(result) = with_heap(|heap| unsafe { ROOT.free_slow(heap, pointer) }) {
            return result;
        }
    }
    // SAFETY: the caller's promise (1); the heap is this thread's or belongs to none.
    let result = unsafe { ROOT.free_slow(heap, pointer) };
    thread::set_window(heap.window());
    result
}

/// Resizes the live block at `pointer`, not null, to at least `bytes`; null if there is no memory.
///
/// # Errors
///
/// [`Foreign`] if it is not ours.
///
/// # Safety
///
/// 1. Nobody uses the block during the call, nor afterwards if it moved.
pub unsafe fn reallocate(pointer: *mut u8, bytes: usize) -> Result<*mut u8, Foreign> {
    // SAFETY: the caller's promise (1).
    match unsafe { ROOT.own_block_bytes(Here::new(), pointer) } {
        Some(old_bytes) if fits_in_place(old_bytes, bytes) => return Ok(pointer),
        Some(old_bytes) if bytes <= MAX_CLASS_BYTES => {
            // SAFETY: a live block of so many bytes, which the caller lets go of (1).
            return unsafe { copy_to_new(pointer, old_bytes, bytes) };
        }
        _ => {}
    }
    // SAFETY: the caller's promise (1); `with_heap` gives a heap of this thread.
    with_heap(|heap| unsafe { ROOT.reallocate(heap, pointer, bytes) }).unwrap_or(Ok(ptr::null_mut()))
}

/// Resizes by copying, on the short ways if they are open: most strings and arrays grow so.
///
/// # Errors
///
/// [`Foreign`]: never, but [`free_slow`] has it.
///
/// # Safety
///
/// 1. `pointer` is a live block of `old_bytes` bytes that nobody uses during the call, nor afterwards unless it fails.
#[inline(never)]
unsafe fn copy_to_new(pointer: *mut u8, old_bytes: usize, bytes: usize) -> Result<*mut u8, Foreign> {
    let mut new = allocate_fast(bytes);
    if new.is_null() {
        new = allocate_slow(bytes);
        if new.is_null() {
            return Ok(new);
        }
    }
    // SAFETY: both blocks are this long, and a new block overlaps no live one.
    unsafe { ptr::copy_nonoverlapping(pointer, new, old_bytes.min(bytes)) };
    // SAFETY: the old block is live, and nobody uses it any more (1).
    if !unsafe { free_fast(pointer) } {
        // SAFETY: as above.
        unsafe { free_slow(pointer) }?;
    }
    Ok(new)
}

/// Returns all free memory that this thread can reach to the kernel, but for `keep` bytes; the bytes returned.
pub fn trim(keep: usize) -> usize {
    with_heap(|heap| ROOT.trim(heap, keep)).unwrap_or(0)
}

/// Sets the fill pattern of new and freed blocks, 0 for none.
pub fn set_perturb(pattern: u8) {
    with_heap(|heap| ROOT.set_perturb(heap, pattern));
}

/// Sets how much free memory may stay resident.
pub fn set_trim_threshold(bytes: usize) {
    // Any number is allowed: more than the largest is as good as the largest.
    let _ = ROOT.options.set(Key::TrimThreshold, bytes as u64);
    ROOT.page_heap().set_dirty_floor(bytes);
}

/// Brings the counters up to date with what this thread has counted.
pub fn settle() {
    with_heap(|heap| ROOT.take_stock(heap));
}

/// A function in `.init_array`.
///
/// # Source
///
/// glibc passes `main`'s arguments to constructors, in libraries as well.
pub type Constructor = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// The constructor of each face: reads the options and registers the fork handlers, once.
///
/// The allocator itself needs none: it works from the first call, which may come from the dynamic loader before any
/// constructor runs. If the process has more rights than its user, the environment is not read.
///
/// # Safety
///
/// 1. `environment` is the process's environment block, as the C library passes it.
pub unsafe extern "C" fn constructor(
    _count: c_int,
    _arguments: *const *const c_char,
    environment: *const *const c_char,
) {
    static STARTED: AtomicU64 = AtomicU64::new(0);
    if STARTED.swap(1, Ordering::Relaxed) != 0 {
        return;
    }
    if let Some(processors) = call::processor_count() {
        ROOT.shared.set_processors(processors);
    }
    hooks::at_fork(before_fork, after_fork_in_parent, after_fork_in_child);
    let environ = (!hooks::is_secure()).then(|| {
        // SAFETY: the environment block (1); what is read from it is not kept.
        unsafe { Environ::new(environment) }
    });
    if let Some(environ) = &environ {
        ROOT.options.read_glibc(|name| environ.value(name.as_bytes()));
        if let Some(text) = environ.value(b"MALLOW") {
            let path = ROOT.options.read(text, |wrong| line::warn(format_args!("{wrong}")));
            path.and_then(show_counters);
        }
    }
    ROOT.counters.start();
    if environ.is_none() {
        return;
    }
    set_trim_threshold(usize::try_from(ROOT.options.get(Key::TrimThreshold)).unwrap_or(usize::MAX));
    if ROOT.is_slow_mode() {
        set_perturb(u8::try_from(ROOT.options.get(Key::Perturb)).unwrap_or(0));
    }
}

/// The destructor of each face, in `.fini_array`: brings the counters up to date, and has a last look for mistakes of the program
/// that were not seen at once. The allocator goes on working.
pub extern "C" fn destructor() {
    settle();
    with_heap(|heap| ROOT.look_over_lists(heap));
}

/// Maps the segment at `path` and claims it, unless another process has.
fn show_counters(path: &[u8]) -> Option<()> {
    const PATH_BYTES: usize = 256;
    let mut buffer = [0_u8; PATH_BYTES];
    buffer.get_mut(..path.len())?.copy_from_slice(path);
    let path = CStr::from_bytes_until_nul(&buffer).ok()?;
    let fd = call::open(path, true).ok()?;
    let mapped = call::map_shared(fd, segment::FILE_BYTES);
    call::close(fd);
    let words = mapped.ok()?.cast::<u64>();
    let word = |index: usize| {
        // SAFETY: inside the mapped segment.
        let word = unsafe { words.add(index) };
        // SAFETY: mapped for ever, aligned, and shared with other processes as atomics only.
        unsafe { AtomicU64::from_ptr(word.as_ptr()) }
    };
    if word(0).load(Ordering::Relaxed) != segment::MAGIC
        || word(1).load(Ordering::Relaxed) != segment::VERSION_WORD
    {
        line::warn(format_args!("MALLOW: segment is not a segment of this version; it is ignored"));
        return None;
    }
    let me = call::process_id();
    // ORDERING: the claim publishes nothing; readers tolerate counters of different moments.
    match word(segment::PID_WORD).compare_exchange(0, me, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {}
        // The same process, after an exec.
        Err(claimed_by) if claimed_by == me => {}
        Err(_) => return None,
    }
    // SAFETY: a mapped segment of this version, with the rest of its page, claimed, and never unmapped.
    unsafe { ROOT.counters.show_in(words) };
    Some(())
}

extern "C" fn before_fork() {
    ROOT.prepare_fork();
}

extern "C" fn after_fork_in_parent() {
    // SAFETY: `before_fork` ran on this thread, just before.
    unsafe { ROOT.after_fork_in_parent() };
}

extern "C" fn after_fork_in_child() {
    // SAFETY: `before_fork` ran on the thread that this one was.
    unsafe { ROOT.after_fork_in_child(heap_of_word()) };
    // The counters in the segment are the parent's.
    ROOT.counters.hide();
}
