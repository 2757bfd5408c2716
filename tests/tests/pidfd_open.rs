//! pidfd_open(2), pidfd_send_signal(2): a process as a descriptor.

use std::time::Duration;

use libc::{SIGKILL, SIGUSR1};
use pollux_tests::child::{self, Status};
use pollux_tests::fd::Fd;
use pollux_tests::{Errno, sys};

fn open(pid: usize, flags: usize) -> Result<usize, Errno> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_pidfd_open, [pid, flags]) }
}

fn send(fd: usize, signal: i32) -> Result<usize, Errno> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_pidfd_send_signal, [fd, signal as usize, 0, 0]) }
}

/// Whether the descriptor is readable within `milliseconds`.
fn is_readable(fd: usize, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd { fd: fd as i32, events: libc::POLLIN, revents: 0 };
    // SAFETY: the array is ours.
    unsafe { libc::poll(&mut poll, 1, milliseconds) == 1 && poll.revents == libc::POLLIN }
}

#[test]
fn it_becomes_readable_when_the_process_ends() {
    child::run(|| {
        let child = child::spawn(|| std::thread::sleep(Duration::from_millis(20)));
        let fd = open(child.pid() as usize, 0).unwrap();
        assert!(!is_readable(fd, 0));
        assert!(is_readable(fd, 10_000));
        // SAFETY: the result is ours.
        unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let options = libc::WEXITED | libc::WNOWAIT;
            assert_eq!(libc::waitid(libc::P_PIDFD, fd as u32, &mut info, options), 0);
            assert_eq!(info.si_pid(), child.pid());
        }
        child.join();
        assert!(is_readable(fd, 0), "and stays so");
    });
}

#[test]
fn it_sends_signals_to_this_process_and_no_other() {
    child::run(|| {
        let child = child::spawn(|| std::thread::sleep(Duration::from_secs(100)));
        let fd = open(child.pid() as usize, 0).unwrap();
        assert_eq!(send(fd, 0), Ok(0));
        assert_eq!(send(fd, 65), Err(Errno::EINVAL));
        assert_eq!(send(fd, SIGKILL), Ok(0));
        assert_eq!(child.wait(), Status::Killed(SIGKILL));
        assert_eq!(send(fd, SIGUSR1), Err(Errno::ESRCH));
    });
}

#[test]
fn wrong_arguments_are_refused() {
    child::run(|| {
        assert_eq!(open(0, 0), Err(Errno::EINVAL));
        assert_eq!(open(usize::MAX, 0), Err(Errno::EINVAL));
        assert_eq!(open(0x3f_ffff, 0), Err(Errno::ESRCH));
        assert_eq!(open(sys::getpid() as usize, 1), Err(Errno::EINVAL));
        assert_eq!(send(0x1000, SIGUSR1), Err(Errno::EBADF));
        let (reader, _writer): (Fd, Fd) = pollux_tests::fd::pipe();
        assert_eq!(send(reader.number() as usize, SIGUSR1), Err(Errno::EBADF));
    });
}
