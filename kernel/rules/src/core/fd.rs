//! Which file descriptor numbers exist, and what is behind them.
//!
//! Owns: the numbers, the files behind them, the close-on-exec flags.   Not here: what a file is, the lock
//! (file/table).
//! Invariant: a number is free, reserved or open; every number below the lowest leaf with room is taken.
//! Source: open(2), dup(2), fcntl(2), close_range(2); Linux 6.1 fs/file.c.

mod leaf;
mod row;
mod table;
#[cfg(test)]
mod tests;

pub use self::row::Row;
pub use self::table::{FdTable, Reserved};
use crate::abi::open::OpenFlags;

/// `/proc/sys/fs/nr_open`: no table has more numbers, whatever `RLIMIT_NOFILE` says.
pub const MOST: u32 = 1 << 20;

/// Neighbouring numbers that are looked up together: as many as a word of select(2)'s sets has.
pub const ROW: usize = u64::BITS as usize;

/// A file descriptor number as a program gave it. A negative one is beyond all tables.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fd(u32);

impl Fd {
    /// The number `number`.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The number as what a system call returns.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whether a descriptor survives execve(2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnExec {
    /// It does.
    Keep,
    /// It does not: `FD_CLOEXEC`.
    Close,
}

impl OnExec {
    /// What `O_CLOEXEC` in `flags`, or its absence, asks for.
    #[must_use]
    pub const fn from_flags(flags: OpenFlags) -> Self {
        if flags.contains(OpenFlags::CLOSE_ON_EXEC) { Self::Close } else { Self::Keep }
    }
}
