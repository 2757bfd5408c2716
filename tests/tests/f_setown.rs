//! fcntl(2): who owns a file that sends signals, which signal that is, and `O_ASYNC`.

use std::thread;

use libc::{F_GETFL, F_GETOWN, F_SETFL, F_SETOWN, O_ASYNC, O_NONBLOCK, O_RDONLY, O_RDWR, SIGIO};
use pollux_tests::fd::{self, Fd};
use pollux_tests::memory::{UNMAPPED, last_error};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, child, socket, sys, unix};

const F_SETSIG: i32 = 10;
const F_GETSIG: i32 = 11;
const F_SETOWN_EX: i32 = 15;
const F_GETOWN_EX: i32 = 16;
const F_GETOWNER_UIDS: i32 = 17;

const TID: i32 = 0;
const PID: i32 = 1;
const PGRP: i32 = 2;

const FIOASYNC: libc::c_ulong = 0x5452;
const FIOSETOWN: libc::c_ulong = 0x8901;
const SIOCSPGRP: libc::c_ulong = 0x8902;
const FIOGETOWN: libc::c_ulong = 0x8903;
const SIOCGPGRP: libc::c_ulong = 0x8904;

/// Sets the owner with one number: negative for a group.
fn own(fd: &Fd, who: i32) -> Result<i32> {
    fd.fcntl(F_SETOWN, who as usize)
}

/// Returns the owner as one number, negative for a group: a raw call, because a library takes some for errors.
fn owner(fd: &Fd) -> i32 {
    match fd.fcntl(F_GETOWN, 0) {
        Ok(who) => who,
        Err(error) => -error.0,
    }
}

fn own_ex(fd: &Fd, kind: i32, id: i32) -> Result<i32> {
    let owner = [kind, id];
    fd.fcntl(F_SETOWN_EX, owner.as_ptr() as usize)
}

fn owner_ex(fd: &Fd) -> [i32; 2] {
    let mut owner = [-1; 2];
    fd.fcntl(F_GETOWN_EX, owner.as_mut_ptr() as usize).unwrap();
    owner
}

fn ioctl(fd: &Fd, request: libc::c_ulong, mut value: i32) -> Result<i32> {
    // SAFETY: the number is ours.
    match unsafe { libc::ioctl(fd.number(), request, &raw mut value) } {
        -1 => Err(last_error()),
        _ => Ok(value),
    }
}

fn flags(fd: &Fd) -> i32 {
    fd.fcntl(F_GETFL, 0).unwrap()
}

fn is_async(fd: &Fd) -> bool {
    flags(fd) & O_ASYNC != 0
}

fn set_async(fd: &Fd, on: bool) -> Result<i32> {
    fd.fcntl(F_SETFL, if on { O_ASYNC as usize } else { 0 })
}

#[test]
fn a_file_has_no_owner_at_first() {
    let (reader, _writer) = fd::pipe();
    assert_eq!((owner(&reader), owner_ex(&reader)), (0, [TID, 0]));
    assert_eq!(reader.fcntl(F_GETSIG, 0), Ok(0));
}

#[test]
fn the_owner_is_a_process_or_a_group() {
    let (reader, _writer) = fd::pipe();
    let me = sys::getpid();
    assert_eq!(own(&reader, me), Ok(0));
    assert_eq!((owner(&reader), owner_ex(&reader)), (me, [PID, me]));
    // SAFETY: no memory is involved.
    let group = unsafe { libc::getpgrp() };
    assert_eq!(own(&reader, -group), Ok(0));
    assert_eq!((owner(&reader), owner_ex(&reader)), (-group, [PGRP, group]));
    assert_eq!(own(&reader, 0), Ok(0));
    assert_eq!((owner(&reader), owner_ex(&reader)), (0, [PID, 0]));
    assert_eq!(own(&reader, i32::MIN), Err(Errno::EINVAL));
    assert_eq!(own(&reader, i32::MAX), Err(Errno::ESRCH));
    assert_eq!(own(&reader, -i32::MAX), Err(Errno::ESRCH));
}

