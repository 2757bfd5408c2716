//! The allocator as OSTD uses it: free lists in the frames' metadata, spin locks, and a cache for each CPU.
//!
//! Linking this crate installs it. In osdk/base nothing else does; the base that `cargo osdk` generates defines another
//! one weakly.
//!
//! Why: decision 0110.

use core::alloc::Layout;

use ostd::{
    cpu::{CpuId, PinCurrentCpu, all_cpus},
    cpu_local, irq,
    mm::{
        HasPaddr, PAGE_SIZE, Paddr, UniqueFrame,
        frame::{
            GlobalFrameAllocator,
            linked_list::{Link, LinkedList},
            meta::impl_frame_meta_for,
        },
    },
    sync::SpinLock,
};

use crate::{
    allocator::{self, Machine},
    block::{Block, ORDERS, order_of},
    cache::Cache,
    counted::{Counted, Lock},
    zone::{Links, Zone},
};

/// Every user runs with interrupts disabled, so that the locks need not do it again.
type Locked<T> = Counted<T, SpinLock<T>>;

static ZONE: Locked<Zone<Lists>> =
    Counted::new(SpinLock::new(Zone::new(Lists([const { LinkedList::new() }; ORDERS]))));

cpu_local! {
    static CACHE: Locked<Cache> = Counted::new(SpinLock::new(Cache::new()));
}

#[ostd::global_frame_allocator]
static ALLOCATOR: FrameAllocator = FrameAllocator;

/// The bytes of free memory: so much can be allocated, frame by frame.
#[must_use]
pub fn free_bytes() -> usize {
    allocator::free_frames(&FrameAllocator) * PAGE_SIZE
}

/// The bytes of free memory outside of the CPUs' caches: less than [`free_bytes`], and cheaper to ask for.
#[inline]
#[must_use]
pub fn pooled_bytes() -> usize {
    ZONE.free_frames() * PAGE_SIZE
}

struct FrameAllocator;

impl GlobalFrameAllocator for FrameAllocator {
    fn alloc(&self, layout: Layout) -> Option<Paddr> {
        let guard = irq::disable_local();
        let alignment = order_of(layout.align() / PAGE_SIZE);
        let frames = layout.size() / PAGE_SIZE;
        allocator::allocate(self, guard.current_cpu(), frames, alignment).map(|frame| frame * PAGE_SIZE)
    }

    fn dealloc(&self, address: Paddr, size: usize) {
        let guard = irq::disable_local();
        let start = address / PAGE_SIZE;
        allocator::free(self, guard.current_cpu(), start..start + size / PAGE_SIZE);
    }

    fn add_free_memory(&self, address: Paddr, size: usize) {
        let _guard = irq::disable_local();
        let start = address / PAGE_SIZE;
        ZONE.with(|zone| zone.insert_range(start..start + size / PAGE_SIZE));
    }
}

impl Machine for FrameAllocator {
    type Cpu = CpuId;
    type Links = Lists;
    type ZoneLock = SpinLock<Zone<Lists>>;
    type CacheLock = SpinLock<Cache>;

    #[inline]
    fn zone(&self) -> &Locked<Zone<Lists>> {
        &ZONE
    }

    #[inline]
    fn cache(&self, cpu: CpuId) -> &Locked<Cache> {
        CACHE.get_on_cpu(cpu)
    }

    #[inline]
    fn cpus(&self) -> impl Iterator<Item = CpuId> {
        all_cpus()
    }
}

impl<T> Lock<T> for SpinLock<T> {
    #[inline]
    fn with<R>(&self, action: impl FnOnce(&mut T) -> R) -> R {
        action(&mut self.lock())
    }
}

/// The free lists. OSTD keeps the links, and which list a frame is in, in the metadata of a block's first frame.
struct Lists([LinkedList<Free>; ORDERS]);

/// The metadata of the first frame of a free block.
#[derive(Debug)]
struct Free;

impl_frame_meta_for!(Free);

impl Links for Lists {
    fn push(&mut self, block: Block) {
        let head = UniqueFrame::from_unused(block.frame * PAGE_SIZE, Link::new(Free));
        let head = head.expect("a frame that is freed is not in use");
        self.0[block.order].push_front(head);
    }

    fn pop(&mut self, order: usize) -> Option<usize> {
        self.0[order].pop_front().map(frame_of)
    }

    fn remove(&mut self, block: Block) -> bool {
        let cursor = self.0[block.order].cursor_mut_at(block.frame * PAGE_SIZE);
        let head = cursor.and_then(|mut cursor| cursor.take_current());
        head.map(frame_of).is_some()
    }

    fn is_empty(&self, order: usize) -> bool {
        self.0[order].is_empty()
    }
}

/// Ends the metadata of a block's first frame without freeing the frame, and gives its number.
fn frame_of(head: UniqueFrame<Link<Free>>) -> usize {
    let frame = head.paddr() / PAGE_SIZE;
    head.reset_as_unused();
    frame
}
