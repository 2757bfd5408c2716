//! Parcels leave and enter pipes without loss, and their pages are counted.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::task::Poll;

use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::{MOST, Parcel};
use crate::abi::errno::Errno;
use crate::core::pipe::{End, PAGE_SIZE, Page, Pages, Pipe, PipeMode};
use crate::machine::transfer::{Sink, Source};

/// Memory for so many pages.
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

fn pipe() -> Pipe {
    let mut pipe = Pipe::new();
    pipe.open(End::Reader);
    pipe.open(End::Writer);
    pipe
}

fn write(pipe: &mut Pipe, mut bytes: &[u8], memory: &mut Memory) -> usize {
    match pipe.write(&mut bytes, PipeMode::Stream, memory) {
        Poll::Ready(written) => written.unwrap(),
        Poll::Pending => 0,
    }
}

fn read(pipe: &mut Pipe, len: usize, memory: &mut Memory) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let read = match pipe.read(&mut &mut bytes[..], memory) {
        Poll::Ready(read) => read.unwrap(),
        Poll::Pending => 0,
    };
    bytes.truncate(read);
    bytes
}

#[test]
fn a_whole_slot_moves_and_a_part_is_copied() {
    let (mut pipe, mut memory) = (pipe(), Memory(10));
    write(&mut pipe, b"hello", &mut memory);
    let parcel = pipe.take_parcel(2, MOST, &mut memory).unwrap();
    assert_eq!((parcel.len(), pipe.unread(), memory.0), (2, 3, 8));
    pipe.give_back(parcel);
    assert_eq!(read(&mut pipe, 9, &mut memory), b"hello");
    assert_eq!(memory.0, 10);
}

#[test]
fn what_was_not_written_goes_back_to_the_front() {
    let (mut pipe, mut memory) = (pipe(), Memory(10));
    write(&mut pipe, &[1; PAGE_SIZE], &mut memory);
    write(&mut pipe, &[2; PAGE_SIZE], &mut memory);
    let mut parcel = pipe.take_parcel(usize::MAX, MOST, &mut memory).unwrap();
    write(&mut pipe, b"behind", &mut memory);
    let mut source = parcel.source();
    let mut taken = [0; 5000];
    assert_eq!((source.take(&mut taken), source.remaining()), (5000, 2 * PAGE_SIZE - 5000));
    parcel.consume(5000, &mut memory);
    pipe.give_back(parcel);
    let rest = read(&mut pipe, 9000, &mut memory);
    assert_eq!(rest.len(), 2 * PAGE_SIZE - 5000 + 6);
    assert!(rest.ends_with(b"\x02behind"));
}

#[test]
fn a_parcel_has_the_boundaries_of_the_file_s_pages() {
    let mut memory = Memory(10);
    let mut parcel = Parcel::with_room(5000, 100, MOST, &mut memory).unwrap();
    let mut sink = parcel.sink(5000);
    assert_eq!((sink.remaining(), sink.space().len()), (5000, PAGE_SIZE - 100));
    assert_eq!(sink.put(&[7; 6000]), 5000);
    assert_eq!((parcel.len(), parcel.slots()), (5000, 2));
    parcel.free(&mut memory);
    assert_eq!(memory.0, 10);
}

#[test]
fn without_a_reader_the_parcel_comes_back() {
    let (mut from, mut to, mut memory) = (pipe(), pipe(), Memory(10));
    write(&mut from, b"x", &mut memory);
    to.close(End::Reader);
    let parcel = from.take_parcel(1, MOST, &mut memory).unwrap();
    let (error, parcel) = to.put_parcel(parcel, &mut memory).unwrap_err();
    assert_eq!((error, parcel.len()), (Errno::EPIPE, 1));
}

#[test]
fn without_memory_nothing_is_taken() {
    let (mut pipe, mut memory) = (pipe(), Memory(1));
    write(&mut pipe, b"abc", &mut memory);
    assert_eq!(pipe.take_parcel(2, MOST, &mut memory).unwrap_err(), Errno::ENOMEM);
    assert_eq!(read(&mut pipe, 9, &mut memory), b"abc");
    assert_eq!(Parcel::with_room(1, 0, MOST, &mut Memory(0)).unwrap_err(), Errno::ENOMEM);
}

#[derive(Clone, Debug)]
enum Step {
    Write(usize),
    Move(usize),
    Tee(usize),
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (1..10_000_usize).prop_map(Step::Write),
        (1..10_000_usize).prop_map(Step::Move),
        (1..10_000_usize).prop_map(Step::Tee),
        (1..10_000_usize).prop_map(Step::Read),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn bytes_keep_their_order_and_pages_are_not_lost(steps in steps(), first in any::<u8>()) {
        let (mut from, mut to, mut memory) = (pipe(), pipe(), Memory(64));
        let (mut source, mut target) = (Vec::new(), Vec::new());
        let mut next = first;
        for step in steps {
            match step {
                Step::Write(len) => {
                    let bytes: Vec<u8> = (0..len).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let written = write(&mut from, &bytes, &mut memory);
                    source.extend(&bytes[..written]);
                }
                Step::Move(len) => {
                    let room = to.free_slots();
                    let Ok(parcel) = from.take_parcel(len, room, &mut memory) else { continue };
                    let moved = to.put_parcel(parcel, &mut memory).unwrap();
                    target.extend(source.drain(..moved));
                }
                Step::Tee(len) => {
                    let most = to.free_slots().min(from.filled_slots());
                    if most == 0 {
                        continue;
                    }
                    let Ok(mut parcel) = Parcel::with_room(usize::MAX / 2, 0, most, &mut memory) else { continue };
                    let copied = from.copy_to(0, len, &mut parcel);
                    assert_eq!(to.put_parcel(parcel, &mut memory).unwrap(), copied);
                    target.extend(&source[..copied]);
                }
                Step::Read(len) => {
                    let read = read(&mut to, len, &mut memory);
                    assert_eq!(read, target.drain(..read.len()).collect::<Vec<u8>>());
                }
            }
            assert_eq!((from.unread(), to.unread()), (source.len(), target.len()));
        }
        while !read(&mut to, 100_000, &mut memory).is_empty() {}
        while !read(&mut from, 100_000, &mut memory).is_empty() {}
        assert_eq!(memory.0, 64);
    }
}
