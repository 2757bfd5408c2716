//! termios(3), VMIN and VTIME: when a read of a terminal that does not read lines returns, and when poll says so.

use std::thread;
use std::time::Duration;

use libc::{O_NOCTTY, O_NONBLOCK, O_RDWR, POLLIN, TIOCSPTLCK, VMIN, VTIME};
use pollux_tests::epoll::{Epoll, events};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, Fd, child, fd, poll, signal};

/// A pseudoterminal whose slave is raw, with these settings.
fn terminal(minimum: u8, time: u8) -> (Fd, Fd) {
    let master = fd::open("/dev/ptmx", O_RDWR | O_NOCTTY, 0).unwrap();
    let (mut number, unlocked) = (0_u32, 0_i32);
    // SAFETY: the numbers and the settings are ours.
    unsafe {
        assert_eq!(libc::ioctl(master.number(), TIOCSPTLCK, &raw const unlocked), 0);
        assert_eq!(libc::ioctl(master.number(), libc::TIOCGPTN, &raw mut number), 0);
        let slave = fd::open(&format!("/dev/pts/{number}"), O_RDWR | O_NOCTTY, 0).unwrap();
        let mut settings: libc::termios = core::mem::zeroed();
        assert_eq!(libc::tcgetattr(slave.number(), &mut settings), 0);
        libc::cfmakeraw(&mut settings);
        settings.c_cc[VMIN] = minimum;
        settings.c_cc[VTIME] = time;
        assert_eq!(libc::tcsetattr(slave.number(), libc::TCSANOW, &settings), 0);
        (master, slave)
    }
}

/// Types `bytes` and waits until the terminal has them.
fn typed(master: &Fd, slave: &Fd, bytes: &[u8]) {
    let before = slave.unread().unwrap();
    master.write(bytes).unwrap();
    time::spin_until(|| slave.unread() == Ok(before + bytes.len() as i32));
}

#[test]
fn poll_wants_the_minimum_unless_there_is_a_time() {
    // Minimum, time, bytes, readable.
    let cases = [
        (0, 0, 0, false),
        (1, 0, 0, false),
        (3, 0, 2, false),
        (3, 0, 3, true),
        (3, 2, 2, true),
        (0, 2, 0, false),
        (0, 2, 1, true),
        (0, 0, 1, true),
        (5, 0, 7, true),
        (5, 3, 0, false),
    ];
    for (minimum, time, count, readable) in cases {
        let (master, slave) = terminal(minimum, time);
        let epoll = Epoll::new();
        epoll.add(&slave, events::IN | events::ET, 1).unwrap();
        typed(&master, &slave, &b"abcdefgh"[..count]);
        let case = format!("minimum {minimum}, time {time}, {count} bytes");
        time::settle();
        assert_eq!(poll::ready(&slave, POLLIN) != 0, readable, "{case}");
        assert_eq!(!epoll.now().is_empty(), readable, "{case}: edge");
    }
}

#[test]
fn a_nonblocking_read_takes_what_there_is() {
    for (minimum, time, bytes, result) in [
        (0, 0, &b""[..], Ok(&b""[..])),
        (0, 2, b"", Err(Errno::EAGAIN)),
        (1, 0, b"", Err(Errno::EAGAIN)),
        (5, 3, b"", Err(Errno::EAGAIN)),
        (3, 0, b"ab", Ok(b"ab")),
        (3, 2, b"ab", Ok(b"ab")),
        (0, 2, b"a", Ok(b"a")),
        (3, 0, b"abcd", Ok(b"abcd")),
    ] {
        let (master, slave) = terminal(minimum, time);
        typed(&master, &slave, bytes);
        slave.set_flags(O_NONBLOCK).unwrap();
        let read = time::at_once(|| slave.read(16));
        assert_eq!(read, result.map(<[u8]>::to_vec), "minimum {minimum}, time {time}");
    }
}

#[test]
fn with_neither_a_read_returns_at_once() {
    let (master, slave) = terminal(0, 0);
    assert_eq!(time::at_once(|| slave.read(16)), Ok(vec![]));
    typed(&master, &slave, b"ab");
    assert_eq!(slave.read(1).unwrap(), b"a");
    assert_eq!(slave.read(16).unwrap(), b"b");
}

#[test]
fn with_a_time_only_a_read_waits_so_long_for_its_first_byte() {
    let (master, slave) = terminal(0, 2);
    assert_eq!(time::at_least(ms(190), || slave.read(16)), Ok(vec![]));
    let writer = time::soon(move || master.write(b"abc").map(|_| master));
    assert_eq!(slave.read(1).unwrap(), b"a");
    let master = writer.join().unwrap().unwrap();
    time::spin_until(|| slave.unread() == Ok(2));
    assert_eq!(time::at_once(|| slave.read(16)).unwrap(), b"bc");
    drop(master);
}

#[test]
fn with_both_a_read_waits_so_long_for_each_further_byte() {
    let (master, slave) = terminal(5, 3);
    typed(&master, &slave, b"ab");
    assert_eq!(time::at_least(ms(290), || slave.read(16)).unwrap(), b"ab");
    typed(&master, &slave, b"abcde");
    assert_eq!(time::at_once(|| slave.read(16)).unwrap(), b"abcde");
    typed(&master, &slave, b"abc");
    assert_eq!(time::at_once(|| slave.read(2)).unwrap(), b"ab", "no more fits");
    assert_eq!(slave.read(1).unwrap(), b"c");
    let writer = thread::spawn(move || {
        for byte in b"12345" {
            thread::sleep(Duration::from_millis(40));
            master.write(&[*byte]).unwrap();
        }
        master
    });
    assert_eq!(slave.read(16).unwrap(), b"12345", "there is no limit for the first");
    drop(writer.join().unwrap());
}

#[test]
fn with_a_minimum_only_a_read_waits_for_all_of_it() {
    let (master, slave) = terminal(3, 0);
    typed(&master, &slave, b"ab");
    let writer = time::soon(move || master.write(b"c").map(|_| master));
    assert_eq!(time::at_least(time::SETTLE / 2, || slave.read(16)).unwrap(), b"abc");
    let master = writer.join().unwrap().unwrap();
    typed(&master, &slave, b"ab");
    assert_eq!(time::at_once(|| slave.read(2)).unwrap(), b"ab", "no more fits");
}

#[test]
fn a_signal_ends_the_wait_with_what_there_is() {
    child::run(|| {
        signal::count(libc::SIGALRM, 0);
        let (master, slave) = terminal(3, 0);
        assert_eq!(signal::interrupted(time::SETTLE, || slave.read(16)), Err(Errno::EINTR));
        typed(&master, &slave, b"ab");
        assert_eq!(signal::interrupted(time::SETTLE, || slave.read(16)).unwrap(), b"ab");
        let (_master, slave) = terminal(0, 20);
        assert_eq!(signal::interrupted(time::SETTLE, || slave.read(16)), Err(Errno::EINTR));
    });
}