#[test]
fn the_owner_can_be_a_thread() {
    let (reader, _writer) = fd::pipe();
    thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let other = scope.spawn(move || {
            tell.send(sys::gettid()).unwrap();
            let _ = ended.recv();
        });
        let tid = told.recv().unwrap();
        assert_eq!(own_ex(&reader, TID, tid), Ok(0));
        assert_eq!((owner(&reader), owner_ex(&reader)), (tid, [TID, tid]));
        // As a process, the thread's ID means nobody who could be named.
        assert_eq!(own_ex(&reader, PID, tid), Ok(0));
        assert_eq!((owner(&reader), owner_ex(&reader)), (0, [PID, 0]));
        drop(end);
        other.join().unwrap();
    });
    for (kind, expected) in
        [(-1, Err(Errno::EINVAL)), (3, Err(Errno::EINVAL)), (PGRP, Err(Errno::ESRCH))]
    {
        assert_eq!(own_ex(&reader, kind, i32::MAX), expected);
    }
    assert_eq!(reader.fcntl(F_SETOWN_EX, UNMAPPED), Err(Errno::EFAULT));
    assert_eq!(reader.fcntl(F_GETOWN_EX, UNMAPPED), Err(Errno::EFAULT));
}

#[test]
fn an_owner_that_is_gone_is_nobody() {
    let (reader, _writer) = fd::pipe();
    let ended = child::spawn(|| ());
    let pid = ended.pid();
    assert_eq!(own(&reader, pid), Ok(0));
    assert_eq!(owner(&reader), pid);
    ended.join();
    assert_eq!((owner(&reader), owner_ex(&reader)), (0, [PID, 0]));
    assert_eq!(own(&reader, pid), Err(Errno::ESRCH));
}

#[test]
fn any_signal_can_be_sent() {
    let (reader, _writer) = fd::pipe();
    for signal in [SIGIO, 64, libc::SIGKILL, 0] {
        assert_eq!(reader.fcntl(F_SETSIG, signal as usize), Ok(0));
        assert_eq!(reader.fcntl(F_GETSIG, 0), Ok(signal));
    }
    assert_eq!(reader.fcntl(F_SETSIG, 65), Err(Errno::EINVAL));
    assert_eq!(reader.fcntl(F_SETSIG, usize::MAX), Err(Errno::EINVAL));
}

#[test]
fn duplicates_and_children_share_the_owner() {
    let (reader, writer) = fd::pipe();
    let me = sys::getpid();
    let twin = reader.dup().unwrap();
    own(&twin, me).unwrap();
    twin.fcntl(F_SETSIG, 40).unwrap();
    set_async(&twin, true).unwrap();
    assert_eq!((owner(&reader), reader.fcntl(F_GETSIG, 0), is_async(&reader)), (me, Ok(40), true));
    assert_eq!((owner(&writer), writer.fcntl(F_GETSIG, 0), is_async(&writer)), (0, Ok(0), false));
    child::run(|| {
        assert_eq!(owner(&reader), me);
        own(&reader, sys::getpid()).unwrap();
    });
    assert_eq!(owner(&reader), 0, "the child was the owner");
}

#[test]
fn the_owner_s_users_are_kept() {
    let (reader, _writer) = fd::pipe();
    let mut users = [77_u32; 2];
    assert_eq!(reader.fcntl(F_GETOWNER_UIDS, users.as_mut_ptr() as usize), Ok(0));
    assert_eq!(users, [0, 0]);
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setresuid(1000, 1001, 0) }, 0);
        own(&reader, sys::getpid()).unwrap();
        let mut users = [77_u32; 2];
        assert_eq!(reader.fcntl(F_GETOWNER_UIDS, users.as_mut_ptr() as usize), Ok(0));
        assert_eq!(users, [1000, 1001]);
    });
}

#[test]
fn pipes_sockets_and_terminals_send_signals() {
    let (reader, writer) = fd::pipe();
    let (local, _other) = unix::pair(libc::SOCK_STREAM);
    let (listener, _) = socket::listener(1, 0);
    let master = fd::open("/dev/ptmx", O_RDWR | libc::O_NOCTTY, 0).unwrap();
    let netlink = socket::socket(libc::AF_NETLINK, libc::SOCK_RAW, 0).unwrap();
    for fd in [reader, writer, local, listener, socket::tcp(0), socket::udp(0), master, netlink] {
        assert_eq!((set_async(&fd, true), is_async(&fd)), (Ok(0), true));
        assert_eq!((set_async(&fd, false), is_async(&fd)), (Ok(0), false));
        assert_eq!((ioctl(&fd, FIOASYNC, 7), is_async(&fd)), (Ok(7), true));
        assert_eq!((ioctl(&fd, FIOASYNC, 1), is_async(&fd)), (Ok(1), true));
        assert_eq!((ioctl(&fd, FIOASYNC, 0), is_async(&fd)), (Ok(0), false));
    }
}

