//! The driver's side of a split virtqueue.
//!
//! Each descriptor has a fixed buffer, so nothing is chained and nothing is allocated. The device is not trusted: an
//! index that is no descriptor's, or that the device does not hold, is skipped.
//!
//! ```text
//! memory:  descriptors (16 bytes each) │ flags, index, numbers │ flags, index, (number, length)
//!                                      available ↑ ours         used ↑ the device's
//! ```
//! Source: VIRTIO 1.2, sections 2.7.5 to 2.7.8, 2.7.13.

use alloc::vec::Vec;
use core::sync::atomic::{Ordering, fence};

/// Descriptor flag: the device writes the buffer.
const WRITE: u16 = 2;

/// In the available ring: the device need not interrupt. In the used ring: the driver need not notify.
const QUIET: u16 = 1;

/// Memory shared with the device. Offsets are within [`QueueLayout::bytes`].
pub trait DmaMemory {
    /// Reads two bytes.
    fn read_u16(&self, offset: usize) -> u16;
    /// Reads four bytes.
    fn read_u32(&self, offset: usize) -> u32;
    /// Writes two bytes.
    fn write_u16(&self, offset: usize, value: u16);
    /// Writes four bytes.
    fn write_u32(&self, offset: usize, value: u32);
    /// Writes eight bytes.
    fn write_u64(&self, offset: usize, value: u64);
}

/// The offsets of the parts of a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QueueLayout {
    /// How many descriptors there are.
    pub size: u16,
}

impl QueueLayout {
    /// Returns the offset of the available ring; the descriptors are at 0.
    #[must_use]
    pub const fn available(self) -> usize {
        16 * self.size as usize
    }

    /// Returns the offset of the used ring.
    #[must_use]
    pub const fn used(self) -> usize {
        (self.available() + 6 + 2 * self.size as usize).next_multiple_of(4)
    }

    /// Returns the length of all parts.
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
    /// Which descriptors the device holds.
    is_offered: Vec<bool>,
}

impl<M: DmaMemory> VirtQueue<M> {
    /// Creates a queue of `size` descriptors, a power of two, in zeroed memory.
    pub fn new(memory: M, size: u16) -> Self {
        let is_offered = alloc::vec![false; usize::from(size)];
        Self { memory, layout: QueueLayout { size }, offered: 0, seen: 0, is_offered }
    }

    /// Returns the memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// Returns whether the driver holds `descriptor`.
    #[must_use]
    pub fn is_free(&self, descriptor: u16) -> bool {
        self.is_offered.get(usize::from(descriptor)) == Some(&false)
    }

    /// Makes `descriptor` available to the device, with a buffer of `len` bytes at `address` to write or to read.
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
        // The device sees the entry before it sees the new index.
        fence(Ordering::Release);
        self.memory.write_u16(self.layout.available() + 2, self.offered);
    }

    /// Takes back the next used descriptor, with the number of bytes that the device has written.
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

    /// Returns whether there are used descriptors to take back.
    #[must_use]
    pub fn has_used(&self) -> bool {
        self.memory.read_u16(self.layout.used() + 2) != self.seen
    }

    /// Returns whether the device has to be notified of new descriptors.
    #[must_use]
    pub fn wants_notice(&self) -> bool {
        // Either the device sees the new index before it sleeps, or we see here that it asks for a notification.
        fence(Ordering::SeqCst);
        self.memory.read_u16(self.layout.used()) & QUIET == 0
    }

    /// Enables or disables interrupts. Returns whether descriptors were used before that took effect.
    pub fn set_interrupts(&mut self, wanted: bool) -> bool {
        self.memory.write_u16(self.layout.available(), if wanted { 0 } else { QUIET });
        fence(Ordering::SeqCst);
        wanted && self.has_used()
    }
}

/// The direction of a buffer's bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the device.
    In,
    /// To the device.
    Out,
}

#[cfg(test)]
mod tests;
