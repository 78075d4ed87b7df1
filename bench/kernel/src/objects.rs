//! Objects: `kslab` beside the heaps that kernels take from the registry.
//!
//! Each subject has 256 MiB and hands out blocks of 192 bytes. Who gets one writes its first word, as a client would. A subject that
//! takes too long for 100,000 objects is only asked for 10,000. No lock is taken in any row but ours: `mallow` is the whole path, for one
//! of many processors, with the cache's lock when a magazine is filled or emptied.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::hint::black_box;
use std::ptr::NonNull;

use buddy_slab_allocator::{BuddyAllocator, SlabAllocResult, SlabAllocator, SlabDeallocResult};
use mallow_buddy::{Layout as NodeLayout, Node};
use mallow_frame::{Frame, FrameTable, Region, Regions};
use mallow_kslab::{Cache, Checks, CpuCache, Kmalloc, KmallocCpu, NodePages, Spec};
use mallow_units::FrameNumber;

use crate::measure::{Metric, Random, time};

/// 256 MiB.
const BYTES: usize = 256 << 20;
const PAGE_BYTES: usize = 4096;
const OBJECT_BYTES: usize = 192;
const OBJECT: Layout = match Layout::from_size_align(OBJECT_BYTES, 8) {
    Ok(layout) => layout,
    Err(_) => panic!(),
};

/// What hands out objects of 192 bytes.
trait Objects {
    /// One object.
    fn allocate(&mut self) -> NonNull<u8>;
    /// Takes back an object of this heap.
    fn free(&mut self, object: NonNull<u8>);
}

/// Memory that lives as long as the program and begins at a multiple of 4 MiB. The first round, which does not count, touches it.
fn memory() -> NonNull<u8> {
    let layout = Layout::from_size_align(BYTES, 4 << 20).expect("a multiple of 4 MiB");
    // SAFETY: not empty.
    let Some(base) = NonNull::new(unsafe { alloc_zeroed(layout) }) else { handle_alloc_error(layout) };
    base
}

fn pages() -> &'static NodePages<'static> {
    let frames = u32::try_from(BYTES / PAGE_BYTES).expect("few");
    let region = Region::new(FrameNumber(1 << 20), frames);
    let regions = Box::leak(Box::new(Regions::new(&[region]).expect("one region")));
    let entries: Vec<Frame> = (0..frames).map(|_| Frame::new()).collect();
    let table = FrameTable::new(entries.leak(), regions).expect("enough entries");
    let mut node = Node::new(table, NodeLayout::default());
    node.release(table, region).expect("all are reserved");
    // SAFETY: the memory was made for these frames.
    Box::leak(Box::new(unsafe { NodePages::new(table, node, memory(), region.start) }.expect("aligned")))
}

/// A named cache.
struct Mallow {
    cache: Cache<&'static NodePages<'static>>,
    cpu: CpuCache,
}

impl Mallow {
    fn new() -> Self {
        let cache = Cache::create(pages(), Spec::new("object", OBJECT_BYTES)).expect("a cache");
        let cpu = cache.attach(0);
        Self { cache, cpu }
    }
}

impl Objects for Mallow {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        self.cache.alloc(&mut self.cpu).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.cache.free(&mut self.cpu, object) };
    }
}

/// `kmalloc` and `kfree`, which learns the cache from the address.
struct MallowKmalloc {
    kmalloc: Box<Kmalloc<&'static NodePages<'static>>>,
    cpu: Box<KmallocCpu>,
}

impl MallowKmalloc {
    fn new() -> Self {
        let kmalloc = Box::new(Kmalloc::create(pages(), Checks::NONE).expect("caches"));
        let cpu = Box::new(kmalloc.attach(0));
        Self { kmalloc, cpu }
    }
}

impl Objects for MallowKmalloc {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        self.kmalloc.alloc(&mut self.cpu, black_box(OBJECT_BYTES)).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.kmalloc.free(&mut self.cpu, object) };
    }
}

/// `buddy-slab-allocator`: the slab of one processor on its buddy.
struct BuddySlab {
    slab: Box<SlabAllocator<PAGE_BYTES>>,
    buddy: Box<BuddyAllocator<PAGE_BYTES>>,
}

