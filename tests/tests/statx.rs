//! statx(2): the fields of a file's status, and the mask of those that are filled.

use std::ffi::CString;
use std::fs;

use libc::{AT_EMPTY_PATH, AT_FDCWD, STATX_BASIC_STATS, STATX_BTIME};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, fd, sys};

fn statx(directory: i32, path: &str, flags: i32, mask: u32) -> Result<libc::statx> {
    let path = CString::new(path).unwrap();
    // SAFETY: all-zero is a valid structure, which is ours.
    unsafe {
        let mut statx: libc::statx = core::mem::zeroed();
        let at = (&raw mut statx).addr();
        let arguments =
            [directory as usize, path.as_ptr().addr(), flags as usize, mask as usize, at];
        sys::call(libc::SYS_statx, arguments)?;
        Ok(statx)
    }
}

#[test]
fn the_mask_says_what_is_there() {
    fs::write("/tmp/statx-file", "12345").unwrap();
    for mask in [0, STATX_BASIC_STATS, 0xfff] {
        let told = statx(AT_FDCWD, "/tmp/statx-file", 0, mask).unwrap();
        assert_eq!(told.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
        assert_eq!((told.stx_size, told.stx_nlink, told.stx_blocks), (5, 1, 8));
        assert_eq!(told.stx_mode & 0o170_000, 0o100_000);
        assert_eq!(told.stx_blksize, 4096);
    }
    let told = statx(AT_FDCWD, "/tmp/statx-file", 0, STATX_BTIME).unwrap();
    assert_eq!(told.stx_mask & STATX_BTIME, STATX_BTIME);
    assert!(told.stx_btime.tv_sec > 0);
}

#[test]
fn a_descriptor_alone_will_do() {
    let (reader, _writer) = fd::pipe();
    let told = statx(reader.number(), "", AT_EMPTY_PATH, STATX_BASIC_STATS).unwrap();
    assert_eq!(told.stx_mode & 0o170_000, 0o010_000);
    assert_eq!(statx(reader.number(), "", 0, STATX_BASIC_STATS).err(), Some(Errno::ENOENT));
}

#[test]
fn wrong_arguments_are_refused() {
    let error = |flags: i32, mask: u32| statx(AT_FDCWD, "/tmp", flags, mask).err();
    assert_eq!(error(0x6000, 0), Some(Errno::EINVAL), "both ways of synchronizing");
    assert_eq!(error(1, 0), Some(Errno::EINVAL));
    assert_eq!(error(0, 1 << 31), Some(Errno::EINVAL));
    assert_eq!(error(0x2000, 0), None);
    let arguments = [AT_FDCWD as usize, c"/tmp".as_ptr().addr(), 0, 0, UNMAPPED];
    // SAFETY: nothing is there.
    assert_eq!(unsafe { sys::call(libc::SYS_statx, arguments) }, Err(Errno::EFAULT));
}
