//! The three serial ports between init and the host, and the frames read from them.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    time::{Duration, Instant},
};

use pollux_protocol::{
    frame::{Decoder, Frame},
    message::Message,
};

use crate::relay;

/// How long init waits for the host's farewell before it powers off without it.
const FAREWELL: Duration = Duration::from_secs(10);

/// Ports 1 to 3; port 0 is the kernel's.
pub(crate) struct Ports {
    pub(crate) stdout: File,
    pub(crate) stderr: File,
    control: File,
    input: Decoder,
    /// Whether init has sent a `more` that no frame has answered yet.
    asked: bool,
}

impl Ports {
    /// Opens the ports in raw mode, so that bytes pass unchanged.
    pub(crate) fn open() -> Result<Self, String> {
        Ok(Self {
            stdout: open("/dev/ttyS1")?,
            stderr: open("/dev/ttyS2")?,
            control: open("/dev/ttyS3")?,
            input: Decoder::default(),
            asked: false,
        })
    }

    /// Sends one message.
    pub(crate) fn say(&mut self, message: &Message) -> io::Result<()> {
        self.control.write_all(format!("{message}\n").as_bytes())
    }

    /// Asks the host for one frame, unless one is on its way.
    pub(crate) fn ask(&mut self) -> io::Result<()> {
        if !self.asked {
            self.asked = true;
            self.say(&Message::More)?;
        }
        Ok(())
    }

    /// Returns the port that becomes readable when part of a frame has arrived.
    pub(crate) fn input(&self) -> BorrowedFd<'_> {
        self.stdout.as_fd()
    }

    /// Reads the available bytes after [`Ports::input`] has become readable. Returns a frame once it is complete.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Frame>> {
        let mut bytes = [0; 512];
        let count = self.stdout.read(&mut bytes)?;
        self.input.push(&bytes[..count]);
        let frame = self.input.next_frame();
        self.asked &= frame.is_none();
        Ok(frame)
    }

    /// Waits until the host has received everything: a byte in a port's buffer is lost with the power.
    pub(crate) fn wait_for_farewell(&mut self) -> io::Result<()> {
        let start = Instant::now();
        while start.elapsed() < FAREWELL {
            let mut input = [relay::poll_fd(Some(self.input()), libc::POLLIN)];
            relay::poll(&mut input, relay::TICK)?;
            if input[0].revents != 0 && self.receive()? == Some(Frame::Farewell) {
                break;
            }
        }
        Ok(())
    }
}

fn open(path: &str) -> Result<File, String> {
    let port = OpenOptions::new().read(true).write(true).open(path);
    port.and_then(|port| raw(&port).map(|()| port)).map_err(|error| format!("{path}: {error}"))
}

/// Turns off all processing of bytes by a terminal.
fn raw(port: &File) -> io::Result<()> {
    // SAFETY: `termios` is plain numbers, for which zero is a value; both calls get a live descriptor and a
    // live `termios`.
    let result = unsafe {
        let mut termios: libc::termios = std::mem::zeroed();
        match libc::tcgetattr(port.as_raw_fd(), &mut termios) {
            0 => {
                libc::cfmakeraw(&mut termios);
                libc::tcsetattr(port.as_raw_fd(), libc::TCSANOW, &termios)
            }
            failed => failed,
        }
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