impl BuddySlab {
    fn new() -> Self {
        let mut buddy = Box::new(BuddyAllocator::new());
        // SAFETY: the memory is nobody else's, for ever.
        let region = unsafe { std::slice::from_raw_parts_mut(memory().as_ptr(), BYTES) };
        // SAFETY: as above.
        unsafe { buddy.init(region) }.expect("a region");
        Self { slab: Box::new(SlabAllocator::new()), buddy }
    }
}

impl Objects for BuddySlab {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        loop {
            match self.slab.alloc(OBJECT).expect("a small object") {
                SlabAllocResult::Allocated(object) => return object,
                SlabAllocResult::NeedsSlab { size_class, pages } => {
                    let bytes = pages * PAGE_BYTES;
                    let base = self.buddy.alloc_pages(pages, bytes).expect("there is memory");
                    self.slab.add_slab(size_class, base, bytes, 0);
                }
            }
        }
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        if let SlabDeallocResult::FreeSlab { base, pages } = self.slab.dealloc(object, OBJECT) {
            self.buddy.dealloc_pages(base, pages);
        }
    }
}

/// `slab_allocator_rs`: seven classes, each with an eighth of the memory.
struct SlabAllocatorRs(Box<slab_allocator_rs::Heap>);

impl SlabAllocatorRs {
    fn new() -> Self {
        let base = memory().as_ptr().expose_provenance();
        // SAFETY: the memory is nobody else's, for ever.
        Self(Box::new(unsafe { slab_allocator_rs::Heap::new(base, BYTES) }))
    }
}

impl Objects for SlabAllocatorRs {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        self.0.allocate(OBJECT).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.0.deallocate(object, OBJECT) };
    }
}

/// `linked_list_allocator`: first fit.
struct LinkedList(Box<linked_list_allocator::Heap>);

impl LinkedList {
    fn new() -> Self {
        // SAFETY: the memory is nobody else's, for ever.
        Self(Box::new(unsafe { linked_list_allocator::Heap::new(memory().as_ptr(), BYTES) }))
    }
}

impl Objects for LinkedList {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        self.0.allocate_first_fit(OBJECT).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.0.deallocate(object, OBJECT) };
    }
}

/// `buddy_system_allocator::Heap`: 192 bytes take 256.
struct BuddyHeap(Box<buddy_system_allocator::Heap<32>>);

impl BuddyHeap {
    fn new() -> Self {
        let mut heap = Box::new(buddy_system_allocator::Heap::new());
        // SAFETY: the memory is nobody else's, for ever.
        unsafe { heap.init(memory().as_ptr().expose_provenance(), BYTES) };
        Self(heap)
    }
}

impl Objects for BuddyHeap {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        self.0.alloc(OBJECT).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.0.dealloc(object, OBJECT) };
    }
}

/// `talc`: a general heap.
struct Talc(Box<talc::base::Talc<talc::source::Manual, talc::DefaultBinning>>);

impl Talc {
    fn new() -> Self {
        let mut heap = Box::new(talc::base::Talc::new(talc::source::Manual));
        // SAFETY: the memory is nobody else's, for ever.
        unsafe { heap.claim(memory().as_ptr(), BYTES) }.expect("enough memory");
        Self(heap)
    }
}

impl Objects for Talc {
    #[inline]
    fn allocate(&mut self) -> NonNull<u8> {
        // SAFETY: the layout is not empty.
        unsafe { self.0.allocate(OBJECT) }.expect("there is memory")
    }
    #[inline]
    fn free(&mut self, object: NonNull<u8>) {
        // SAFETY: it came from here, once.
        unsafe { self.0.deallocate(object.as_ptr(), OBJECT) };
    }
}

fn touch(object: NonNull<u8>) -> NonNull<u8> {
    // SAFETY: an object of 192 bytes, aligned to 8, that was handed out a moment ago.
    unsafe { object.cast::<u64>().write(1) };
    object
}

