//! A running guest: QEMU as a child process, and all its output as one stream of events.
//!
//! Owns: the QEMU process (killed when the session is dropped, or when the kit dies) and the host's ends of
//! the serial ports.   Not here: what the events mean to a command (`exec`, `test`).

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use pollux_protocol::{frame::Frame, message::Message};

use crate::{last_words, machine::Machine, monitor, screenshot::Screenshot};

/// The time limit of a guest's power-off, after which the kit kills QEMU.
const POWER_OFF: Duration = Duration::from_secs(2);

/// The number of queued events: enough to keep the guest busy, few enough to bound memory.
const BACKLOG: usize = 64;

/// An event of the guest.
pub(crate) enum Event {
    /// Bytes of a program's output.
    Output(Stream, Vec<u8>),
    /// A message of init.
    Message(Message),
    /// QEMU has ended, after all its output.
    Exited(ExitStatus),
    /// The deadline has passed.
    TimedOut,
}

/// An output stream of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// What the reading threads pass on.
enum Arrival {
    Output(Stream, Vec<u8>),
    Log(Vec<u8>),
    Complaint(Vec<u8>),
    Line(String),
    Closed,
}

/// A running guest.
pub(crate) struct Session {
    qemu: Child,
    arrivals: mpsc::Receiver<Arrival>,
    /// The number of reading threads that have not met the end of their stream.
    open: usize,
    input: Input,
    /// The kernel's output on ttyS0.
    log: Vec<u8>,
    /// QEMU's own output on stderr.
    complaints: Vec<u8>,
    /// Whether the ports still carry the firmware's output: UEFI has its console on the first two.
    firmware_speaks: bool,
    machine: Machine,
    monitor: UnixStream,
    // QEMU opens it by its descriptor number in our process.
    _medium: OwnedFd,
}

/// The sender of the program's stdin.
#[derive(Clone)]
pub(crate) struct Input(Arc<Mutex<UnixStream>>);

impl Input {
    /// Sends one frame. If the guest is gone, the frame is dropped without an error.
    pub(crate) fn send(&self, frame: &Frame) {
        let mut port = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = port.write_all(&frame.encode());
    }
}

impl Session {
    /// Starts the machine with this initramfs.
    pub(crate) fn start(machine: &Machine, initramfs: &[u8]) -> Result<Self> {
        Self::start_from(machine, &machine.medium(initramfs)?)
    }

    /// Starts the machine with these bytes, from [`Machine::medium`] and possibly damaged.
    pub(crate) fn start_from(machine: &Machine, medium: &[u8]) -> Result<Self> {
        let (memory, path) = memory_file(medium).context("cannot hand the initramfs to QEMU")?;
        let mut command = Command::new("qemu-system-x86_64");
        command.args(machine.arguments(&path));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut guests = Vec::new();
        let mut port = |name: &str| -> Result<UnixStream> {
            let (host, guest) = UnixStream::pair()?;
            // QEMU inherits it; the kit starts no other process meanwhile.
            rustix::io::fcntl_setfd(&guest, rustix::io::FdFlags::empty())?;
            command.args(["-chardev", &format!("socket,id={name},fd={}", guest.as_raw_fd())]);
            guests.push(guest);
            Ok(host)
        };
        let (log, stdio, stderr, control) = (port("port0")?, port("port1")?, port("port2")?, port("port3")?);
        let monitor = port("monitor")?;
        // SAFETY: between fork and exec only an async-signal-safe system call is made.
        unsafe {
            command.pre_exec(|| {
                // If the kit is killed, the kernel kills QEMU.
                Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?)
            });
        }
        let mut qemu = command.spawn().context("cannot start qemu-system-x86_64")?;
        drop(guests);
        let (sender, arrivals) = mpsc::sync_channel(BACKLOG);
        let input = Input(Arc::new(Mutex::new(stdio.try_clone()?)));
        forward(log, sender.clone(), Arrival::Log);
        forward(stdio, sender.clone(), |bytes| Arrival::Output(Stream::Stdout, bytes));
        forward(stderr, sender.clone(), |bytes| Arrival::Output(Stream::Stderr, bytes));
        forward_lines(control, sender.clone());
        let mut open = 4;
        if let Some(complaints) = qemu.stderr.take() {
            forward(complaints, sender, Arrival::Complaint);
            open += 1;
        }
        Ok(Self {
            qemu,
            arrivals,
            open,
            input,
            log: Vec::new(),
            complaints: Vec::new(),
            firmware_speaks: machine.has_talkative_firmware(),
            machine: machine.clone(),
            monitor,
            _medium: memory,
        })
    }

    /// Waits for the next event.
    pub(crate) fn next(&mut self, deadline: Option<Instant>) -> Result<Event> {
        while self.open > 0 {
            let arrival = match deadline {
                None => self.arrivals.recv().ok(),
                Some(deadline) => {
                    match self.arrivals.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                        Err(mpsc::RecvTimeoutError::Timeout) => return Ok(Event::TimedOut),
                        arrival => arrival.ok(),
                    }
                }
            };
            match arrival {
                // The firmware's last output comes seconds before init opens the port for programs.
                Some(Arrival::Output(..)) if self.firmware_speaks => {}
                Some(Arrival::Output(stream, bytes)) => return Ok(Event::Output(stream, bytes)),
                Some(Arrival::Log(bytes)) => self.log.extend(bytes),
                Some(Arrival::Complaint(bytes)) => self.complaints.extend(bytes),
                Some(Arrival::Line(line)) => {
                    // Skip noise on the port. The kit notices a missing message in any case.
                    if let Ok(message) = line.parse() {
                        self.firmware_speaks = false;
                        return Ok(Event::Message(message));
                    }
                }
                Some(Arrival::Closed) => self.open -= 1,
                None => break,
            }
        }
        Ok(Event::Exited(self.qemu.wait().context("cannot wait for QEMU")?))
    }

    /// Returns QEMU's process ID.
    pub(crate) fn process(&self) -> u32 {
        self.qemu.id()
    }

    /// Returns the sender of the program's stdin.
    pub(crate) fn input(&self) -> Input {
        self.input.clone()
    }

    /// Lets the guest power off, and kills QEMU if it does not.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>> {
        self.input.send(&Frame::Farewell);
        let deadline = Instant::now() + POWER_OFF;
        while !matches!(self.next(Some(deadline))?, Event::Exited(_) | Event::TimedOut) {}
        Ok(std::mem::take(&mut self.log))
    }

    /// Returns the kernel's log so far.
    pub(crate) fn log(&self) -> &[u8] {
        &self.log
    }

    /// Renders the end of the kernel's log and QEMU's complaints, for a person.
    pub(crate) fn last_words(&self) -> String {
        let text = self.machine.symbols().readable(&String::from_utf8_lossy(&self.log));
        last_words::excerpt(&text) + &String::from_utf8_lossy(&self.complaints)
    }

    /// Says in one line why a kernel that ended QEMU with this status went down.
    pub(crate) fn downfall(&self, status: ExitStatus) -> String {
        let log = String::from_utf8_lossy(&self.log);
        match last_words::cause(&log) {
            Some(cause) => format!("the kernel went down (QEMU: {status}): {cause}"),
            None => format!("the kernel went down (QEMU: {status})"),
        }
    }

    /// Sends QEMU's monitor a command and ignores the answer.
    pub(crate) fn control(&mut self, command: &str) -> Result<()> {
        self.monitor.write_all(format!("{command}\n").as_bytes()).context("QEMU's monitor is gone")
    }

    /// Reads the screen; `None` if QEMU does not answer in time.
    pub(crate) fn screenshot(&mut self) -> Result<Option<Screenshot>> {
        let (file, path) = memory_file(&[]).context("no memory for a screenshot")?;
        monitor::screenshot(&mut self.monitor, &path).context("QEMU's monitor is gone")?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).context("cannot read a screenshot")?;
        Ok(Screenshot::parse(&bytes))
    }

    /// Says where each CPU is, from QEMU's monitor and the kernel's debug information.
    pub(crate) fn whereabouts(&mut self) -> String {
        monitor::whereabouts(&mut self.monitor, &self.machine.symbols())
    }
}

