//! A simulated machine as the operating system of the allocator.
//!
//! ```text
//!  allocator ─► Os ─► Machine::mmap, mprotect, madvise ..        promises: areas, commit account
//!      │
//!      └─ load or store ─► window ─► SIGSEGV ─► Machine::fault ─► frame ─► shown in the window
//! ```
//!
//! The memory of the machine is a file in memory. A span of the host's address space, the window, has the addresses of the machine's
//! one process; a page of it shows the frame that the machine's tables say, from the first touch until the machine flushes the
//! page. So the window is a translation look-aside buffer, the host's fault handler is the page fault exception, and the
//! allocator and its callers are ordinary code that does not know: every page it touches has gone through the machine's fault
//! handler, and what the machine takes away faults again.
//!
//! What the machine refuses is refused here: `ENOMEM` by limits and by the commit account. What it cannot resolve kills: that is
//! the host's `SIGSEGV`.
//!
//! Several threads may use the memory: a frame that the machine takes away is hidden before it is read. A page that is shown stays used and, if writable, dirty, as far as the machine can tell.

#![expect(unsafe_code, reason = "addresses that are handed out, and shown")]

use alloc::boxed::Box;
use core::fmt;
use core::ptr::{NonNull, with_exposed_provenance_mut};

use mallow_sys::linux::fault::resolve_with;
use mallow_sys::linux::window::{Shown, Window};
use mallow_sys::lock::Lock;
use mallow_sys::os::{Os, OsError};
use mallow_units::page::PAGE_BYTES;
use mallow_units::{Bytes, Errno, PageNumber, PageSpan, VirtAddr};
use mallow_vma::fault::Access;
use mallow_vma::{Advice, Layout, Limits, MapFlags, MapRequest, Prot, RemapFlags};

use crate::machine::{Config, Machine};
use crate::mm::Pid;
use crate::ram::Ram;
use crate::sim::tlb::Listener;

/// Machines that may be looked at through windows at once.
const MOST: usize = 64;

/// The machines with windows, so that the one handler of the process finds the machine of an address. They are for ever.
static MACHINES: Lock<[Option<&'static MachineOs>; MOST]> = Lock::new([None; MOST]);

/// A machine with one process, whose memory is reached by ordinary loads and stores.
#[derive(Debug)]
pub struct MachineOs {
    state: Lock<State>,
    /// Where the window begins, and how long it is. Bytes.
    start: usize,
    bytes: usize,
}

#[derive(Debug)]
struct State {
    machine: Machine,
    pid: Pid,
    window: &'static Window,
    death: Option<Death>,
}

/// See [`MachineOs::on_death`].
struct Death(Box<dyn Fn(&Machine) + Send>);

impl fmt::Debug for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Death")
    }
}

const READ_WRITE: Prot = Prot::READ.with(Prot::WRITE);

const fn refusal(errno: Errno) -> OsError {
    OsError(errno.0)
}

fn pointer(address: VirtAddr) -> Result<NonNull<u8>, OsError> {
    let address = usize::try_from(address.0).map_err(|_| OsError::NO_MEMORY)?;
    NonNull::new(with_exposed_provenance_mut(address)).ok_or(OsError::NO_MEMORY)
}

fn address(start: NonNull<u8>) -> VirtAddr {
    VirtAddr(start.expose_provenance().get() as u64)
}

