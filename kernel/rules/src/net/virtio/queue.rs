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
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    struct Ram(RefCell<Vec<u8>>);

    impl Ram {
        fn get<const N: usize>(&self, offset: usize) -> [u8; N] {
            *self.0.borrow()[offset..].first_chunk().expect("within the queue")
        }

        fn put(&self, offset: usize, bytes: &[u8]) {
            self.0.borrow_mut()[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    impl DmaMemory for Ram {
        fn read_u16(&self, offset: usize) -> u16 {
            u16::from_le_bytes(self.get(offset))
        }
        fn read_u32(&self, offset: usize) -> u32 {
            u32::from_le_bytes(self.get(offset))
        }
        fn write_u16(&self, offset: usize, value: u16) {
            self.put(offset, &value.to_le_bytes());
        }
        fn write_u32(&self, offset: usize, value: u32) {
            self.put(offset, &value.to_le_bytes());
        }
        fn write_u64(&self, offset: usize, value: u64) {
            self.put(offset, &value.to_le_bytes());
        }
    }

    const SIZE: u16 = 4;

    fn queue() -> VirtQueue<Ram> {
        VirtQueue::new(Ram(RefCell::new(alloc::vec![0; QueueLayout { size: SIZE }.bytes()])), SIZE)
    }

    /// The device: uses the next offer that it has not seen; what it was.
    fn uses(queue: &VirtQueue<Ram>, seen: &mut u16, len: u32) -> Option<(u16, u64)> {
        let layout = QueueLayout { size: SIZE };
        let memory = queue.memory();
        if memory.read_u16(layout.available() + 2) == *seen {
            return None;
        }
        let number = memory.read_u16(layout.available() + 4 + 2 * usize::from(*seen % SIZE));
        let address = u64::from_le_bytes(memory.get(16 * usize::from(number)));
        answer(queue, *seen, u32::from(number), len);
        *seen = seen.wrapping_add(1);
        Some((number, address))
    }

    fn answer(queue: &VirtQueue<Ram>, index: u16, number: u32, len: u32) {
        let used = QueueLayout { size: SIZE }.used();
        let entry = used + 4 + 8 * usize::from(index % SIZE);
        queue.memory().write_u32(entry, number);
        queue.memory().write_u32(entry + 4, len);
        queue.memory().write_u16(used + 2, index.wrapping_add(1));
    }

    #[test]
    fn the_parts_have_the_standards_distances() {
        let layout = QueueLayout { size: 256 };
        assert_eq!(
            (layout.available(), layout.used(), layout.bytes()),
            (4096, 4096 + 520, 4096 + 520 + 2054)
        );
    }

    #[test]
    fn interrupts_that_were_missed_are_told() {
        let mut queue = queue();
        let mut seen = 0;
        assert!(queue.wants_notice() && !queue.set_interrupts(false));
        queue.offer(1, 0x1000, 64, Direction::In);
        assert_eq!(uses(&queue, &mut seen, 9), Some((1, 0x1000)));
        assert!(!queue.set_interrupts(false));
        assert!(queue.set_interrupts(true));
        assert_eq!((queue.take(), queue.take()), (Some((1, 9)), None));
        assert!(!queue.set_interrupts(true));
    }

    #[test]
    fn what_a_device_makes_up_is_passed_over() {
        let mut queue = queue();
        queue.offer(2, 0, 1, Direction::Out);
        for (index, number) in [(0, 7), (1, u32::MAX), (2, 0), (3, 2), (4, 2)] {
            answer(&queue, index, number, 5);
            assert_eq!(queue.take(), (index == 3).then_some((2, 5)), "{number}");
        }
    }

    proptest! {
        #[test]
        fn everything_offered_comes_back_in_order(steps in prop::collection::vec((0..3, 0..SIZE), 0..200)) {
            let mut queue = queue();
            // Close to where the indices begin again.
            let mut seen = u16::MAX - 20;
            (queue.offered, queue.seen) = (seen, seen);
            for part in [queue.layout.available(), queue.layout.used()] {
                queue.memory().write_u16(part + 2, seen);
            }
            let (mut offered, mut used) = (Vec::new(), Vec::new());
            for (step, number) in steps {
                match step {
                    0 => {
                        let is_free = queue.is_free(number);
                        prop_assert_eq!(is_free, !offered.contains(&number) && !used.contains(&number));
                        queue.offer(number, u64::from(number) << 12, 8, Direction::Out);
                        if is_free {
                            offered.push(number);
                        }
                    }
                    1 => {
                        let next = if offered.is_empty() { None } else { Some(offered.remove(0)) };
                        prop_assert_eq!(uses(&queue, &mut seen, 0), next.map(|next| (next, u64::from(next) << 12)));
                        used.extend(next);
                    }
                    _ => {
                        let next = if used.is_empty() { None } else { Some(used.remove(0)) };
                        prop_assert_eq!(queue.take(), next.map(|next| (next, 0)));
                    }
                }
            }
        }
    }
}
