//! fcntl(2), signal(7): files that send a signal when something can be read or written.

use std::time::Duration;

use libc::{F_SETFL, F_SETOWN, O_ASYNC, O_NONBLOCK, O_RDWR, SIGIO, SIGUSR1};
use pollux_tests::child;
use pollux_tests::fd::{self, Fd};
use pollux_tests::sys::Result;
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, limit, signal, socket, sys, unix};

const F_SETSIG: i32 = 10;
const F_SETOWN_EX: i32 = 15;

/// The codes of these signals, and their bands.
const IN: (i32, i64) = (1, 0x41);
const OUT: (i32, i64) = (2, 0x304);
const ERR: (i32, i64) = (4, 8);
const HUP: (i32, i64) = (6, 0x18);

const SOON: Duration = ms(2000);
const NOT_YET: Duration = ms(60);

/// What a signal told: its number, code, band and descriptor.
#[derive(Debug, PartialEq)]
struct Told {
    signal: i32,
    what: (i32, i64),
    fd: i32,
}

/// Takes one of these signals, which are blocked.
fn take(signals: &[i32], limit: Duration) -> Result<Told> {
    let (set, limit) = (signal::mask(signals), time::timespec(limit));
    let mut info = [0_i32; 32];
    let arguments =
        [&raw const set as usize, info.as_mut_ptr() as usize, &raw const limit as usize, 8];
    // SAFETY: the information is ours.
    unsafe { sys::call(libc::SYS_rt_sigtimedwait, arguments)? };
    let band = i64::from(info[4].cast_unsigned()) | i64::from(info[5]) << 32;
    Ok(Told { signal: info[0], what: (info[2], band), fd: info[6] })
}

fn real_time() -> i32 {
    libc::SIGRTMIN() + 3
}

/// Makes `fd` send this process a real-time signal for each event, and blocks that.
fn watch(fd: &Fd) {
    signal::block(&[real_time(), SIGIO]);
    fd.fcntl(F_SETOWN, sys::getpid() as usize).unwrap();
    fd.fcntl(F_SETSIG, real_time() as usize).unwrap();
    fd.fcntl(F_SETFL, (O_ASYNC | O_NONBLOCK) as usize).unwrap();
}

/// Expects a signal from `fd` that tells `what`.
#[track_caller]
fn expect(fd: &Fd, what: (i32, i64)) {
    let told = Told { signal: real_time(), what, fd: fd.number() };
    assert_eq!(take(&[real_time(), SIGIO], SOON), Ok(told));
}

/// Takes all signals of the next moments, and returns their codes.
fn codes() -> Vec<i32> {
    let mut codes = Vec::new();
    while let Ok(told) = take(&[real_time(), SIGIO], NOT_YET) {
        codes.push(told.what.0);
    }
    codes
}

#[test]
fn each_write_into_a_pipe_tells_the_reader() {
    child::run(|| {
        let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
        watch(&reader);
        for _ in 0..3 {
            writer.write(b"x").unwrap();
        }
        for _ in 0..3 {
            expect(&reader, IN);
        }
        assert_eq!(codes(), []);
        reader.fcntl(F_SETFL, O_NONBLOCK as usize).unwrap();
        writer.write(b"x").unwrap();
        assert_eq!(codes(), []);
    });
}

#[test]
fn each_read_from_a_pipe_tells_the_writer() {
    child::run(|| {
        let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
        watch(&writer);
        writer.write(b"abc").unwrap();
        assert_eq!(codes(), []);
        reader.read(1).unwrap();
        expect(&writer, OUT);
        reader.read(1).unwrap();
        expect(&writer, OUT);
        assert_eq!(codes(), []);
    });
}

#[test]
fn the_end_of_a_pipe_tells_the_other_end() {
    child::run(|| {
        let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
        watch(&reader);
        drop(writer);
        expect(&reader, IN);
        let (reader, writer) = fd::pipe2(O_NONBLOCK).unwrap();
        watch(&writer);
        drop(reader);
        expect(&writer, OUT);
        assert_eq!(codes(), []);
    });
}

#[test]
fn a_local_socket_tells_of_bytes_and_of_its_peer_s_end() {
    child::run(|| {
        for kind in [libc::SOCK_STREAM, libc::SOCK_SEQPACKET] {
            let (one, other) = unix::pair(kind);
            watch(&one);
            other.write(b"x").unwrap();
            expect(&one, IN);
            other.write(b"x").unwrap();
            expect(&one, IN);
            assert_eq!(codes(), []);
            socket::shutdown(&other, libc::SHUT_WR).unwrap();
            expect(&one, IN);
            drop(other);
            expect(&one, HUP);
            assert_eq!(codes(), []);
        }
    });
}

