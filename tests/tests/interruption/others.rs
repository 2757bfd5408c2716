//! The calls that wait for sockets, time, signals, locks and children.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libc::{CLOCK_MONOTONIC, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_STREAM, SOL_SOCKET};
use pollux_tests::child::{self, Child};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, fd, signal, socket, time, unix};

use super::Fate::{Fails, Waits};
use super::{Case, Fate, at, case, check_all, fates, raw};

/// A sleep that outlasts everything that happens before its end.
const SLEEP: Duration = time::ms(2000);

/// Makes a pair of connected sockets, the first with a time limit, the second the test's.
fn on_pair(
    name: &'static str,
    limit: Option<i32>,
    call: impl Fn(&Fd) -> Result<usize> + 'static,
    finish: impl FnOnce(Fd) + 'static,
) -> Case {
    let (own, others) = unix::pair(SOCK_STREAM);
    case(name, fates(limit), limited(own, limit, call), move || finish(others))
}

fn limited(
    socket: Fd,
    limit: Option<i32>,
    call: impl Fn(&Fd) -> Result<usize> + 'static,
) -> impl Fn() -> Result<usize> + 'static {
    if let Some(limit) = limit {
        let long = libc::timeval { tv_sec: 100, tv_usec: 0 };
        socket::set_value(&socket, SOL_SOCKET, limit, &long).unwrap();
    }
    move || call(&socket)
}

/// Fills a connection until it has no room left, even after all bytes in flight have arrived.
fn fill(socket: &Fd) {
    // Linux delays acknowledgments by 40 ms, and room comes with them.
    const QUIET: usize = 50;
    let mut passes = 0;
    while passes < QUIET {
        passes += 1;
        while socket::send(socket, &[0; 4096], libc::MSG_DONTWAIT).is_ok() {
            passes = 0;
        }
        std::thread::sleep(time::ms(2));
    }
}

/// Makes a word that children share.
fn shared_word() -> &'static AtomicU32 {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, which stays.
    unsafe {
        let page = libc::mmap(ptr::null_mut::<c_void>(), 4096, protection, flags, -1, 0);
        assert_ne!(page, libc::MAP_FAILED);
        &*page.cast()
    }
}

fn on_futex(
    name: &'static str,
    fates: [Fate; 2],
    operation: i32,
    timeout: Option<Duration>,
) -> Case {
    let word = shared_word();
    let address = ptr::from_ref(word).addr();
    let timeout = timeout.map(|timeout| Box::leak(Box::new(time::timespec(timeout))));
    let timeout = timeout.map_or(0, |timeout| ptr::from_ref(timeout).addr());
    let call = move || {
        raw(libc::SYS_futex, [address, operation as usize, 0, timeout, 0, u32::MAX as usize])
            .or_else(|error| if error == Errno::EAGAIN { Ok(0) } else { Err(error) })
    };
    let finish = move || {
        word.store(1, Ordering::SeqCst);
        raw(libc::SYS_futex, [address, libc::FUTEX_WAKE as usize, 1]).unwrap();
    };
    case(name, fates, call, finish)
}

/// Makes a file that the test has locked.
fn locked_file(name: &str) -> (Fd, Fd) {
    let path = format!("/tmp/interruption-{name}");
    let open = || fd::open(&path, libc::O_RDWR | libc::O_CREAT, 0o600).unwrap();
    (open(), open())
}

fn lock(kind: libc::c_int) -> libc::flock {
    // SAFETY: all-zero is a valid lock of the whole file.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = kind as i16;
    lock
}

fn on_record_lock(name: &'static str, command: i32, set: i32) -> Case {
    let (own, others) = locked_file(name);
    others.fcntl(set, (&raw const *Box::leak(Box::new(lock(libc::F_WRLCK)))).addr()).unwrap();
    let call = move || own.fcntl(command, at(&mut lock(libc::F_WRLCK))).map(|_| 0);
    let finish = move || {
        others.fcntl(set, at(&mut lock(libc::F_UNLCK))).unwrap();
    };
    case(name, [Waits, Waits], call, finish)
}

/// Makes a case that waits for a grandchild of the test, which ends when the test writes.
fn on_grandchild(name: &'static str, call: impl Fn(i32) -> Result<usize> + 'static) -> Case {
    let (reader, writer) = fd::pipe();
    let made = core::cell::Cell::new(None);
    let call = move || {
        let grandchild: Child = made.take().unwrap_or_else(|| {
            child::spawn(|| {
                reader.read(1).unwrap();
            })
        });
        let result = call(grandchild.pid());
        made.set(Some(grandchild));
        if result.is_ok() {
            // It has been waited for, or was left to be.
            core::mem::forget(made.take());
        }
        result
    };
    case(name, [Waits, Waits], call, move || {
        writer.write(b"xx").unwrap();
    })
}

