//! utimensat(2): the times of a file.

use std::ffi::CString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use libc::{AT_SYMLINK_NOFOLLOW, UTIME_NOW, UTIME_OMIT};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, sys};

fn utimensat(path: &str, times: [(i64, i64); 2], flags: i32) -> Result<usize> {
    let path = CString::new(path).unwrap();
    let times = times.map(|(seconds, nanoseconds)| [seconds, nanoseconds]);
    let (path, times) = (path.as_ptr().addr(), times.as_ptr().addr());
    // SAFETY: the kernel only reads.
    unsafe {
        sys::call(libc::SYS_utimensat, [libc::AT_FDCWD as usize, path, times, flags as usize])
    }
}

/// Makes a new file.
fn file(name: &str) -> String {
    let path = format!("/tmp/utimensat-{name}");
    let _ = fs::remove_file(&path);
    fs::write(&path, "x").unwrap();
    path
}

fn times(path: &str) -> [(i64, i64); 2] {
    let metadata = fs::symlink_metadata(path).unwrap();
    [(metadata.atime(), metadata.atime_nsec()), (metadata.mtime(), metadata.mtime_nsec())]
}

#[test]
fn each_time_is_set_kept_or_now() {
    let path = file("set");
    assert_eq!(utimensat(&path, [(5, 6), (-7, 8)], 0), Ok(0));
    assert_eq!(times(&path), [(5, 6), (-7, 8)]);
    assert_eq!(utimensat(&path, [(0, UTIME_OMIT), (9, 10)], 0), Ok(0));
    assert_eq!(times(&path), [(5, 6), (9, 10)]);
    assert_eq!(utimensat(&path, [(0, UTIME_NOW), (0, UTIME_OMIT)], 0), Ok(0));
    let [accessed, modified] = times(&path);
    assert!(accessed.0 > 1000 && modified == (9, 10));
    assert_eq!(utimensat(&path, [(0, UTIME_OMIT), (0, UTIME_OMIT)], 0), Ok(0));
    assert_eq!(times(&path), [accessed, modified]);
}

#[test]
fn a_link_has_times_of_its_own() {
    let (path, link) = (file("target"), "/tmp/utimensat-link");
    let _ = fs::remove_file(link);
    symlink(&path, link).unwrap();
    utimensat(link, [(1, 0), (2, 0)], 0).unwrap();
    assert_eq!(times(&path), [(1, 0), (2, 0)]);
    utimensat(link, [(3, 0), (4, 0)], AT_SYMLINK_NOFOLLOW).unwrap();
    assert_eq!(times(link)[1], (4, 0));
    assert_eq!(times(&path), [(1, 0), (2, 0)]);
}

#[test]
fn without_a_path_it_is_the_descriptor() {
    let path = file("descriptor");
    let file = fd::open(&path, libc::O_RDONLY, 0).unwrap();
    let times_at = [[11_i64, 0], [12, 0]];
    // SAFETY: the kernel only reads.
    let call = |fd: usize, flags: usize| unsafe {
        sys::call(libc::SYS_utimensat, [fd, 0, times_at.as_ptr().addr(), flags])
    };
    assert_eq!(call(file.number() as usize, 0), Ok(0));
    assert_eq!(times(&path), [(11, 0), (12, 0)]);
    assert_eq!(call(file.number() as usize, AT_SYMLINK_NOFOLLOW as usize), Err(Errno::EINVAL));
    assert_eq!(call(libc::AT_FDCWD as usize, 0), Err(Errno::EFAULT));
    assert_eq!(call(9999, 0), Err(Errno::EBADF));
}

#[test]
fn who_may_write_may_say_now_and_only_the_owner_more() {
    let path = file("owner");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        let now = (0, UTIME_NOW);
        assert_eq!(utimensat(&path, [now, now], 0), Ok(0));
        assert_eq!(utimensat(&path, [now, (0, UTIME_OMIT)], 0), Err(Errno::EPERM));
        assert_eq!(utimensat(&path, [(1, 0), (1, 0)], 0), Err(Errno::EPERM));
    });
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1234) }, 0);
        assert_eq!(utimensat(&path, [(0, UTIME_NOW); 2], 0), Err(Errno::EACCES));
    });
}

#[test]
fn wrong_arguments_are_refused() {
    let path = file("wrong");
    assert_eq!(utimensat(&path, [(0, 1_000_000_000), (0, 0)], 0), Err(Errno::EINVAL));
    assert_eq!(utimensat(&path, [(0, -1), (0, 0)], 0), Err(Errno::EINVAL));
    assert_eq!(utimensat(&path, [(1, 0), (1, 0)], 1), Err(Errno::EINVAL));
    assert_eq!(utimensat("/tmp/utimensat-none", [(1, 0), (1, 0)], 0), Err(Errno::ENOENT));
    assert_eq!(utimensat("", [(1, 0), (1, 0)], 0), Err(Errno::ENOENT));
    let path = CString::new(path).unwrap();
    let arguments = [libc::AT_FDCWD as usize, path.as_ptr().addr(), UNMAPPED, 0];
    // SAFETY: nothing is there.
    assert_eq!(unsafe { sys::call(libc::SYS_utimensat, arguments) }, Err(Errno::EFAULT));
}