/// Runs the machine with our terminal as its first serial port and nothing at the others, until QEMU ends.
pub(crate) fn on_terminal(machine: &Machine, initramfs: &[u8]) -> Result<ExitStatus> {
    let (_memory, path) =
        memory_file(&machine.medium(initramfs)?).context("cannot hand the initramfs to QEMU")?;
    let mut command = Command::new("qemu-system-x86_64");
    command.args(machine.arguments(&path));
    // Every key goes to the guest, except those after Ctrl-A.
    command.args(["-chardev", "stdio,id=port0,mux=on,signal=off"]);
    for silent in ["port1", "port2", "port3", "monitor"] {
        command.args(["-chardev", &format!("null,id={silent}")]);
    }
    // SAFETY: between fork and exec only an async-signal-safe system call is made.
    unsafe {
        command.pre_exec(|| {
            // Not SIGKILL, as elsewhere: QEMU must restore the terminal.
            Ok(rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?)
        });
    }
    command.status().context("cannot start qemu-system-x86_64")
}

impl Drop for Session {
    fn drop(&mut self) {
        // Both fail only if QEMU has ended already.
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

/// Makes a memory file of these bytes, and returns it with the path under which a child can open it.
fn memory_file(bytes: &[u8]) -> io::Result<(OwnedFd, PathBuf)> {
    let fd = rustix::fs::memfd_create("initramfs", rustix::fs::MemfdFlags::CLOEXEC)?;
    let path = format!("/proc/{}/fd/{}", process::id(), fd.as_raw_fd());
    let mut file = File::from(fd);
    file.write_all(bytes)?;
    Ok((file.into(), Path::new(&path).to_owned()))
}

/// Starts a thread that passes on the stream's bytes in pieces.
fn forward(
    mut from: impl Read + Send + 'static,
    to: mpsc::SyncSender<Arrival>,
    wrap: impl Fn(Vec<u8>) -> Arrival + Send + 'static,
) {
    thread::spawn(move || {
        let mut bytes = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.send(wrap(bytes[..count].to_vec())).is_err() {
                return;
            }
        }
        // The receiver is gone only after the end of the session.
        let _ = to.send(Arrival::Closed);
    });
}

/// Starts a thread that passes on the stream line by line.
fn forward_lines(from: UnixStream, to: mpsc::SyncSender<Arrival>) {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if to.send(Arrival::Line(line)).is_err() {
                return;
            }
        }
        let _ = to.send(Arrival::Closed);
    });
}
