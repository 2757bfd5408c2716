//! poll(2), select(2), epoll_ctl(2): which events each kind of file reports, in each of its states.
//!
//! One table: a file, every event that poll reports of it, and whether epoll takes it. What epoll and select report
//! follows from the first, and is checked with it.

use libc::{
    AF_INET, AF_NETLINK, EFD_NONBLOCK, O_CREAT, O_NOCTTY, O_NONBLOCK, O_PATH, O_RDONLY, O_RDWR,
    POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDBAND, POLLRDHUP, POLLRDNORM,
    POLLWRBAND, POLLWRNORM, SHUT_RDWR, SHUT_WR, SOCK_DGRAM, SOCK_NONBLOCK, SOCK_RAW,
    SOCK_SEQPACKET, SOCK_STREAM, TIOCSPTLCK,
};
use pollux_tests::epoll::Epoll;
use pollux_tests::select::{self, FdSet, Sets};
use pollux_tests::socket::{self, Address};
use pollux_tests::{Errno, Fd, child, epoll, fd, poll, signal, sys, time, unix};

const EVERY: i16 =
    POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP;
const READ: i16 = POLLIN | POLLRDNORM;
const WRITE: i16 = POLLOUT | POLLWRNORM;
const SEND: i16 = WRITE | POLLWRBAND;
const END: i16 = POLLRDHUP | POLLHUP;

/// Whether epoll takes a file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taken {
    Yes,
    /// `EPERM`.
    No,
}

#[track_caller]
fn check(name: &str, fd: &Fd, expected: i16, taken: Taken) {
    let number = fd.number();
    assert_eq!(poll::ready(fd, EVERY), expected, "{name}: every event");
    for event in
        [POLLIN, POLLPRI, POLLOUT, POLLRDNORM, POLLRDBAND, POLLWRNORM, POLLWRBAND, POLLRDHUP, 0]
    {
        let alone = expected & (event | POLLERR | POLLHUP | POLLNVAL);
        assert_eq!(poll::ready(fd, event), alone, "{name}: {event:#x} alone");
    }
    if expected == POLLNVAL {
        return;
    }
    let set = || Some(FdSet::of(&[number]));
    let mut sets = Sets { read: set(), write: set(), except: set() };
    let _ = select::select(number + 1, &mut sets, Some(time::ms(0)));
    let is_in =
        |set: &Option<FdSet>| set.as_ref().is_some_and(|set| set.members().contains(&number));
    let expects = |events: i16| expected & events != 0;
    assert_eq!(
        is_in(&sets.read),
        expects(READ | POLLRDBAND | POLLHUP | POLLERR),
        "{name}: select, reading"
    );
    assert_eq!(is_in(&sets.write), expects(SEND | POLLERR), "{name}: select, writing");
    assert_eq!(is_in(&sets.except), expects(POLLPRI), "{name}: select, exceptions");
    let epoll = Epoll::new();
    let all = u32::from(EVERY as u16);
    match taken {
        Taken::No => assert_eq!(epoll.add(fd, all, 1), Err(Errno::EPERM), "{name}: epoll"),
        Taken::Yes => {
            epoll.add(fd, all, 1).unwrap_or_else(|error| panic!("{name}: epoll: {error:?}"));
            let events: Vec<u32> = epoll.now().iter().map(|event| event.events).collect();
            let expected = u32::from(expected as u16);
            let expected: Vec<u32> = if expected == 0 { vec![] } else { vec![expected] };
            assert_eq!(events, expected, "{name}: epoll");
        }
    }
}

#[test]
fn pipes() {
    let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
    check("an empty pipe, reading", &reader, 0, Taken::Yes);
    check("an empty pipe, writing", &writer, WRITE, Taken::Yes);
    writer.write(b"x").unwrap();
    check("a pipe with a byte, reading", &reader, READ, Taken::Yes);
    while writer.write(&[0; 4096]).is_ok() {}
    check("a full pipe, writing", &writer, 0, Taken::Yes);
    let dup = reader.dup().unwrap();
    drop(reader);
    check("a full pipe, reading", &dup, READ, Taken::Yes);
    drop(dup);
    check("a full pipe without reader", &writer, POLLERR, Taken::Yes);
    let (reader, writer) = fd::pipe();
    writer.write(b"x").unwrap();
    drop(writer);
    check("a byte of a pipe without writer", &reader, READ | POLLHUP, Taken::Yes);
    reader.read(1).unwrap();
    check("the end of a pipe", &reader, POLLHUP, Taken::Yes);
    let (reader, writer) = fd::pipe();
    drop(reader);
    check("an empty pipe without reader", &writer, WRITE | POLLERR, Taken::Yes);
}

