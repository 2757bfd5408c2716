//! `struct flock`, the argument of fcntl(2)'s commands about record locks.
//!
//! Source: fcntl_locking(2); Linux 6.1 include/uapi/asm-generic/fcntl.h, fs/locks.c (`flock64_to_posix_lock`).

use super::LockRange;
use crate::abi::errno::Errno;
use crate::core::seek::{OFFSET_MAX, Whence};
use crate::linux::lock::LockMode;

/// `struct flock` as words: type and whence, start, length, process.
pub type RawFlock = [u64; 4];

/// The type, in the lowest 16 bits of the first word.
const TYPE: u64 = 0xffff;
/// `F_RDLCK`.
const READ: u64 = 0;
/// `F_WRLCK`.
const WRITE: u64 = 1;
/// `F_UNLCK`.
const UNLOCK: u64 = 2;

/// A record lock that makes sense.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flock {
    /// How to hold the bytes: `F_RDLCK` or `F_WRLCK`. Not at all: `F_UNLCK`.
    pub mode: Option<LockMode>,
    /// Which bytes.
    pub bytes: LockRange,
}

impl Flock {
    /// Returns the lock that `raw` describes in a file of `size` bytes whose offset is `current`.
    ///
    /// # Errors
    /// `EINVAL`: an unknown type or whence, or the range begins before the file. `EOVERFLOW`: it ends behind the last
    /// possible offset.
    pub fn parse(raw: RawFlock, current: u64, size: u64) -> Result<Self, Errno> {
        let [words, start, length, _] = raw;
        let mode = match words & TYPE {
            READ => Some(LockMode::Shared),
            WRITE => Some(LockMode::Exclusive),
            UNLOCK => None,
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
            (Ok(first), Ok(last)) if last <= OFFSET_MAX => {
                Ok(Self { mode, bytes: LockRange { first, last } })
            }
            (Ok(_), Ok(_)) => Err(Errno::EOVERFLOW),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Returns `raw` with the answer that no lock conflicts.
#[must_use]
pub const fn unlocked(raw: RawFlock) -> RawFlock {
    let [words, start, length, process] = raw;
    [words & !TYPE | UNLOCK, start, length, process]
}

/// Returns `raw` with the conflicting lock of `process`, relative to the start of the file.
#[must_use]
pub const fn held(raw: RawFlock, mode: LockMode, bytes: LockRange, process: i32) -> RawFlock {
    /// Type and whence.
    const WORDS: u64 = 0xffff_ffff;
    let kind = match mode {
        LockMode::Shared => READ,
        LockMode::Exclusive => WRITE,
    };
    let length = if bytes.last == OFFSET_MAX { 0 } else { bytes.last - bytes.first + 1 };
    let [words, .., last] = raw;
    [words & !WORDS | kind, bytes.first, length, last & !WORDS | process.cast_unsigned() as u64]
}

/// Returns the process in `raw`, which must be 0 for locks of open file descriptions.
#[must_use]
pub const fn process(raw: RawFlock) -> i32 {
    let [.., process] = raw;
    (process as u32).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::super::LockRange;
    use super::{Flock, RawFlock, held, process, unlocked};
    use crate::abi::errno::Errno;
    use crate::core::seek::OFFSET_MAX;
    use crate::linux::lock::LockMode;

    fn raw(kind: u16, whence: u16, start: i64, length: i64) -> RawFlock {
        [u64::from(kind) | u64::from(whence) << 16, start.cast_unsigned(), length.cast_unsigned(), 0]
    }

    fn range(whence: u16, start: i64, length: i64) -> Result<(u64, u64), Errno> {
        Flock::parse(raw(1, whence, start, length), 10, 100).map(|lock| (lock.bytes.first, lock.bytes.last))
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
        assert_eq!(Flock::parse(raw(2, 0, 0, 0), 0, 0).map(|lock| lock.mode), Ok(None));
        assert_eq!(Flock::parse(raw(3, 0, 0, 0), 0, 0), Err(Errno::EINVAL));
    }

    #[test]
    fn who_is_in_the_way_is_told_from_the_start_of_the_file() {
        assert_eq!(unlocked(raw(1, 2, 3, 4)), raw(2, 2, 3, 4));
        let answer = held(raw(0, 2, -3, 4), LockMode::Exclusive, LockRange { first: 7, last: 9 }, -1);
        assert_eq!((answer[..3].to_vec(), process(answer)), (raw(1, 0, 7, 3)[..3].to_vec(), -1));
        let rest = LockRange { first: 7, last: OFFSET_MAX };
        assert_eq!(held(raw(1, 0, 0, 0), LockMode::Shared, rest, 5), [0, 7, 0, 5]);
    }
}