#[test]
fn other_files_accept_an_owner_and_send_nothing() {
    let me = sys::getpid();
    let eventfd = fd::eventfd(0, 0).unwrap();
    let epoll = pollux_tests::epoll::create1(0).unwrap();
    let null = fd::open("/dev/null", O_RDWR, 0).unwrap();
    let root = fd::open("/", O_RDONLY, 0).unwrap();
    for fd in [eventfd, epoll, null, root] {
        assert_eq!((set_async(&fd, true), is_async(&fd)), (Ok(0), false));
        assert_eq!(ioctl(&fd, FIOASYNC, 1), Err(Errno::ENOTTY));
        assert_eq!(ioctl(&fd, FIOASYNC, 0), Ok(0));
        assert_eq!((own(&fd, me), owner(&fd)), (Ok(0), me));
        assert_eq!(fd.fcntl(F_SETSIG, 40), Ok(0));
        assert_eq!(ioctl(&fd, FIOSETOWN, me), Err(Errno::ENOTTY));
    }
}

#[test]
fn open_keeps_the_flag_without_effect() {
    let null = fd::open("/dev/null", O_RDWR | O_ASYNC, 0).unwrap();
    assert!(is_async(&null));
    set_async(&null, false).unwrap();
    assert!(is_async(&null), "nothing clears it");
    let master = fd::open("/dev/ptmx", O_RDWR | libc::O_NOCTTY | O_ASYNC, 0).unwrap();
    assert!(is_async(&master));
    assert_eq!((set_async(&master, true), owner(&master)), (Ok(0), 0), "it is on already");
    set_async(&master, false).unwrap();
    assert!(is_async(&master), "there is nothing to switch off");
    set_async(&master, true).unwrap();
    assert_eq!(owner(&master), 0);
}

#[test]
fn sockets_have_ioctls_of_their_own() {
    let (one, _other) = unix::pair(libc::SOCK_DGRAM);
    let me = sys::getpid();
    for fd in [socket::tcp(0), socket::udp(0), one] {
        for (set, get) in [(FIOSETOWN, SIOCGPGRP), (SIOCSPGRP, FIOGETOWN)] {
            assert_eq!(ioctl(&fd, set, 0), Ok(0));
            assert_eq!(ioctl(&fd, get, -1), Ok(0));
            assert_eq!(ioctl(&fd, set, me), Ok(me));
            assert_eq!(ioctl(&fd, get, -1), Ok(me));
            assert_eq!(owner(&fd), me);
            assert_eq!(ioctl(&fd, set, i32::MAX), Err(Errno::ESRCH));
            assert_eq!(ioctl(&fd, set, i32::MIN), Err(Errno::EINVAL));
        }
        // SAFETY: nothing is mapped there.
        let unmapped = unsafe { libc::ioctl(fd.number(), FIOSETOWN, UNMAPPED) };
        assert_eq!((unmapped, last_error()), (-1, Errno::EFAULT));
    }
}

#[test]
fn a_terminal_is_owned_by_who_asks_for_signals() {
    child::run(|| {
        let master = fd::open("/dev/ptmx", O_RDWR | libc::O_NOCTTY, 0).unwrap();
        assert_eq!(owner(&master), 0);
        set_async(&master, true).unwrap();
        assert_eq!(owner_ex(&master), [PID, sys::getpid()]);
        let other = fd::open("/dev/ptmx", O_RDWR | libc::O_NOCTTY, 0).unwrap();
        // SAFETY: no memory is involved.
        let parent = unsafe { libc::getppid() };
        own(&other, parent).unwrap();
        set_async(&other, true).unwrap();
        assert_eq!(owner(&other), parent, "an owner stays");
    });
}

#[test]
fn a_path_has_no_owner() {
    let path = fd::open("/dev/null", libc::O_PATH, 0).unwrap();
    let calls = [
        (F_SETOWN, 0),
        (F_GETOWN, 0),
        (F_SETSIG, 0),
        (F_GETSIG, 0),
        (F_SETFL, O_NONBLOCK as usize),
    ];
    for (command, argument) in calls {
        assert_eq!(path.fcntl(command, argument), Err(Errno::EBADF));
    }
}
