//! Runs a closure in a forked child, and reports its exit status and failed assertions.
//!
//! The child has one thread, so a signal sent to the process is taken by the code under test, not by
//! the thread that waits for libtest.

use std::panic::{self, AssertUnwindSafe};

use crate::fd::{self, Fd};
use crate::signal;
use crate::sys::{self, Result};

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl Status {
    /// Parses a wait status.
    pub fn from_wait(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Killed(libc::WTERMSIG(status))
        } else {
            assert!(libc::WIFEXITED(status), "neither exited nor killed: {status:#x}");
            Self::Exited(libc::WEXITSTATUS(status))
        }
    }
}

/// The exit status of a child with a failed assertion.
const FAILED: i32 = 101;

/// A running child; killed and reaped when dropped without being waited for.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    reaped: bool,
    report: Fd,
}

/// Forks a child that runs `work` and exits with 0, or sends the parent the failed assertion.
pub fn spawn(work: impl FnOnce()) -> Child {
    let (report, reporter) = fd::pipe2(libc::O_CLOEXEC | libc::O_NONBLOCK).expect("a pipe");
    // SAFETY: the child runs on a copy of this thread; glibc keeps its allocator usable.
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            // Rust's runtime handles these signals to report a stack overflow.
            signal::default(libc::SIGSEGV);
            signal::default(libc::SIGBUS);
            panic::set_hook(Box::new(move |panic| {
                let _ = reporter.write(panic.to_string().as_bytes());
            }));
            let code = match panic::catch_unwind(AssertUnwindSafe(work)) {
                Ok(()) => 0,
                Err(_) => FAILED,
            };
            exit(code)
        }
        pid => Child { pid, reaped: false, report },
    }
}

/// Runs `work` in a child; fails unless it returns and all its assertions hold.
#[track_caller]
pub fn run(work: impl FnOnce()) {
    spawn(work).join();
}

/// Runs `work` in a child and returns how it ended.
#[track_caller]
pub fn status(work: impl FnOnce()) -> Status {
    spawn(work).wait()
}

/// Calls wait4(2): returns the process ID and raw status of a child, `None` if `WNOHANG` found none.
pub fn wait4(pid: i32, options: i32) -> Result<Option<(i32, i32)>> {
    let mut status = 0_i32;
    let arguments = [pid as usize, &raw mut status as usize, options as usize, 0];
    // SAFETY: the status is ours.
    let found = unsafe { sys::call(libc::SYS_wait4, arguments)? } as i32;
    Ok((found != 0).then_some((found, status)))
}

/// Whether a child has ended, without reaping it.
pub fn peek(pid: i32) -> bool {
    // SAFETY: `siginfo_t` is plain data.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: the information is ours.
    let result = unsafe { libc::waitid(libc::P_PID, pid as u32, &mut info, options) };
    // SAFETY: waitid has set it, to 0 if no child has ended.
    result == 0 && unsafe { info.si_pid() } == pid
}

/// Ends the process at once, without libtest's clean-up.
pub fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

impl Child {
    /// Returns the child's process ID.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Sends the child a signal.
    pub fn kill(&self, signal: i32) {
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::kill(self.pid, signal) }, 0);
    }

    /// Waits until the child ends.
    ///
    /// # Panics
    /// When an assertion failed in the child.
    #[track_caller]
    pub fn wait(mut self) -> Status {
        let mut status = 0;
        // SAFETY: the status is ours.
        while unsafe { libc::waitpid(self.pid, &mut status, 0) } != self.pid {
            let error = std::io::Error::last_os_error();
            assert_eq!(error.raw_os_error(), Some(libc::EINTR), "waitpid: {error}");
        }
        self.reaped = true;
        let status = Status::from_wait(status);
        if status == Status::Exited(FAILED) {
            let report = self.report.read(4096).unwrap_or_default();
            panic!("in the child: {}", String::from_utf8_lossy(&report));
        }
        status
    }

    /// Waits until the child ends; fails unless it returns.
    #[track_caller]
    pub fn join(self) {
        assert_eq!(self.wait(), Status::Exited(0));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped {
            // SAFETY: the child is ours and not yet reaped, so its process ID is still its own.
            unsafe {
                libc::kill(self.pid, libc::SIGKILL);
                libc::waitpid(self.pid, core::ptr::null_mut(), 0);
            }
        }
    }
}
