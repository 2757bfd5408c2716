//! A file descriptor that closes when it goes out of scope, and the calls that make one.

use std::ffi::CString;

use crate::sys::{self, Result};

/// An open file descriptor.
#[derive(Debug, PartialEq, Eq)]
pub struct Fd(i32);

impl Fd {
    /// Takes over the descriptor `number`.
    pub fn from_number(number: i32) -> Self {
        Self(number)
    }

    /// Returns the descriptor's number.
    pub fn number(&self) -> i32 {
        self.0
    }

    /// Releases the number to the caller, who must close it.
    pub fn into_number(self) -> i32 {
        let number = self.0;
        core::mem::forget(self);
        number
    }

    /// Reads at most `len` bytes.
    pub fn read(&self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        // SAFETY: the buffer is ours.
        let read = unsafe { call3(libc::SYS_read, self.0, bytes.as_mut_ptr() as usize, len)? };
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Writes `bytes`, or as many of them as one call accepts.
    pub fn write(&self, bytes: &[u8]) -> Result<usize> {
        // SAFETY: the kernel only reads.
        unsafe { call3(libc::SYS_write, self.0, bytes.as_ptr() as usize, bytes.len()) }
    }

    /// Reads the 64-bit counter of an eventfd or a timerfd.
    pub fn read_u64(&self) -> Result<u64> {
        let mut value = 0_u64;
        // SAFETY: eight bytes are ours.
        let read = unsafe { call3(libc::SYS_read, self.0, &raw mut value as usize, 8)? };
        assert_eq!(read, 8);
        Ok(value)
    }

    /// Writes a 64-bit counter.
    pub fn write_u64(&self, value: u64) -> Result<()> {
        self.write(&value.to_ne_bytes()).map(|written| assert_eq!(written, 8))
    }

    /// Closes the descriptor and returns the result of close(2).
    pub fn close(self) -> Result<()> {
        close(self.into_number())
    }

    /// Makes a second descriptor of the same open file.
    pub fn dup(&self) -> Result<Fd> {
        // SAFETY: no memory is involved.
        unsafe { sys::call(libc::SYS_dup, [self.0 as usize]) }.map(made)
    }

    /// Calls fcntl(2) with an integer argument.
    pub fn fcntl(&self, command: i32, argument: usize) -> Result<i32> {
        fcntl(self.0, command, argument)
    }

    /// Sets the file status flags, for example `O_NONBLOCK`.
    pub fn set_flags(&self, flags: i32) -> Result<()> {
        self.fcntl(libc::F_SETFL, flags as usize).map(drop)
    }

    /// Returns the number of bytes that can be read now.
    pub fn unread(&self) -> Result<i32> {
        let mut count = 0_i32;
        let address = &raw mut count as usize;
        // SAFETY: the number is ours.
        unsafe { call3(libc::SYS_ioctl, self.0, libc::FIONREAD as usize, address)? };
        Ok(count)
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        let _ = close(self.0);
    }
}

/// Closes `number`.
pub fn close(number: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_close, [number as usize]) }.map(drop)
}

/// Calls fcntl(2) with a bare number.
pub fn fcntl(number: i32, command: i32, argument: usize) -> Result<i32> {
    // SAFETY: the commands used here take integers.
    unsafe { call3(libc::SYS_fcntl, number, command as usize, argument) }.map(|value| value as i32)
}

/// Makes `new` a duplicate of `old`; `new` belongs to the caller.
pub fn dup2(old: i32, new: i32) -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_dup2, [old as usize, new as usize]) }.map(|fd| fd as i32)
}

/// Does the same as [`dup2`], with flags.
pub fn dup3(old: i32, new: i32, flags: i32) -> Result<i32> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_dup3, [old as usize, new as usize, flags as usize]) }
        .map(|fd| fd as i32)
}

/// Makes a pipe: the read end and the write end.
pub fn pipe() -> (Fd, Fd) {
    pipe2(0).expect("a pipe")
}

/// Makes a pipe with `flags`.
pub fn pipe2(flags: i32) -> Result<(Fd, Fd)> {
    let mut ends = [0_i32; 2];
    let address = ends.as_mut_ptr() as usize;
    // SAFETY: the array is ours.
    unsafe { sys::call(libc::SYS_pipe2, [address, flags as usize])? };
    Ok((Fd(ends[0]), Fd(ends[1])))
}

/// Makes an eventfd.
pub fn eventfd(initial: u32, flags: i32) -> Result<Fd> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_eventfd2, [initial as usize, flags as usize]) }.map(made)
}

/// Opens `path`.
pub fn open(path: &str, flags: i32, mode: u32) -> Result<Fd> {
    let path = CString::new(path).expect("a path without NUL");
    let at = libc::AT_FDCWD as usize;
    let arguments = [at, path.as_ptr() as usize, flags as usize, mode as usize];
    // SAFETY: the kernel only reads.
    unsafe { sys::call(libc::SYS_openat, arguments) }.map(made)
}

fn made(number: usize) -> Fd {
    Fd(number as i32)
}

unsafe fn call3(number: libc::c_long, fd: i32, second: usize, third: usize) -> Result<usize> {
    // SAFETY: handed on to the caller.
    unsafe { sys::call(number, [fd as usize, second, third]) }
}
