//! pty(7), pts(4), ioctl_tty(2): pseudo-terminals.

mod session;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libc::{
    O_NOCTTY, O_NONBLOCK, O_RDWR, POLLIN, POLLOUT, POLLPRI, TCFLSH, TCGETS, TCSETS, TIOCGPGRP,
    TIOCGPTLCK, TIOCGPTN, TIOCGPTPEER, TIOCGWINSZ, TIOCPKT, TIOCSPTLCK, TIOCSWINSZ,
};
use pollux_tests::child;
use pollux_tests::epoll::Epoll;
use pollux_tests::fd::{self, Fd};
use pollux_tests::pollee::Counters;
use pollux_tests::time;
use pollux_tests::{Errno, memory, poll};

/// Makes a request whose argument is a number or an address.
fn ioctl(fd: &Fd, request: libc::c_ulong, argument: usize) -> Result<i32, Errno> {
    // SAFETY: callers pass numbers, addresses of live values of the right size, or addresses that fault.
    match unsafe { libc::ioctl(fd.number(), request, argument) } {
        -1 => Err(memory::last_error()),
        value => Ok(value),
    }
}

/// Makes a request that fills a value in.
fn get<T: Default>(fd: &Fd, request: libc::c_ulong) -> Result<T, Errno> {
    let mut value = T::default();
    ioctl(fd, request, &raw mut value as usize).map(|_| value)
}

/// Makes a request that reads a value.
fn set<T>(fd: &Fd, request: libc::c_ulong, value: T) -> Result<i32, Errno> {
    ioctl(fd, request, &raw const value as usize)
}

fn master() -> Fd {
    fd::open("/dev/ptmx", O_RDWR | O_NOCTTY, 0).unwrap()
}

fn name(master: &Fd) -> PathBuf {
    PathBuf::from(format!("/dev/pts/{}", get::<u32>(master, TIOCGPTN).unwrap()))
}

fn unlock(master: &Fd) {
    set(master, TIOCSPTLCK, 0_i32).unwrap();
}

fn open_slave(master: &Fd) -> Result<Fd, Errno> {
    fd::open(name(master).to_str().unwrap(), O_RDWR | O_NOCTTY, 0)
}

fn pair() -> (Fd, Fd) {
    let master = master();
    unlock(&master);
    let slave = open_slave(&master).unwrap();
    (master, slave)
}

fn settings(fd: &Fd) -> [u32; 9] {
    get(fd, TCGETS).unwrap()
}

/// Makes the terminal raw: no line editing, echo, signals or newline conversion.
fn make_raw(fd: &Fd) {
    let mut raw = settings(fd);
    (raw[0], raw[1], raw[3]) = (0, 0, 0);
    set(fd, TCSETS, raw).unwrap();
}

/// Reads from `master` until the received text ends with `end`.
fn expect(master: &Fd, end: &str) -> String {
    let mut all = String::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while !all.ends_with(end) {
        assert!(Instant::now() < deadline, "no {end:?} at the end of {all:?}");
        if poll::poll(&mut [poll::entry(master.number(), POLLIN)], 1000).unwrap() > 0 {
            match master.read(1000) {
                Ok(bytes) => all.push_str(&String::from_utf8_lossy(&bytes)),
                Err(errno) => panic!("{errno:?} after {all:?}"),
            }
        }
    }
    all
}

#[test]
fn a_pair_has_a_number_and_a_name_while_its_master_is_open() {
    let master = master();
    let path = name(&master);
    let number: u32 = get(&master, TIOCGPTN).unwrap();
    let node = fs::metadata(&path).unwrap();
    assert!(node.file_type().is_char_device());
    assert_eq!(node.rdev(), libc::makedev(136, number));
    assert_eq!(node.mode() & 0o777, 0o600);
    let listed =
        |path: &Path| fs::read_dir("/dev/pts").unwrap().any(|entry| entry.unwrap().path() == path);
    assert!(listed(&path));
    drop(master);
    assert!(!path.exists());
    assert!(!listed(&path));
}