#[test]
fn counters_and_timers() {
    check("eventfd, 0", &fd::eventfd(0, 0).unwrap(), POLLOUT, Taken::Yes);
    check("eventfd, 1", &fd::eventfd(1, 0).unwrap(), POLLIN | POLLOUT, Taken::Yes);
    let full = fd::eventfd(0, EFD_NONBLOCK).unwrap();
    full.write_u64(u64::MAX - 1).unwrap();
    check("eventfd, full", &full, POLLIN, Taken::Yes);
    // SAFETY: no memory is involved.
    let timer = unsafe { sys::call(libc::SYS_timerfd_create, [libc::CLOCK_MONOTONIC as usize, 0]) }
        .unwrap();
    let timer = Fd::from_number(timer as i32);
    check("timerfd", &timer, 0, Taken::Yes);
    let mut soon: libc::itimerspec = unsafe { core::mem::zeroed() };
    soon.it_value.tv_nsec = 1;
    // SAFETY: the kernel only reads.
    unsafe {
        sys::call(
            libc::SYS_timerfd_settime,
            [timer.number() as usize, 0, &raw const soon as usize, 0],
        )
    }
    .unwrap();
    time::spin_until(|| poll::ready(&timer, POLLIN) != 0);
    check("timerfd, expired", &timer, POLLIN, Taken::Yes);
}

#[test]
fn signals_and_processes() {
    child::run(|| {
        signal::block(&[libc::SIGUSR1]);
        let mask = signal::mask(&[libc::SIGUSR1]);
        // SAFETY: the mask is ours.
        let number =
            unsafe { sys::call(libc::SYS_signalfd4, [usize::MAX, &raw const mask as usize, 8, 0]) }
                .unwrap();
        let signals = Fd::from_number(number as i32);
        check("signalfd", &signals, 0, Taken::Yes);
        signal::raise(libc::SIGUSR1);
        check("signalfd, pending", &signals, POLLIN, Taken::Yes);
        let child = child::spawn(|| time::settle());
        // SAFETY: no memory is involved.
        let number = unsafe { sys::call(libc::SYS_pidfd_open, [child.pid() as usize, 0]) }.unwrap();
        let process = Fd::from_number(number as i32);
        time::spin_until(|| child::peek(child.pid()));
        check("pidfd of a zombie", &process, READ, Taken::Yes);
        child.join();
        check("pidfd of nobody", &process, READ, Taken::Yes);
    });
}

#[test]
fn epolls() {
    let epoll = Epoll::new();
    check("epoll", &epoll.0, 0, Taken::Yes);
    let ready = fd::eventfd(1, 0).unwrap();
    epoll.add(&ready, epoll::events::IN, 0).unwrap();
    check("epoll, ready", &epoll.0, READ, Taken::Yes);
}

#[test]
fn tcp() {
    let new = socket::tcp(0);
    check("new", &new, WRITE | POLLHUP, Taken::Yes);
    let (listener, address) = socket::listener(1, 0);
    check("listener", &listener, 0, Taken::Yes);
    let client = socket::tcp(0);
    socket::connect(&client, &address).unwrap();
    time::spin_until(|| poll::ready(&listener, POLLIN) != 0);
    check("listener, one waits", &listener, READ, Taken::Yes);
    let server = socket::accept(&listener, 0).unwrap();
    check("connected", &client, WRITE, Taken::Yes);
    server.write(b"x").unwrap();
    time::spin_until(|| poll::ready(&client, POLLIN) != 0);
    check("with a byte", &client, READ | WRITE, Taken::Yes);
    socket::shutdown(&server, SHUT_WR).unwrap();
    time::spin_until(|| poll::ready(&client, POLLRDHUP) != 0);
    check("the peer writes no more", &client, READ | WRITE | POLLRDHUP, Taken::Yes);
    client.read(2).unwrap();
    socket::shutdown(&client, SHUT_WR).unwrap();
    time::spin_until(|| poll::ready(&server, POLLRDHUP) != 0);
    check("both ends write no more", &client, READ | WRITE | END, Taken::Yes);
    drop(listener);
}

