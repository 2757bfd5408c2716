//! Sessions and jobs on a pseudo-terminal: the controlling terminal, signals of special characters, hang-up, the shell.

use std::fs;

use libc::{
    O_NONBLOCK, O_RDWR, POLLERR, POLLHUP, POLLIN, POLLOUT, SIGCONT, SIGHUP, SIGINT, SIGTTIN,
    SIGWINCH, TCGETS, TIOCGPGRP, TIOCGPTN, TIOCGSID, TIOCGWINSZ, TIOCSCTTY, TIOCSPGRP, TIOCSWINSZ,
};
use pollux_tests::child::{self, Child, Status};
use pollux_tests::fd::{self, Fd};
use pollux_tests::time::{self, ms};
use pollux_tests::{Errno, memory, poll, signal, sys};

use super::{expect, get, ioctl, master, name, open_slave, pair, set, unlock};

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
