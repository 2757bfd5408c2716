//! Starts a job's program, reaps and kills processes; and makes the other calls of process 1.

use std::{
    ffi::{CStr, CString, c_char},
    io::{self, PipeReader, PipeWriter},
    os::fd::AsRawFd,
};

use pollux_protocol::job::Job;

/// The exit status of a shell for a program that cannot be executed.
const CANNOT_EXECUTE: i32 = 126;
const NOT_FOUND: i32 = 127;

/// The child's ends of the three pipes.
pub(crate) struct Streams {
    pub(crate) stdin: PipeReader,
    pub(crate) stdout: PipeWriter,
    pub(crate) stderr: PipeWriter,
}

/// The program of a job, as a child of init.
pub(crate) struct Child {
    pid: libc::pid_t,
}

impl Child {
    /// Forks and executes the job's program; with `streams` as its standard streams, or with init's own.
    pub(crate) fn start(job: &Job, streams: Option<Streams>) -> io::Result<Self> {
        let argv = pointers(&job.argv);
        let env = pointers(&job.env);
        // SAFETY: init has one thread, so the child may go on as if it were the only copy.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                let error = execute(&argv, &env, streams);
                eprintln!("init: {}: {error}", job.argv[0].to_string_lossy());
                let missing = error.raw_os_error() == Some(libc::ENOENT);
                // SAFETY: ends this process alone, without running anything of its parent's.
                unsafe { libc::_exit(if missing { NOT_FOUND } else { CANNOT_EXECUTE }) }
            }
            pid => Ok(Self { pid }),
        }
    }

    /// Reaps all processes that have ended, orphans too. Returns the status word of this child if it is among them.
    pub(crate) fn reap(&self) -> io::Result<Option<i32>> {
        let mut ours = None;
        while let Reaped::Child(pid, status) = reap_one()? {
            if pid == self.pid {
                ours = Some(status);
            }
        }
        Ok(ours)
    }
}

/// The result of one `waitpid`.
#[derive(PartialEq, Eq)]
pub(crate) enum Reaped {
    /// A child that has ended, and its status word.
    Child(libc::pid_t, i32),
    /// There are children, and all of them run.
    Running,
    /// There are no children.
    Nobody,
}

/// Reaps one child or orphan, without waiting.
pub(crate) fn reap_one() -> io::Result<Reaped> {
    let mut status = 0;
    // SAFETY: `status` lives across the call.
    match unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) } {
        0 => Ok(Reaped::Running),
        -1 => match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::ECHILD) => Ok(Reaped::Nobody),
            error => Err(error),
        },
        pid => Ok(Reaped::Child(pid, status)),
    }
}

/// Kills every process but init.
pub(crate) fn kill_all() {
    // SAFETY: no memory is involved. ESRCH (no process is left) is a success.
    unsafe { libc::kill(-1, libc::SIGKILL) };
}

/// Mounts a file system that needs no device. Errors are ignored; see the caller.
pub(crate) fn mount(kind: &CStr, target: &CStr) {
    // SAFETY: three strings that live across the call, and no data.
    unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), 0, std::ptr::null()) };
}

/// Powers the machine off; returns only if that fails.
pub(crate) fn power_off() -> io::Error {
    // SAFETY: no memory is involved.
    unsafe { libc::reboot(libc::RB_POWER_OFF) };
    io::Error::last_os_error()
}

/// Executes the program; returns only if that fails. The pipes' own descriptors close at the exec.
fn execute(argv: &[*const c_char], env: &[*const c_char], streams: Option<Streams>) -> io::Error {
    // SAFETY: descriptors and numbers, and two arrays of C strings that end with null and live on.
    unsafe {
        if let Some(streams) = streams {
            let ends =
                [streams.stdin.as_raw_fd(), streams.stdout.as_raw_fd(), streams.stderr.as_raw_fd()];
            for (target, end) in (0..).zip(ends) {
                if libc::dup2(end, target) == -1 {
                    return io::Error::last_os_error();
                }
            }
        }
        // A session of its own, as after a login.
        libc::setsid();
        // Job control, if the standard input is a terminal; otherwise this fails harmlessly.
        libc::ioctl(0, libc::TIOCSCTTY, 0);
        // Rust's start-up ignores SIGPIPE, and an ignored signal stays so across execve.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::execve(argv[0], argv.as_ptr(), env.as_ptr());
    }
    io::Error::last_os_error()
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}