#[test]
fn udp() {
    let socket = socket::udp(0);
    check("new", &socket, SEND, Taken::Yes);
    socket::bind(&socket, &Address::local(0)).unwrap();
    socket::send_to(&socket::udp(0), b"x", &socket::name(&socket).unwrap()).unwrap();
    time::spin_until(|| poll::ready(&socket, POLLIN) != 0);
    check("with a datagram", &socket, READ | SEND, Taken::Yes);
    socket::connect(&socket, &Address::local(9)).unwrap();
    socket::shutdown(&socket, SHUT_RDWR).unwrap();
    check("shut down", &socket, READ | SEND | END, Taken::Yes);
    let socket = socket::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0).unwrap();
    socket::connect(&socket, &socket::deserted()).unwrap();
    socket.write(b"x").unwrap();
    time::spin_until(|| poll::ready(&socket, 0) != 0);
    check("refused", &socket, SEND | POLLERR, Taken::Yes);
}

#[test]
fn local_streams() {
    for kind in [SOCK_STREAM, SOCK_SEQPACKET] {
        check("new", &unix::socket(kind), SEND | POLLHUP, Taken::Yes);
        let (one, other) = unix::pair(kind | SOCK_NONBLOCK);
        check("a pair", &one, SEND, Taken::Yes);
        other.write(b"x").unwrap();
        check("with a byte", &one, READ | SEND, Taken::Yes);
        while one.write(&[0; 4096]).is_ok() {}
        check("full", &one, READ, Taken::Yes);
        socket::shutdown(&other, SHUT_WR).unwrap();
        check("the peer writes no more", &one, READ | POLLRDHUP, Taken::Yes);
        drop(other);
        check("alone, with bytes that nobody read", &one, READ | SEND | END | POLLERR, Taken::Yes);
        let (one, other) = unix::pair(kind);
        drop(other);
        check("alone", &one, READ | SEND | END, Taken::Yes);
        let name = unix::Address::hidden(&format!("masks-{kind}"));
        let listener = unix::listener(kind, &name, 1);
        check("listener", &listener, 0, Taken::Yes);
        let client = unix::socket(kind);
        unix::connect(&client, &name).unwrap();
        check("listener, one waits", &listener, READ, Taken::Yes);
        check("not accepted", &client, SEND, Taken::Yes);
    }
}

#[test]
fn local_datagrams() {
    check("new", &unix::socket(SOCK_DGRAM), SEND, Taken::Yes);
    let (one, other) = unix::pair(SOCK_DGRAM | SOCK_NONBLOCK);
    other.write(b"x").unwrap();
    check("with a datagram", &one, READ | SEND, Taken::Yes);
    while one.write(&[0; 4096]).is_ok() {}
    check("full", &one, READ, Taken::Yes);
    drop(other);
    check("alone", &one, READ | SEND, Taken::Yes);
    let (one, _other) = unix::pair(SOCK_DGRAM);
    socket::shutdown(&one, SHUT_RDWR).unwrap();
    check("shut down", &one, READ | SEND | END, Taken::Yes);
}

#[test]
fn netlink() {
    let socket = socket::socket(AF_NETLINK, SOCK_RAW, 0).unwrap();
    check("new", &socket, SEND, Taken::Yes);
}

