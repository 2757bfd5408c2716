//! The table of file descriptors of a process.
//!
//! Owns: the numbers, the files behind them, the close-on-exec flags.   Not here: files, the lock (`core/file/table`).
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

/// The most numbers that a table can have, whatever `RLIMIT_NOFILE` says: `/proc/sys/fs/nr_open`.
pub const MOST: u32 = 1 << 20;

/// How many neighbouring numbers are looked up together: as many as a word of select(2)'s sets has bits.
pub const ROW: usize = u64::BITS as usize;

/// A file descriptor number as a program passed it. A negative one is beyond every table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Fd(u32);

impl Fd {
    /// Makes a descriptor of `number`.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the number as a system call's result.
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
    /// Returns `Close` if `flags` has `O_CLOEXEC`, else `Keep`.
    #[must_use]
    pub const fn from_flags(flags: OpenFlags) -> Self {
        if flags.contains(OpenFlags::CLOSE_ON_EXEC) { Self::Close } else { Self::Keep }
    }
}
