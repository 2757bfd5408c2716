//! Single rules as sentences, and random operations against a reference that thinks in positions of bytes.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;

use pollee::{Events, Readiness};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::{DEFAULT_CAPACITY, End, PAGE_SIZE, Page, Pages, Pipe, PipeMode, Privilege};
use crate::abi::errno::Errno;
use crate::machine::transfer::{Sink, Source};

/// Memory for so many pages, all of them dirty.
struct Memory(usize);

impl Pages for Memory {
    fn allocate(&mut self) -> Option<Page> {
        self.0 = self.0.checked_sub(1)?;
        Some(Box::new([0xee; PAGE_SIZE]))
    }

    fn free(&mut self, _: Page) {
        self.0 += 1;
    }
}

/// A buffer of which only the first bytes are mapped.
struct Torn {
    length: usize,
    mapped: usize,
}

impl Torn {
    fn advance(&mut self, wanted: usize) -> usize {
        let done = wanted.min(self.mapped);
        self.length -= done;
        self.mapped -= done;
        done
    }
}

impl Sink for Torn {
    fn remaining(&self) -> usize {
        self.length
    }

    fn put(&mut self, bytes: &[u8]) -> usize {
        self.advance(bytes.len())
    }
}

impl Source for Torn {
    fn remaining(&self) -> usize {
        self.length
    }

    fn take(&mut self, space: &mut [u8]) -> usize {
        self.advance(space.len())
    }
}

struct Rig {
    pipe: Pipe,
    memory: Memory,
}

impl Rig {
    fn new() -> Self {
        let mut pipe = Pipe::new();
        pipe.open(End::Reader);
        pipe.open(End::Writer);
        Self { pipe, memory: Memory(usize::MAX / 2) }
    }

    fn full() -> Self {
        let mut rig = Self::new();
        assert_eq!(rig.write(&[7; DEFAULT_CAPACITY]), Poll::Ready(Ok(DEFAULT_CAPACITY)));
        rig
    }

    fn write(&mut self, mut bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        self.pipe.write(&mut bytes, PipeMode::Stream, &mut self.memory)
    }

    fn write_packet(&mut self, mut bytes: &[u8]) -> Poll<Result<usize, Errno>> {
        self.pipe.write(&mut bytes, PipeMode::Packet, &mut self.memory)
    }

    fn read(&mut self, len: usize) -> Poll<Result<Vec<u8>, Errno>> {
        let mut bytes = vec![0; len];
        let read = self.pipe.read(&mut &mut bytes[..], &mut self.memory);
        read.map_ok(|read| bytes[..read].to_vec())
    }
}

#[test]
fn an_empty_pipe_blocks_its_reader_and_ends_with_its_writer() {
    let mut rig = Rig::new();
    assert_eq!(rig.read(1), Poll::Pending);
    assert_eq!(rig.read(0), Poll::Ready(Ok(vec![])));
    rig.pipe.close(End::Writer);
    assert_eq!(rig.read(1), Poll::Ready(Ok(vec![])));
}

#[test]
fn a_write_without_reader_is_broken_but_writing_nothing_is_not() {
    let mut rig = Rig::new();
    rig.pipe.close(End::Reader);
    assert_eq!(rig.write(b"x"), Poll::Ready(Err(Errno::EPIPE)));
    assert_eq!(rig.write(b""), Poll::Ready(Ok(0)));
}

#[test]
fn a_full_pipe_blocks_its_writer_until_a_whole_slot_is_free() {
    let mut rig = Rig::full();
    assert_eq!(rig.write(b"x"), Poll::Pending);
    assert_eq!(rig.read(PAGE_SIZE - 1).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(PAGE_SIZE - 1)));
    assert_eq!(rig.write(b"x"), Poll::Pending);
    assert_eq!(rig.read(1), Poll::Ready(Ok(vec![7])));
    assert_eq!(rig.write(&[1; PAGE_SIZE + 1]), Poll::Ready(Ok(PAGE_SIZE)));
}

