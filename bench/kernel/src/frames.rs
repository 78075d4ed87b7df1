//! Frames: `frame` and `buddy` beside the page allocators that kernels take from the registry.
//!
//! Each subject has 1 GiB and one frame, so that a single frame is not cut from the longest run. Each does what it can: the bitmap
//! merges nothing, and hands out single frames best; only ours has arrays of a processor, and `mallow, zone only` is
//! ours without them. No lock is taken in any row.

use std::hint::black_box;

use bitmap_allocator::{BitAlloc, BitAlloc1M};
use buddy_slab_allocator::BuddyAllocator;
use mallow_buddy::{CpuFrames, Layout, Node, Request};
use mallow_frame::{Frame, FrameRun, FrameTable, Region, Regions};
use mallow_units::{FrameNumber, Order};

use crate::measure::{Metric, Random, time};

/// 1 GiB and one frame. Unit: frames.
const FRAMES: u32 = (1 << 18) + 1;
const PAGE_BYTES: usize = 4096;

/// What allocates runs of frames.
trait Pages {
    /// What it hands out.
    type Run;
    /// A run of 2^`order` frames.
    fn allocate(&mut self, order: u8) -> Self::Run;
    /// Takes it back.
    fn free(&mut self, run: Self::Run, order: u8);
}

/// Node and table, which live as long as the program.
struct Memory {
    table: FrameTable<'static>,
    node: Node,
}

impl Memory {
    fn new() -> Self {
        let memory = Region::new(FrameNumber(1 << 20), FRAMES);
        let regions = Box::leak(Box::new(Regions::new(&[memory]).expect("one region")));
        // Kernels begin their table at a page; here at least at a cache line.
        let frames: &[Frame] = (0..=FRAMES).map(|_| Frame::new()).collect::<Vec<_>>().leak();
        let skipped = frames.as_ptr().addr() % 64 / size_of::<Frame>();
        let table = FrameTable::new(&frames[skipped..], regions).expect("enough entries");
        let mut node = Node::new(table, Layout::default());
        node.release(table, memory).expect("all are reserved");
        Self { table, node }
    }
}

/// What is asked for: pages of a process, by order.
static REQUESTS: [Request; 5] = {
    let mut requests = [Request::anonymous(); 5];
    let mut order = 0;
    while order < requests.len() {
        requests[order].order = match Order::new(order as u8) {
            Some(order) => order,
            None => Order::MAX,
        };
        order += 1;
    }
    requests
};

/// The whole fast path.
struct Mallow {
    memory: Memory,
    cpu: CpuFrames,
}

impl Mallow {
    fn new() -> Self {
        let memory = Memory::new();
        let cpu = CpuFrames::new(&memory.node);
        Self { memory, cpu }
    }
}

impl Pages for Mallow {
    type Run = FrameRun;
    #[inline]
    fn allocate(&mut self, order: u8) -> FrameRun {
        let Memory { table, node } = &mut self.memory;
        self.cpu.allocate(*table, node, &REQUESTS[usize::from(order)]).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, run: FrameRun, _: u8) {
        let Memory { table, node } = &mut self.memory;
        assert!(self.cpu.free(*table, node, run).is_ok());
    }
}

/// Without the arrays.
struct MallowZone(Memory);

impl Pages for MallowZone {
    type Run = FrameRun;
    #[inline]
    fn allocate(&mut self, order: u8) -> FrameRun {
        self.0.node.allocate(self.0.table, &REQUESTS[usize::from(order)]).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, run: FrameRun, _: u8) {
        assert!(self.0.node.free(self.0.table, run).is_ok());
    }
}

/// `buddy_system_allocator::FrameAllocator`: a set of numbers per order, on the heap.
struct BuddySystem(Box<buddy_system_allocator::FrameAllocator>);

impl BuddySystem {
    fn new() -> Self {
        let mut made = Box::new(buddy_system_allocator::FrameAllocator::new());
        made.add_frame(0, FRAMES as usize);
        Self(made)
    }
}

impl Pages for BuddySystem {
    type Run = usize;
    #[inline]
    fn allocate(&mut self, order: u8) -> usize {
        self.0.alloc(1 << order).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, run: usize, order: u8) {
        self.0.dealloc(run, 1 << order);
    }
}

/// `bitmap-allocator`: a tree of bitmaps, 16 wide.
struct Bitmap(Box<BitAlloc1M>);

impl Bitmap {
    fn new() -> Self {
        let mut made = Box::new(BitAlloc1M::DEFAULT);
        made.insert(0..FRAMES as usize);
        Self(made)
    }
}

impl Pages for Bitmap {
    type Run = usize;
    #[inline]
    fn allocate(&mut self, order: u8) -> usize {
        let got = match order {
            0 => self.0.alloc(),
            _ => self.0.alloc_contiguous(None, 1 << order, order.into()),
        };
        got.expect("there is memory")
    }
    #[inline]
    fn free(&mut self, run: usize, order: u8) {
        let freed = match order {
            0 => self.0.dealloc(run),
            _ => self.0.dealloc_contiguous(run, 1 << order),
        };
        assert!(freed);
    }
}

