//! signalfd(2): reading blocked signals from a descriptor, and waiting for them.

use libc::{POLLIN, POLLOUT, SFD_CLOEXEC, SFD_NONBLOCK, SIGALRM, SIGUSR1, SIGUSR2};
use pollux_tests::epoll::events::IN;
use pollux_tests::epoll::{Epoll, event};
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, poll, signal};

/// The size of `struct signalfd_siginfo`.
const RECORD: usize = 128;

fn change(fd: i32, signals: &[i32], flags: i32) -> Result<i32> {
    let mask = signal::mask(signals);
    let arguments = [fd as usize, &raw const mask as usize, 8, flags as usize];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_signalfd4, arguments) }.map(|fd| fd as i32)
}

fn create(signals: &[i32], flags: i32) -> Fd {
    Fd::from_number(change(-1, signals, flags).unwrap())
}

/// Returns the number, the code and the sender of each record.
fn read(signals: &Fd, count: usize) -> Result<Vec<[i32; 3]>> {
    let bytes = signals.read(count * RECORD)?;
    assert_eq!(bytes.len() % RECORD, 0);
    let number = |bytes: &[u8]| i32::from_ne_bytes(bytes.try_into().unwrap());
    let fields =
        |record: &[u8]| [number(&record[..4]), number(&record[8..12]), number(&record[12..16])];
    Ok(bytes.chunks(RECORD).map(fields).collect())
}

/// Runs `work` in a child that blocks the signals of these tests.
#[track_caller]
fn blocking(work: impl FnOnce()) {
    child::run(|| {
        signal::block(&[SIGUSR1, SIGUSR2, SIGALRM]);
        work();
    });
}

#[test]
fn a_pending_signal_is_read_and_then_gone() {
    blocking(|| {
        let signals = create(&[SIGUSR1], SFD_NONBLOCK);
        assert_eq!(read(&signals, 1), Err(Errno::EAGAIN));
        signal::raise(SIGUSR1);
        assert_eq!(read(&signals, 1), Ok(vec![[SIGUSR1, libc::SI_TKILL, sys::getpid()]]));
        assert!(!signal::is_pending(SIGUSR1));
        assert_eq!(read(&signals, 1), Err(Errno::EAGAIN));
    });
}

#[test]
fn several_signals_are_read_at_once() {
    blocking(|| {
        let signals = create(&[SIGUSR1, SIGUSR2], SFD_NONBLOCK);
        signal::raise(SIGUSR2);
        signal::raise(SIGUSR1);
        let numbers: Vec<_> =
            read(&signals, 5).unwrap().iter().map(|[number, _, _]| *number).collect();
        assert_eq!(numbers, [SIGUSR1, SIGUSR2]);
    });
}

#[test]
fn signals_outside_the_mask_stay() {
    blocking(|| {
        let signals = create(&[SIGUSR1], SFD_NONBLOCK);
        signal::raise(SIGUSR2);
        assert_eq!(poll::ready(&signals, POLLIN), 0);
        assert_eq!(read(&signals, 1), Err(Errno::EAGAIN));
        assert!(signal::is_pending(SIGUSR2));
    });
}

#[test]
fn the_mask_can_be_changed() {
    blocking(|| {
        let signals = create(&[SIGUSR1], SFD_NONBLOCK);
        signal::raise(SIGUSR2);
        assert_eq!(change(signals.number(), &[SIGUSR2], 0), Ok(signals.number()));
        assert_eq!(poll::ready(&signals, POLLIN), POLLIN);
        assert_eq!(read(&signals, 1).unwrap()[0][0], SIGUSR2);
        signal::raise(SIGUSR1);
        assert_eq!(read(&signals, 1), Err(Errno::EAGAIN));
    });
}

#[test]
fn it_is_readable_while_a_signal_is_pending_and_never_writable() {
    blocking(|| {
        let signals = create(&[SIGUSR1], SFD_NONBLOCK);
        assert_eq!(poll::ready(&signals, POLLIN | POLLOUT), 0);
        signal::raise(SIGUSR1);
        assert_eq!(poll::ready(&signals, POLLIN | POLLOUT), POLLIN);
        signal::count(SIGUSR1, 0);
        signal::unblock(&[SIGUSR1]);
        assert_eq!(signal::seen(SIGUSR1), 1);
        assert_eq!(poll::ready(&signals, POLLIN | POLLOUT), 0, "the handler took it");
        assert_eq!(signals.write(&[0; RECORD]), Err(Errno::EINVAL));
    });
}

#[test]
fn a_blocked_read_is_woken_by_a_signal() {
    blocking(|| {
        let signals = create(&[SIGALRM], 0);
        let wait = || {
            signal::alarm(ms(20));
            read(&signals, 1)
        };
        assert_eq!(time::at_least(ms(20), wait).unwrap()[0][0], SIGALRM);
    });
}

#[test]
fn poll_and_epoll_are_woken_by_a_signal() {
    blocking(|| {
        let signals = create(&[SIGALRM], 0);
        signal::alarm(ms(20));
        assert_eq!(poll::poll(&mut [poll::entry(signals.number(), POLLIN)], -1), Ok(1));
        read(&signals, 1).unwrap();
        let epoll = Epoll::new();
        epoll.add(&signals, IN, 7).unwrap();
        assert_eq!(epoll.now(), []);
        signal::alarm(ms(20));
        assert_eq!(epoll.wait(1, -1), Ok(vec![event(IN, 7)]));
    });
}

#[test]
fn a_signal_from_another_process_tells_its_sender() {
    blocking(|| {
        let signals = create(&[SIGUSR1], 0);
        let parent = sys::getpid();
        let sender = child::spawn(|| signal::send(parent, SIGUSR1).unwrap());
        let pid = sender.pid();
        assert_eq!(read(&signals, 1), Ok(vec![[SIGUSR1, libc::SI_USER, pid]]));
        sender.join();
    });
}

#[test]
fn a_child_reads_its_own_signals() {
    blocking(|| {
        let signals = create(&[SIGUSR1], SFD_NONBLOCK);
        signal::raise(SIGUSR1);
        child::run(|| {
            assert_eq!(read(&signals, 1), Err(Errno::EAGAIN));
            signal::raise(SIGUSR1);
            assert_eq!(read(&signals, 1).unwrap()[0][2], sys::getpid());
        });
        assert_eq!(read(&signals, 1).unwrap()[0][2], sys::getpid());
    });
}

#[test]
fn bad_arguments_are_refused() {
    assert_eq!(change(-1, &[SIGUSR1], 1), Err(Errno::EINVAL));
    assert_eq!(change(999, &[SIGUSR1], 0), Err(Errno::EBADF));
    let event = fd::eventfd(0, 0).unwrap();
    assert_eq!(change(event.number(), &[SIGUSR1], 0), Err(Errno::EINVAL));
    let raw = |mask: usize, size: usize| {
        // SAFETY: the kernel only reads.
        unsafe { sys::call(libc::SYS_signalfd4, [usize::MAX, mask, size, 0]) }
    };
    let mask = 0_u64;
    assert_eq!(raw(&raw const mask as usize, 4), Err(Errno::EINVAL));
    assert_eq!(raw(UNMAPPED, 8), Err(Errno::EFAULT));
    let signals = create(&[libc::SIGKILL, libc::SIGSTOP], SFD_NONBLOCK | SFD_CLOEXEC);
    assert_eq!(signals.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    assert_eq!(signals.read(RECORD - 1), Err(Errno::EINVAL));
}
