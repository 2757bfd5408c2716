//! Where the bytes of a read go to and those of a write come from, as the syscalls describe it.
//!
//! Not here: the copies (memory/user).

use rules::abi::errno::Errno;

use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::{UserSink, UserSource};

/// What a program gave: still to be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Buffers {
    /// `len` bytes at `addr`.
    One {
        /// The first byte.
        addr: usize,
        /// How many.
        len: usize,
    },
    /// What `count` `struct iovec` at `iov` describe.
    Vector {
        /// The first `struct iovec`.
        iov: usize,
        /// How many.
        count: usize,
    },
}

impl Buffers {
    /// The buffers as the place that a read fills. Linux looks at a vector before it checks what the file was
    /// opened for, and at a single buffer after that; `check` is that check.
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

    /// The buffers as the place that a write takes from.
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

    /// Whether a file is not even asked when there are no bytes: a vector of nothing is nothing to every file,
    /// while a single buffer of nothing is up to the file.
    pub(crate) const fn is_vector(self) -> bool {
        matches!(self, Self::Vector { .. })
    }
}

/// Where in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Position {
    /// At the offset of the open file description, which moves.
    Current,
    /// Here, and the offset stays.
    At(u64),
}

impl Position {
    /// The argument of pread(2) and its kin.
    ///
    /// # Errors
    /// `EINVAL`: it is negative.
    pub(crate) fn parse(offset: i64) -> Result<Self, Errno> {
        u64::try_from(offset).map(Self::At).map_err(|_| Errno::EINVAL)
    }

    /// The argument of preadv2(2) and pwritev2(2), where -1 means the description's offset.
    ///
    /// # Errors
    /// `EINVAL`: any other negative number.
    pub(crate) fn parse_optional(offset: i64) -> Result<Self, Errno> {
        if offset == -1 { Ok(Self::Current) } else { Self::parse(offset) }
    }
}