#[test]
fn small_writes_share_a_page_and_larger_ones_take_one_each() {
    let mut rig = Rig::new();
    for _ in 0..DEFAULT_CAPACITY / 64 {
        assert_eq!(rig.write(&[1; 64]), Poll::Ready(Ok(64)));
    }
    assert_eq!(rig.write(&[1; 64]), Poll::Pending);
    let mut rig = Rig::new();
    for _ in 0..16 {
        assert_eq!(rig.write(&[1; 2500]), Poll::Ready(Ok(2500)));
    }
    assert!(!rig.pipe.readiness().contains(Events::OUT));
    assert_eq!(rig.write(&[1; 2500]), Poll::Pending);
    assert_eq!(rig.write(&[1; 1596]), Poll::Ready(Ok(1596)));
    assert_eq!(rig.pipe.unread(), 16 * 2500 + 1596);
}

#[test]
fn the_odd_bytes_of_a_large_write_join_the_last_page() {
    let mut rig = Rig::new();
    rig.write(&[1; 100]).is_ready();
    assert_eq!(rig.write(&[2; 5000]), Poll::Ready(Ok(5000)));
    assert_eq!(rig.pipe.slots.len(), 2);
}

#[test]
fn a_write_of_pipe_buf_enters_whole_or_not_at_all() {
    let mut rig = Rig::full();
    rig.read(PAGE_SIZE).is_ready();
    assert_eq!(rig.write(&[1; 100]), Poll::Ready(Ok(100)));
    assert_eq!(rig.write(&[1; PAGE_SIZE]), Poll::Pending);
    assert_eq!(rig.write(&[1; 3997]), Poll::Pending);
    assert_eq!(rig.write(&[1; 3996]), Poll::Ready(Ok(3996)));
}

#[test]
fn packets_keep_their_borders_and_their_rest_is_lost() {
    let mut rig = Rig::new();
    for packet in [&b"first"[..], b"second", b"third"] {
        assert_eq!(rig.write_packet(packet), Poll::Ready(Ok(packet.len())));
    }
    assert_eq!(rig.read(100), Poll::Ready(Ok(b"first".to_vec())));
    assert_eq!(rig.read(3), Poll::Ready(Ok(b"sec".to_vec())));
    assert_eq!(rig.read(100), Poll::Ready(Ok(b"third".to_vec())));
    assert_eq!(rig.write_packet(&[1; PAGE_SIZE + 9]), Poll::Ready(Ok(PAGE_SIZE + 9)));
    assert_eq!(rig.read(10_000).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(PAGE_SIZE)));
    assert_eq!(rig.read(10_000).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(9)));
}

#[test]
fn a_stream_does_not_join_a_packet() {
    let mut rig = Rig::new();
    rig.write_packet(b"packet").is_ready();
    rig.write(b"stream").is_ready();
    assert_eq!(rig.read(100), Poll::Ready(Ok(b"packet".to_vec())));
    assert_eq!(rig.read(100), Poll::Ready(Ok(b"stream".to_vec())));
}

#[test]
fn a_read_into_a_hole_loses_no_byte() {
    let mut rig = Rig::new();
    rig.write(b"kept").is_ready();
    let mut torn = Torn { length: 4, mapped: 2 };
    assert_eq!(rig.pipe.read(&mut torn, &mut rig.memory), Poll::Ready(Err(Errno::EFAULT)));
    assert_eq!(rig.read(10), Poll::Ready(Ok(b"kept".to_vec())));
}

#[test]
fn a_read_that_meets_a_hole_later_counts_the_slots_before_it() {
    let mut rig = Rig::full();
    let mut torn = Torn { length: 2 * PAGE_SIZE, mapped: PAGE_SIZE + 5 };
    assert_eq!(rig.pipe.read(&mut torn, &mut rig.memory), Poll::Ready(Ok(PAGE_SIZE)));
    assert_eq!(rig.pipe.unread(), DEFAULT_CAPACITY - PAGE_SIZE);
}