#[test]
fn regular_files_and_directories_are_always_ready_and_nothing_for_epoll() {
    let regular = fd::open("/tmp/masks", O_RDWR | O_CREAT, 0o600).unwrap();
    check("regular", &regular, READ | WRITE, Taken::No);
    check(
        "opened for reading",
        &fd::open("/tmp/masks", O_RDONLY, 0).unwrap(),
        READ | WRITE,
        Taken::No,
    );
    check("directory", &fd::open("/", O_RDONLY, 0).unwrap(), READ | WRITE, Taken::No);
    check("/proc/self", &fd::open("/proc/self", O_RDONLY, 0).unwrap(), READ | WRITE, Taken::No);
    // SAFETY: the name is a string.
    let memfd = unsafe { sys::call(libc::SYS_memfd_create, [c"m".as_ptr() as usize, 0]) }.unwrap();
    check("memfd", &Fd::from_number(memfd as i32), READ | WRITE, Taken::No);
    check("O_PATH", &fd::open("/tmp/masks", O_PATH, 0).unwrap(), POLLNVAL, Taken::No);
}

#[test]
fn devices() {
    for name in ["/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"] {
        check(name, &fd::open(name, O_RDONLY, 0).unwrap(), READ | WRITE, Taken::No);
    }
    check("/dev/random", &fd::open("/dev/random", O_RDONLY, 0).unwrap(), READ, Taken::Yes);
}

#[test]
fn texts_of_the_kernel() {
    for name in ["/proc/self/status", "/proc/self/stat", "/proc/self/cmdline", "/proc/self/maps"] {
        check(name, &fd::open(name, O_RDONLY, 0).unwrap(), READ | WRITE, Taken::No);
    }
    let accepted =
        ["/proc/version", "/proc/meminfo", "/proc/uptime", "/proc/net/tcp", "/proc/net/unix"];
    let parameters = ["/proc/sys/kernel/osrelease", "/proc/sys/net/core/somaxconn"];
    for name in accepted.into_iter().chain(parameters) {
        check(name, &fd::open(name, O_RDONLY, 0).unwrap(), READ | WRITE, Taken::Yes);
    }
    for name in ["/proc/mounts", "/proc/self/mounts", "/proc/self/mountinfo"] {
        check(name, &fd::open(name, O_RDONLY, 0).unwrap(), READ, Taken::Yes);
    }
}

#[test]
fn pseudoterminals() {
    let master = fd::open("/dev/ptmx", O_RDWR | O_NOCTTY, 0).unwrap();
    check("master without a slave", &master, WRITE, Taken::Yes);
    let mut number = 0_u32;
    let unlocked = 0_i32;
    // SAFETY: the numbers are ours.
    unsafe {
        assert_eq!(libc::ioctl(master.number(), TIOCSPTLCK, &raw const unlocked), 0);
        assert_eq!(libc::ioctl(master.number(), libc::TIOCGPTN, &raw mut number), 0);
    }
    let slave = fd::open(&format!("/dev/pts/{number}"), O_RDWR | O_NOCTTY, 0).unwrap();
    check("slave", &slave, WRITE, Taken::Yes);
    master.write(b"x\n").unwrap();
    time::spin_until(|| poll::ready(&slave, POLLIN) != 0 && poll::ready(&master, POLLIN) != 0);
    check("slave with a line", &slave, READ | WRITE, Taken::Yes);
    check("master with the echo", &master, READ | WRITE, Taken::Yes);
    master.read(10).unwrap();
    drop(slave);
    check("master whose slave is closed", &master, WRITE | POLLHUP, Taken::Yes);
    let slave = fd::open(&format!("/dev/pts/{number}"), O_RDWR | O_NOCTTY, 0).unwrap();
    drop(master);
    check("slave whose master is closed", &slave, READ | WRITE | POLLERR | POLLHUP, Taken::Yes);
}

/// What changes the mounts: the twin's init and this kernel's run as root.
fn mount(target: &str) {
    std::fs::create_dir_all(target).unwrap();
    let path = std::ffi::CString::new(target).unwrap();
    // SAFETY: the kernel only reads.
    let done = unsafe {
        libc::mount(c"none".as_ptr(), path.as_ptr(), c"tmpfs".as_ptr(), 0, core::ptr::null())
    };
    assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
}

fn unmount(target: &str) {
    let path = std::ffi::CString::new(target).unwrap();
    // SAFETY: the kernel only reads.
    assert_eq!(
        unsafe { libc::umount2(path.as_ptr(), 0) },
        0,
        "{}",
        std::io::Error::last_os_error()
    );
}

