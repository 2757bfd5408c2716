//! The buffers and the file position of a read or write, as the system calls get them.
//!
//! Not here: the copies (`machine/memory/user`).

use rules::abi::errno::Errno;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserSink, UserSource};

/// The buffers that a program passed, not checked yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffers {
    /// `len` bytes at `addr`.
    One {
        /// The first byte.
        addr: usize,
        /// Their number.
        len: usize,
    },
    /// The buffers that `count` `struct iovec` at `iov` describe.
    Vector {
        /// The first `struct iovec`.
        iov: usize,
        /// Their number.
        count: usize,
    },
}

impl Buffers {
    /// Returns the buffers as the destination of a read. `check` checks the access mode: Linux checks a vector before
    /// that, and a single buffer after it.
    ///
    /// # Errors
    /// Those of [`UserSink`] and of `check`.
    #[inline]
    pub(crate) fn to_sink(
        self,
        space: &AddressSpace,
        check: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<UserSink<'_>, Errno> {
        match self {
            Self::One { addr, len } => check().and_then(|()| UserSink::buffer(space, addr, len)),
            Self::Vector { iov, count } => {
                let sink = UserSink::vector(space, iov, count)?;
                check().map(|()| sink)
            }
        }
    }

    /// Returns the buffers as the source of a write.
    ///
    /// # Errors
    /// Those of [`UserSource`] and of `check`.
    #[inline]
    pub(crate) fn to_source(
        self,
        space: &AddressSpace,
        check: impl FnOnce() -> Result<(), Errno>,
    ) -> Result<UserSource<'_>, Errno> {
        match self {
            Self::One { addr, len } => check().and_then(|()| UserSource::buffer(space, addr, len)),
            Self::Vector { iov, count } => {
                let source = UserSource::vector(space, iov, count)?;
                check().map(|()| source)
            }
        }
    }

    /// Returns whether a transfer of no bytes skips the file: it does for an empty vector, and does not for one empty
    /// buffer.
    pub(crate) const fn is_vector(self) -> bool {
        matches!(self, Self::Vector { .. })
    }
}

/// Where in the file a call reads or writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// At the offset of the open file description, which advances.
    Current,
    /// At this offset; the description's does not move.
    At(u64),
}

impl Position {
    /// Parses the offset of pread(2) and its kin.
    ///
    /// # Errors
    /// `EINVAL`: it is negative.
    pub(crate) fn parse(offset: i64) -> Result<Self, Errno> {
        u64::try_from(offset).map(Self::At).map_err(|_| Errno::EINVAL)
    }

    /// Parses the offset of preadv2(2) and pwritev2(2), where -1 is the description's own.
    ///
    /// # Errors
    /// `EINVAL`: any other negative number.
    pub(crate) fn parse_optional(offset: i64) -> Result<Self, Errno> {
        if offset == -1 { Ok(Self::Current) } else { Self::parse(offset) }
    }
}