/// `buddy-slab-allocator`: its page allocator.
struct BuddySlab(Box<BuddyAllocator<PAGE_BYTES>>);

impl BuddySlab {
    fn new() -> Self {
        // Its metadata and more: a power of two of pages remains. Only the metadata is ever touched.
        let bytes = FRAMES as usize * PAGE_BYTES + (64 << 20);
        let region = vec![0; bytes].leak();
        let mut made = Box::new(BuddyAllocator::new());
        // SAFETY: the region is leaked, so it lives for ever and nobody else uses it.
        unsafe { made.init(region) }.expect("it is large enough");
        Self(made)
    }
}

impl Pages for BuddySlab {
    type Run = usize;
    #[inline]
    fn allocate(&mut self, order: u8) -> usize {
        self.0.alloc_pages(1 << order, PAGE_BYTES).expect("there is memory")
    }
    #[inline]
    fn free(&mut self, run: usize, order: u8) {
        self.0.dealloc_pages(run, 1 << order);
    }
}

/// Allocate and free one frame, again and again.
fn pair(mut pages: impl Pages + 'static) -> impl FnMut() -> f64 {
    const PAIRS: u32 = 1 << 16;
    move || {
        time(PAIRS, || {
            for _ in 0..PAIRS {
                let run = black_box(pages.allocate(black_box(0)));
                pages.free(run, 0);
            }
        })
    }
}

/// Replace a random one of `live` runs, of `order(random)`; an operation is an allocation and a free.
fn steady(
    mut pages: impl Pages + 'static,
    live: u32,
    order: impl Fn(&mut Random) -> u8 + 'static,
) -> impl FnMut() -> f64 {
    const PAIRS: u32 = 1 << 16;
    let mut random = Random::new();
    let mut held: Vec<_> = Vec::new();
    for _ in 0..live {
        let order = order(&mut random);
        held.push((Some(pages.allocate(order)), order));
    }
    move || {
        time(PAIRS, || {
            for _ in 0..PAIRS {
                let order = order(&mut random);
                let run = pages.allocate(order);
                let at = random.below(live) as usize;
                let (old, old_order) = std::mem::replace(&mut held[at], (Some(run), order));
                if let Some(old) = old {
                    pages.free(old, old_order);
                }
            }
        })
    }
}

/// What is timed of a burst.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Allocate,
    Free,
}

/// Allocate `count` frames and free them in random order; one of both is timed.
fn burst(mut pages: impl Pages + 'static, count: u32, part: Part) -> impl FnMut() -> f64 {
    let mut random = Random::new();
    move || {
        let mut held = Vec::with_capacity(count as usize);
        let allocating = time(count, || (0..count).for_each(|_| held.push(pages.allocate(0))));
        random.shuffle(&mut held);
        let freeing = time(count, || held.drain(..).for_each(|run| pages.free(run, 0)));
        if part == Part::Allocate { allocating } else { freeing }
    }
}

/// A metric with a row per subject.
macro_rules! everybody {
    ($name:expr, $bar:expr, |$pages:ident| $round:expr) => {{
        let metric = Metric::new($name, $bar);
        let metric = metric.with("mallow", move || {
            let $pages = Mallow::new();
            $round
        });
        let metric = metric.with("mallow, zone only", move || {
            let $pages = MallowZone(Memory::new());
            $round
        });
        let metric = metric.with("buddy-slab-allocator", move || {
            let $pages = BuddySlab::new();
            $round
        });
        let metric = metric.with("bitmap-allocator", move || {
            let $pages = Bitmap::new();
            $round
        });
        metric.with("buddy_system_allocator", move || {
            let $pages = BuddySystem::new();
            $round
        })
    }};
}

/// Everything that is measured here.
pub fn metrics() -> Vec<Metric> {
    let single = |_: &mut Random| 0;
    let mixed = |random: &mut Random| u8::try_from(random.below(5)).unwrap_or(0);
    let mut all = vec![
        everybody!("frames: allocate and free one", Some(5.0), |pages| pair(pages)),
        everybody!("frames: replace one of 64 Ki", Some(6.0), |pages| steady(pages, 1 << 16, single)),
        everybody!("frames: replace one of 8 Ki runs, orders 0-4", Some(13.0), |pages| {
            steady(pages, 1 << 13, mixed)
        }),
        everybody!("frames: allocate 128 Ki", Some(8.0), |pages| burst(pages, 1 << 17, Part::Allocate)),
    ];
    for count in [1_u32 << 13, 1 << 15, 1 << 17] {
        all.push(everybody!(
            format!("frames: free {} Ki in random order", count >> 10),
            Some(12.0),
            |pages| burst(pages, count, Part::Free)
        ));
    }
    all
}
