//! A split queue: buffers that the driver offers and the device uses.
//!
//! Each descriptor has a buffer of its own for good, so nothing is chained and nothing is allocated. What the device
//! says is not believed: a number that is no descriptor's, or one that the device does not have, is passed over.
//!
//! ```text
//! memory:  descriptors (16 bytes each) │ flags, index, numbers │ flags, index, (number, length)
//!                                      available ↑ ours         used ↑ the device's
//! ```
//! Source: VIRTIO 1.2, sections 2.7.5 to 2.7.8, 2.7.13.

use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

/// A descriptor's buffer is for the device to write.
const WRITE: u16 = 2;

/// In `available`: no interrupts, please. In `used`: no notices, please.
const QUIET: u16 = 1;

/// Memory that the device sees too. Offsets are within what [`QueueLayout`] asks for.
pub trait DmaMemory {
    /// Reads two bytes.
    fn read_u16(&self, offset: usize) -> u16;
    /// Reads four.
    fn read_u32(&self, offset: usize) -> u32;
    /// Writes two.
    fn write_u16(&self, offset: usize, value: u16);
    /// Writes four.
    fn write_u32(&self, offset: usize, value: u32);
    /// Writes eight.
    fn write_u64(&self, offset: usize, value: u64);
}

/// Where the parts of a queue are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLayout {
    /// How many descriptors there are.
    pub size: u16,
}

impl QueueLayout {
    /// The offset of what the driver offers; the descriptors are at 0.
    #[must_use]
    pub const fn available(self) -> usize {
        16 * self.size as usize
    }

    /// The offset of what the device has used.
    #[must_use]
    pub const fn used(self) -> usize {
        (self.available() + 6 + 2 * self.size as usize).next_multiple_of(4)
    }

    /// Bytes of everything.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.used() + 6 + 8 * self.size as usize
    }
}

/// The driver's side of a queue.
pub struct VirtQueue<M> {
    memory: M,
    layout: QueueLayout,
    offered: u16,
    seen: u16,
    /// Which descriptors the device has.
    is_offered: Vec<bool>,
}

impl<M: DmaMemory> VirtQueue<M> {
    /// A queue of `size` descriptors, a power of two, in memory that is zero.
    pub fn new(memory: M, size: u16) -> Self {
        let is_offered = alloc::vec![false; usize::from(size)];
        Self { memory, layout: QueueLayout { size }, offered: 0, seen: 0, is_offered }
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Whether the device has given back `descriptor`, or never had it.
    #[must_use]
    pub fn is_free(&self, descriptor: u16) -> bool {
        self.is_offered.get(usize::from(descriptor)) == Some(&false)
    }

    /// Offers `descriptor` with its buffer of `len` bytes at `address`, which the device is to fill, or to take.
    pub fn offer(&mut self, descriptor: u16, address: u64, len: u32, direction: Direction) {
        let Some(is_offered) = self.is_offered.get_mut(usize::from(descriptor)) else { return };
        if core::mem::replace(is_offered, true) {
            return;
        }
        let entry = 16 * usize::from(descriptor);
        self.memory.write_u64(entry, address);
        self.memory.write_u32(entry + 8, len);
        self.memory.write_u16(entry + 12, if direction == Direction::In { WRITE } else { 0 });
        let place = self.layout.available() + 4 + 2 * usize::from(self.offered % self.layout.size);
        self.memory.write_u16(place, descriptor);
        self.offered = self.offered.wrapping_add(1);
        // The device sees what is offered before it sees that there is one more.
        fence(Ordering::Release);
        self.memory.write_u16(self.layout.available() + 2, self.offered);
    }

    /// Takes back what the device has used first: which, and how many bytes it has written.
    pub fn take(&mut self) -> Option<(u16, u32)> {
        while self.has_used() {
            fence(Ordering::Acquire);
            let entry = self.layout.used() + 4 + 8 * usize::from(self.seen % self.layout.size);
            let (descriptor, len) = (self.memory.read_u32(entry), self.memory.read_u32(entry + 4));
            self.seen = self.seen.wrapping_add(1);
            if let Some(is_offered) = self.is_offered.get_mut(descriptor as usize)
                && core::mem::take(is_offered)
            {
                return Some((descriptor as u16, len));
            }
        }
        None
    }

    /// Whether the device has used more than was taken back.
    #[must_use]
    pub fn has_used(&self) -> bool {
        self.memory.read_u16(self.layout.used() + 2) != self.seen
    }

    /// Whether the device wants to be told of what was offered.
    #[must_use]
    pub fn wants_notice(&self) -> bool {
        // Either it sees the offer before it goes to sleep, or we see here that it wants to be woken.
        fence(Ordering::SeqCst);
        self.memory.read_u16(self.layout.used()) & QUIET == 0
    }

    /// Asks for interrupts, or for silence. Says whether something was used before it could be heard.
    pub fn set_interrupts(&mut self, wanted: bool) -> bool {
        self.memory.write_u16(self.layout.available(), if wanted { 0 } else { QUIET });
        fence(Ordering::SeqCst);
        wanted && self.has_used()
    }
}

/// Which way a buffer's bytes go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the device.
    In,
    /// To the device.
    Out,
}

#[cfg(test)]
mod tests;
