//! pidfd_getfd(2), clone(2) and clone3(2) with CLONE_PIDFD, waitid(2) with P_PIDFD, pidfd_send_signal(2) of `/proc/PID`.

use libc::{
    O_DIRECTORY, O_PATH, O_RDONLY, POLLIN, SIGCHLD, SIGKILL, SIGUSR1, WEXITED, WNOHANG, WSTOPPED,
};
use pollux_tests::epoll::{Epoll, event, events};
use pollux_tests::fd::Fd;
use pollux_tests::memory::UNMAPPED;
use pollux_tests::sys::{self, Result};
use pollux_tests::{Errno, child, fd, poll, signal, time};

const CLONE_PIDFD: usize = 0x1000;
const CLONE_PARENT_SETTID: usize = 0x10_0000;

fn pidfd(pid: i32, flags: usize) -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_pidfd_open, [pid as usize, flags]) }
        .map(|fd| Fd::from_number(fd as i32))
}

fn getfd(process: &Fd, number: i32, flags: usize) -> Result<Fd> {
    let arguments = [process.number() as usize, number as usize, flags];
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_pidfd_getfd, arguments) }.map(|fd| Fd::from_number(fd as i32))
}

fn send(fd: &Fd, signal: i32) -> Result<usize> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_pidfd_send_signal, [fd.number() as usize, signal as usize, 0, 0]) }
}

/// Returns the result with code and status of the information.
fn waitid(kind: u32, id: i32, options: i32) -> (Result<usize>, i32, i32) {
    // SAFETY: `siginfo_t` is plain data.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    info.si_code = 77;
    let arguments = [kind as usize, id as usize, &raw mut info as usize, options as usize, 0];
    // SAFETY: the information is ours, and is set.
    unsafe { (sys::call(libc::SYS_waitid, arguments), info.si_code, info.si_status()) }
}

/// Calls clone3(2) with these flags; the child exits with 3.
fn clone3(flags: usize, pidfd: usize, parent_tid: usize) -> Result<i32> {
    let arguments = [flags, pidfd, 0, parent_tid, SIGCHLD as usize, 0, 0, 0];
    // SAFETY: the child does nothing but end.
    match unsafe {
        sys::call(libc::SYS_clone3, [arguments.as_ptr() as usize, size_of_val(&arguments)])
    } {
        Ok(0) => child::exit(3),
        result => result.map(|pid| pid as i32),
    }
}

/// Calls clone(2), as [`clone3`].
fn clone(flags: usize, third: usize) -> Result<i32> {
    // SAFETY: the child does nothing but end.
    match unsafe { sys::call(libc::SYS_clone, [flags | SIGCHLD as usize, 0, third, 0, 0]) } {
        Ok(0) => child::exit(3),
        result => result.map(|pid| pid as i32),
    }
}

#[test]
fn a_descriptor_of_another_process_is_duplicated() {
    child::run(|| {
        let (reader, writer) = fd::pipe();
        let child = child::spawn(|| {
            fd::dup2(writer.number(), 500).unwrap();
            let (held, _hold) = fd::pipe();
            writer.write(b"r").unwrap();
            let _ = held.read(1);
        });
        drop(writer);
        reader.read(1).unwrap();
        let process = pidfd(child.pid(), 0).unwrap();
        let copy = getfd(&process, 500, 0).unwrap();
        copy.write(b"mine").unwrap();
        assert_eq!(reader.read(4).unwrap(), b"mine");
        assert_eq!(copy.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
        assert_eq!(getfd(&process, 501, 0).err(), Some(Errno::EBADF));
        assert_eq!(getfd(&process, -1, 0).err(), Some(Errno::EBADF));
        assert_eq!(getfd(&process, 500, 1).err(), Some(Errno::EINVAL));
        assert_eq!(getfd(&reader, 500, 0).err(), Some(Errno::EBADF), "no pidfd");
        child.kill(SIGKILL);
        time::spin_until(|| child::peek(child.pid()));
        assert_eq!(getfd(&process, 500, 0).err(), Some(Errno::EBADF), "a zombie has none");
        drop(child);
        assert_eq!(getfd(&process, 500, 0).err(), Some(Errno::ESRCH));
        let own = getfd(&pidfd(sys::getpid(), 0).unwrap(), reader.number(), 0).unwrap();
        assert_eq!(own.unread(), Ok(0));
    });
}

#[test]
fn a_process_of_another_user_keeps_its_descriptors() {
    child::run(|| {
        let child = child::spawn(|| time::soon(|| ()).join().unwrap());
        let process = pidfd(child.pid(), 0).unwrap();
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setresuid(1000, 1000, 1000) }, 0);
        assert_eq!(getfd(&process, 0, 0).err(), Some(Errno::EPERM));
        assert_eq!(send(&process, 0), Err(Errno::EPERM));
    });
}