#[test]
fn a_local_socket_tells_of_room_only_if_a_write_found_none() {
    child::run(|| {
        let (one, other) = unix::pair(libc::SOCK_STREAM);
        watch(&one);
        one.write(b"x").unwrap();
        other.read(1).unwrap();
        assert_eq!(codes(), []);
        while one.write(&[0; 4096]).is_ok() {}
        while other.read(65536).is_ok_and(|read| read.len() == 65536) {}
        assert_eq!(codes().first(), Some(&OUT.0));
    });
}

#[test]
fn datagrams_tell_of_themselves() {
    child::run(|| {
        let (one, other) = unix::pair(libc::SOCK_DGRAM);
        watch(&one);
        other.write(b"x").unwrap();
        expect(&one, IN);
        assert_eq!(codes(), []);
        let receiver = socket::udp(0);
        socket::bind(&receiver, &socket::Address::local(0)).unwrap();
        watch(&receiver);
        let sender = socket::udp(0);
        for _ in 0..2 {
            socket::send_to(&sender, b"x", &socket::name(&receiver).unwrap()).unwrap();
            expect(&receiver, IN);
        }
        assert_eq!(codes(), []);
        // Nobody is there: an error comes back.
        watch(&sender);
        socket::connect(&sender, &socket::deserted()).unwrap();
        sender.write(b"x").unwrap();
        expect(&sender, ERR);
        assert_eq!(codes(), []);
    });
}

#[test]
fn a_listener_tells_of_connections() {
    child::run(|| {
        let (listener, address) = socket::listener(4, 0);
        watch(&listener);
        let clients = [0; 2].map(|_| {
            let client = socket::tcp(0);
            socket::connect(&client, &address).unwrap();
            expect(&listener, IN);
            client
        });
        assert_eq!(codes(), []);
        drop(clients);
        let local = unix::Address::hidden("sigio-listener");
        let listener = unix::listener(libc::SOCK_STREAM, &local, 4);
        watch(&listener);
        let client = unix::socket(libc::SOCK_STREAM);
        unix::connect(&client, &local).unwrap();
        expect(&listener, IN);
        assert_eq!(codes(), []);
    });
}

#[test]
fn a_connection_tells_of_bytes_and_of_its_end() {
    child::run(|| {
        let (one, other) = socket::pair();
        watch(&one);
        other.write(b"x").unwrap();
        expect(&one, IN);
        assert_eq!(codes(), []);
        socket::shutdown(&other, libc::SHUT_WR).unwrap();
        expect(&one, IN);
        // Linux says it twice.
        assert!(codes().iter().all(|code| *code == IN.0));
        let (one, other) = socket::pair();
        watch(&one);
        socket::shutdown(&one, libc::SHUT_WR).unwrap();
        assert_eq!(codes(), []);
        drop(other);
        expect(&one, HUP);
        assert!(codes().iter().all(|code| *code == IN.0));
    });
}

#[test]
fn a_connection_tells_that_it_is_made_or_refused() {
    child::run(|| {
        let (_listener, address) = socket::listener(4, 0);
        let client = socket::tcp(O_NONBLOCK);
        watch(&client);
        let _ = socket::connect(&client, &address);
        expect(&client, OUT);
        assert_eq!(codes(), []);
        let client = socket::tcp(O_NONBLOCK);
        watch(&client);
        let _ = socket::connect(&client, &socket::deserted());
        expect(&client, ERR);
        assert_eq!(codes(), []);
    });
}

/// Makes a pseudo-terminal: the master and the slave.
fn terminal() -> (Fd, Fd) {
    let master = fd::open("/dev/ptmx", O_RDWR | libc::O_NOCTTY | O_NONBLOCK, 0).unwrap();
    let unlocked = 0_i32;
    // SAFETY: the number is ours, and the peer is a new descriptor.
    let slave = unsafe {
        assert_eq!(libc::ioctl(master.number(), libc::TIOCSPTLCK, &raw const unlocked), 0);
        libc::ioctl(master.number(), libc::TIOCGPTPEER, O_RDWR | libc::O_NOCTTY | O_NONBLOCK)
    };
    assert!(slave >= 0);
    (master, Fd::from_number(slave))
}

#[test]
fn a_terminal_tells_of_lines() {
    child::run(|| {
        let (master, slave) = terminal();
        watch(&slave);
        master.write(b"ab").unwrap();
        assert_eq!(codes(), [], "no line yet");
        master.write(b"c\n").unwrap();
        expect(&slave, IN);
        assert_eq!(codes(), []);
    });
}

#[test]
fn the_other_end_of_a_terminal_tells_of_output() {
    child::run(|| {
        let (master, slave) = terminal();
        watch(&master);
        slave.write(b"ab").unwrap();
        expect(&master, IN);
        assert_eq!(codes(), []);
    });
}