#[test]
fn the_file_system_is_devpts() {
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    assert!(mounts.lines().any(|line| line.contains(" /dev/pts devpts rw")), "{mounts}");
    // SAFETY: all bits zero are a value; the call fills it in.
    let mut statfs: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are good.
    assert_eq!(unsafe { libc::statfs(c"/dev/pts".as_ptr(), &mut statfs) }, 0);
    assert_eq!(statfs.f_type, 0x1cd1);
}

#[test]
fn a_slave_can_be_opened_only_unlocked() {
    let master = master();
    assert_eq!(get::<i32>(&master, TIOCGPTLCK), Ok(1));
    assert_eq!(open_slave(&master).map(drop), Err(Errno::EIO));
    assert_eq!(ioctl(&master, TIOCGPTPEER, (O_RDWR | O_NOCTTY) as usize), Err(Errno::EIO));
    unlock(&master);
    assert_eq!(get::<i32>(&master, TIOCGPTLCK), Ok(0));
    assert!(open_slave(&master).is_ok());
    set(&master, TIOCSPTLCK, 1_i32).unwrap();
    assert_eq!(open_slave(&master).map(drop), Err(Errno::EIO));
}

#[test]
fn the_peer_of_a_master_has_the_name_of_the_slave() {
    let master = master();
    unlock(&master);
    let number =
        ioctl(&master, TIOCGPTPEER, (O_RDWR | O_NOCTTY | libc::O_CLOEXEC) as usize).unwrap();
    let peer = Fd::from_number(number);
    assert_eq!(fs::read_link(format!("/proc/self/fd/{number}")).unwrap(), name(&master));
    assert_eq!(peer.fcntl(libc::F_GETFD, 0), Ok(libc::FD_CLOEXEC));
    peer.write(b"x\n").unwrap();
    assert_eq!(master.read(10).unwrap(), b"x\r\n");
    assert_eq!(ioctl(&peer, TIOCGPTPEER, O_RDWR as usize), Err(Errno::EIO));
    assert_eq!(get::<u32>(&peer, TIOCGPTN), Err(Errno::ENOTTY));
}

#[test]
fn ttyname_finds_the_slave() {
    let (master, slave) = pair();
    let mut buffer = [0_u8; 64];
    // SAFETY: the buffer is as long as said.
    assert_eq!(
        unsafe { libc::ttyname_r(slave.number(), buffer.as_mut_ptr().cast(), buffer.len()) },
        0
    );
    let found = buffer.split(|&byte| byte == 0).next().unwrap();
    assert_eq!(Path::new(std::str::from_utf8(found).unwrap()), name(&master));
}

#[test]
fn lines_are_edited_echoed_and_handed_over() {
    let (master, slave) = pair();
    master.write(b"helpx\x7flo\n").unwrap();
    assert_eq!(slave.read(100).unwrap(), b"helplo\n");
    assert_eq!(expect(&master, "\n"), "helpx\x08 \x08lo\r\n");
    slave.write(b"a\tb\n").unwrap();
    assert_eq!(expect(&master, "\n"), "a\tb\r\n");
    master.write(b"\x04").unwrap();
    assert_eq!(slave.read(100).unwrap(), b"");
}

#[test]
fn raw_bytes_pass_unchanged() {
    let (master, slave) = pair();
    make_raw(&master);
    assert_eq!(settings(&slave), settings(&master));
    let all: Vec<u8> = (0..=255).collect();
    master.write(&all).unwrap();
    assert_eq!(slave.read(1000).unwrap(), all);
    slave.write(&all).unwrap();
    // Linux hands them over a moment later.
    time::spin_until(|| master.unread() == Ok(256));
    assert_eq!(master.read(1000).unwrap(), all);
}

#[test]
fn both_ends_block_and_wake() {
    let (master, slave) = pair();
    make_raw(&slave);
    let child = child::spawn(|| {
        assert_eq!(slave.read(10).unwrap(), b"ping");
        time::settle();
        slave.write(b"pong").unwrap();
    });
    time::settle();
    master.write(b"ping").unwrap();
    assert_eq!(master.read(10).unwrap(), b"pong");
    child.join();
}