#[test]
fn a_change_of_the_mounts_is_told_once_to_each_open_file() {
    const NEWS: i16 = READ | POLLPRI | POLLERR;
    let files: Vec<Fd> = ["/proc/self/mounts", "/proc/self/mountinfo", "/proc/mounts"]
        .iter()
        .map(|name| fd::open(name, O_RDONLY, 0).unwrap())
        .collect();
    for file in &files {
        assert_eq!(poll::ready(file, EVERY), READ);
    }
    mount("/tmp/masks-mount");
    for file in &files {
        assert_eq!(poll::ready(file, POLLPRI), NEWS & !READ);
        assert_eq!(poll::ready(file, EVERY), READ, "the poll has told it");
    }
    let epoll = Epoll::new();
    let news = u32::from((POLLPRI | POLLERR) as u16);
    epoll.add(&files[0], epoll::events::PRI, 7).unwrap();
    epoll.add(&files[1], epoll::events::PRI | epoll::events::ET, 8).unwrap();
    assert_eq!(epoll.now(), []);
    unmount("/tmp/masks-mount");
    let mut told = epoll.now();
    told.sort_by_key(|event| event.data);
    assert_eq!(told, [epoll::event(news, 7), epoll::event(news, 8)]);
    assert_eq!(epoll.now(), [], "even a level is told once");
    mount("/tmp/masks-mount");
    let mut sets = Sets { except: Some(FdSet::of(&[files[2].number()])), ..Sets::default() };
    assert_eq!(select::select(files[2].number() + 1, &mut sets, Some(time::ms(0))).0, Ok(1));
    unmount("/tmp/masks-mount");
    let late = fd::open("/proc/self/mounts", O_RDONLY, 0).unwrap();
    assert_eq!(poll::ready(&late, EVERY), READ, "what was before the open is no news");
    a_waiting_thread_wakes_for_a_change_of_the_mounts();
}

fn a_waiting_thread_wakes_for_a_change_of_the_mounts() {
    let file = fd::open("/proc/self/mountinfo", O_RDONLY, 0).unwrap();
    let changer = time::soon(|| mount("/tmp/masks-wake"));
    let mut entries = [poll::entry(file.number(), POLLPRI)];
    assert_eq!(poll::poll(&mut entries, 10_000), Ok(1));
    assert_eq!(entries[0].revents, POLLPRI | POLLERR);
    changer.join().unwrap();
    unmount("/tmp/masks-wake");
    let text = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    let root = text.lines().find(|line| line.split(' ').nth(4) == Some("/")).unwrap();
    assert!(root.contains(" - "), "{root}");
}

#[test]
fn a_change_of_the_host_s_name_is_told_once_to_each_open_file() {
    const PATH: &str = "/proc/sys/kernel/hostname";
    let name = std::fs::read_to_string(PATH).unwrap();
    let file = fd::open(PATH, O_RDONLY, 0).unwrap();
    check(PATH, &file, READ | WRITE, Taken::Yes);
    // SAFETY: the kernel only reads.
    let set = |name: &[u8]| unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) };
    assert_eq!(set(b"edges"), 0);
    assert_eq!(poll::ready(&file, EVERY), READ | POLLPRI | POLLERR, "and not writable");
    assert_eq!(poll::ready(&file, EVERY), READ | WRITE);
    let epoll = Epoll::new();
    epoll.add(&file, epoll::events::PRI | epoll::events::ET, 1).unwrap();
    std::fs::write(PATH, "edges again\nand more").unwrap();
    assert_eq!(epoll.now(), [epoll::event(u32::from((POLLPRI | POLLERR) as u16), 1)]);
    assert_eq!(epoll.now(), []);
    assert_eq!(std::fs::read_to_string(PATH).unwrap(), "edges again\n");
    // SAFETY: plain data, and ours.
    let node = unsafe {
        let mut names: libc::utsname = core::mem::zeroed();
        assert_eq!(libc::uname(&mut names), 0);
        std::ffi::CStr::from_ptr(names.nodename.as_ptr()).to_owned()
    };
    assert_eq!(node.as_c_str(), c"edges again");
    assert_eq!(set(&[b'x'; 65]), -1, "too long");
    assert_eq!(set(name.trim_end().as_bytes()), 0);
}
