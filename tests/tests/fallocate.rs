//! fallocate(2), fsync(2), syncfs(2), preadv2(2): allocating space, and synchronizing files.

use std::fs;

use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, fd, sys};

const KEEP_SIZE: usize = 1;
const PUNCH_HOLE: usize = 2;

fn call<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: what the kernel writes is the caller's.
    unsafe { sys::call(number, arguments) }
}

fn fallocate(fd: &Fd, mode: usize, offset: i64, len: i64) -> Result<usize> {
    call(libc::SYS_fallocate, [fd.number() as usize, mode, offset as usize, len as usize])
}

/// Makes a new file with these bytes.
fn file(name: &str, bytes: &[u8]) -> Fd {
    let path = format!("/tmp/fallocate-{name}");
    fs::write(&path, bytes).unwrap();
    fd::open(&path, libc::O_RDWR, 0).unwrap()
}

/// Returns the length, and the number of 512-byte blocks.
fn extent(fd: &Fd) -> (i64, i64) {
    // SAFETY: the structure is ours.
    unsafe {
        let mut stat: libc::stat = core::mem::zeroed();
        assert_eq!(libc::fstat(fd.number(), &mut stat), 0);
        (stat.st_size, stat.st_blocks)
    }
}

#[test]
fn room_is_made_with_and_without_length() {
    let file = file("room", b"abc");
    assert_eq!(fallocate(&file, KEEP_SIZE, 0, 20_000), Ok(0));
    assert_eq!(extent(&file), (3, 40));
    assert_eq!(fallocate(&file, 0, 4, 6), Ok(0));
    assert_eq!(extent(&file).0, 10);
    assert_eq!(file.read(20).unwrap(), b"abc\0\0\0\0\0\0\0");
}

#[test]
fn a_hole_reads_as_zeros_and_takes_no_room() {
    let file = file("hole", &[1; 3 * 4096]);
    assert_eq!(fallocate(&file, PUNCH_HOLE | KEEP_SIZE, 4000, 5000), Ok(0));
    assert_eq!(extent(&file), (3 * 4096, 16));
    let bytes = file.read(3 * 4096).unwrap();
    assert!(bytes[..4000].iter().chain(&bytes[9000..]).all(|byte| *byte == 1));
    assert!(bytes[4000..9000].iter().all(|byte| *byte == 0));
}

#[test]
fn wrong_arguments_are_refused() {
    let file = file("wrong", b"");
    for (offset, len) in [(-1, 1), (0, 0), (0, -1)] {
        assert_eq!(fallocate(&file, 0, offset, len), Err(Errno::EINVAL));
    }
    assert_eq!(fallocate(&file, 0, i64::MAX, 1), Err(Errno::EFBIG));
    assert_eq!(fallocate(&file, PUNCH_HOLE, 0, 1), Err(Errno::EOPNOTSUPP));
    assert_eq!(fallocate(&file, 1 << 10, 0, 1), Err(Errno::EOPNOTSUPP));
    let reader = fd::open("/tmp/fallocate-wrong", libc::O_RDONLY, 0).unwrap();
    assert_eq!(fallocate(&reader, 0, 0, 1), Err(Errno::EBADF));
    let (_reader, writer) = fd::pipe();
    assert_eq!(fallocate(&writer, 0, 0, 1), Err(Errno::ESPIPE));
    let null = fd::open("/dev/null", libc::O_WRONLY, 0).unwrap();
    assert_eq!(fallocate(&null, 0, 0, 1), Err(Errno::ENODEV));
}

#[test]
fn what_is_written_can_be_made_safe_in_each_way() {
    let file = file("sync", b"x");
    let number = file.number() as usize;
    for sync in [libc::SYS_fsync, libc::SYS_fdatasync, libc::SYS_syncfs] {
        assert_eq!(call(sync, [number]), Ok(0));
        assert_eq!(call(sync, [9999]), Err(Errno::EBADF));
    }
    assert_eq!(call(libc::SYS_sync, [0]), Ok(0));
    let (reader, _writer) = fd::pipe();
    for sync in [libc::SYS_fsync, libc::SYS_fdatasync] {
        assert_eq!(call(sync, [reader.number() as usize]), Err(Errno::EINVAL));
    }
    assert_eq!(call(libc::SYS_syncfs, [reader.number() as usize]), Ok(0));
}

#[test]
fn a_full_device_takes_nothing_and_gives_zeros() {
    let full = fd::open("/dev/full", libc::O_RDWR, 0).unwrap();
    assert_eq!(full.write(b"x"), Err(Errno::ENOSPC));
    assert_eq!(full.read(3).unwrap(), [0; 3]);
}

#[test]
fn flags_of_one_read_or_write_are_checked() {
    const HIPRI: usize = 1;
    const DSYNC: usize = 2;
    const SYNC: usize = 4;
    let file = file("flags", b"0123456789");
    let mut room = [0_u8; 4];
    let vector = [room.as_mut_ptr().addr(), room.len()];
    let at = vector.as_ptr().addr();
    let number = file.number() as usize;
    let read =
        |offset: usize, flags: usize| call(libc::SYS_preadv2, [number, at, 1, offset, 0, flags]);
    let write =
        |offset: usize, flags: usize| call(libc::SYS_pwritev2, [number, at, 1, offset, 0, flags]);
    assert_eq!(read(2, HIPRI), Ok(4));
    assert_eq!(read(usize::MAX, 0), Ok(4), "where it stands");
    assert_eq!(read(usize::MAX - 1, 0), Err(Errno::EINVAL));
    assert_eq!(write(0, DSYNC | SYNC), Ok(4));
    assert_eq!(write(0, 1 << 20), Err(Errno::EOPNOTSUPP));
    assert_eq!(read(0, 1 << 20), Err(Errno::EOPNOTSUPP));
}
