//! close_range(2): closing many descriptors at once.

use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, fd, sys};

const UNSHARE: usize = 2;
const CLOEXEC: usize = 4;

fn close_range(first: u32, last: u32, flags: usize) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_close_range, [first as usize, last as usize, flags]) }
}

fn is_open(number: i32) -> bool {
    fd::fcntl(number, libc::F_GETFD, 0).is_ok()
}

/// Opens these numbers.
fn open(numbers: &[i32]) {
    let (reader, _writer) = fd::pipe();
    for &number in numbers {
        fd::dup2(reader.number(), number).unwrap();
    }
}

#[test]
fn a_range_is_closed_and_holes_do_not_matter() {
    child::run(|| {
        open(&[50, 51, 53, 60, 900]);
        assert_eq!(close_range(51, 60, 0), Ok(0));
        assert_eq!([50, 51, 53, 60, 900].map(is_open), [true, false, false, false, true]);
        assert_eq!(close_range(50, u32::MAX, 0), Ok(0));
        assert!(!is_open(50) && !is_open(900) && is_open(2));
        assert_eq!(close_range(100_000, 200_000, 0), Ok(0));
    });
}

#[test]
fn a_range_may_be_closed_by_the_next_program() {
    child::run(|| {
        open(&[50, 51, 52]);
        assert_eq!(close_range(51, u32::MAX, CLOEXEC), Ok(0));
        let flags = [50, 51, 52].map(|number| fd::fcntl(number, libc::F_GETFD, 0));
        assert_eq!(flags, [Ok(0), Ok(1), Ok(1)]);
    });
}

#[test]
fn a_table_of_ones_own_leaves_the_others_as_they_are() {
    child::run(|| {
        open(&[50, 51]);
        let closed = std::thread::spawn(|| {
            assert_eq!(close_range(50, 50, UNSHARE), Ok(0));
            [50, 51].map(is_open)
        });
        assert_eq!(closed.join().unwrap(), [false, true]);
        assert!(is_open(50));
    });
}

#[test]
fn wrong_arguments_are_refused() {
    assert_eq!(close_range(5, 4, 0), Err(Errno::EINVAL));
    assert_eq!(close_range(1000, 2000, 1), Err(Errno::EINVAL));
    assert_eq!(close_range(1000, 2000, 8), Err(Errno::EINVAL));
}