#[test]
fn a_write_from_a_hole_leaves_nothing_behind() {
    let mut rig = Rig::new();
    for before in [0, 10] {
        rig.write(&[1; 10][..before]).is_ready();
        let mut torn = Torn { length: 4, mapped: 2 };
        let result = rig.pipe.write(&mut torn, PipeMode::Stream, &mut rig.memory);
        assert_eq!(result, Poll::Ready(Err(Errno::EFAULT)));
        assert_eq!(rig.pipe.unread(), before);
        assert_eq!(rig.pipe.readiness().contains(Events::IN), before > 0);
    }
}

#[test]
fn a_write_without_memory_is_short_or_fails() {
    let mut rig = Rig::new();
    rig.memory = Memory(2);
    assert_eq!(rig.write(&[1; 3 * PAGE_SIZE]), Poll::Ready(Ok(2 * PAGE_SIZE)));
    assert_eq!(rig.write(&[1]), Poll::Ready(Err(Errno::ENOMEM)));
    rig.read(PAGE_SIZE).is_ready();
    assert_eq!(rig.write(&[1]), Poll::Ready(Ok(1)));
}

#[test]
fn a_capacity_is_a_power_of_two_of_pages_that_holds_the_content() {
    let mut rig = Rig::new();
    let set = |rig: &mut Rig, bytes| rig.pipe.set_capacity(bytes, Privilege::None);
    assert_eq!(set(&mut rig, 0), Ok(PAGE_SIZE));
    assert_eq!(rig.write(&[1; 5000]), Poll::Ready(Ok(PAGE_SIZE)));
    assert_eq!(set(&mut rig, 3 * PAGE_SIZE), Ok(4 * PAGE_SIZE));
    assert_eq!(rig.write(&[1; 50_000]), Poll::Ready(Ok(3 * PAGE_SIZE)));
    assert_eq!(set(&mut rig, 2 * PAGE_SIZE), Err(Errno::EBUSY));
    assert_eq!(rig.pipe.capacity(), 4 * PAGE_SIZE);
    assert_eq!(set(&mut rig, (1 << 31) + 1), Err(Errno::EINVAL));
    assert_eq!(set(&mut rig, (1 << 20) + 1), Err(Errno::EPERM));
    assert_eq!(rig.pipe.set_capacity((1 << 20) + 1, Privilege::SysResource), Ok(2 << 20));
    assert_eq!(rig.pipe.set_capacity(1 << 31, Privilege::SysResource), Err(Errno::ENOMEM));
    assert_eq!(set(&mut rig, 1 << 20), Ok(1 << 20), "to shrink needs no privilege");
}

#[test]
fn the_last_end_takes_the_unread_bytes_along() {
    let mut rig = Rig::full();
    rig.pipe.close(End::Writer);
    rig.pipe.close(End::Reader);
    rig.pipe.open(End::Reader);
    rig.pipe.open(End::Writer);
    assert_eq!(rig.read(1), Poll::Pending);
}

#[test]
fn openings_are_counted_and_never_forgotten() {
    let mut rig = Rig::new();
    rig.pipe.open(End::Writer);
    rig.pipe.close(End::Writer);
    rig.pipe.close(End::Writer);
    assert_eq!((rig.pipe.openings(End::Writer), rig.pipe.openings(End::Reader)), (2, 1));
    assert!(rig.pipe.is_closed(End::Writer) && !rig.pipe.is_closed(End::Writer.other()));
}

/// A written piece by the positions of its bytes in the stream of all bytes.
struct Piece {
    /// Bytes of its page that were used up before `start`.
    used: usize,
    start: usize,
    end: usize,
    is_packet: bool,
}

/// The same rules, said differently: nothing is stored, byte `i` of the stream is `i` modulo 251.
struct Reference {
    pieces: Vec<Piece>,
    written: usize,
    capacity: usize,
}

impl Reference {
    fn byte(position: usize) -> u8 {
        u8::try_from(position % 251).unwrap()
    }

