//! signal(7), "Interruption of system calls and library functions": the effect of a handler, with and without
//! `SA_RESTART`, and of a stop on each call that waits.

use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering};
use std::ffi::CString;
use std::time::Duration;

use libc::{
    CLOCK_MONOTONIC, SA_RESTART, SIGCONT, SIGSTOP, SIGUSR1, SO_RCVTIMEO, SO_SNDTIMEO, SOCK_STREAM,
    SOL_SOCKET,
};
use pollux_tests::child::{self, Child};
use pollux_tests::sys::Result;
use pollux_tests::{Errno, Fd, fd, signal, socket, sys, time, unix};

/// A sleep that outlasts everything that happens before its end.
const SLEEP: Duration = time::ms(2000);

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

/// A call on a socket with a time limit never restarts.
fn fates(limit: Option<i32>) -> [Fate; 2] {
    if limit.is_some() { [Fails, Fails] } else { [Waits, Waits] }
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

#[test]
fn sockets_with_and_without_a_limit() {
    check_all(sockets);
}

#[test]
fn time_signals_locks_and_children() {
    check_all(others);
}
