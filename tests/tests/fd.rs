//! dup(2), fcntl(2), close(2), readv(2), getrlimit(2): descriptors and their numbers.

use libc::{FD_CLOEXEC, O_CLOEXEC, O_NONBLOCK, RLIMIT_NOFILE};
use pollux_tests::fd::{dup2, dup3};
use pollux_tests::memory::{Pages, UNMAPPED};
use pollux_tests::{Errno, Fd, child, fd, limit, sys};

fn eventfd() -> Fd {
    fd::eventfd(0, O_NONBLOCK).unwrap()
}

fn is_open(number: i32) -> bool {
    fd::fcntl(number, libc::F_GETFD, 0).is_ok()
}

#[test]
fn a_duplicate_has_the_lowest_free_number() {
    let [first, second, third] = [eventfd(), eventfd(), eventfd()];
    let lowest = first.number();
    drop(first);
    let duplicate = third.dup().unwrap();
    assert_eq!(duplicate.number(), lowest);
    assert!(second.number() > lowest);
}

#[test]
fn duplicates_share_status_flags_and_offset_but_not_cloexec() {
    let file = fd::open("/tmp/fd", libc::O_CREAT | libc::O_TRUNC | libc::O_RDWR, 0o600).unwrap();
    let duplicate = file.dup().unwrap();
    file.write(b"abc").unwrap();
    duplicate.write(b"def").unwrap();
    assert_eq!(std::fs::read("/tmp/fd").unwrap(), b"abcdef");
    duplicate.set_flags(O_NONBLOCK).unwrap();
    assert_eq!(file.fcntl(libc::F_GETFL, 0).unwrap() & O_NONBLOCK, O_NONBLOCK);
    file.fcntl(libc::F_SETFD, FD_CLOEXEC as usize).unwrap();
    assert_eq!(duplicate.fcntl(libc::F_GETFD, 0), Ok(0));
    assert_eq!(file.dup().unwrap().fcntl(libc::F_GETFD, 0), Ok(0));
}

#[test]
fn dup2_replaces_what_the_number_was() {
    let (reader, writer) = fd::pipe();
    let event = eventfd();
    let number = writer.into_number();
    assert_eq!(dup2(event.number(), number), Ok(number));
    let now = Fd::from_number(number);
    assert_eq!(reader.read(1).unwrap(), b"", "the write end was closed");
    now.write_u64(4).unwrap();
    assert_eq!(event.read_u64(), Ok(4));
}

#[test]
fn dup2_onto_itself_does_nothing() {
    let event = eventfd();
    event.fcntl(libc::F_SETFD, FD_CLOEXEC as usize).unwrap();
    assert_eq!(dup2(event.number(), event.number()), Ok(event.number()));
    assert_eq!(event.fcntl(libc::F_GETFD, 0), Ok(FD_CLOEXEC));
    let number = event.number();
    drop(event);
    assert_eq!(dup2(number, number), Err(Errno::EBADF));
}

#[test]
fn dup3_onto_itself_is_einval() {
    let event = eventfd();
    assert_eq!(dup3(event.number(), event.number(), 0), Err(Errno::EINVAL));
    assert_eq!(dup3(event.number(), 100, libc::O_APPEND), Err(Errno::EINVAL));
}

#[test]
fn dup3_may_set_cloexec() {
    let event = eventfd();
    assert_eq!(dup3(event.number(), 100, O_CLOEXEC), Ok(100));
    let duplicate = Fd::from_number(100);
    assert_eq!(duplicate.fcntl(libc::F_GETFD, 0), Ok(FD_CLOEXEC));
}

#[test]
fn numbers_that_are_not_open_are_ebadf() {
    let event = eventfd();
    for bad in [-1, 999, i32::MAX, i32::MIN] {
        let gone = Fd::from_number(bad);
        assert_eq!(gone.dup(), Err(Errno::EBADF));
        assert_eq!(gone.read(1), Err(Errno::EBADF));
        assert_eq!(gone.write(b"x"), Err(Errno::EBADF));
        assert_eq!(gone.fcntl(libc::F_GETFL, 0), Err(Errno::EBADF));
        assert_eq!(dup2(bad, 100), Err(Errno::EBADF));
        assert_eq!(gone.unread(), Err(Errno::EBADF));
        assert_eq!(gone.close(), Err(Errno::EBADF));
    }
    assert_eq!(dup2(event.number(), -1), Err(Errno::EBADF));
    assert_eq!(dup2(event.number(), i32::MAX), Err(Errno::EBADF));
    assert_eq!(dup3(event.number(), -1, 0), Err(Errno::EBADF));
}