#[test]
fn nonblocking_ends_say_so() {
    let (master, slave) = pair();
    make_raw(&slave);
    master.set_flags(O_NONBLOCK).unwrap();
    slave.set_flags(O_NONBLOCK).unwrap();
    assert_eq!(master.read(1), Err(Errno::EAGAIN));
    assert_eq!(slave.read(1), Err(Errno::EAGAIN));
    let mut sent = 0;
    while poll::ready(&slave, POLLOUT) != 0 {
        sent += slave.write(&[b'x'; 512]).unwrap();
        assert!(sent < 1 << 20);
    }
    let mut received = 0;
    while let Ok(bytes) = master.read(4096) {
        received += bytes.len();
        time::settle();
    }
    assert!(received >= sent);
    let mut typed = 0;
    while let Ok(count) = master.write(&[b'y'; 512]) {
        typed += count;
        assert!(typed < 1 << 20);
    }
    assert!(typed >= 8192, "{typed}");
    time::spin_until(|| poll::ready(&slave, POLLIN) != 0);
    let mut read = 0;
    while read < typed {
        match slave.read(4096) {
            Ok(bytes) => read += bytes.len(),
            Err(Errno::EAGAIN) => time::settle(),
            Err(errno) => panic!("{errno:?}"),
        }
    }
    assert_eq!(read, typed);
}

#[test]
fn epoll_reports_both_ends() {
    let (master, slave) = pair();
    make_raw(&slave);
    let epoll = Epoll::new();
    let edge = libc::EPOLLIN as u32 | libc::EPOLLET as u32;
    epoll.add(&master, edge, 1).unwrap();
    epoll.add(&slave, libc::EPOLLIN as u32, 2).unwrap();
    assert_eq!(epoll.now_data(), [0_u64; 0]);
    slave.write(b"a").unwrap();
    time::settle();
    assert_eq!(epoll.now_data(), [1]);
    assert_eq!(epoll.now_data(), [0_u64; 0]);
    slave.write(b"b").unwrap();
    time::settle();
    assert_eq!(epoll.now_data(), [1]);
    master.write(b"c").unwrap();
    time::settle();
    assert_eq!(epoll.now_data(), [2]);
    assert_eq!(epoll.now_data(), [2]);
    slave.read(1).unwrap();
    assert_eq!(epoll.now_data(), [0_u64; 0]);
    drop(slave);
    let events = epoll.wait(4, 5000).unwrap();
    assert!(
        events.iter().any(|event| event.data == 1 && event.events & libc::EPOLLHUP as u32 != 0)
    );
}

#[test]
fn flushing_forgets_what_waits() {
    let (master, slave) = pair();
    make_raw(&slave);
    slave.write(b"gone").unwrap();
    time::spin_until(|| master.unread() == Ok(4));
    // What the master could read already is out of the slave's reach.
    ioctl(&slave, TCFLSH, libc::TCOFLUSH as usize).unwrap();
    assert_eq!(master.unread(), Ok(4));
    ioctl(&master, TCFLSH, libc::TCIFLUSH as usize).unwrap();
    assert_eq!(master.unread(), Ok(0));
    master.write(b"gone").unwrap();
    time::spin_until(|| slave.unread() == Ok(4));
    ioctl(&slave, TCFLSH, libc::TCIFLUSH as usize).unwrap();
    assert_eq!(slave.unread(), Ok(0));
    assert_eq!(ioctl(&slave, TCFLSH, 7), Err(Errno::EINVAL));
    slave.write(b"kept").unwrap();
    assert_eq!(expect(&master, "kept"), "kept");
}

/// Linux's `TIOCPKT_FLUSHREAD` and `TIOCPKT_NOSTOP`.
const FLUSHED: u8 = 1;

const NO_STOP: u8 = 16;