impl MachineOs {
    /// Boots a machine with a window of `address_space` through which its one process is seen. It is for ever.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the host has no room, or has as many as it can; the host's reason otherwise.
    pub fn boot(config: Config, address_space: Bytes) -> Result<&'static Self, OsError> {
        let memory = usize::try_from(config.ram.0).map_err(|_| OsError::NO_MEMORY)? & !(PAGE_BYTES - 1);
        let bytes = usize::try_from(address_space.0).map_err(|_| OsError::NO_MEMORY)? & !(PAGE_BYTES - 1);
        let window: &'static Window = Box::leak(Box::new(Window::open(memory, bytes)?));
        let frames = u32::try_from(memory / PAGE_BYTES).map_err(|_| OsError::NO_MEMORY)?;
        // SAFETY: the whole file is mapped for ever, and only seen through the window besides.
        let ram = unsafe { Ram::of_host(window.memory(), frames) };
        let start = window.start().expose_provenance().get();
        let (first, end) =
            (PageNumber((start / PAGE_BYTES) as u64), PageNumber(((start + bytes) / PAGE_BYTES) as u64));
        let layout = Layout {
            lowest: first,
            end,
            top: end,
            bottom: first,
            heap_start: first.start(),
            stack: VirtAddr(0),
            ..Layout::X86_64
        };
        let mut machine = Machine::boot_on(ram, Config { layout, ..config }).map_err(refusal)?;
        let pid = machine.spawn("program").map_err(refusal)?;
        machine.world.tlbs.listener = Some(Listener(Box::new(move |flushed, span| {
            if flushed == pid {
                hide(window, span);
            }
        })));
        let made = Self { state: Lock::new(State { machine, pid, window, death: None }), start, bytes };
        let mut machines = MACHINES.lock();
        let free = machines.iter_mut().find(|machine| machine.is_none()).ok_or(OsError::NO_MEMORY)?;
        let made: &'static Self = Box::leak(Box::new(made));
        *free = Some(made);
        drop(machines);
        resolve_with(resolve)?;
        Ok(made)
    }

    /// Looks at the machine, or changes it. `work` does not touch memory of the window: the machine would wait for itself.
    pub fn with<R>(&self, work: impl FnOnce(&mut Machine, Pid) -> R) -> R {
        let mut state = self.state.lock();
        let pid = state.pid;
        work(&mut state.machine, pid)
    }

    /// Has `told` called when an access of the process cannot be resolved: it has been killed for want of memory, or has no memory
    /// there. That is in the middle of the access, which never ends: `told` ends the host's process, or, if it returns, the access is the
    /// host's `SIGSEGV`.
    pub fn on_death(&self, told: Box<dyn Fn(&Machine) + Send>) {
        self.state.lock().death = Some(Death(told));
    }

    /// Takes away every page that is shown, so that the next touch of each faults.
    pub fn hide_all(&self) {
        self.state.lock().hide_all();
    }

    fn call<R>(&self, call: impl FnOnce(&mut Machine, Pid) -> Result<R, Errno>) -> Result<R, OsError> {
        self.with(call).map_err(refusal)
    }

    /// Maps with `align`; cuts off what was mapped for it alone.
    fn map_with(&self, bytes: usize, align: usize, prot: Prot) -> Result<NonNull<u8>, OsError> {
        let (length, align) = (bytes as u64, align.max(PAGE_BYTES) as u64);
        let flags = MapFlags::PRIVATE.with(MapFlags::ANONYMOUS);
        // As on Linux: address space is not charged, memory is.
        let flags = if prot == Prot::NONE { flags.with(MapFlags::NO_RESERVE) } else { flags };
        let request = |length| MapRequest { flags, ..MapRequest::anonymous(length, prot) };
        let start = self.call(|machine, pid| {
            let start = machine.mmap(pid, &request(length))?;
            if start.0 & (align - 1) == 0 {
                return Ok(start);
            }
            machine.munmap(pid, start, length)?;
            let padded = length.checked_add(align).ok_or(Errno::ENOMEM)?;
            let start = machine.mmap(pid, &request(padded))?;
            let head = start.0.wrapping_neg() & (align - 1);
            if head > 0 {
                machine.munmap(pid, start, head)?;
            }
            let aligned = VirtAddr(start.0 + head);
            machine.munmap(pid, VirtAddr(aligned.0 + length), align - head)?;
            Ok(aligned)
        })?;
        pointer(start)
    }
}

impl State {
    fn hide_all(&self) {
        let (start, bytes) = (self.window.start().addr().get(), self.window.bytes());
        // SAFETY: what is hidden comes back at the next touch; nobody keeps references over that, for whom the bytes stay the same.
        let hidden = unsafe { self.window.hide(start, bytes) };
        debug_assert!(hidden.is_ok(), "the host has no mapping left: {hidden:?}");
    }

    /// Makes the access that the host could not: whether it can now.
    fn touch(&mut self, address: usize, is_write: bool) -> bool {
        let access = if is_write { Access::Write } else { Access::Read };
        let page = VirtAddr(address as u64).page();
        let touched = self.machine.touch(self.pid, page.start(), access);
        let (Ok(frame), Ok(at)) = (touched, usize::try_from(page.start().0)) else { return false };
        // Shown writable only once it is written, so that the machine hears of it.
        let shown = if access == Access::Write { Shown::ReadWrite } else { Shown::ReadOnly };
        let show = || {
            // SAFETY: nothing or the same page was shown there.
            unsafe { self.window.show(at, frame.0 as usize, shown) }
        };
        show()
            .or_else(|_| {
                // The host has a limit of mappings (`vm.max_map_count`). As in a buffer that is full, room is made.
                self.hide_all();
                show()
            })
            .is_ok()
    }
}

