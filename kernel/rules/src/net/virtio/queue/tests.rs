//! A driver against a device in memory, also one that lies.

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
    assert_eq!((layout.available(), layout.used(), layout.bytes()), (4096, 4096 + 520, 4096 + 520 + 2054));
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