#[test]
fn packets_say_what_happened() {
    let (master, slave) = pair();
    set(&master, TIOCPKT, 1_i32).unwrap();
    slave.write(b"data").unwrap();
    time::spin_until(|| poll::ready(&master, POLLIN) != 0);
    assert_eq!(master.read(100).unwrap(), b"\0data");
    ioctl(&slave, TCFLSH, libc::TCIFLUSH as usize).unwrap();
    assert_eq!(poll::ready(&master, POLLIN | POLLPRI), POLLIN | POLLPRI);
    assert_eq!(master.read(100).unwrap(), [FLUSHED]);
    make_raw(&slave);
    assert_eq!(master.read(100).unwrap(), [NO_STOP]);
    set(&master, TIOCPKT, 0_i32).unwrap();
    slave.write(b"data").unwrap();
    assert_eq!(expect(&master, "data"), "data");
}

#[test]
fn bad_pointers_are_refused() {
    let (master, slave) = pair();
    let bad = 8;
    for request in [
        TIOCGPTN, TIOCSPTLCK, TIOCGPTLCK, TIOCPKT, TCGETS, TCSETS, TIOCGWINSZ, TIOCSWINSZ,
        TIOCGPGRP,
    ] {
        assert_eq!(ioctl(&master, request, bad), Err(Errno::EFAULT), "{request:#x}");
    }
    make_raw(&slave);
    // SAFETY: the address faults, which is the point.
    let write = |fd: &Fd| unsafe { libc::write(fd.number(), bad as *const libc::c_void, 4) };
    // SAFETY: as above.
    let read = |fd: &Fd| unsafe { libc::read(fd.number(), bad as *mut libc::c_void, 4) };
    for (one, other) in [(&master, &slave), (&slave, &master)] {
        assert_eq!((write(one), memory::last_error()), (-1, Errno::EFAULT));
        one.write(b"good").unwrap();
        time::spin_until(|| other.unread() == Ok(4));
        assert_eq!((read(other), memory::last_error()), (-1, Errno::EFAULT));
    }
}

#[test]
fn many_pairs_have_different_numbers_and_come_back() {
    for _ in 0..3 {
        let pairs: Vec<(Fd, Fd)> = (0..100).map(|_| pair()).collect();
        let names: BTreeSet<PathBuf> = pairs.iter().map(|(master, _)| name(master)).collect();
        assert_eq!(names.len(), 100);
        assert!(names.iter().all(|name| name.exists()));
        for (index, (master, slave)) in pairs.iter().enumerate() {
            slave.write(format!("{index}").as_bytes()).unwrap();
            assert_eq!(expect(master, &index.to_string()), index.to_string());
        }
        drop(pairs);
        assert!(names.iter().all(|name| !name.exists()));
    }
}

#[test]
fn memory_comes_back() {
    let used = || {
        let text = fs::read_to_string("/proc/meminfo").unwrap();
        let free = text.lines().find(|line| line.starts_with("MemFree:")).unwrap();
        free.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap()
    };
    let round = |count| (0..count).for_each(|_| drop(pair()));
    round(50);
    time::settle();
    let before = used();
    round(1000);
    time::settle();
    // One pair takes more than 8 kB.
    assert!(before - used() < 4000, "{before} kB free before, {} after", used());
}

#[test]
fn polling_an_idle_slave_asks_the_terminal_nothing() {
    const ROUNDS: u64 = 100;
    let (_master, slave) = pair();
    assert_eq!(poll::ready(&slave, POLLIN), 0);
    let before = Counters::read();
    for _ in 0..ROUNDS {
        assert_eq!(poll::ready(&slave, POLLIN), 0);
    }
    // Linux has no such counters, and a kernel without a cache counts no hits.
    if let (Some(before), Some(after)) = (before, Counters::read()) {
        let hits = after.get("pty", "hits") - before.get("pty", "hits");
        assert!(hits == 0 || hits >= ROUNDS, "{hits} hits");
        assert!(hits > 0 || after.get("pty", "misses") > before.get("pty", "misses"));
    }
}
