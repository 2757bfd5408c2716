//! capget(2), capset(2): reading and setting the capabilities of a process.

use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, sys};

const FIRST: u32 = 0x1998_0330;
const SECOND: u32 = 0x2007_1026;
const THIRD: u32 = 0x2008_0522;

/// The effective, permitted and inheritable sets, twice; words that the kernel does not write stay 7.
type Sets = [u32; 6];
const UNTOUCHED: Sets = [7; 6];

/// Returns the result, the version in the header after the call, and the sets.
fn capget(version: u32, tid: i32) -> (Result<usize>, u32, Sets) {
    let mut header = [version, tid.cast_unsigned()];
    let mut sets = UNTOUCHED;
    let arguments = [header.as_mut_ptr().addr(), sets.as_mut_ptr().addr()];
    // SAFETY: both are the caller's, and as large as the newest version has them.
    let result = unsafe { sys::call(libc::SYS_capget, arguments) };
    (result, header[0], sets)
}

/// Does the same with a bad pointer for the sets, or for the header, too.
fn capget_at(header: usize, data: usize) -> Result<usize> {
    // SAFETY: the header is the caller's, if it is anything, and at the data is nothing.
    unsafe { sys::call(libc::SYS_capget, [header, data]) }
}

#[test]
fn root_has_all_of_them() {
    for version in [SECOND, THIRD] {
        assert_eq!(capget(version, 0), (Ok(0), version, [u32::MAX, u32::MAX, 0, 0x1ff, 0x1ff, 0]));
    }
}

#[test]
fn the_first_version_has_half_of_the_sets() {
    assert_eq!(capget(FIRST, 0), (Ok(0), FIRST, [u32::MAX, u32::MAX, 0, 7, 7, 7]));
}

#[test]
fn a_process_may_be_named() {
    let all = capget(THIRD, 0);
    assert_eq!(capget(THIRD, sys::gettid()), all);
    assert_eq!(capget(THIRD, 1), all);
}

#[test]
fn who_is_not_root_has_none() {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1000) }, 0);
        assert_eq!(capget(THIRD, 0), (Ok(0), THIRD, [0; 6]));
        assert_eq!(capget(THIRD, 1).2[0], u32::MAX);
    });
}

#[test]
fn an_unknown_version_is_replaced_by_the_newest() {
    assert_eq!(capget(0, 0), (Err(Errno(libc::EINVAL)), THIRD, UNTOUCHED));
    let mut header = [0_u32, u32::MAX];
    assert_eq!(capget_at(header.as_mut_ptr().addr(), 0), Ok(0));
    assert_eq!(header, [THIRD, u32::MAX]);
}

#[test]
fn no_such_process() {
    assert_eq!(capget(THIRD, -1).0, Err(Errno(libc::EINVAL)));
    assert_eq!(capget(THIRD, i32::MAX).0, Err(Errno(libc::ESRCH)));
}

#[test]
fn bad_pointers() {
    let header = [THIRD, 0];
    assert_eq!(capget_at(UNMAPPED, UNMAPPED), Err(Errno(libc::EFAULT)));
    assert_eq!(capget_at(header.as_ptr().addr(), UNMAPPED), Err(Errno(libc::EFAULT)));
    assert_eq!(capget_at(header.as_ptr().addr(), 0), Ok(0));
}

#[test]
fn what_one_has_can_be_set() {
    let mut header = [THIRD, 0_u32];
    let capset = |header: &mut [u32; 2], sets: usize| {
        // SAFETY: the kernel only reads, but for the version, which is the caller's.
        unsafe { sys::call(libc::SYS_capset, [header.as_mut_ptr().addr(), sets]) }
    };
    let all = capget(THIRD, 0).2;
    assert_eq!(capset(&mut header, all.as_ptr().addr()), Ok(0));
    header[1] = 1;
    assert_eq!(capset(&mut header, all.as_ptr().addr()), Err(Errno(libc::EPERM)));
    header[1] = sys::gettid().cast_unsigned();
    assert_eq!(capset(&mut header, all.as_ptr().addr()), Ok(0));
    assert_eq!(capset(&mut header, UNMAPPED), Err(Errno(libc::EFAULT)));
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setuid(1000) }, 0);
        assert_eq!(capset(&mut [THIRD, 0], all.as_ptr().addr()), Err(Errno(libc::EPERM)));
        assert_eq!(capset(&mut [THIRD, 0], [0_u32; 6].as_ptr().addr()), Ok(0));
    });
    let mut unknown = [1, 0];
    assert_eq!(capset(&mut unknown, all.as_ptr().addr()), Err(Errno(libc::EINVAL)));
    assert_eq!(unknown[0], THIRD);
}
