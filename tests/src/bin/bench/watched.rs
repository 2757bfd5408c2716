//! The files that the rows about readiness watch, and the calls that make one ready.

use std::ffi::CStr;

use pollux_tests::{Fd, fd, sys};

use crate::measure::{Outcome, expect};
use crate::tcp::Pair;

/// The kind of files that a row watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file, which is always ready.
    File,
    /// Two ends of a pipe.
    Pipe,
    /// An eventfd.
    Eventfd,
    /// Two ends of a TCP connection over loopback.
    Tcp,
    /// A FIFO that one descriptor reads and writes.
    Fifo,
    /// The slave of a pseudo-terminal, and its master.
    Terminal,
    /// A pidfd of this process, which never becomes ready.
    PidFd,
}

impl Kind {
    /// Returns the kind's word in a row's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Pipe => "pipe",
            Self::Eventfd => "eventfd",
            Self::Tcp => "tcp",
            Self::Fifo => "fifo",
            Self::Terminal => "terminal",
            Self::PidFd => "pidfd",
        }
    }
}

/// A file to watch, and its other end.
#[derive(Debug)]
pub struct Watched {
    reader: Fd,
    /// The other end, if there is one.
    writer: Option<Fd>,
}

impl Watched {
    /// Makes `count` files. None is readable, unless such files always are.
    pub fn many(kind: Kind, count: usize) -> Outcome<Vec<Self>> {
        if kind == Kind::Tcp {
            let pairs = Pair::many(count)?.into_iter();
            return Ok(pairs
                .map(|pair| Self { reader: pair.server, writer: Some(pair.client) })
                .collect());
        }
        (0..count).map(|_| Self::new(kind)).collect()
    }

    fn new(kind: Kind) -> Outcome<Self> {
        Ok(match kind {
            Kind::File => Self {
                reader: fd::open("/tmp/bench", libc::O_CREAT | libc::O_RDWR, 0o600)?,
                writer: None,
            },
            Kind::Pipe => {
                let (reader, writer) = fd::pipe2(0)?;
                Self { reader, writer: Some(writer) }
            }
            Kind::Eventfd => Self { reader: fd::eventfd(0, 0)?, writer: None },
            Kind::Tcp => Pair::many(1)?
                .pop()
                .map(|pair| Self { reader: pair.server, writer: Some(pair.client) })
                .ok_or(pollux_tests::Errno(libc::EINVAL))?,
            Kind::Fifo => Self { reader: fifo()?, writer: None },
            Kind::Terminal => {
                let (master, slave) = terminal()?;
                Self { reader: slave, writer: Some(master) }
            }
            Kind::PidFd => Self { reader: pidfd()?, writer: None },
        })
    }

    /// Returns the descriptor to watch for input.
    pub fn reader(&self) -> i32 {
        self.reader.number()
    }

    /// Returns the descriptor to watch for output.
    pub fn writer(&self) -> i32 {
        self.writer.as_ref().map_or(self.reader.number(), Fd::number)
    }

    /// Makes it readable: writes eight bytes.
    pub fn make_ready(&self) -> Outcome {
        expect("write", write(self.writer(), &1_u64.to_ne_bytes()), Ok(8))
    }

    /// Reads what [`make_ready`](Self::make_ready) wrote.
    pub fn drain(&self) -> Outcome {
        let mut bytes = [0; 8];
        expect("read", read(self.reader(), &mut bytes), Ok(8))?;
        expect("the bytes read", u64::from_ne_bytes(bytes), 1)
    }
}

/// Makes a FIFO and unlinks its name.
fn fifo() -> Outcome<Fd> {
    const PATH: &CStr = c"/tmp/bench-fifo";
    // SAFETY: the kernel reads the path.
    unsafe {
        sys::call(libc::SYS_mknod, [PATH.as_ptr() as usize, libc::S_IFIFO as usize | 0o600, 0])
    }?;
    let fifo = fd::open("/tmp/bench-fifo", libc::O_RDWR, 0)?;
    // SAFETY: the kernel reads the path.
    unsafe { sys::call(libc::SYS_unlink, [PATH.as_ptr() as usize]) }?;
    Ok(fifo)
}

/// Opens a descriptor of this process.
fn pidfd() -> Outcome<Fd> {
    // SAFETY: no memory is involved.
    let number = unsafe { sys::call(libc::SYS_pidfd_open, [std::process::id() as usize, 0]) }?;
    Ok(Fd::from_number(number as i32))
}

/// Makes a pseudo-terminal, and returns both ends.
fn terminal() -> Outcome<(Fd, Fd)> {
    const FLAGS: i32 = libc::O_RDWR | libc::O_NOCTTY;
    let master = fd::open("/dev/ptmx", FLAGS, 0)?;
    let unlocked = 0_i32;
    let number = master.number() as usize;
    let arguments = [number, libc::TIOCSPTLCK as usize, &raw const unlocked as usize];
    // SAFETY: the kernel reads the number.
    unsafe { sys::call(libc::SYS_ioctl, arguments) }?;
    // SAFETY: no memory is involved.
    let slave = unsafe {
        sys::call(libc::SYS_ioctl, [number, libc::TIOCGPTPEER as usize, FLAGS as usize])
    }?;
    Ok((master, Fd::from_number(slave as i32)))
}

/// Calls read(2).
pub fn read(fd: i32, bytes: &mut [u8]) -> sys::Result<usize> {
    // SAFETY: the buffer is the caller's.
    unsafe { sys::call(libc::SYS_read, [fd as usize, bytes.as_mut_ptr() as usize, bytes.len()]) }
}

/// Calls write(2).
pub fn write(fd: i32, bytes: &[u8]) -> sys::Result<usize> {
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_write, [fd as usize, bytes.as_ptr() as usize, bytes.len()]) }
}
