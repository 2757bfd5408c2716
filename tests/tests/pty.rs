//! pty(7), pts(4), ioctl_tty(2): pseudo-terminals.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use libc::{
    O_NOCTTY, O_NONBLOCK, O_RDWR, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, SIGCONT, SIGHUP,
    SIGINT, SIGTTIN, SIGWINCH, TCFLSH, TCGETS, TCSETS, TIOCGPGRP, TIOCGPTLCK, TIOCGPTN,
    TIOCGPTPEER, TIOCGSID, TIOCGWINSZ, TIOCPKT, TIOCSCTTY, TIOCSPGRP, TIOCSPTLCK, TIOCSWINSZ,
};
use pollux_tests::child::{self, Child, Status};
use pollux_tests::epoll::Epoll;
use pollux_tests::fd::{self, Fd};
use pollux_tests::pollee::Counters;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, memory, poll, signal, sys};

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

/// Forks a child that leads a session with the slave as its terminal, and has closed the master.
fn in_session(master: &Fd, slave: &Fd, work: impl FnOnce()) -> Child {
    child::spawn(|| {
        fd::close(master.number()).unwrap();
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setsid() }, sys::getpid());
        ioctl(slave, TIOCSCTTY, 0).unwrap();
        work();
    })
}

/// Waits until the terminal has a foreground process group.
fn wait_for_foreground(master: &Fd) -> i32 {
    time::spin_until(|| get::<i32>(master, TIOCGPGRP).unwrap() != 0);
    get(master, TIOCGPGRP).unwrap()
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
fn a_master_without_slaves_is_not_hung_up_before_the_first() {
    let master = master();
    master.set_flags(O_NONBLOCK).unwrap();
    assert_eq!(poll::ready(&master, POLLIN | POLLOUT), POLLOUT);
    assert_eq!(master.read(1), Err(Errno::EAGAIN));
    unlock(&master);
    let first = open_slave(&master).unwrap();
    let second = open_slave(&master).unwrap();
    second.write(b"end").unwrap();
    drop(first);
    time::spin_until(|| poll::ready(&master, POLLIN) == POLLIN);
    drop(second);
    assert_eq!(poll::ready(&master, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLHUP);
    assert_eq!(master.read(10).unwrap(), b"end");
    assert_eq!(master.read(10), Err(Errno::EIO));
    assert_eq!(poll::ready(&master, POLLIN), POLLHUP);
    let _again = open_slave(&master).unwrap();
    assert_eq!(poll::ready(&master, POLLIN | POLLOUT), POLLOUT);
    assert_eq!(master.read(1), Err(Errno::EAGAIN));
}

#[test]
fn a_slave_without_its_master_is_at_its_end() {
    let (master, slave) = pair();
    drop(master);
    assert_eq!(slave.read(10).unwrap(), b"");
    assert_eq!(slave.write(b"x"), Err(Errno::EIO));
    assert_eq!(poll::ready(&slave, POLLIN | POLLOUT), POLLIN | POLLOUT | POLLERR | POLLHUP);
    assert_eq!(get::<[u32; 9]>(&slave, TCGETS), Err(Errno::EIO));
    assert_eq!(slave.unread(), Err(Errno::EIO));
    assert_eq!(get::<i32>(&slave, TIOCGPGRP), Err(Errno::EIO));
    assert_eq!(set(&slave, TIOCSPGRP, 1_i32), Err(Errno::ENOTTY));
}

#[test]
fn a_sleeping_reader_hears_of_the_end_at_either_end() {
    let (master, slave) = pair();
    let child = child::spawn(|| {
        time::settle();
        drop(slave.dup().unwrap());
    });
    drop(slave);
    assert_eq!(master.read(1), Err(Errno::EIO));
    child.join();
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
fn the_window_has_one_size_and_a_change_is_a_signal() {
    let (master, slave) = pair();
    assert_eq!(get::<[u16; 4]>(&slave, TIOCGWINSZ), Ok([0; 4]));
    signal::block(&[SIGWINCH]);
    let (report, reporter) = fd::pipe();
    let child = in_session(&master, &slave, || {
        reporter.write(b"x").unwrap();
        time::spin_until(|| signal::is_pending(SIGWINCH));
        assert_eq!(get::<[u16; 4]>(&slave, TIOCGWINSZ), Ok([24, 80, 0, 0]));
    });
    report.read(1).unwrap();
    set(&master, TIOCSWINSZ, [24_u16, 80, 0, 0]).unwrap();
    child.join();
    assert_eq!(get::<[u16; 4]>(&master, TIOCGWINSZ), Ok([24, 80, 0, 0]));
}

#[test]
fn opening_the_slave_gives_a_leader_its_terminal() {
    let master = master();
    unlock(&master);
    let path = name(&master);
    let number: u32 = get(&master, TIOCGPTN).unwrap();
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setsid() }, sys::getpid());
        let slave = fd::open(path.to_str().unwrap(), O_RDWR, 0).unwrap();
        assert_eq!(get::<i32>(&slave, TIOCGSID), Ok(sys::getpid()));
        assert_eq!(get::<i32>(&master, TIOCGPGRP), Ok(sys::getpid()));
        assert_eq!(get::<i32>(&master, TIOCGSID), Ok(sys::getpid()));
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let device = stat.rsplit(") ").next().unwrap().split(' ').nth(4).unwrap().to_string();
        assert_eq!(device, (136 << 8 | number & 0xff | (number >> 8) << 20).to_string());
        let named = fd::open("/dev/tty", O_RDWR, 0).unwrap();
        named.write(b"by name").unwrap();
        assert_eq!(expect(&master, "by name"), "by name");
        signal::handle(SIGHUP, 0, libc::SIG_IGN);
    });
}

