//! Runs one job: copies bytes between its pipes and the serial ports until it has ended and all output is sent.
//!
//! The program sees pipes and not serial ports, so `isatty` is false and stdin can end.
//! Invariant: a stream's count is exactly the number of bytes that went to its port for this job.

use std::{
    fs::File,
    io::{self, PipeReader, PipeWriter, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use pollux_protocol::{
    frame::Frame,
    job::Job,
    message::{Cause, End},
};

use crate::{
    port::Ports,
    process::{self, Child, Reaped, Streams},
};

/// The longest sleep: init reaps orphans, and notices a program's end that no pipe shows, this late at most.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// The sleep once the pipes say that the program is about to end.
const SHORT_TICK: Duration = Duration::from_millis(1);

/// The time that a killed descendant may keep the job's pipes open.
const GRACE: Duration = Duration::from_secs(2);

/// A running job.
pub(crate) struct Relay<'p> {
    ports: &'p mut Ports,
    child: Child,
    started: Instant,
    deadline: Option<Instant>,
    /// `None` once the input has ended or has no reader.
    stdin: Option<PipeWriter>,
    /// Bytes to write to the program's stdin.
    pending: Vec<u8>,
    stdout: Output,
    stderr: Output,
}

/// One output stream of the program; no pipe once it has ended.
struct Output {
    pipe: Option<PipeReader>,
    count: u64,
}

impl<'p> Relay<'p> {
    /// Starts the job's program between three pipes.
    pub(crate) fn start(job: &Job, ports: &'p mut Ports) -> io::Result<Self> {
        let (stdin, writer) = io::pipe()?;
        let (stdout_reader, stdout) = io::pipe()?;
        let (stderr_reader, stderr) = io::pipe()?;
        let started = Instant::now();
        let child = Child::start(job, Some(Streams { stdin, stdout, stderr }))?;
        Ok(Self {
            ports,
            child,
            started,
            deadline: job.timeout.map(|timeout| started + timeout),
            stdin: Some(writer),
            pending: Vec::new(),
            stdout: Output { pipe: Some(stdout_reader), count: 0 },
            stderr: Output { pipe: Some(stderr_reader), count: 0 },
        })
    }

    /// Copies bytes until the program has ended, kills its descendants, and drains the pipes.
    pub(crate) fn run(mut self, job: usize) -> io::Result<End> {
        let mut cause = Cause::Program;
        let status = loop {
            if let Some(status) = self.child.reap()? {
                break status;
            }
            if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                cause = Cause::Timeout;
                self.deadline = None;
                process::kill_all();
            }
            if self.stdin.is_some() && self.pending.is_empty() {
                self.ports.ask()?;
            }
            let closing = self.stdout.pipe.is_none() && self.stderr.pipe.is_none();
            self.pump(if closing { SHORT_TICK } else { TICK })?;
        };
        let elapsed = self.started.elapsed();
        // A job takes its descendants with it, like init takes all processes.
        process::kill_all();
        self.stdin = None;
        let patience = Instant::now() + GRACE;
        while process::reap_one()? != Reaped::Nobody && Instant::now() < patience {
            self.pump(SHORT_TICK)?;
        }
        while self.pump(Duration::ZERO)? {}
        let (stdout, stderr) = (self.stdout.count, self.stderr.count);
        Ok(End { job, status, cause, stdout, stderr, elapsed })
    }

    /// Sleeps until a byte can be moved, at most for `patience`, and moves bytes. Returns whether it did.
    fn pump(&mut self, patience: Duration) -> io::Result<bool> {
        let wanted = if self.stdin.is_some() && self.pending.is_empty() { libc::POLLIN } else { 0 };
        let room = if self.pending.is_empty() { 0 } else { libc::POLLOUT };
        let mut fds = [
            poll_fd(self.stdout.pipe.as_ref().map(AsFd::as_fd), libc::POLLIN),
            poll_fd(self.stderr.pipe.as_ref().map(AsFd::as_fd), libc::POLLIN),
            poll_fd(self.stdin.as_ref().map(AsFd::as_fd), room),
            poll_fd((wanted != 0).then(|| self.ports.input()), wanted),
        ];
        poll(&mut fds, patience.min(self.time_left()))?;
        let [stdout, stderr, stdin, input] = fds.map(|fd| fd.revents);
        let mut moved = false;
        if stdout != 0 {
            moved |= self.stdout.copy_to(&mut self.ports.stdout)?;
        }
        if stderr != 0 {
            moved |= self.stderr.copy_to(&mut self.ports.stderr)?;
        }
        if stdin != 0 {
            self.feed(stdin);
        }
        if input != 0 {
            match self.ports.receive()? {
                Some(Frame::Data(bytes)) => self.pending = bytes,
                Some(Frame::End | Frame::Farewell) => self.stdin = None,
                None => {}
            }
        }
        Ok(moved)
    }

    fn time_left(&self) -> Duration {
        self.deadline.map_or(TICK, |deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Writes the pending bytes. A frame is at most `PIPE_BUF` long, so it enters whole and init never
    /// sleeps in the write.
    fn feed(&mut self, revents: libc::c_short) {
        let readers = revents & libc::POLLERR == 0;
        let Some(pipe) = self.stdin.as_mut().filter(|_| readers) else {
            self.stdin = None;
            self.pending.clear();
            return;
        };
        if pipe.write_all(&self.pending).is_err() {
            self.stdin = None;
        }
        self.pending.clear();
    }
}

impl Output {
    /// Moves the bytes of one read. Returns false at the end of the stream.
    fn copy_to(&mut self, port: &mut File) -> io::Result<bool> {
        let mut bytes = [0; 4096];
        let Some(pipe) = &mut self.pipe else { return Ok(false) };
        let count = pipe.read(&mut bytes)?;
        if count == 0 {
            self.pipe = None;
            return Ok(false);
        }
        port.write_all(&bytes[..count])?;
        self.count += count as u64;
        Ok(true)
    }
}

/// Makes an entry for [`poll`], which skips one without a descriptor.
pub(crate) fn poll_fd(fd: Option<BorrowedFd<'_>>, events: libc::c_short) -> libc::pollfd {
    libc::pollfd { fd: fd.map_or(-1, |fd| fd.as_raw_fd()), events, revents: 0 }
}

/// Calls poll(2). An interruption counts as "nothing ready".
pub(crate) fn poll(fds: &mut [libc::pollfd], patience: Duration) -> io::Result<()> {
    let milliseconds = patience.as_micros().div_ceil(1000) as libc::c_int;
    // SAFETY: the pointer and the length are of one live slice.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, milliseconds) } == -1 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
        fds.iter_mut().for_each(|fd| fd.revents = 0);
    }
    Ok(())
}