#[test]
fn without_a_signal_of_its_own_it_is_sigio_without_details() {
    child::run(|| {
        const SI_KERNEL: i32 = 0x80;
        signal::block(&[SIGIO]);
        let (reader, writer) = fd::pipe();
        reader.fcntl(F_SETOWN, sys::getpid() as usize).unwrap();
        reader.fcntl(F_SETFL, O_ASYNC as usize).unwrap();
        writer.write(b"x").unwrap();
        writer.write(b"x").unwrap();
        let told = take(&[SIGIO], SOON).unwrap();
        assert_eq!((told.signal, told.what.0, told.fd), (SIGIO, SI_KERNEL, 0));
        assert_eq!(take(&[SIGIO], NOT_YET), Err(Errno::EAGAIN), "it is kept once");
        // With the signal named, it tells its file; a signal that has codes of its own tells that it comes from one.
        const SI_SIGIO: i32 = -5;
        for (signal, code) in [(SIGIO, IN.0), (SIGUSR1, IN.0), (libc::SIGCHLD, SI_SIGIO)] {
            signal::block(&[signal]);
            reader.fcntl(F_SETSIG, signal as usize).unwrap();
            writer.write(b"x").unwrap();
            let told = take(&[signal], SOON);
            assert_eq!(told, Ok(Told { signal, what: (code, IN.1), fd: reader.number() }));
        }
    });
}

#[test]
fn a_full_queue_falls_back_to_sigio() {
    child::run(|| {
        limit::lower(libc::RLIMIT_SIGPENDING, 2);
        let (reader, writer) = fd::pipe();
        watch(&reader);
        for _ in 0..5 {
            writer.write(b"x").unwrap();
        }
        let numbers: Vec<i32> = core::iter::from_fn(|| take(&[real_time(), SIGIO], NOT_YET).ok())
            .map(|told| told.signal)
            .collect();
        assert_eq!(numbers, [SIGIO, real_time(), real_time()]);
    });
}

#[test]
fn the_descriptor_is_the_one_that_asked() {
    child::run(|| {
        let (reader, writer) = fd::pipe();
        watch(&reader);
        let twin = reader.dup().unwrap();
        drop(reader);
        writer.write(b"x").unwrap();
        let told = take(&[real_time()], SOON).unwrap();
        assert_ne!(told.fd, twin.number(), "the number that it had then");
        twin.fcntl(F_SETFL, 0).unwrap();
        twin.fcntl(F_SETFL, O_ASYNC as usize).unwrap();
        writer.write(b"x").unwrap();
        expect(&twin, IN);
        drop(twin);
        assert_eq!(codes(), []);
    });
}

#[test]
fn a_group_gets_the_signal_together_and_a_thread_alone() {
    child::run(|| {
        // SAFETY: no memory is involved.
        unsafe { libc::setpgid(0, 0) };
        let (reader, writer) = fd::pipe();
        watch(&reader);
        let member = child::spawn(|| {
            assert_eq!(take(&[real_time()], SOON).map(|told| told.what), Ok(IN));
        });
        reader.fcntl(F_SETOWN, (-sys::getpid()) as usize).unwrap();
        writer.write(b"x").unwrap();
        expect(&reader, IN);
        member.join();
        let (tell, told) = std::sync::mpsc::channel();
        let (go, may_go) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(sys::gettid()).unwrap();
            may_go.recv().unwrap();
            take(&[real_time()], SOON).map(|told| told.what)
        });
        let owner = [0, told.recv().unwrap()];
        reader.fcntl(F_SETOWN_EX, owner.as_ptr() as usize).unwrap();
        writer.write(b"x").unwrap();
        assert_eq!(take(&[real_time()], NOT_YET), Err(Errno::EAGAIN));
        go.send(()).unwrap();
        assert_eq!(thread.join().unwrap(), Ok(IN));
    });
}

/// Whether a file whose owner was set by these users reaches a process of `receiver`.
fn reaches([real, effective]: [u32; 2], receiver: u32) -> bool {
    let (reader, writer) = fd::pipe();
    let (ready, is_ready) = fd::pipe();
    signal::block(&[real_time()]);
    let target = child::spawn(|| {
        // SAFETY: no memory is involved.
        unsafe { libc::setresuid(receiver, receiver, receiver) };
        is_ready.write(b"x").unwrap();
        let got = take(&[real_time()], 5 * NOT_YET).is_ok();
        child::exit(i32::from(got));
    });
    ready.read(1).unwrap();
    child::run(|| {
        // SAFETY: no memory is involved.
        unsafe { libc::setresuid(real, effective, u32::MAX) };
        reader.fcntl(F_SETOWN, target.pid() as usize).unwrap();
        reader.fcntl(F_SETSIG, real_time() as usize).unwrap();
        reader.fcntl(F_SETFL, O_ASYNC as usize).unwrap();
    });
    writer.write(b"x").unwrap();
    target.wait() == child::Status::Exited(1)
}

#[test]
fn only_one_s_own_processes_are_reached() {
    child::run(|| {
        assert!(reaches([0, 0], 1000));
        assert!(reaches([1000, 1000], 1000));
        assert!(reaches([1000, 1001], 1000));
        assert!(!reaches([1001, 1001], 1000));
        assert!(!reaches([0, 1001], 1000));
    });
}
