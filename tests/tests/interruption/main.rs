//! signal(7), "Interruption of system calls and library functions": the effect of a handler, with and without
//! `SA_RESTART`, and of a stop on each call that waits.

mod others;

use core::ptr;
use std::ffi::CString;
use std::time::Duration;

use libc::{CLOCK_MONOTONIC, SA_RESTART, SIGCONT, SIGSTOP, SIGUSR1};
use pollux_tests::child::{self, Child};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, fd, signal, sys, time};

/// The fate of a waiting call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It continues to wait.
    Waits,
    /// It fails with `EINTR`.
    Fails,
}

use Fate::{Fails, Waits};

/// The event that hits a waiting process.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A handler runs.
    Handler,
    /// A handler with `SA_RESTART` runs.
    RestartingHandler,
    /// The process is stopped and continued.
    Stop,
}

/// A waiting call of a child, and the way in which the test ends it.
struct Case {
    name: &'static str,
    /// The fates after a handler with `SA_RESTART`, and after a stop. After a handler without it every call fails.
    fates: [Fate; 2],
    call: Box<dyn Fn() -> Result<usize>>,
    finish: Box<dyn FnOnce()>,
}

fn case(
    name: &'static str,
    fates: [Fate; 2],
    call: impl Fn() -> Result<usize> + 'static,
    finish: impl FnOnce() + 'static,
) -> Case {
    Case { name, fates, call: Box::new(call), finish: Box::new(finish) }
}

fn raw<const N: usize>(number: libc::c_long, arguments: [usize; N]) -> Result<usize> {
    // SAFETY: what the kernel writes is the caller's.
    unsafe { sys::call(number, arguments) }
}

/// Leaks a value, so that it lives until the call, and returns its address.
fn at<T>(value: &mut T) -> usize {
    ptr::from_mut(value).addr()
}

/// Makes a pipe whose read end waits until the test writes.
fn on_pipe(
    name: &'static str,
    fates: [Fate; 2],
    call: impl Fn(&Fd) -> Result<usize> + 'static,
) -> Case {
    let (reader, writer) = fd::pipe();
    case(
        name,
        fates,
        move || call(&reader),
        move || {
            writer.write(b"x").unwrap();
        },
    )
}

/// Makes a pipe that is full until the test reads.
fn on_full_pipe(name: &'static str, call: impl Fn(&Fd) -> Result<usize> + 'static) -> Case {
    let (reader, writer) = fd::pipe();
    writer.set_flags(libc::O_NONBLOCK).unwrap();
    while writer.write(&[0; 4096]).is_ok() {}
    writer.set_flags(0).unwrap();
    case(name, [Waits, Waits], move || call(&writer), move || drop(reader.read(1 << 20).unwrap()))
}

/// A call on a socket with a time limit never restarts.
fn fates(limit: Option<i32>) -> [Fate; 2] {
    if limit.is_some() { [Fails, Fails] } else { [Waits, Waits] }
}

fn pollfd(fd: &Fd) -> libc::pollfd {
    libc::pollfd { fd: fd.number(), events: libc::POLLIN, revents: 0 }
}

fn fd_set(fd: &Fd) -> [u64; 16] {
    let mut set = [0; 16];
    set[fd.number() as usize / 64] = 1 << (fd.number() % 64);
    set
}

