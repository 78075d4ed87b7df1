//! Stacks of threads: mappings with a guard page below, and a cache of those that threads have left behind.
//!
//! ```text
//!  mapping                                        end = first stack pointer
//!  | guard, no access |  the stack, grows down  <-- |
//! ```
//!
//! A stack of a thread does not grow as that of the first thread does: all of it is mapped at once, and a thread that
//! runs over its end meets the guard. To map, protect and unmap costs three calls and as many faults as the thread
//! touched pages; a stack from the cache costs none of them, so the newest that fits is taken again.
//!
//! What a C library does at `pthread_create`, on top of [`Space`].
//!
//! # Source
//!
//! The rules of the cache are those of `allocate_stack` in glibc: one that fits and is less than four times too large,
//! the oldest goes when the cache holds more than 40 MiB.

use mallow_units::{Errno, PageCount, PageSpan, VirtAddr};

use crate::edit::PAGE;
use crate::pages::Pages;
use crate::request::{Advice, MapFlags, MapRequest, Prot};
use crate::space::Space;
use crate::store::Store;

/// Bytes. What the cache holds at most.
pub const CACHE_BYTES: u64 = 40 << 20;
/// Bytes. The smallest stack, without its guard. `PTHREAD_STACK_MIN`.
pub const LEAST_BYTES: u64 = 16 << 10;

/// The stack of a thread. Whoever drops it without [`ThreadStacks::free`] leaves it mapped.
#[derive(PartialEq, Eq, Debug)]
#[must_use = "dropping a stack leaves it mapped"]
pub struct ThreadStack {
    span: PageSpan,
    guard: u64,
}

impl ThreadStack {
    /// All of it, guard included.
    pub const fn span(&self) -> PageSpan {
        self.span
    }

    /// The pages of the guard, if it has one.
    pub const fn guard(&self) -> Option<PageSpan> {
        PageSpan::of(self.span.start(), self.guard)
    }

    /// Where the stack pointer starts.
    pub const fn top(&self) -> VirtAddr {
        self.span.end().start()
    }
}

/// The cache of stacks that are mapped and used by nobody, at most `N`.
#[derive(Debug)]
pub struct ThreadStacks<const N: usize> {
    /// The oldest first.
    cached: [Option<ThreadStack>; N],
    len: usize,
}

impl<const N: usize> Default for ThreadStacks<N> {
    fn default() -> Self {
        Self { cached: [const { None }; N], len: 0 }
    }
}

impl<const N: usize> ThreadStacks<N> {
    /// Pages of the stacks in the cache.
    pub fn cached(&self) -> PageCount {
        PageCount(self.cached.iter().flatten().map(|stack| stack.span.pages()).sum())
    }

    /// A stack of `size` bytes, `guard` bytes of guard among them; both are rounded up to pages.
    ///
    /// # Errors
    ///
    /// - `EINVAL`: less than [`LEAST_BYTES`] would be left beside the guard.
    /// - Those of [`Space::mmap`] and [`Space::mprotect`]; nothing is mapped then.
    pub fn allocate<S: Store>(
        &mut self,
        space: &mut Space<S>,
        size: u64,
        guard: u64,
        pages: &mut impl Pages,
    ) -> Result<ThreadStack, Errno> {
        let (size, guard) = (PageCount::holding(size).0, PageCount::holding(guard).0);
        if size < guard.saturating_add(LEAST_BYTES / PAGE) {
            return Err(Errno::EINVAL);
        }
        if let Some(stack) = self.take(size) {
            return self.guarded(space, stack, guard, pages);
        }
        let bytes = PageCount(size).bytes().ok_or(Errno::ENOMEM)?;
        let mut request = MapRequest::anonymous(bytes, Prot::NONE);
        request.flags = request.flags.with(MapFlags::STACK);
        let address = space.mmap(&request, pages)?;
        let usable = VirtAddr(address.0 + guard * PAGE);
        let rw = Prot::READ.with(Prot::WRITE);
        if let Err(refused) = space.mprotect(usable, bytes - guard * PAGE, rw, pages) {
            space.munmap(address, bytes, pages)?;
            return Err(refused);
        }
        let span = PageSpan::of(address.page(), size).ok_or(Errno::ENOMEM)?;
        Ok(ThreadStack { span, guard })
    }

    /// Takes a stack back whose thread has ended: its pages are dropped, the mapping is kept. The oldest of the cache are
    /// unmapped if it is too large now.
    ///
    /// # Errors
    ///
    /// Those of [`Space::munmap`] for a stack that had to go; it stays mapped then.
    pub fn free<S: Store>(
        &mut self,
        space: &mut Space<S>,
        stack: ThreadStack,
        pages: &mut impl Pages,
    ) -> Result<(), Errno> {
        let (start, bytes) = (stack.span.start().start(), stack.span.pages() * PAGE);
        // Advice is only advice: a locked stack keeps its pages.
        let _ = space.madvise(start, bytes, Advice::DONT_NEED, pages);
        if self.len == N {
            self.evict(space, pages)?;
        }
        let Some(place) = self.cached.get_mut(self.len) else { return space.munmap(start, bytes, pages) };
        *place = Some(stack);
        self.len += 1;
        while self.cached().0 > CACHE_BYTES / PAGE {
            self.evict(space, pages)?;
        }
        Ok(())
    }

