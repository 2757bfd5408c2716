//! Slots in one vector, linked by index into queues.
//!
//! Safe Rust has no intrusive lists; links between the slots of one vector are as good: nothing is allocated to insert
//! and nothing dropped to remove. The list of watchers and the ready list are made of these.
//!
//! Why: decision 0111.
//! Owns: the links, and which slots are free.   Not here: what a slot holds, which queue it belongs to.
//! Invariant: a slot is in at most one queue, and in none while it is free.

use alloc::vec::Vec;

use crate::watcher::NoMemory;

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

/// The slots that the first value brings.
const FIRST_CAPACITY: usize = 4;

/// Slots with a `T` each. A slot that is free keeps its last value until it is used again.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: u32,
}

/// Room for one value.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    pub(crate) prev: u32,
    pub(crate) next: u32,
    pub(crate) value: T,
}

/// The ends of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Queue {
    pub(crate) head: u32,
    pub(crate) tail: u32,
}

impl Queue {
    /// Nothing is in it.
    pub(crate) const EMPTY: Self = Self { head: NIL, tail: NIL };
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: NIL }
    }

    /// Takes `lock`, with a free slot in the slots that `of` finds under it. Allocates without the lock.
    pub(crate) fn reserve<G>(lock: impl Fn() -> G, of: impl Fn(&mut G) -> &mut Self) -> Result<G, NoMemory> {
        let mut guard = lock();
        while let Some(capacity) = of(&mut guard).wanted_capacity() {
            drop(guard);
            let mut larger = Vec::new();
            larger.try_reserve_exact(capacity).map_err(|_| NoMemory)?;
            guard = lock();
            let unused = of(&mut guard).grow(larger);
            drop(guard);
            drop(unused);
            guard = lock();
        }
        Ok(guard)
    }

    /// How many slots to allocate; `None` while there is room.
    fn wanted_capacity(&self) -> Option<usize> {
        let has_room = self.free != NIL || self.slots.len() < self.slots.capacity();
        (!has_room).then(|| (self.slots.capacity() * 2).max(FIRST_CAPACITY))
    }

    /// Moves the slots into `larger` and returns the old room, to be dropped without the lock; or `larger` itself if
    /// another thread has grown them meanwhile.
    fn grow(&mut self, mut larger: Vec<Slot<T>>) -> Vec<Slot<T>> {
        if larger.capacity() > self.slots.capacity() {
            larger.append(&mut self.slots);
            core::mem::swap(&mut self.slots, &mut larger);
        }
        larger
    }

    /// Fills a free slot, which is in no queue yet; `make` gets the value that was there before. Allocates nothing after
    /// [`reserve`](Self::reserve).
    pub(crate) fn add(&mut self, make: impl FnOnce(Option<&T>) -> T) -> u32 {
        match self.slots.get_mut(self.free as usize) {
            Some(slot) => {
                slot.value = make(Some(&slot.value));
                core::mem::replace(&mut self.free, slot.next)
            }
            None => {
                self.slots.push(Slot { prev: NIL, next: NIL, value: make(None) });
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Frees a slot that is in no queue.
    pub(crate) fn free(&mut self, index: u32) {
        self.slots[index as usize].next = self.free;
        self.free = index;
    }

    /// The slot at `index`; `None` for [`NIL`].
    #[inline]
    pub(crate) fn slot(&self, index: u32) -> Option<&Slot<T>> {
        self.slots.get(index as usize)
    }

    /// As [`slot`](Self::slot).
    #[inline]
    pub(crate) fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.slots.get_mut(index as usize)
    }

    /// Links a slot at the end of `queue`.
    #[inline]
    pub(crate) fn push_back(&mut self, queue: &mut Queue, index: u32) {
        let tail = core::mem::replace(&mut queue.tail, index);
        let slot = &mut self.slots[index as usize];
        slot.prev = tail;
        slot.next = NIL;
        match self.slots.get_mut(tail as usize) {
            Some(last) => last.next = index,
            None => queue.head = index,
        }
    }

    /// Links a slot at the start of `queue`.
    pub(crate) fn push_front(&mut self, queue: &mut Queue, index: u32) {
        let head = core::mem::replace(&mut queue.head, index);
        let slot = &mut self.slots[index as usize];
        slot.prev = NIL;
        slot.next = head;
        match self.slots.get_mut(head as usize) {
            Some(first) => first.prev = index,
            None => queue.tail = index,
        }
    }

    /// Takes a slot out of `queue`.
    #[inline]
    pub(crate) fn unlink(&mut self, queue: &mut Queue, index: u32) {
        let Slot { prev, next, .. } = self.slots[index as usize];
        match self.slots.get_mut(prev as usize) {
            Some(before) => before.next = next,
            None => queue.head = next,
        }
        match self.slots.get_mut(next as usize) {
            Some(after) => after.prev = prev,
            None => queue.tail = prev,
        }
    }
}

impl<T> core::ops::Index<u32> for Slots<T> {
    type Output = T;

    #[inline]
    fn index(&self, index: u32) -> &T {
        &self.slots[index as usize].value
    }
}

impl<T> core::ops::IndexMut<u32> for Slots<T> {
    #[inline]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.slots[index as usize].value
    }
}
