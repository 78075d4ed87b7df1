//! What happens when there is no frame: the hooks between faults and memory pressure.

use mallow_buddy::{Mark, Request};
use mallow_paging::Entry;
use mallow_units::{FrameNumber, PageNumber, PageSpan};
use mallow_vma::Vma;

use crate::handle_fault::Signal;
use crate::mm::Pid;
use crate::world::World;

impl World {
    /// Allocates when the array of the processor is empty and no zone is above its low watermark.
    #[cold]
    #[inline(never)]
    pub(crate) fn allocate_slow(&mut self, request: &Request) -> Option<FrameNumber> {
        self.events.slow_allocations += 1;
        let (table, node, cpus) = self.physical.node_mut();
        for cpu in cpus {
            cpu.drain(table, node);
        }
        node.allocate_above(table, Mark::Min, request).map(mallow_frame::FrameRun::into_first)
    }

    /// Tries to make room so that `request` succeeds without effort; whether it is worth another try.
    pub(crate) fn make_room(&mut self, request: &Request) -> bool {
        let _ = request;
        false
    }

    /// A frame has been mapped for the first time: it may be reclaimed from now on.
    #[inline]
    pub(crate) fn admit(&mut self, frame: FrameNumber) {
        let _ = frame;
    }

    /// A frame is about to be freed.
    #[inline]
    pub(crate) fn forget(&mut self, frame: FrameNumber) {
        let _ = frame;
    }

    /// An absent entry has left its table.
    pub(crate) fn let_go_payload(&mut self, pid: Pid, payload: u64) {
        let _ = (pid, payload);
    }

    /// An absent entry has been copied to a child.
    pub(crate) fn share_payload(&mut self, to: Pid, payload: u64) {
        let _ = (to, payload);
    }

    /// Brings a page in from swap.
    ///
    /// # Errors
    ///
    /// [`Signal::NoMemory`].
    pub(crate) fn swap_in(
        &mut self,
        pid: Pid,
        area: &Vma,
        page: PageNumber,
        entry: Entry,
        is_writable: bool,
    ) -> Result<(), Signal> {
        let _ = (pid, area, page, entry, is_writable);
        Err(Signal::NoMemory)
    }

    /// `MADV_PAGEOUT`: reclaims pages now.
    pub(crate) fn page_out(&mut self, pid: Pid, area: &Vma, span: PageSpan) {
        let _ = (pid, area, span);
    }
}
