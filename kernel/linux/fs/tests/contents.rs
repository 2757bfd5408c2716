//! Contents of files and devices, and the flags of open(2).

use core::task::Poll;

use ostd::prelude::ktest;
use rules::abi::errno::Errno;

use super::{
    O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDWR, O_TMPFILE, O_TRUNC, contents, find, make_directory,
    make_link, put, read, scratch, try_open,
};
use crate::linux::fs::boot;
use crate::linux::fs::namei;
use crate::linux::fs::open::Opened;

#[ktest]
fn open_makes_refuses_and_truncates_as_its_flags_say() {
    let at = scratch("opening");
    make_directory(&at, "d");
    put(&at, "f", b"hello");
    make_link(&at, "made-through", "link");
    let error = |path: &str, flags: u32| try_open(&at, path, flags).err();
    assert_eq!(error("f", O_CREAT | O_EXCL), Some(Errno::EEXIST));
    assert_eq!(error("link", O_CREAT | O_EXCL), Some(Errno::EEXIST));
    assert_eq!(error("new/", O_CREAT), Some(Errno::EISDIR));
    assert_eq!(error("d", O_RDWR), Some(Errno::EISDIR));
    assert_eq!(error("d", O_CREAT), Some(Errno::EISDIR));
    assert_eq!(error("f", O_DIRECTORY), Some(Errno::ENOTDIR));
    assert_eq!(error("link", O_NOFOLLOW), Some(Errno::ELOOP));
    assert_eq!(error("link", 0), Some(Errno::ENOENT));
    assert_eq!(error("link", O_CREAT), None);
    assert_eq!(find(&at, "made-through").as_deref(), Ok("a file"));
    assert_eq!(error("f", O_RDWR | O_TRUNC), None);
    assert_eq!(contents(&at, "f"), b"");
    assert_eq!(error("d", O_TMPFILE), Some(Errno::EINVAL));
    assert_eq!(error("d", O_TMPFILE | O_RDWR), None);
}

#[ktest]
fn holes_read_as_zeros_and_a_cut_forgets_what_was_behind() {
    let at = scratch("sparse");
    let Opened { location, file } = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(10_000, &mut &b"tail"[..]), Poll::Ready(Ok(4)));
    assert_eq!(location.inode.page_count(), 1);
    let mut expected = alloc::vec![0; 10_000];
    expected.extend(b"tail");
    assert_eq!(read(&*file, 0, 20_000), expected);
    assert_eq!(read(&*file, 10_004, 8), b"");
    let superblock = location.inode.superblock();
    let regular = location.inode.regular().unwrap();
    regular.truncate(superblock, 10_002).unwrap();
    regular.truncate(superblock, 10_004).unwrap();
    assert_eq!(read(&*file, 10_000, 8), b"ta\0\0");
    regular.truncate(superblock, 0).unwrap();
    assert_eq!(location.inode.page_count(), 0);
    let far = u64::try_from(i64::MAX).unwrap();
    assert_eq!(file.write_at(far, &mut &b"x"[..]), Poll::Ready(Err(Errno::EFBIG)));
    assert_eq!(file.append(&mut &b"one"[..]), Poll::Ready(Ok((0, 3))));
    assert_eq!(file.append(&mut &b"two"[..]), Poll::Ready(Ok((3, 3))));
    assert_eq!(read(&*file, 0, 5), b"onetw");
}

#[ktest]
fn a_punched_hole_reads_as_zeros_and_gives_its_pages_back() {
    let at = scratch("punch");
    let Opened { location, file } = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    let bytes = alloc::vec![7; 3 * 4096];
    assert_eq!(file.write_at(0, &mut &bytes[..]), Poll::Ready(Ok(bytes.len())));
    let superblock = location.inode.superblock();
    location.inode.regular().unwrap().punch_hole(superblock, 4000, 4096 + 196).unwrap();
    assert_eq!(location.inode.page_count(), 2);
    let after = read(&*file, 0, bytes.len());
    let zeros = after.iter().filter(|&&byte| byte == 0).count();
    assert_eq!((after.len(), zeros), (bytes.len(), 4096 + 196));
    assert_eq!((after[3999], after[4000], after[8291], after[8292]), (7, 0, 0, 7));
}

#[ktest]
fn an_unlinked_file_lives_until_it_is_closed_and_gives_its_room_back() {
    let at = scratch("unlinked");
    let superblock = at.start.inode.superblock().clone();
    let before = (superblock.pages.free(), superblock.inodes.free());
    let Opened { location, file } = try_open(&at, "f", O_RDWR | O_CREAT).unwrap();
    assert_eq!(file.write_at(0, &mut &b"still"[..]), Poll::Ready(Ok(5)));
    assert_eq!(namei::unlink(&at, b"f"), Ok(()));
    assert_eq!(find(&at, "f"), Err(Errno::ENOENT));
    assert_eq!(read(&*file, 0, 9), b"still");
    assert_eq!(location.inode.attributes().links, 0);
    assert_eq!(namei::link(&at, &location, b"again"), Err(Errno::ENOENT));
    assert_ne!((superblock.pages.free(), superblock.inodes.free()), before);
    drop((location, file));
    assert_eq!((superblock.pages.free(), superblock.inodes.free()), before);
}

#[ktest]
fn the_first_devices_answer() {
    boot::populate();
    let root = boot::origin();
    let null = try_open(&root, "/dev/null", O_RDWR).unwrap().file;
    assert_eq!(read(&*null, 0, 8), b"");
    assert_eq!(null.write_at(0, &mut &b"gone"[..]), Poll::Ready(Ok(4)));
    let zero = try_open(&root, "/dev/zero", O_RDWR).unwrap().file;
    assert_eq!(read(&*zero, 0, 5000), alloc::vec![0; 5000]);
    let full = try_open(&root, "/dev/full", O_RDWR).unwrap().file;
    assert_eq!(full.write_at(0, &mut &b"x"[..]), Poll::Ready(Err(Errno::ENOSPC)));
    let random = try_open(&root, "/dev/urandom", 0).unwrap().file;
    let (one, two) = (read(&*random, 0, 4096), read(&*random, 0, 4096));
    assert_ne!(one, two);
    let ones: u32 = one.iter().map(|byte| byte.count_ones()).sum();
    assert!((14_000..19_000).contains(&ones), "{ones} of 32768 bits are set");
    assert_eq!(try_open(&root, "/dev/ttyS3", 0).err(), Some(Errno::ENXIO));
}
