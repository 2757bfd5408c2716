//! tcsetpgrp(3), credentials(7): a session, its terminal, and the process groups that may use it.

use libc::{SIGCONT, SIGHUP, SIGTTIN, SIGTTOU, TIOCNOTTY, TIOCSCTTY};
use pollux_tests::child::{self, Status};
use pollux_tests::fd::{self, Fd};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, memory, signal, sys};

/// A terminal without input: a read of it never returns.
const TERMINAL: &str = "/dev/ttyS0";

fn result(value: i32) -> Result<i32, Errno> {
    if value == -1 { Err(memory::last_error()) } else { Ok(value) }
}

fn foreground(terminal: &Fd) -> Result<i32, Errno> {
    // SAFETY: no memory is involved.
    result(unsafe { libc::tcgetpgrp(terminal.number()) })
}

fn set_foreground(terminal: &Fd, group: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is involved.
    result(unsafe { libc::tcsetpgrp(terminal.number(), group) })
}

fn set_group(pid: i32, group: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::setpgid(pid, group) }, 0);
}

/// Runs `work` in a child that leads a session with the terminal.
fn in_session(work: impl FnOnce(&Fd)) {
    child::run(|| {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::setsid() }, sys::getpid());
        let terminal = fd::open(TERMINAL, libc::O_RDWR, 0).unwrap();
        // Opening it does this already, unless a test before has left it to somebody.
        // SAFETY: no memory is involved.
        unsafe { libc::ioctl(terminal.number(), TIOCSCTTY, 1) };
        work(&terminal);
    });
}

/// Waits for a change of the child `pid`, stops included.
fn change(pid: i32) -> i32 {
    child::wait4(pid, libc::WUNTRACED).unwrap().unwrap().1
}

#[test]
fn the_leader_is_in_the_foreground_and_the_terminal_has_a_name() {
    in_session(|terminal| {
        assert_eq!(foreground(terminal), Ok(sys::getpid()));
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::tcgetsid(terminal.number()) }, sys::getpid());
        let named = fd::open("/dev/tty", libc::O_RDWR, 0).unwrap();
        assert_eq!(foreground(&named), Ok(sys::getpid()));
    });
}

#[test]
fn a_session_without_a_terminal_has_none_by_name() {
    child::run(|| {
        // SAFETY: no memory is involved.
        unsafe { libc::setsid() };
        assert_eq!(fd::open("/dev/tty", libc::O_RDWR, 0).map(drop), Err(Errno::ENXIO));
        let terminal = fd::open(TERMINAL, libc::O_RDWR | libc::O_NOCTTY, 0).unwrap();
        assert_eq!(foreground(&terminal), Err(Errno::ENOTTY));
        assert_eq!(set_foreground(&terminal, sys::getpid()), Err(Errno::ENOTTY));
    });
}

#[test]
fn who_reads_in_the_background_stops_and_goes_on_in_the_foreground() {
    in_session(|terminal| {
        let reader = child::spawn(|| {
            set_group(0, 0);
            terminal.set_flags(libc::O_NONBLOCK).unwrap();
            assert_eq!(terminal.read(1), Err(Errno::EAGAIN));
        });
        let status = change(reader.pid());
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == SIGTTIN, "{status:#x}");
        set_foreground(terminal, reader.pid()).unwrap();
        signal::send(-reader.pid(), SIGCONT).unwrap();
        reader.join();
        signal::handle(SIGTTOU, 0, libc::SIG_IGN);
        set_foreground(terminal, sys::getpid()).unwrap();
    });
}

#[test]
fn who_takes_the_terminal_from_the_background_stops() {
    in_session(|terminal| {
        let taker = child::spawn(|| {
            set_group(0, 0);
            let _ = set_foreground(terminal, sys::getpid());
        });
        let status = change(taker.pid());
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == SIGTTOU, "{status:#x}");
        taker.kill(libc::SIGKILL);
        assert_eq!(taker.wait(), Status::Killed(libc::SIGKILL));
        assert_eq!(foreground(terminal), Ok(sys::getpid()));
    });
}

