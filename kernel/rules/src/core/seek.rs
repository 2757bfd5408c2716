//! Computes the offset that lseek(2) sets.
//!
//! Source: lseek(2); Linux 6.1 fs/read_write.c (`generic_file_llseek_size`).

use crate::abi::errno::Errno;

/// The largest offset: offsets are signed.
pub const OFFSET_MAX: u64 = i64::MAX as u64;

/// What an offset is relative to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Whence {
    /// The start of the file: `SEEK_SET`.
    Start,
    /// The present offset: `SEEK_CUR`.
    Current,
    /// The end of the file: `SEEK_END`.
    End,
    /// The next stored byte at or behind the offset: `SEEK_DATA`.
    Data,
    /// The next hole at or behind the offset: `SEEK_HOLE`.
    Hole,
}

impl Whence {
    /// Parses lseek(2)'s third argument.
    ///
    /// # Errors
    /// `EINVAL`: it has no meaning.
    pub const fn parse(raw: u32) -> Result<Self, Errno> {
        match raw {
            0 => Ok(Self::Start),
            1 => Ok(Self::Current),
            2 => Ok(Self::End),
            3 => Ok(Self::Data),
            4 => Ok(Self::Hole),
            _ => Err(Errno::EINVAL),
        }
    }
}

/// Computes the new offset in a file of `size` bytes whose only hole is behind its end.
///
/// # Errors
/// The offset stays as it is. `EINVAL`: it would be negative, or too large. `ENXIO`: `SEEK_DATA` or `SEEK_HOLE` at or
/// behind the end.
pub fn resolve(current: u64, size: u64, offset: i64, whence: Whence) -> Result<u64, Errno> {
    let base = match whence {
        Whence::Start => 0,
        Whence::Current => current,
        Whence::End => size,
        Whence::Data | Whence::Hole => {
            let from = u64::try_from(offset).ok().filter(|from| *from < size).ok_or(Errno::ENXIO)?;
            return Ok(if whence == Whence::Data { from } else { size });
        }
    };
    base.checked_add_signed(offset).filter(|offset| *offset <= OFFSET_MAX).ok_or(Errno::EINVAL)
}

#[cfg(test)]
mod tests {
    use super::{OFFSET_MAX, Whence, resolve};
    use crate::abi::errno::Errno;

    #[test]
    fn an_offset_is_relative_to_start_current_or_end() {
        assert_eq!(resolve(10, 100, 5, Whence::Start), Ok(5));
        assert_eq!(resolve(10, 100, 5, Whence::Current), Ok(15));
        assert_eq!(resolve(10, 100, -5, Whence::End), Ok(95));
        assert_eq!(resolve(10, 100, 5, Whence::End), Ok(105));
    }

    #[test]
    fn an_offset_is_neither_negative_nor_too_large() {
        assert_eq!(resolve(10, 100, -1, Whence::Start), Err(Errno::EINVAL));
        assert_eq!(resolve(10, 100, -11, Whence::Current), Err(Errno::EINVAL));
        assert_eq!(resolve(1, 100, i64::MAX, Whence::Current), Err(Errno::EINVAL));
        assert_eq!(resolve(0, 100, i64::MAX, Whence::Current), Ok(OFFSET_MAX));
    }

    #[test]
    fn the_end_of_the_file_is_its_only_hole() {
        assert_eq!(resolve(0, 100, 40, Whence::Data), Ok(40));
        assert_eq!(resolve(0, 100, 40, Whence::Hole), Ok(100));
        assert_eq!(resolve(0, 100, 100, Whence::Data), Err(Errno::ENXIO));
        assert_eq!(resolve(0, 100, 100, Whence::Hole), Err(Errno::ENXIO));
        assert_eq!(resolve(0, 100, -1, Whence::Data), Err(Errno::ENXIO));
    }

    #[test]
    fn only_five_words_have_a_meaning() {
        assert_eq!(Whence::parse(4), Ok(Whence::Hole));
        assert_eq!(Whence::parse(5), Err(Errno::EINVAL));
    }
}