#[test]
fn closing_twice_is_ebadf() {
    let number = eventfd().into_number();
    assert_eq!(fd::close(number), Ok(()));
    assert_eq!(fd::close(number), Err(Errno::EBADF));
}

#[test]
fn f_dupfd_takes_the_lowest_number_from_a_minimum_on() {
    let event = eventfd();
    let first = Fd::from_number(event.fcntl(libc::F_DUPFD, 50).unwrap());
    let second = Fd::from_number(event.fcntl(libc::F_DUPFD_CLOEXEC, 50).unwrap());
    assert_eq!((first.number(), second.number()), (50, 51));
    assert_eq!(first.fcntl(libc::F_GETFD, 0), Ok(0));
    assert_eq!(second.fcntl(libc::F_GETFD, 0), Ok(FD_CLOEXEC));
    assert_eq!(event.fcntl(libc::F_DUPFD, usize::MAX), Err(Errno::EINVAL));
    assert_eq!(event.fcntl(libc::F_DUPFD, 1 << 30), Err(Errno::EINVAL));
}

#[test]
fn f_setfl_changes_only_what_may_change() {
    let (reader, _writer) = fd::pipe();
    reader.set_flags(libc::O_RDWR | libc::O_CREAT | libc::O_TRUNC | O_NONBLOCK).unwrap();
    let flags = reader.fcntl(libc::F_GETFL, 0).unwrap();
    assert_eq!(flags & !libc::O_LARGEFILE, libc::O_RDONLY | O_NONBLOCK);
    reader.set_flags(0).unwrap();
    assert_eq!(reader.fcntl(libc::F_GETFL, 0).unwrap() & O_NONBLOCK, 0);
}

#[test]
fn f_setfd_knows_one_flag() {
    let event = eventfd();
    event.fcntl(libc::F_SETFD, 0xff).unwrap();
    assert_eq!(event.fcntl(libc::F_GETFD, 0), Ok(FD_CLOEXEC));
    event.fcntl(libc::F_SETFD, 0xfe).unwrap();
    assert_eq!(event.fcntl(libc::F_GETFD, 0), Ok(0));
}

#[test]
fn an_unknown_command_is_einval() {
    let event = eventfd();
    assert_eq!(event.fcntl(9999, 0), Err(Errno::EINVAL));
    assert_eq!(event.fcntl(-1, 0), Err(Errno::EINVAL));
}

#[test]
fn ioctl_sets_nonblocking_and_cloexec() {
    let (reader, _writer) = fd::pipe();
    let number = reader.number() as usize;
    for on in [1_i32, 0] {
        // SAFETY: the kernel only reads.
        unsafe {
            sys::call(libc::SYS_ioctl, [number, libc::FIONBIO as usize, &raw const on as usize])
        }
        .unwrap();
        let flags = reader.fcntl(libc::F_GETFL, 0).unwrap();
        assert_eq!(flags & O_NONBLOCK != 0, on == 1);
    }
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_ioctl, [number, libc::FIOCLEX as usize]) }.unwrap();
    assert_eq!(reader.fcntl(libc::F_GETFD, 0), Ok(FD_CLOEXEC));
}

#[test]
fn an_unknown_ioctl_is_enotty() {
    let (reader, _writer) = fd::pipe();
    for request in [0xdead_beef, libc::TCGETS as usize] {
        let arguments = [reader.number() as usize, request, 0];
        // SAFETY: the kernel has nothing to write.
        assert_eq!(unsafe { sys::call(libc::SYS_ioctl, arguments) }, Err(Errno::ENOTTY));
    }
}

#[test]
fn the_limit_of_descriptors_is_emfile_and_may_be_raised_again() {
    child::run(|| {
        let (soft, hard) = limit::get(RLIMIT_NOFILE).unwrap();
        let next = eventfd().number() as u64;
        limit::set(RLIMIT_NOFILE, next + 2, hard).unwrap();
        let held = [eventfd(), eventfd()];
        assert_eq!(fd::eventfd(0, 0), Err(Errno::EMFILE));
        assert_eq!(held[0].dup(), Err(Errno::EMFILE));
        assert_eq!(fd::open("/tmp", 0, 0), Err(Errno::EMFILE));
        assert_eq!(dup2(held[0].number(), next as i32 + 2), Err(Errno::EBADF));
        assert_eq!(held[0].fcntl(libc::F_DUPFD, next as usize + 2), Err(Errno::EINVAL));
        limit::set(RLIMIT_NOFILE, soft, hard).unwrap();
        assert_eq!(eventfd().number() as u64, next + 2);
    });
}