/// Calls of sockets.
fn sockets() -> Vec<Case> {
    let mut cases = Vec::new();
    for limit in [None, Some(SO_RCVTIMEO)] {
        let named = |without, with| if limit.is_none() { without } else { with };
        let send = |others: Fd| {
            socket::send(&others, b"x", 0).unwrap();
        };
        cases.push(on_pair(
            named("recv", "recv with a limit"),
            limit,
            |own| socket::recv(own, 1, 0).map(|_| 0),
            send,
        ));
        cases.push(on_pair(
            named("read of a socket", "read of a socket with a limit"),
            limit,
            |own| own.read(1).map(|_| 0),
            send,
        ));
        cases.push(on_pair(
            named("recvmsg", "recvmsg with a limit"),
            limit,
            |own| unix::receive(own, 1, 0, 0).map(|_| 0),
            send,
        ));
        let (listener, address) = socket::listener(1, 0);
        cases.push(case(
            named("accept", "accept with a limit"),
            fates(limit),
            limited(listener, limit, |listener| socket::accept(listener, 0).map(|_| 0)),
            move || drop(socket::connecting(&address)),
        ));
        let (own, address) = (socket::udp(0), socket::Address::local(0));
        socket::bind(&own, &address).unwrap();
        let address = socket::name(&own).unwrap();
        cases.push(case(
            named("recvfrom of datagrams", "recvfrom of datagrams with a limit"),
            fates(limit),
            limited(own, limit, |own| socket::recv(own, 1, 0).map(|_| 0)),
            move || {
                socket::send_to(&socket::udp(0), b"x", &address).unwrap();
            },
        ));
    }
    for limit in [None, Some(SO_SNDTIMEO)] {
        let named = |without, with| if limit.is_none() { without } else { with };
        let (own, others) = unix::pair(SOCK_STREAM);
        fill(&own);
        cases.push(case(
            named("send", "send with a limit"),
            fates(limit),
            limited(own, limit, |own| socket::send(own, b"x", 0)),
            move || while socket::recv(&others, 1 << 20, libc::MSG_DONTWAIT).is_ok() {},
        ));
        let (own, others) = socket::pair();
        fill(&own);
        cases.push(case(
            named("write of TCP", "write of TCP with a limit"),
            fates(limit),
            limited(own, limit, |own| own.write(b"x")),
            move || {
                others.set_flags(libc::O_NONBLOCK).unwrap();
                for _ in 0..100 {
                    while others.read(1 << 20).is_ok() {}
                    std::thread::sleep(time::ms(1));
                }
            },
        ));
        let name = named("interruption-connect", "interruption-connect-limit");
        let address = unix::Address::hidden(name);
        let listener = unix::listener(SOCK_STREAM, &address, 0);
        let first = unix::socket(SOCK_STREAM);
        unix::connect(&first, &address).unwrap();
        cases.push(case(
            named("connect", "connect with a limit"),
            fates(limit),
            limited(unix::socket(SOCK_STREAM), limit, move |own| {
                unix::connect(own, &address).map(|()| 0)
            }),
            move || drop((socket::accept(&listener, 0).unwrap(), first, time::settle())),
        ));
    }
    cases
}

/// Calls that wait for a time, signals, locks or children.
fn others() -> Vec<Case> {
    let usr2 = signal::mask(&[libc::SIGUSR2]);
    let long_sleep = || time::timespec(SLEEP);
    let (own_flock, others_flock) = locked_file("flock");
    raw(libc::SYS_flock, [others_flock.number() as usize, libc::LOCK_EX as usize]).unwrap();
    let long = Some(Duration::from_secs(100));
    let end = Some(Duration::from_secs(1_000_000));
    let private = libc::FUTEX_WAIT;
    vec![
        case(
            "rt_sigtimedwait",
            [Fails, Fails],
            move || raw(libc::SYS_rt_sigtimedwait, [(&raw const usr2).addr(), 0, 0, 8]),
            || (),
        ),
        case(
            "flock",
            [Waits, Waits],
            move || raw(libc::SYS_flock, [own_flock.number() as usize, libc::LOCK_EX as usize]),
            move || {
                raw(libc::SYS_flock, [others_flock.number() as usize, libc::LOCK_UN as usize])
                    .unwrap();
            },
        ),
        on_record_lock("F_SETLKW", libc::F_SETLKW, libc::F_SETLK),
        on_record_lock("F_OFD_SETLKW", libc::F_OFD_SETLKW, libc::F_OFD_SETLK),
        on_grandchild("wait4", |pid| raw(libc::SYS_wait4, [pid as usize, 0, 0, 0])),
        on_grandchild("waitid", |pid| {
            raw(
                libc::SYS_waitid,
                [libc::P_PID as usize, pid as usize, 0, libc::WEXITED as usize, 0],
            )
        }),
        on_futex("futex", [Waits, Waits], private, None),
        on_futex("futex with a limit", [Fails, Waits], private, long),
        on_futex("futex until a time", [Fails, Waits], libc::FUTEX_WAIT_BITSET, end),
        case(
            "nanosleep",
            [Fails, Waits],
            move || {
                let sleep = || raw(libc::SYS_nanosleep, [at(&mut long_sleep()), 0]);
                let (result, took) = time::measure(sleep);
                assert!(result.is_err() || took >= SLEEP, "{took:?}");
                result
            },
            || (),
        ),
        case(
            "clock_nanosleep",
            [Fails, Waits],
            move || {
                let mut now = time::timespec(Duration::ZERO);
                // SAFETY: the time is ours.
                unsafe { libc::clock_gettime(CLOCK_MONOTONIC, &mut now) };
                let end = time::timespec(time::duration(now) + SLEEP);
                let arguments = [
                    CLOCK_MONOTONIC as usize,
                    libc::TIMER_ABSTIME as usize,
                    (&raw const end).addr(),
                    0,
                ];
                raw(libc::SYS_clock_nanosleep, arguments)
            },
            || (),
        ),
    ]
}

#[test]
fn sockets_with_and_without_a_limit() {
    check_all(sockets);
}

#[test]
fn time_signals_locks_and_children() {
    check_all(others);
}