/// Returns the calls that wait for a descriptor among several.
fn waits_for_many() -> Vec<Case> {
    let epoll = |reader: &Fd| {
        let epoll = raw(libc::SYS_epoll_create1, [0]).unwrap();
        let event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: 0 };
        let arguments = [epoll, 1, reader.number() as usize, (&raw const event).addr()];
        raw(libc::SYS_epoll_ctl, arguments).unwrap();
        epoll
    };
    let event = || libc::epoll_event { events: 0, u64: 0 };
    let long = || time::timespec(Duration::from_secs(100));
    vec![
        on_pipe("poll", [Fails, Waits], |reader| {
            raw(libc::SYS_poll, [at(&mut pollfd(reader)), 1, usize::MAX])
        }),
        on_pipe("poll with a limit", [Fails, Waits], |reader| {
            raw(libc::SYS_poll, [at(&mut pollfd(reader)), 1, 100_000])
        }),
        on_pipe("ppoll", [Fails, Waits], move |reader| {
            raw(libc::SYS_ppoll, [at(&mut pollfd(reader)), 1, at(&mut long()), 0, 8])
        }),
        on_pipe("select", [Fails, Waits], |reader| {
            raw(libc::SYS_select, [1024, at(&mut fd_set(reader)), 0, 0, 0])
        }),
        on_pipe("pselect6", [Fails, Waits], move |reader| {
            raw(libc::SYS_pselect6, [1024, at(&mut fd_set(reader)), 0, 0, at(&mut long()), 0])
        }),
        on_pipe("epoll_wait", [Fails, Fails], move |reader| {
            raw(libc::SYS_epoll_wait, [epoll(reader), at(&mut event()), 1, usize::MAX])
        }),
        on_pipe("epoll_pwait", [Fails, Fails], move |reader| {
            raw(libc::SYS_epoll_pwait, [epoll(reader), at(&mut event()), 1, usize::MAX, 0, 8])
        }),
        on_pipe("epoll_pwait2", [Fails, Fails], move |reader| {
            raw(libc::SYS_epoll_pwait2, [epoll(reader), at(&mut event()), 1, at(&mut long()), 0, 8])
        }),
    ]
}

/// Reads, writes and similar calls.
fn transfers() -> Vec<Case> {
    let event = fd::eventfd(0, 0).unwrap();
    let timer = Fd::from_number(
        raw(libc::SYS_timerfd_create, [CLOCK_MONOTONIC as usize, 0]).unwrap() as i32,
    );
    let fifo = |name: &str| {
        let path = CString::new(format!("/tmp/interruption-{name}")).unwrap();
        // SAFETY: the path is a C string.
        unsafe {
            libc::unlink(path.as_ptr());
            assert_eq!(libc::mkfifo(path.as_ptr(), 0o600), 0);
        }
        path.into_string().unwrap()
    };
    let (readers, writers) = (fifo("reader"), fifo("writer"));
    let (readers_too, writers_too) = (readers.clone(), writers.clone());
    let timer_too = timer.dup().unwrap();
    let event_too = event.dup().unwrap();
    let source = fd::open("/tmp/interruption-source", libc::O_RDWR | libc::O_CREAT, 0o600).unwrap();
    source.write(&[0; 8192]).unwrap();
    let vector =
        |room: &mut [u8; 8]| libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: 8 };
    vec![
        on_pipe("read", [Waits, Waits], |reader| reader.read(1).map(|bytes| bytes.len())),
        on_pipe("readv", [Waits, Waits], move |reader| {
            let mut room = [0; 8];
            raw(libc::SYS_readv, [reader.number() as usize, at(&mut vector(&mut room)), 1])
        }),
        on_full_pipe("write", |writer| writer.write(b"x")),
        on_full_pipe("sendfile", move |writer| {
            let offset = 0_i64;
            let (to, from) = (writer.number() as usize, source.number() as usize);
            raw(libc::SYS_sendfile, [to, from, (&raw const offset).addr(), 4096])
        }),
        case(
            "read of an eventfd",
            [Waits, Waits],
            move || event.read_u64().map(|_| 0),
            move || {
                event_too.write_u64(1).unwrap();
            },
        ),
        case(
            "read of a timerfd",
            [Waits, Waits],
            move || timer.read_u64().map(|_| 0),
            move || {
                let soon = [0_i64, 0, 0, 1];
                let arguments = [timer_too.number() as usize, 0, soon.as_ptr().addr(), 0];
                raw(libc::SYS_timerfd_settime, arguments).unwrap();
            },
        ),
        case(
            "open of a FIFO for reading",
            [Waits, Waits],
            move || fd::open(&readers, libc::O_RDONLY, 0).map(|_| 0),
            move || {
                drop(fd::open(&readers_too, libc::O_RDWR, 0).inspect(|_| time::settle()).unwrap())
            },
        ),
        case(
            "open of a FIFO for writing",
            [Waits, Waits],
            move || fd::open(&writers, libc::O_WRONLY, 0).map(|_| 0),
            move || {
                drop(fd::open(&writers_too, libc::O_RDWR, 0).inspect(|_| time::settle()).unwrap())
            },
        ),
    ]
}

