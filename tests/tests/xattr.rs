//! xattr(7): programs that copy files ask for attributes, and must go on without them.

use std::ffi::CString;
use std::fs;

use libc::{O_PATH, O_RDONLY};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::{Errno, fd, sys};

fn call(number: libc::c_long, arguments: [usize; 5]) -> sys::Result<usize> {
    // SAFETY: strings are the caller's, and values are at most read.
    unsafe { sys::call(number, arguments) }
}

#[test]
fn a_new_file_lists_none() {
    fs::write("/tmp/xattr-none", b"x").unwrap();
    let path = CString::from(c"/tmp/xattr-none");
    assert_eq!(call(libc::SYS_listxattr, [path.as_ptr() as usize, 0, 0, 0, 0]), Ok(0));
    assert_eq!(call(libc::SYS_llistxattr, [path.as_ptr() as usize, 0, 0, 0, 0]), Ok(0));
    let file = fd::open("/tmp/xattr-none", O_RDONLY, 0).unwrap();
    assert_eq!(call(libc::SYS_flistxattr, [file.number() as usize, 0, 0, 0, 0]), Ok(0));
    let place = fd::open("/tmp/xattr-none", O_PATH, 0).unwrap();
    assert_eq!(
        call(libc::SYS_flistxattr, [place.number() as usize, 0, 0, 0, 0]),
        Err(Errno::EBADF)
    );
    let none = c"/tmp/xattr-missing".as_ptr() as usize;
    assert_eq!(call(libc::SYS_listxattr, [none, 0, 0, 0, 0]), Err(Errno::ENOENT));
}

#[test]
fn attributes_of_users_are_not_supported() {
    fs::write("/tmp/xattr-user", b"x").unwrap();
    let (path, name) = (c"/tmp/xattr-user".as_ptr() as usize, c"user.x".as_ptr() as usize);
    let value = c"v".as_ptr() as usize;
    assert_eq!(call(libc::SYS_getxattr, [path, name, 0, 0, 0]), Err(Errno::EOPNOTSUPP));
    assert_eq!(call(libc::SYS_setxattr, [path, name, value, 1, 0]), Err(Errno::EOPNOTSUPP));
    assert_eq!(call(libc::SYS_removexattr, [path, name, 0, 0, 0]), Err(Errno::EOPNOTSUPP));
}

#[test]
fn names_have_1_to_255_bytes() {
    fs::write("/tmp/xattr-name", b"x").unwrap();
    let (path, empty) = (c"/tmp/xattr-name".as_ptr() as usize, c"".as_ptr() as usize);
    let long = CString::new(vec![b'u'; 256]).unwrap();
    for name in [empty, long.as_ptr() as usize] {
        assert_eq!(call(libc::SYS_getxattr, [path, name, 0, 0, 0]), Err(Errno::ERANGE));
        assert_eq!(call(libc::SYS_setxattr, [path, name, 0, 0, 0]), Err(Errno::ERANGE));
    }
    assert_eq!(call(libc::SYS_getxattr, [path, UNMAPPED, 0, 0, 0]), Err(Errno::EFAULT));
    assert_eq!(call(libc::SYS_setxattr, [path, empty, 0, 0, 4]), Err(Errno::EINVAL));
}
