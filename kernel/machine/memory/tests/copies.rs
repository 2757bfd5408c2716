//! Copies to and from user memory.

use alloc::vec;
use alloc::vec::Vec;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;
use rules::machine::abi::mman::Prot;
use rules::machine::transfer::{Sink as _, Source as _};

use super::super::budget;
use super::super::layout::PAGE_SIZE;
use super::super::space::{AddressSpace, Placement};
use super::super::user::{IOV_MAX, UserAtomic, UserPtr, UserSink, UserSlice, UserSource, read_string};
use super::{READ_WRITE, enter, map_at, map_pages, new_space, quiesce};

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i * 7 % 251) as u8).collect()
}

#[ktest]
fn every_length_and_offset_comes_back_as_it_went() {
    let space = new_space();
    let addr = map_pages(&space, 40);
    for (offset, len) in [(0, 1), (4095, 2), (1, 767), (3, 768), (100, 4096), (123, 100_000), (4095, 65_537)]
    {
        let (sent, mut back) = (pattern(len), vec![0; len]);
        let slice = UserSlice::new(&space, addr + offset, len).unwrap();
        slice.write_bytes(&sent).unwrap();
        slice.read_bytes(&mut back).unwrap();
        assert!(sent == back, "offset {}, length {}", offset, len);
    }
}

#[ktest]
fn a_copy_ends_where_the_mapping_ends() {
    let space = new_space();
    let start = map_at(&space, Placement::Replacing(0x10_0000_0000), 2);
    let bytes = pattern(100_000);
    let mut sink = UserSink::buffer(&space, start + 100, 100_000).unwrap();
    assert_eq!(sink.put(&bytes), 2 * PAGE_SIZE - 100);
    assert_eq!(sink.remaining(), 100_000 - (2 * PAGE_SIZE - 100));
    let mut buffer = vec![0; 8192];
    let mut source = UserSource::buffer(&space, start + PAGE_SIZE, 8192).unwrap();
    assert_eq!(source.take(&mut buffer), PAGE_SIZE);
    assert!(buffer[..100] == bytes[PAGE_SIZE - 100..PAGE_SIZE]);
}

#[ktest]
fn copies_to_nowhere_build_no_page_tables() {
    let space = new_space();
    let bytes = pattern(100_000);
    let before = budget::available();
    for i in 0..100 {
        let mut sink = UserSink::buffer(&space, 0x20_0000_0000 + (i << 30), bytes.len()).unwrap();
        assert_eq!(sink.put(&bytes), 0);
    }
    assert_eq!(budget::available(), before);
}

#[ktest]
fn pieces_follow_one_another_across_pages() {
    let space = new_space();
    let addr = map_pages(&space, 40) + 64;
    let bytes = pattern(30 * PAGE_SIZE);
    let mut sink = UserSink::buffer(&space, addr, bytes.len()).unwrap();
    for piece in bytes.chunks(PAGE_SIZE / 2 + 1) {
        assert_eq!(sink.put(piece), piece.len());
    }
    assert_eq!(sink.remaining(), 0);
    let mut back = vec![0; bytes.len()];
    let mut source = UserSource::buffer(&space, addr, bytes.len()).unwrap();
    for piece in back.chunks_mut(PAGE_SIZE - 7) {
        assert_eq!(source.take(piece), piece.len());
    }
    assert!(back == bytes);
}

#[ktest]
fn a_copy_in_pieces_notices_what_changes_in_between() {
    let space = new_space();
    let addr = map_pages(&space, 16);
    let bytes = pattern(PAGE_SIZE);
    for page in 0..16 {
        UserSlice::new(&space, addr + page * PAGE_SIZE, PAGE_SIZE).unwrap().write_bytes(&bytes).unwrap();
    }
    let mut sink = UserSink::buffer(&space, addr, 16 * PAGE_SIZE).unwrap();
    assert_eq!(sink.put(&bytes), PAGE_SIZE);
    // The next page becomes shared with a child, which must not see what the parent reads.
    let child = space.fork().unwrap();
    assert_eq!(sink.put(&vec![0xee; PAGE_SIZE]), PAGE_SIZE);
    enter(&child);
    let mut seen = vec![0; PAGE_SIZE];
    UserSlice::new(&child, addr + PAGE_SIZE, PAGE_SIZE).unwrap().read_bytes(&mut seen).unwrap();
    assert!(seen == bytes);
    enter(&space);
    UserSlice::new(&space, addr + PAGE_SIZE, PAGE_SIZE).unwrap().read_bytes(&mut seen).unwrap();
    assert!(seen == vec![0xee; PAGE_SIZE]);
    space.protect(addr + 3 * PAGE_SIZE..addr + 4 * PAGE_SIZE, Prot::READ).unwrap();
    assert_eq!(sink.put(&pattern(3 * PAGE_SIZE)), PAGE_SIZE);
    space.protect(addr + 3 * PAGE_SIZE..addr + 4 * PAGE_SIZE, READ_WRITE).unwrap();
    assert_eq!(sink.put(&bytes), PAGE_SIZE);
    space.unmap(addr + 4 * PAGE_SIZE, PAGE_SIZE).unwrap();
    assert_eq!(sink.put(&bytes), 0);
}