#[test]
fn a_pipe_that_gets_only_one_number_gives_it_back() {
    child::run(|| {
        let next = eventfd().number();
        limit::lower(RLIMIT_NOFILE, next as u64 + 1);
        assert_eq!(fd::pipe2(0), Err(Errno::EMFILE));
        assert_eq!(eventfd().number(), next);
    });
}

#[test]
fn a_lower_limit_leaves_open_what_is_open() {
    child::run(|| {
        let event = eventfd();
        assert_eq!(dup2(event.number(), 90), Ok(90));
        limit::lower(RLIMIT_NOFILE, 10);
        assert!(is_open(90));
        Fd::from_number(90).write_u64(1).unwrap();
        assert_eq!(event.read_u64(), Ok(1));
    });
}

#[test]
fn limits_are_checked() {
    assert_eq!(limit::set(RLIMIT_NOFILE, 10, 9), Err(Errno::EINVAL));
    assert_eq!(limit::set(99, 1, 1), Err(Errno::EINVAL));
    assert_eq!(limit::get(99), Err(Errno::EINVAL));
    assert_eq!(limit::set(RLIMIT_NOFILE, u64::MAX, u64::MAX), Err(Errno::EPERM), "above nr_open");
}

#[test]
fn limits_are_inherited() {
    child::run(|| {
        limit::lower(RLIMIT_NOFILE, 33);
        child::run(|| assert_eq!(limit::get(RLIMIT_NOFILE), Ok((33, 33))));
    });
}

#[test]
fn thousands_of_descriptors_may_be_open() {
    child::run(|| {
        limit::lower(RLIMIT_NOFILE, 4096);
        let all: Vec<_> = (0..2000).map(|_| eventfd()).collect();
        assert!(all.iter().all(|event| event.write_u64(1) == Ok(())));
        child::run(|| assert!(all.iter().all(|event| event.read_u64() == Ok(1))));
        assert!(all.iter().all(|event| event.read_u64() == Err(Errno::EAGAIN)));
    });
}

/// Makes a vectored call on `fd` with these ranges of memory.
fn vectored(number: libc::c_long, fd: &Fd, ranges: &[[usize; 2]]) -> sys::Result<usize> {
    let arguments = [fd.number() as usize, ranges.as_ptr() as usize, ranges.len()];
    // SAFETY: the ranges are the test's or nobody's.
    unsafe { sys::call(number, arguments) }
}

#[test]
fn a_vector_is_read_and_written_in_order() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    let parts: [&[u8]; 4] = [b"one", b"", b" two ", b"three"];
    let ranges = parts.map(|part| [part.as_ptr() as usize, part.len()]);
    assert_eq!(vectored(libc::SYS_writev, &writer, &ranges), Ok(13));
    let mut out = [0_u8; 20];
    let address = out.as_mut_ptr() as usize;
    let ranges = [[address + 5, 5], [address, 5], [address + 10, 10]];
    assert_eq!(vectored(libc::SYS_readv, &reader, &ranges), Ok(13));
    assert_eq!(&out[..13], b"wo thone tree");
    assert_eq!(vectored(libc::SYS_readv, &reader, &ranges), Err(Errno::EAGAIN));
    assert_eq!(vectored(libc::SYS_readv, &reader, &[]), Ok(0));
}

#[test]
fn a_bad_vector_is_refused() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    let byte = b'x';
    let good = [&raw const byte as usize, 1];
    assert_eq!(vectored(libc::SYS_writev, &writer, &[good; 1025]), Err(Errno::EINVAL));
    assert_eq!(vectored(libc::SYS_writev, &writer, &[[UNMAPPED, 1]]), Err(Errno::EFAULT));
    assert_eq!(vectored(libc::SYS_writev, &writer, &[[good[0], usize::MAX]]), Err(Errno::EINVAL));
    let pages = Pages::before_hole(1);
    let arguments = [writer.number() as usize, pages.end() - 8, 1];
    // SAFETY: the kernel only reads.
    assert_eq!(unsafe { sys::call(libc::SYS_writev, arguments) }, Err(Errno::EFAULT));
    assert_eq!(reader.read(10), Err(Errno::EAGAIN));
    assert_eq!(vectored(libc::SYS_writev, &writer, &[good; 1024]), Ok(1024));
}
