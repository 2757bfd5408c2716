//! linkat(2): giving a file without a name (`O_TMPFILE`) its first one, and linking a file by its descriptor.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;

use libc::{AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, O_EXCL, O_RDWR, O_TMPFILE, O_WRONLY};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, child, fd, sys};

fn nameless(flags: i32) -> Fd {
    fd::open("/tmp", O_TMPFILE | flags, 0o640).unwrap()
}

fn linkat(directory: i32, old: &str, new: &str, flags: i32) -> Result<usize> {
    let (old, new) = (CString::new(old).unwrap(), CString::new(new).unwrap());
    let (old, new) = (old.as_ptr().addr(), new.as_ptr().addr());
    let arguments = [directory as usize, old, AT_FDCWD as usize, new, flags as usize];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_linkat, arguments) }
}

/// Returns an unused name.
fn name(end: &str) -> String {
    let name = format!("/tmp/linkat-{end}");
    let _ = fs::remove_file(&name);
    name
}

#[test]
fn a_file_gets_its_first_name_through_its_descriptor() {
    let file = nameless(O_WRONLY);
    file.write(b"content").unwrap();
    let first = name("first");
    assert_eq!(linkat(file.number(), "", &first, AT_EMPTY_PATH), Ok(0));
    assert_eq!(fs::read(&first).unwrap(), b"content");
    let metadata = fs::metadata(&first).unwrap();
    assert_eq!((metadata.nlink(), metadata.mode() & 0o777), (1, 0o640));
    assert_eq!(linkat(file.number(), "", &first, AT_EMPTY_PATH), Err(Errno::EEXIST));
    let second = name("second");
    assert_eq!(linkat(file.number(), "", &second, AT_EMPTY_PATH), Ok(0));
    assert_eq!(fs::metadata(&first).unwrap().nlink(), 2);
    fs::remove_file(first).unwrap();
    fs::remove_file(second).unwrap();
    assert_eq!(linkat(file.number(), "", &name("third"), AT_EMPTY_PATH), Err(Errno::ENOENT));
}

#[test]
fn a_file_gets_its_first_name_through_proc() {
    let file = nameless(O_RDWR);
    let path = format!("/proc/self/fd/{}", file.number());
    let first = name("proc");
    assert_eq!(linkat(AT_FDCWD, &path, &first, 0), Err(Errno::EXDEV), "the link itself");
    assert_eq!(linkat(AT_FDCWD, &path, &first, AT_SYMLINK_FOLLOW), Ok(0));
    let inode = fs::metadata(&path).unwrap().ino();
    assert_eq!(fs::metadata(&first).unwrap().ino(), inode);
    fs::remove_file(first).unwrap();
}

#[test]
fn a_file_that_was_to_stay_nameless_does() {
    let file = nameless(O_RDWR | O_EXCL);
    let free = name("excl");
    assert_eq!(linkat(file.number(), "", &free, AT_EMPTY_PATH), Err(Errno::ENOENT));
    let path = format!("/proc/self/fd/{}", file.number());
    assert_eq!(linkat(AT_FDCWD, &path, &free, AT_SYMLINK_FOLLOW), Err(Errno::ENOENT));
}

#[test]
fn an_empty_path_needs_the_flag_and_the_right() {
    let file = nameless(O_RDWR);
    let free = name("right");
    assert_eq!(linkat(file.number(), "", &free, 0), Err(Errno::ENOENT));
    assert_eq!(linkat(file.number(), "", &free, 0x100), Err(Errno::EINVAL));
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        assert_eq!(linkat(file.number(), "", &free, AT_EMPTY_PATH), Err(Errno::ENOENT));
    });
    let directory = fd::open("/tmp", libc::O_PATH, 0).unwrap();
    assert_eq!(linkat(directory.number(), "", &free, AT_EMPTY_PATH), Err(Errno::EPERM));
    let (pipe, _writer) = fd::pipe();
    assert_eq!(linkat(pipe.number(), "", &free, AT_EMPTY_PATH), Err(Errno::EXDEV));
    assert_eq!(linkat(AT_FDCWD, "", &free, AT_EMPTY_PATH), Err(Errno::EPERM));
}

#[test]
fn only_writers_make_nameless_files() {
    assert_eq!(fd::open("/tmp", O_TMPFILE | libc::O_RDONLY, 0), Err(Errno::EINVAL));
    assert_eq!(fd::open("/tmp/linkat-none", O_TMPFILE | O_RDWR, 0), Err(Errno::ENOENT));
    let file = nameless(O_RDWR);
    // SAFETY: the structure is ours.
    let stat = unsafe {
        let mut stat: libc::stat = core::mem::zeroed();
        assert_eq!(libc::fstat(file.number(), &mut stat), 0);
        stat
    };
    assert_eq!((stat.st_nlink, stat.st_mode), (0, 0o100_640));
}