#[ktest]
fn what_a_copy_has_looked_up_is_forgotten_when_it_changes() {
    let space = new_space();
    let addr = map_pages(&space, 16);
    let (first, second) = (pattern(16 * PAGE_SIZE), vec![0xee; 16 * PAGE_SIZE]);
    let write = |bytes: &[u8]| UserSink::buffer(&space, addr, bytes.len()).unwrap().put(bytes);
    let read = || {
        let mut bytes = vec![0; 16 * PAGE_SIZE];
        let len = UserSource::buffer(&space, addr, bytes.len()).unwrap().take(&mut bytes);
        bytes.truncate(len);
        bytes
    };
    assert_eq!(write(&first), first.len());
    assert!(read() == first);
    // The pages are shared with a child: a write makes copies, and the next read sees those.
    let child = space.fork().unwrap();
    assert_eq!(write(&second), second.len());
    assert!(read() == second);
    enter(&child);
    let mut seen = vec![0; 16 * PAGE_SIZE];
    UserSlice::new(&child, addr, seen.len()).unwrap().read_bytes(&mut seen).unwrap();
    assert!(seen == first);
    enter(&space);
    space.protect(addr + PAGE_SIZE..addr + 2 * PAGE_SIZE, Prot::READ).unwrap();
    assert_eq!(write(&first), PAGE_SIZE);
    assert!(read()[PAGE_SIZE..] == second[PAGE_SIZE..]);
    space.unmap(addr + 8 * PAGE_SIZE, PAGE_SIZE).unwrap();
    assert_eq!(read().len(), 8 * PAGE_SIZE);
}

#[ktest]
fn pages_that_copies_have_looked_up_become_free_with_their_mapping() {
    let space = new_space();
    let round = |bytes: &[u8]| {
        let addr = map_pages(&space, 16);
        assert_eq!(UserSink::buffer(&space, addr, bytes.len()).unwrap().put(bytes), bytes.len());
        let mut back = vec![0; bytes.len()];
        assert_eq!(UserSource::buffer(&space, addr, back.len()).unwrap().take(&mut back), bytes.len());
        space.unmap(addr, 16 * PAGE_SIZE).unwrap();
    };
    let bytes = pattern(16 * PAGE_SIZE);
    round(&bytes);
    quiesce();
    let before = budget::available();
    for _ in 0..20 {
        round(&bytes);
    }
    quiesce();
    assert_eq!(budget::available(), before);
}

fn write_vector(space: &AddressSpace, addr: usize, vector: &[[usize; 2]]) {
    for (i, piece) in vector.iter().enumerate() {
        UserPtr::new(space, addr).at(i).write(piece).unwrap();
    }
}

#[ktest]
fn a_vector_is_filled_in_order_and_its_errors_are_linux_s() {
    let space = new_space();
    let addr = map_pages(&space, 4);
    write_vector(&space, addr, &[[addr + 4096, 3], [0, 0], [addr + 8192, 5]]);
    let mut sink = UserSink::vector(&space, addr, 3).unwrap();
    assert_eq!(sink.remaining(), 8);
    assert_eq!(sink.put(b"ab"), 2);
    assert_eq!(sink.put(b"cdefghijk"), 6);
    let mut back = [0; 5];
    UserSlice::new(&space, addr + 8192, 5).unwrap().read_bytes(&mut back).unwrap();
    assert_eq!(&back, b"defgh");
    write_vector(&space, addr, &[[addr + 4096, 3], [addr, usize::MAX]]);
    assert_eq!(UserSink::vector(&space, addr, 2).err(), Some(Errno::EINVAL));
    write_vector(&space, addr, &[[addr + 4096, 3], [usize::MAX - 5, 3]]);
    assert_eq!(UserSink::vector(&space, addr, 2).err(), Some(Errno::EFAULT));
    assert_eq!(UserSink::vector(&space, addr, IOV_MAX + 1).err(), Some(Errno::EINVAL));
    assert_eq!(UserSink::vector(&space, 8, 1).err(), Some(Errno::EFAULT));
    write_vector(&space, addr, &[[0, 0x6000_0000], [0, 0x6000_0000], [0, 1]]);
    assert_eq!(UserSink::vector(&space, addr, 3).unwrap().remaining(), 0x7fff_f000);
}

#[ktest]
fn strings_end_at_their_zero_byte() {
    let space = new_space();
    let end = map_pages(&space, 1) + PAGE_SIZE;
    UserSlice::new(&space, end - 6, 6).unwrap().write_bytes(b"hello!").unwrap();
    assert_eq!(read_string(&space, end - 6, 6), Err(Errno::ENAMETOOLONG));
    assert_eq!(read_string(&space, end - 6, 60), Err(Errno::EFAULT));
    UserSlice::new(&space, end - 1, 1).unwrap().write_bytes(b"\0").unwrap();
    assert_eq!(read_string(&space, end - 6, 6).unwrap(), b"hello");
    assert_eq!(read_string(&space, end - 6, 5), Err(Errno::ENAMETOOLONG));
    assert_eq!(read_string(&space, usize::MAX, 5), Err(Errno::EFAULT));
}

#[ktest]
fn atomic_words_are_aligned_and_mapped() {
    let space = new_space();
    let addr = map_pages(&space, 1);
    let word = UserAtomic::new(&space, addr + 8).unwrap();
    assert_eq!(word.load(), Ok(0));
    assert_eq!(word.compare_exchange(0, 5), Ok(0));
    assert_eq!(word.compare_exchange(0, 6), Ok(5));
    assert_eq!(word.update(|value| value + 1), Ok(5));
    assert_eq!(word.load(), Ok(6));
    assert_eq!(UserAtomic::new(&space, addr + 2).err(), Some(Errno::EINVAL));
    assert_eq!(UserAtomic::new(&space, 0).unwrap().load(), Err(Errno::EFAULT));
}