    /// Unmaps the oldest stack of the cache, if there is one.
    fn evict<S: Store>(&mut self, space: &mut Space<S>, pages: &mut impl Pages) -> Result<(), Errno> {
        let Some(oldest) = self.remove(0) else { return Ok(()) };
        space.munmap(oldest.span.start().start(), oldest.span.pages() * PAGE, pages)
    }

    /// Takes the smallest cached stack that has `size` pages and less than four times as many.
    fn take(&mut self, size: u64) -> Option<ThreadStack> {
        let fits = |stack: &ThreadStack| (size..size.saturating_mul(4)).contains(&stack.span.pages());
        let stacks = self.cached.iter().flatten().enumerate().filter(|(_, stack)| fits(stack));
        let (at, _) = stacks.min_by_key(|(_, stack)| stack.span.pages())?;
        self.remove(at)
    }

    fn remove(&mut self, at: usize) -> Option<ThreadStack> {
        let stack = self.cached.get_mut(at)?.take()?;
        self.cached[at..self.len].rotate_left(1);
        self.len -= 1;
        Some(stack)
    }

    /// Gives a cached stack the guard that its new thread wants.
    fn guarded<S: Store>(
        &mut self,
        space: &mut Space<S>,
        mut stack: ThreadStack,
        guard: u64,
        pages: &mut impl Pages,
    ) -> Result<ThreadStack, Errno> {
        let (from, to) = (stack.guard.min(guard), stack.guard.max(guard));
        let changed = VirtAddr((stack.span.start().0 + from) * PAGE);
        let prot = if guard > stack.guard { Prot::NONE } else { Prot::READ.with(Prot::WRITE) };
        if let Err(refused) = space.mprotect(changed, (to - from) * PAGE, prot, pages) {
            self.free(space, stack, pages)?;
            return Err(refused);
        }
        stack.guard = guard;
        Ok(stack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::Flags;
    use crate::{Fixed, Layout, Limits, Unbacked};

    const KIB: u64 = 1 << 10;

    type Small = Space<Fixed<16, 32>>;

    fn rig() -> (Small, ThreadStacks<4>, Unbacked) {
        let space = Small::new(Default::default(), Default::default(), Layout::X86_64, Limits::ORDINARY);
        (space, ThreadStacks::default(), Unbacked::default())
    }

    #[test]
    fn a_stack_has_a_guard_below() {
        let (mut space, mut stacks, mut world) = rig();
        let stack = stacks.allocate(&mut space, 64 * KIB, 4 * KIB, &mut world).expect("room");
        let guard = stack.guard().expect("a guard");
        assert_eq!((guard.pages(), stack.span().pages()), (1, 16));
        assert_eq!(space.find(guard.start()).map(|area| area.flags() & Flags::ACCESS), Some(Flags::NONE));
        let top = VirtAddr(stack.top().0 - 1).page();
        assert!(space.find(top).is_some_and(|area| area.flags().has(Flags::WRITE | Flags::NO_HUGE_PAGE)));
        assert_eq!(stacks.allocate(&mut space, 16 * KIB, 4 * KIB, &mut world), Err(Errno::EINVAL));
    }

    #[test]
    fn a_stack_left_behind_is_used_again() {
        let (mut space, mut stacks, mut world) = rig();
        let stack = stacks.allocate(&mut space, 64 * KIB, 4 * KIB, &mut world).expect("room");
        let span = stack.span();
        stacks.free(&mut space, stack, &mut world).expect("cached");
        assert_eq!(stacks.cached().0, 16);
        let again = stacks.allocate(&mut space, 60 * KIB, 8 * KIB, &mut world).expect("cached");
        assert_eq!((again.span(), again.guard().map(PageSpan::pages)), (span, Some(2)));
        let small = stacks.allocate(&mut space, 16 * KIB, 0, &mut world).expect("room");
        assert_ne!(small.span(), span);
        stacks.free(&mut space, again, &mut world).expect("cached");
        let other = stacks.allocate(&mut space, 16 * KIB, 0, &mut world).expect("room");
        assert_ne!(other.span(), span, "four times too large");
    }

    #[test]
    fn the_cache_is_bounded() {
        let (mut space, mut stacks, mut world) = rig();
        let large = 16 << 20;
        for _ in 0..3 {
            let three = [(); 3].map(|()| stacks.allocate(&mut space, large, 0, &mut world).expect("room"));
            for stack in three {
                stacks.free(&mut space, stack, &mut world).expect("cached");
            }
            assert_eq!(stacks.cached().0, 2 * large / PAGE, "two of 16 MiB fit 40 MiB");
        }
        assert_eq!(space.account().total, stacks.cached());
        let six = [(); 6].map(|()| stacks.allocate(&mut space, 16 * KIB, 0, &mut world).expect("room"));
        for stack in six {
            stacks.free(&mut space, stack, &mut world).expect("cached");
        }
        assert_eq!(stacks.cached().0, 4 * 4, "as many as there are places, the newest");
        assert_eq!(space.account().total, stacks.cached());
    }
}