/// A child in one of the calls.
struct Waiter {
    child: Child,
    /// Reports when it is about to make the call, and the result.
    report: Fd,
}

impl Waiter {
    fn spawn(case: &Case, event: Event) -> Self {
        let (report, reporter) = fd::pipe();
        let flags = if let Event::RestartingHandler = event { SA_RESTART } else { 0 };
        let child = child::spawn(|| {
            signal::count(SIGUSR1, flags);
            reporter.write(b"c").unwrap();
            let word = match (case.call)() {
                Ok(_) => b"o",
                Err(Errno::EINTR) => b"f",
                Err(error) => panic!("{}: {error:?}", case.name),
            };
            let is_stop = matches!(event, Event::Stop);
            assert_eq!(signal::seen(SIGUSR1) == 0, is_stop, "{}: handlers", case.name);
            reporter.write(word).unwrap();
        });
        Self { child, report }
    }

    /// Lets the event happen to the child, and the child go on.
    fn meet(&self, event: Event) {
        if let Event::Stop = event {
            self.child.kill(SIGSTOP);
            child::wait4(self.child.pid(), libc::WUNTRACED).unwrap();
            self.child.kill(SIGCONT);
        } else {
            self.child.kill(SIGUSR1);
        }
    }

    /// Returns the result of its call, if it ended within `limit`.
    fn fate(&self, limit: Duration) -> Option<Fate> {
        let mut report = pollfd(&self.report);
        raw(libc::SYS_poll, [at(&mut report), 1, limit.as_millis() as usize]).unwrap();
        if report.revents == 0 {
            return None;
        }
        Some(if self.report.read(1).unwrap() == b"f" { Fails } else { Waits })
    }
}

/// Lets `event` happen to all cases at once and compares their fates.
fn check(cases: Vec<Case>, event: Event) {
    const TRIES: usize = 20;
    let waiters: Vec<_> = cases.iter().map(|case| Waiter::spawn(case, event)).collect();
    for waiter in &waiters {
        assert_eq!(waiter.report.read(1).unwrap(), b"c");
    }
    std::thread::sleep(time::ms(100));
    for (case, waiter) in cases.iter().zip(&waiters) {
        assert_eq!(waiter.fate(Duration::ZERO), None, "{} does not wait", case.name);
        waiter.meet(event);
    }
    let expected = |case: &Case| match event {
        Event::Handler => Fails,
        Event::RestartingHandler => case.fates[0],
        Event::Stop => case.fates[1],
    };
    for (case, waiter) in cases.iter().zip(&waiters).filter(|(case, _)| expected(case) == Fails) {
        // On a slow machine it was perhaps not waiting yet.
        let again = |_| {
            waiter.meet(event);
            waiter.fate(time::ms(500))
        };
        let fate = waiter.fate(time::ms(500)).or_else(|| (0..TRIES).find_map(again));
        assert_eq!(fate, Some(Fails), "{} after {event:?}", case.name);
    }
    std::thread::sleep(time::ms(50));
    let mut calls = Vec::new();
    for (case, waiter) in cases.into_iter().zip(&waiters) {
        let fails = expected(&case) == Fails;
        assert!(
            fails || waiter.fate(Duration::ZERO) != Some(Fails),
            "{} after {event:?}",
            case.name
        );
        (case.finish)();
        // The call keeps open what it waits for.
        calls.push(case.call);
    }
    for waiter in waiters {
        waiter.child.join();
    }
}

fn check_all(cases: impl Fn() -> Vec<Case>) {
    for event in [Event::Handler, Event::RestartingHandler, Event::Stop] {
        child::run(|| check(cases(), event));
    }
}

#[test]
fn reads_and_writes_and_opens() {
    check_all(transfers);
}

#[test]
fn waits_for_one_of_many() {
    check_all(waits_for_many);
}