#[test]
fn a_reader_that_ignores_the_signal_gets_an_error() {
    in_session(|terminal| {
        child::run(|| {
            signal::handle(SIGTTIN, 0, libc::SIG_IGN);
            set_group(0, 0);
            assert_eq!(terminal.read(1), Err(Errno::EIO));
        });
    });
}

#[test]
fn wrong_groups_are_refused() {
    in_session(|terminal| {
        assert_eq!(set_foreground(terminal, 0x3f_ffff), Err(Errno::ESRCH));
        assert_eq!(set_foreground(terminal, -1), Err(Errno::EINVAL));
        // SAFETY: no memory is involved.
        let other = unsafe { libc::getpgid(1) };
        assert!(matches!(set_foreground(terminal, other), Err(Errno::EPERM | Errno::ESRCH)));
    });
}

#[test]
fn the_foreground_hangs_up_when_the_leader_leaves() {
    in_session(|terminal| {
        let member = child::spawn(|| std::thread::sleep(ms(100_000)));
        time::settle();
        signal::handle(SIGHUP, 0, libc::SIG_IGN);
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::ioctl(terminal.number(), TIOCNOTTY) }, 0);
        assert_eq!(member.wait(), Status::Killed(SIGHUP));
        assert_eq!(foreground(terminal), Err(Errno::ENOTTY));
    });
}

/// Runs `work` in an orphaned process group of the session, and returns its report.
fn orphaned(work: impl FnOnce() -> String) -> String {
    let (report, reporter) = fd::pipe();
    child::run(|| {
        set_group(0, 0);
        let orphan = child::spawn(|| {
            // SAFETY: no memory is involved.
            while unsafe { libc::getppid() } != 1 {
                std::thread::sleep(ms(2));
            }
            reporter.write(work().as_bytes()).unwrap();
        });
        core::mem::forget(orphan);
    });
    drop(reporter);
    String::from_utf8(report.read(1000).unwrap()).unwrap()
}

#[test]
fn an_orphaned_group_gets_errors_and_does_not_stop() {
    in_session(|terminal| {
        let told = orphaned(|| {
            let read = terminal.read(1);
            // SAFETY: no memory is involved.
            let taken = set_foreground(terminal, unsafe { libc::getpgrp() });
            // SAFETY: the settings are ours.
            let set = result(unsafe {
                let mut settings = core::mem::zeroed();
                libc::tcgetattr(terminal.number(), &mut settings);
                libc::tcsetattr(terminal.number(), libc::TCSANOW, &settings)
            });
            for stop in [libc::SIGTSTP, SIGTTIN, SIGTTOU] {
                signal::raise(stop);
            }
            format!("{read:?} {taken:?} {set:?}")
        });
        assert_eq!(told, "Err(EIO) Err(ENOTTY) Err(EIO)");
    });
}

#[test]
fn what_continues_and_what_stops_cancel_each_other() {
    child::run(|| {
        signal::count(SIGCONT, 0);
        signal::block(&[SIGCONT, libc::SIGTSTP, SIGTTIN]);
        signal::raise(libc::SIGTSTP);
        signal::raise(SIGTTIN);
        signal::raise(SIGCONT);
        assert!(!signal::is_pending(libc::SIGTSTP) && !signal::is_pending(SIGTTIN));
        assert!(signal::is_pending(SIGCONT));
        signal::raise(libc::SIGTSTP);
        assert!(!signal::is_pending(SIGCONT) && signal::is_pending(libc::SIGTSTP));
        signal::raise(SIGCONT);
        signal::unblock(&[SIGCONT, libc::SIGTSTP, SIGTTIN]);
        assert_eq!(signal::seen(SIGCONT), 1);
    });
}

#[test]
fn it_goes_on_though_it_blocks_or_ignores_what_continues_it() {
    for ignores in [false, true] {
        child::run(|| {
            let (reader, writer) = fd::pipe();
            let child = child::spawn(|| {
                if ignores {
                    signal::handle(SIGCONT, 0, libc::SIG_IGN);
                } else {
                    signal::block(&[SIGCONT]);
                }
                signal::raise(libc::SIGSTOP);
                writer.write(b"x").unwrap();
            });
            assert_eq!(change(child.pid()) & 0xff, 0x7f);
            child.kill(SIGCONT);
            reader.read(1).unwrap();
            child.join();
        });
    }
}