/// Hides what the machine has flushed.
fn hide(window: &Window, span: PageSpan) {
    let Ok(start) = usize::try_from(span.start().start().0) else { return };
    let Some(bytes) = usize::try_from(span.pages()).ok().and_then(|pages| pages.checked_mul(PAGE_BYTES))
    else {
        return;
    };
    // SAFETY: what is mapped still comes back at the next touch; what is not, the program has given up.
    let hidden = unsafe { window.hide(start, bytes) };
    debug_assert!(hidden.is_ok(), "the host has no mapping left: {hidden:?}");
}

/// What the host's fault handler asks.
fn resolve(address: usize, is_write: bool) -> bool {
    let machines = *MACHINES.lock();
    let found = machines.into_iter().flatten().find(|os| address.wrapping_sub(os.start) < os.bytes);
    let Some(os) = found else { return false };
    let mut state = os.state.lock();
    let is_resolved = state.touch(address, is_write);
    if let (false, Some(Death(told))) = (is_resolved, &state.death) {
        told(&state.machine);
    }
    is_resolved
}

// SAFETY: fresh areas of the machine's process overlap nothing of it, and the window shows it what the machine's tables say.
unsafe impl Os for MachineOs {
    fn reserve(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        self.map_with(bytes, align, Prot::NONE)
    }

    unsafe fn commit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        self.call(|machine, pid| machine.mprotect(pid, address(start), bytes as u64, READ_WRITE))
    }

    fn map(&self, bytes: usize, align: usize) -> Result<NonNull<u8>, OsError> {
        self.map_with(bytes, align, READ_WRITE)
    }

    unsafe fn decommit(&self, start: NonNull<u8>, bytes: usize) -> Result<(), OsError> {
        self.call(|machine, pid| machine.madvise(pid, address(start), bytes as u64, Advice::DONT_NEED))
    }

    unsafe fn reuse(&self, _start: NonNull<u8>, _bytes: usize) {
        // Pages that were dropped are zero and usable at the next touch.
    }

    unsafe fn release(&self, start: NonNull<u8>, bytes: usize) {
        let released = self.call(|machine, pid| machine.munmap(pid, address(start), bytes as u64));
        debug_assert!(released.is_ok(), "what was mapped can be unmapped: {released:?}");
    }

    unsafe fn remap(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        may_move: bool,
    ) -> Result<NonNull<u8>, OsError> {
        let flags = if may_move { RemapFlags::MAY_MOVE } else { RemapFlags(0) };
        let (old, new) = (old_bytes as u64, new_bytes as u64);
        pointer(self.call(|machine, pid| machine.mremap(pid, address(start), old, new, flags, VirtAddr(0)))?)
    }

    unsafe fn remap_to(
        &self,
        start: NonNull<u8>,
        old_bytes: usize,
        new_bytes: usize,
        room: NonNull<u8>,
    ) -> Result<(), OsError> {
        let flags = RemapFlags::MAY_MOVE.with(RemapFlags::FIXED);
        let (old, new) = (old_bytes as u64, new_bytes as u64);
        self.call(|machine, pid| machine.mremap(pid, address(start), old, new, flags, address(room)))
            .map(drop)
    }

    fn resident_pages(&self, start: NonNull<u8>, bytes: usize) -> Option<usize> {
        let pages = self.call(|machine, pid| machine.mincore(pid, address(start), bytes as u64)).ok()?;
        Some(pages.iter().filter(|page| **page & 1 == 1).count())
    }

    fn address_space_limit(&self) -> Option<usize> {
        let limit = self
            .with(|machine, pid| machine.process(pid).map(|process| process.space.limits().address_space));
        let limit = limit.ok().filter(|limit| *limit != Limits::UNLIMITED);
        // The window is all there is.
        Some(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(self.bytes))
    }

    fn now_ms(&self) -> u64 {
        self.with(|machine, _| machine.now_ns() / 1_000_000)
    }
}