#[test]
fn clone_makes_a_pidfd_with_the_child() {
    child::run(|| {
        let mut number = -1_i32;
        let pid = clone(CLONE_PIDFD, &raw mut number as usize).unwrap();
        let process = Fd::from_number(number);
        assert_eq!(process.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
        assert_eq!(process.fcntl(libc::F_GETFL, 0), Ok(libc::O_RDWR));
        assert_eq!(poll::poll(&mut [poll::entry(number, POLLIN)], 10_000), Ok(1));
        assert_eq!(waitid(libc::P_PIDFD, number, WEXITED), (Ok(0), libc::CLD_EXITED, 3));
        assert_eq!(child::wait4(pid, 0), Err(Errno::ECHILD));

        let (mut number, mut tid) = (-1_i32, 0_i32);
        let pid = clone3(
            CLONE_PIDFD | CLONE_PARENT_SETTID,
            &raw mut number as usize,
            &raw mut tid as usize,
        )
        .unwrap();
        assert_eq!(tid, pid);
        let process = Fd::from_number(number);
        assert_eq!(waitid(libc::P_PIDFD, process.number(), WEXITED), (Ok(0), libc::CLD_EXITED, 3));
    });
}

#[test]
fn clone_refuses_a_pidfd_that_cannot_be() {
    child::run(|| {
        let mut number = -1_i32;
        let place = &raw mut number as usize;
        const THREAD: usize = 0x1_0000 | 0x800 | 0x100;
        const DETACHED: usize = 0x40_0000;
        assert_eq!(
            clone(CLONE_PIDFD | CLONE_PARENT_SETTID, place),
            Err(Errno::EINVAL),
            "one place for two"
        );
        assert_eq!(clone3(CLONE_PIDFD | CLONE_PARENT_SETTID, place, place), Err(Errno::EINVAL));
        assert_eq!(clone(CLONE_PIDFD | DETACHED, place), Err(Errno::EINVAL));
        assert_eq!(clone(CLONE_PIDFD | THREAD, place), Err(Errno::EINVAL));
        let before = fd::eventfd(0, 0).unwrap().number();
        assert_eq!(clone(CLONE_PIDFD, UNMAPPED), Err(Errno::EFAULT));
        assert_eq!(fd::eventfd(0, 0).unwrap().number(), before, "the number is free again");
        assert_eq!(
            waitid(libc::P_ALL, 0, WEXITED | WNOHANG).0,
            Err(Errno::ECHILD),
            "no child was made"
        );
        assert_eq!(number, -1);
    });
}

#[test]
fn a_pidfd_follows_the_whole_process_not_its_first_thread() {
    child::run(|| {
        let (reader, writer) = fd::pipe();
        let child = child::spawn(|| {
            std::thread::spawn(move || {
                let _ = reader.read(1);
                child::exit(5)
            });
            // SAFETY: only the first thread ends.
            unsafe { libc::syscall(libc::SYS_exit, 9) };
        });
        let process = pidfd(child.pid(), 0).unwrap();
        let epoll = Epoll::new();
        epoll.add(&process, events::IN | events::ET, 1).unwrap();
        time::settle();
        assert_eq!(poll::ready(&process, POLLIN), 0);
        assert_eq!(waitid(libc::P_PIDFD, process.number(), WEXITED | WNOHANG).0, Ok(0));
        writer.write(b"x").unwrap();
        assert_eq!(epoll.wait(1, 10_000), Ok(vec![event(events::IN, 1)]));
        assert_eq!(waitid(libc::P_PIDFD, process.number(), WEXITED), (Ok(0), libc::CLD_EXITED, 5));
        assert_eq!(poll::ready(&process, POLLIN), POLLIN, "and it stays ready");
        core::mem::forget(child);
    });
}

#[test]
fn waitid_of_a_pidfd_heeds_o_nonblock() {
    child::run(|| {
        let child = child::spawn(|| {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        });
        let process = pidfd(child.pid(), libc::O_NONBLOCK as usize).unwrap();
        let number = process.number();
        assert_eq!(
            waitid(libc::P_PIDFD, number, WEXITED),
            (Err(Errno::EAGAIN), 0, 0),
            "the information is zero"
        );
        assert_eq!(waitid(libc::P_PIDFD, number, WEXITED | WNOHANG), (Ok(0), 0, 0));
        assert_eq!(waitid(libc::P_PIDFD, -1, WEXITED).0, Err(Errno::EINVAL));
        assert_eq!(waitid(libc::P_PIDFD, 0x1000, WEXITED).0, Err(Errno::EBADF));
        assert_eq!(waitid(libc::P_PIDFD, number, WNOHANG), (Err(Errno::EINVAL), 0, 0), "no state");
        assert_eq!(waitid(libc::P_PIDFD, number, 0).0, Err(Errno::EINVAL));
        assert_eq!(send(&process, SIGKILL), Ok(0));
        time::spin_until(|| child::peek(child.pid()));
        assert_eq!(
            waitid(libc::P_PIDFD, number, WSTOPPED).0,
            Err(Errno::ECHILD),
            "a zombie does not stop"
        );
        assert_eq!(waitid(libc::P_PID, child.pid(), WSTOPPED | WNOHANG).0, Err(Errno::ECHILD));
        assert_eq!(waitid(libc::P_PIDFD, number, WEXITED), (Ok(0), libc::CLD_KILLED, SIGKILL));
        assert_eq!(waitid(libc::P_PIDFD, number, WEXITED).0, Err(Errno::ECHILD));
        core::mem::forget(child);
    });
}

#[test]
fn a_directory_of_a_process_sends_signals_too() {
    child::run(|| {
        signal::count(SIGUSR1, 0);
        let own = format!("/proc/{}", sys::getpid());
        let open = |path: &str, flags| fd::open(path, O_RDONLY | flags, 0).unwrap();
        assert_eq!(send(&open(&own, O_DIRECTORY), SIGUSR1), Ok(0));
        assert_eq!(signal::seen(SIGUSR1), 1);
        assert_eq!(send(&open(&own, O_DIRECTORY | O_PATH), SIGUSR1), Err(Errno::EBADF));
        assert_eq!(send(&open(&format!("{own}/fd"), O_DIRECTORY), SIGUSR1), Err(Errno::EBADF));
        assert_eq!(send(&open(&format!("{own}/stat"), 0), SIGUSR1), Err(Errno::EBADF));
        assert_eq!(send(&open("/proc", O_DIRECTORY), SIGUSR1), Err(Errno::EBADF));
        assert_eq!(send(&open("/", O_DIRECTORY), SIGUSR1), Err(Errno::EBADF));
        let child = child::spawn(|| ());
        let directory = open(&format!("/proc/{}", child.pid()), O_DIRECTORY);
        child.join();
        assert_eq!(send(&directory, 0), Err(Errno::ESRCH));
        assert_eq!(
            waitid(libc::P_PIDFD, directory.number(), WEXITED).0,
            Err(Errno::EBADF),
            "but it is no pidfd"
        );
    });
}
