//! copy_file_range(2): copying between files without a buffer in the program.

use std::fs;

use libc::{O_APPEND, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::{Errno, Fd, fd, sys};

/// Makes a file in `/tmp` with this many bytes, each unlike its neighbours.
fn file(name: &str, len: usize) -> (Fd, Vec<u8>) {
    let path = format!("/tmp/copy-file-range-{name}");
    let content: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
    fs::write(&path, &content).unwrap();
    (fd::open(&path, O_RDWR, 0).unwrap(), content)
}

/// Makes a new file, and its path.
fn empty(name: &str) -> (Fd, String) {
    let path = format!("/tmp/copy-file-range-{name}");
    (fd::open(&path, O_RDWR | O_CREAT | O_TRUNC, 0o644).unwrap(), path)
}

fn copy(from: (&Fd, usize), to: (&Fd, usize), count: usize, flags: usize) -> sys::Result<usize> {
    let arguments = [from.0.number() as usize, from.1, to.0.number() as usize, to.1, count, flags];
    // SAFETY: an offset is the caller's, or is not there.
    unsafe { sys::call(libc::SYS_copy_file_range, arguments) }
}

#[test]
fn both_files_move_their_offsets() {
    let (from, content) = file("from", 40_000);
    let (to, path) = empty("to");
    assert_eq!(copy((&from, 0), (&to, 0), 100, 0), Ok(100));
    assert_eq!(copy((&from, 0), (&to, 0), 30_000, 0), Ok(30_000));
    assert_eq!(copy((&from, 0), (&to, 0), 30_000, 0), Ok(9_900));
    assert_eq!(copy((&from, 0), (&to, 0), 30_000, 0), Ok(0));
    assert!(fs::read(path).unwrap() == content);
}

#[test]
fn offsets_of_its_own_leave_the_files_alone() {
    let (from, content) = file("own", 1000);
    let (to, path) = empty("own-copy");
    let (mut start, mut target) = (10_u64, 5_u64);
    let ends = ((&from, &raw mut start as usize), (&to, &raw mut target as usize));
    assert_eq!(copy(ends.0, ends.1, 20, 0), Ok(20));
    assert_eq!((start, target), (30, 25));
    assert_eq!(fs::read(path).unwrap(), [&[0; 5], &content[10..30]].concat());
    assert_eq!(from.read(3).unwrap(), &content[..3]);
    to.write(b"x").unwrap();
    assert_eq!(copy((&from, 0), (&to, &raw mut target as usize), 1, 0), Ok(1));
    assert_eq!(target, 26);
}

#[test]
fn parts_of_one_file_must_not_overlap() {
    let (from, content) = file("same", 1000);
    let (mut start, mut target) = (0_u64, 500_u64);
    let ends = ((&from, &raw mut start as usize), (&from, &raw mut target as usize));
    assert_eq!(copy(ends.0, ends.1, 501, 0), Err(Errno::EINVAL));
    assert_eq!(copy(ends.0, ends.1, 500, 0), Ok(500));
    assert_eq!((start, target), (500, 1000));
    let now = fs::read("/tmp/copy-file-range-same").unwrap();
    assert_eq!(now, [&content[..500], &content[..500]].concat());
}

#[test]
fn it_needs_two_regular_files() {
    let (from, _) = file("errors", 10);
    let (to, path) = empty("errors-to");
    let (reader, writer) = fd::pipe();
    let directory = fd::open("/tmp", O_RDONLY | O_DIRECTORY, 0).unwrap();
    let append = fd::open(&path, O_WRONLY | O_APPEND, 0).unwrap();
    let read_only = fd::open(&path, O_RDONLY, 0).unwrap();
    assert_eq!(copy((&from, 0), (&to, 0), 1, 1), Err(Errno::EINVAL), "a flag");
    assert_eq!(copy((&reader, 0), (&to, 0), 1, 0), Err(Errno::EINVAL));
    assert_eq!(copy((&from, 0), (&writer, 0), 1, 0), Err(Errno::EINVAL));
    assert_eq!(copy((&directory, 0), (&to, 0), 1, 0), Err(Errno::EISDIR));
    assert_eq!(copy((&from, 0), (&append, 0), 1, 0), Err(Errno::EBADF));
    assert_eq!(copy((&from, 0), (&read_only, 0), 1, 0), Err(Errno::EBADF));
    assert_eq!(copy((&append, 0), (&to, 0), 1, 0), Err(Errno::EBADF));
    assert_eq!(copy((&from, UNMAPPED), (&to, 0), 1, 0), Err(Errno::EFAULT));
    let mut offset = -5_i64 as u64;
    assert_eq!(copy((&from, &raw mut offset as usize), (&to, 0), 10, 0), Err(Errno::EOVERFLOW));
    assert_eq!(fs::read(path).unwrap(), b"");
}