    fn write(&mut self, len: usize, is_packet: bool) -> usize {
        let start = self.written;
        let odd = len % PAGE_SIZE;
        let mut rest = len;
        if let Some(last) = self.pieces.last_mut()
            && !last.is_packet
            && last.used + (last.end - last.start) + odd <= PAGE_SIZE
        {
            last.end += odd;
            self.written += odd;
            rest -= odd;
        }
        while rest > 0 && self.pieces.len() < self.capacity {
            let part = rest.min(PAGE_SIZE);
            self.pieces.push(Piece { used: 0, start: self.written, end: self.written + part, is_packet });
            self.written += part;
            rest -= part;
        }
        self.written - start
    }

    fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![];
        while bytes.len() < len
            && let Some(first) = self.pieces.first_mut()
        {
            let end = first.end.min(first.start + len - bytes.len());
            bytes.extend((first.start..end).map(Self::byte));
            first.used += end - first.start;
            first.start = end;
            let is_packet = first.is_packet;
            if is_packet || first.start == first.end {
                self.pieces.remove(0);
            }
            if is_packet {
                break;
            }
        }
        bytes
    }
}

#[derive(Clone, Debug)]
enum Operation {
    Write(usize, PipeMode),
    Read(usize),
    Resize(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let len = || {
        prop_oneof![
            1..200_usize,
            1..3 * PAGE_SIZE,
            1..20 * PAGE_SIZE,
            (1..5_usize).prop_map(|n| n * PAGE_SIZE)
        ]
    };
    let mode = any::<bool>().prop_map(|packet| if packet { PipeMode::Packet } else { PipeMode::Stream });
    let operation = prop_oneof![
        4 => (len(), mode).prop_map(|(len, mode)| Operation::Write(len, mode)),
        4 => len().prop_map(Operation::Read),
        1 => (0..40 * PAGE_SIZE).prop_map(Operation::Resize),
    ];
    proptest::collection::vec(operation, 0..60)
}

proptest! {
    #[test]
    fn it_behaves_as_the_reference(operations in operations()) {
        let mut rig = Rig::new();
        let mut reference = Reference { pieces: vec![], written: 0, capacity: 16 };
        for operation in operations {
            let ready = rig.pipe.readiness();
            assert_eq!(ready.contains(Events::READABLE), !reference.pieces.is_empty());
            assert_eq!(ready.contains(Events::WRITABLE), reference.pieces.len() < reference.capacity);
            match operation {
                Operation::Write(len, mode) => {
                    let bytes: Vec<u8> = (0..len).map(|i| Reference::byte(reference.written + i)).collect();
                    let result = match mode {
                        PipeMode::Stream => rig.write(&bytes),
                        PipeMode::Packet => rig.write_packet(&bytes),
                    };
                    // The odd bytes of a large write enter first: the stream is in order all the same.
                    match reference.write(len, mode == PipeMode::Packet) {
                        0 => assert_eq!(result, Poll::Pending),
                        written => assert_eq!(result, Poll::Ready(Ok(written))),
                    }
                    assert!(result.is_ready() || !ready.contains(Events::OUT));
                }
                Operation::Read(len) => {
                    let result = rig.read(len);
                    assert!(result.is_ready() || !ready.contains(Events::IN));
                    match reference.read(len) {
                        empty if empty.is_empty() => assert_eq!(result, Poll::Pending),
                        bytes => assert_eq!(result, Poll::Ready(Ok(bytes))),
                    }
                }
                Operation::Resize(bytes) => {
                    let slots = bytes.div_ceil(PAGE_SIZE).max(1).next_power_of_two();
                    let expected = if slots < reference.pieces.len() {
                        Err(Errno::EBUSY)
                    } else {
                        reference.capacity = slots;
                        Ok(slots * PAGE_SIZE)
                    };
                    assert_eq!(rig.pipe.set_capacity(bytes, Privilege::None), expected);
                }
            }
            let unread: usize = reference.pieces.iter().map(|piece| piece.end - piece.start).sum();
            assert_eq!(rig.pipe.unread(), unread);
        }
    }
}
