//! `struct flock`, the argument of fcntl(2)'s commands about record locks.
//!
//! Source: fcntl_locking(2); Linux 6.1 include/uapi/asm-generic/fcntl.h, fs/locks.c (`flock64_to_posix_lock`).

use super::errno::Errno;
use crate::seek::{OFFSET_MAX, Whence};

/// `struct flock` as words: type and whence, start, length, process.
pub type RawFlock = [u64; 4];

/// `F_UNLCK` in the first word of [`RawFlock`].
const UNLOCKED: u64 = 2;

/// What is wanted of a range.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LockKind {
    /// `F_RDLCK`.
    Read,
    /// `F_WRLCK`.
    Write,
    /// `F_UNLCK`.
    Unlock,
}

/// A record lock that makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flock {
    /// What is wanted.
    pub kind: LockKind,
    /// The first byte.
    pub first: u64,
    /// The last byte.
    pub last: u64,
}

impl Flock {
    /// The lock that `raw` describes in a file of `size` bytes whose offset is `current`.
    ///
    /// # Errors
    /// `EINVAL`: an unknown type or whence, or the range begins before the file. `EOVERFLOW`: it ends behind the last
    /// possible offset.
    pub fn parse(raw: RawFlock, current: u64, size: u64) -> Result<Self, Errno> {
        let [words, start, length, _] = raw;
        let kind = match words & 0xffff {
            0 => LockKind::Read,
            1 => LockKind::Write,
            2 => LockKind::Unlock,
            _ => return Err(Errno::EINVAL),
        };
        let base = match Whence::parse((words >> 16) as u32 & 0xffff)? {
            Whence::Start => 0,
            Whence::Current => current,
            Whence::End => size,
            Whence::Data | Whence::Hole => return Err(Errno::EINVAL),
        };
        let length = i128::from(length.cast_signed());
        let start = i128::from(base) + i128::from(start.cast_signed());
        if start > i128::from(OFFSET_MAX) {
            return Err(Errno::EOVERFLOW);
        }
        let (first, last) = match length {
            0 => (start, i128::from(OFFSET_MAX)),
            1.. => (start, start + length - 1),
            _ => (start + length, start - 1),
        };
        match (u64::try_from(first), u64::try_from(last)) {
            (Ok(first), Ok(last)) if last <= OFFSET_MAX => Ok(Self { kind, first, last }),
            (Ok(_), Ok(_)) => Err(Errno::EOVERFLOW),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// `raw`, saying that nobody holds a lock that is in the way.
#[must_use]
pub const fn unlocked(raw: RawFlock) -> RawFlock {
    let [words, start, length, process] = raw;
    [words & !0xffff | UNLOCKED, start, length, process]
}

#[cfg(test)]
mod tests {
    use super::{Flock, LockKind, RawFlock, unlocked};
    use crate::abi::errno::Errno;
    use crate::seek::OFFSET_MAX;

    fn raw(kind: u16, whence: u16, start: i64, length: i64) -> RawFlock {
        [u64::from(kind) | u64::from(whence) << 16, start.cast_unsigned(), length.cast_unsigned(), 0]
    }

    fn range(whence: u16, start: i64, length: i64) -> Result<(u64, u64), Errno> {
        Flock::parse(raw(1, whence, start, length), 10, 100).map(|lock| (lock.first, lock.last))
    }

    #[test]
    fn a_range_is_relative_and_may_go_backwards() {
        assert_eq!(range(0, 5, 3), Ok((5, 7)));
        assert_eq!(range(1, 5, 3), Ok((15, 17)));
        assert_eq!(range(2, -5, 3), Ok((95, 97)));
        assert_eq!(range(0, 5, -3), Ok((2, 4)));
        assert_eq!(range(0, 5, 0), Ok((5, OFFSET_MAX)));
    }

    #[test]
    fn a_range_lies_within_the_possible_offsets() {
        assert_eq!(range(0, -1, 3), Err(Errno::EINVAL));
        assert_eq!(range(0, 2, -3), Err(Errno::EINVAL));
        assert_eq!(range(1, i64::MAX, 3), Err(Errno::EOVERFLOW));
        assert_eq!(range(0, i64::MAX, 2), Err(Errno::EOVERFLOW));
        assert_eq!(range(3, 0, 0), Err(Errno::EINVAL));
    }

    #[test]
    fn a_type_is_one_of_three() {
        assert_eq!(Flock::parse(raw(2, 0, 0, 0), 0, 0).map(|lock| lock.kind), Ok(LockKind::Unlock));
        assert_eq!(Flock::parse(raw(3, 0, 0, 0), 0, 0), Err(Errno::EINVAL));
        assert_eq!(unlocked(raw(1, 2, 3, 4)), raw(2, 2, 3, 4));
    }
}