/// One object, allocated and freed again and again.
fn pair(mut heap: impl Objects + 'static) -> impl FnMut() -> f64 + 'static {
    const PAIRS: u32 = 1_000_000;
    move || {
        let heap = black_box(&mut heap);
        time(PAIRS, || {
            for _ in 0..PAIRS {
                let object = black_box(touch(heap.allocate()));
                heap.free(object);
            }
        })
    }
}

/// `live` objects, freed in random order; the time of the frees.
fn random_free(mut heap: impl Objects + 'static, live: u32) -> impl FnMut() -> f64 + 'static {
    let mut random = Random::new();
    let mut objects = Vec::with_capacity(live as usize);
    move || {
        objects.extend((0..live).map(|_| touch(heap.allocate())));
        random.shuffle(&mut objects);
        time(live, || {
            for object in objects.drain(..) {
                heap.free(object);
            }
        })
    }
}

/// `live` objects, of which one at random is freed, and another allocated in its place; the time of both.
fn steady(mut heap: impl Objects + 'static, live: u32) -> impl FnMut() -> f64 + 'static {
    const STEPS: u32 = 500_000;
    let mut random = Random::new();
    let mut objects: Vec<_> = (0..live).map(|_| touch(heap.allocate())).collect();
    random.shuffle(&mut objects);
    move || {
        time(STEPS, || {
            for _ in 0..STEPS {
                let at = random.below(live) as usize;
                heap.free(objects[at]);
                objects[at] = touch(heap.allocate());
            }
        })
    }
}

/// `live` objects, of which a hundred at random are freed, then as many allocated; the time of one free and one allocation.
fn bursts(mut heap: impl Objects + 'static, live: u32) -> impl FnMut() -> f64 + 'static {
    const BURST: usize = 100;
    const STEPS: u32 = 500_000;
    let mut random = Random::new();
    let mut objects: Vec<_> = (0..live).map(|_| touch(heap.allocate())).collect();
    random.shuffle(&mut objects);
    move || {
        time(STEPS, || {
            for _ in 0..STEPS / 100 {
                // They stand in random order, so any hundred of them in a row do.
                let from = random.below(live - 100) as usize;
                for object in &objects[from..from + BURST] {
                    heap.free(*object);
                }
                for object in &mut objects[from..from + BURST] {
                    *object = touch(heap.allocate());
                }
            }
        })
    }
}

/// A metric with a row for each subject that is fast enough for 100,000 objects.
macro_rules! fast {
    ($name:expr, $bar:expr, |$heap:ident| $round:expr) => {{
        let metric = Metric::new($name, $bar);
        let metric = metric.with("mallow", || {
            let $heap = Mallow::new();
            $round
        });
        let metric = metric.with("mallow, kmalloc", || {
            let $heap = MallowKmalloc::new();
            $round
        });
        let metric = metric.with("buddy-slab-allocator", || {
            let $heap = BuddySlab::new();
            $round
        });
        let metric = metric.with("slab_allocator_rs", || {
            let $heap = SlabAllocatorRs::new();
            $round
        });
        metric.with("talc", || {
            let $heap = Talc::new();
            $round
        })
    }};
}

/// The same, with the slow ones.
macro_rules! everybody {
    ($name:expr, $bar:expr, |$heap:ident| $round:expr) => {{
        let metric = fast!($name, $bar, |$heap| $round);
        let metric = metric.with("linked_list_allocator", || {
            let $heap = LinkedList::new();
            $round
        });
        metric.with("buddy_system_allocator::Heap", || {
            let $heap = BuddyHeap::new();
            $round
        })
    }};
}

/// Every row about objects.
pub fn metrics() -> Vec<Metric> {
    vec![
        everybody!("objects of 192 bytes: pair", Some(2.0), |heap| pair(heap)),
        everybody!("objects of 192 bytes: random free of 10,000", Some(12.0), |heap| {
            random_free(heap, 10_000)
        }),
        fast!("objects of 192 bytes: random free of 100,000", Some(12.0), |heap| random_free(heap, 100_000)),
        fast!("objects of 192 bytes: steady at 100,000", Some(18.0), |heap| steady(heap, 100_000)),
        fast!("objects of 192 bytes: bursts of 100 at 100,000", None, |heap| bursts(heap, 100_000)),
    ]
}