#[test]
fn the_master_is_nobodys_terminal() {
    let master = master();
    assert_eq!(get::<i32>(&master, TIOCGPGRP), Ok(0));
    assert_eq!(get::<i32>(&master, TIOCGSID), Err(Errno::ENOTTY));
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setsid() }, sys::getpid());
        let _master = fd::open("/dev/ptmx", O_RDWR, 0).unwrap();
        assert_eq!(fd::open("/dev/tty", O_RDWR, 0).map(drop), Err(Errno::ENXIO));
    });
}

#[test]
fn a_special_character_signals_the_foreground() {
    let (master, slave) = pair();
    let child = in_session(&master, &slave, || {
        loop {
            time::settle();
        }
    });
    assert_eq!(wait_for_foreground(&master), child.pid());
    slave.write(b"said").unwrap();
    time::spin_until(|| master.unread() == Ok(4));
    master.write(b"\x03").unwrap();
    assert_eq!(child.wait(), Status::Killed(SIGINT));
    assert_eq!(expect(&master, "^C"), "said^C");
}

#[test]
fn the_end_of_the_master_hangs_up_the_leader() {
    let (master, slave) = pair();
    let child = in_session(&master, &slave, || {
        loop {
            time::settle();
        }
    });
    wait_for_foreground(&master);
    drop(master);
    assert_eq!(child.wait(), Status::Killed(SIGHUP));
}

#[test]
fn who_survives_the_end_of_the_master_has_no_terminal() {
    let (master, slave) = pair();
    signal::block(&[SIGHUP, SIGCONT]);
    let (go, starter) = fd::pipe();
    let child = in_session(&master, &slave, || {
        starter.write(b"x").unwrap();
        time::spin_until(|| signal::is_pending(SIGHUP));
        assert!(signal::is_pending(SIGCONT));
        assert_eq!(fd::open("/dev/tty", O_RDWR, 0).map(drop), Err(Errno::ENXIO));
        assert_eq!(slave.read(1).unwrap(), b"");
    });
    go.read(1).unwrap();
    drop(master);
    child.join();
}

#[test]
fn a_reader_in_the_background_stops() {
    let (master, slave) = pair();
    let child = in_session(&master, &slave, || {
        let reader = child::spawn(|| {
            // SAFETY: no memory is involved.
            unsafe { libc::setpgid(0, 0) };
            let _ = slave.read(1);
        });
        let status = child::wait4(reader.pid(), libc::WUNTRACED).unwrap().unwrap().1;
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == SIGTTIN, "{status:#x}");
        reader.kill(libc::SIGKILL);
    });
    child.join();
    drop(master);
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

/// The shell's prompt, with the query for the cursor's position that its line editor sends after it.
const PROMPT: &str = "ready> \u{1b}[6n";

#[test]
fn a_shell_runs_on_a_slave_with_job_control() {
    let (master, slave) = pair();
    set(&master, TIOCSWINSZ, [24_u16, 80, 0, 0]).unwrap();
    let child = in_session(&master, &slave, || {
        for fd in 0..3 {
            fd::dup2(slave.number(), fd).unwrap();
        }
        // SAFETY: the strings end, and so does the list of them.
        unsafe {
            libc::setenv(c"PS1".as_ptr(), c"ready> ".as_ptr(), 1);
            libc::setenv(c"TERM".as_ptr(), c"dumb".as_ptr(), 1);
            let arguments = [c"sh".as_ptr(), c"-i".as_ptr(), std::ptr::null()];
            libc::execv(c"/bin/busybox".as_ptr(), arguments.as_ptr());
        }
        panic!("{:?}", memory::last_error());
    });
    drop(slave);
    let say = |line: &str| {
        master.write(line.as_bytes()).unwrap();
        expect(&master, PROMPT)
    };
    expect(&master, PROMPT);
    assert!(say("echo $((6 * 7))\r").contains("\r\n42\r\n"));
    assert!(say("/bin/busybox tty\r").contains(name(&master).to_str().unwrap()));
    assert!(say("/bin/busybox stty size\r").contains("\r\n24 80\r\n"));
    master.write(b"/bin/busybox sleep 100\r").unwrap();
    let shell = child.pid();
    time::spin_until(|| get::<i32>(&master, TIOCGPGRP).unwrap() != shell);
    say("\x1a");
    assert!(say("jobs\r").contains("Stopped"));
    master.write(b"fg\r").unwrap();
    time::spin_until(|| get::<i32>(&master, TIOCGPGRP).unwrap() != shell);
    say("\x03");
    assert!(say("echo status $?\r").contains("\r\nstatus 130\r\n"));
    master.write(b"exit 3\r").unwrap();
    assert_eq!(child.wait(), Status::Exited(3));
    time::at_least(ms(0), || {
        loop {
            match master.read(100) {
                Ok(_) => {}
                Err(errno) => break assert_eq!(errno, Errno::EIO),
            }
        }
    });
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
