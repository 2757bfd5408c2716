//! Null-terminated strings in user memory.

use alloc::vec::Vec;

use rules::abi::errno::Errno;

use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::super::space::AddressSpace;
use super::pointer::UserPtr;
use super::slice::UserSlice;

/// `PATH_MAX`: the most bytes of a path, including the zero byte.
pub(crate) const PATH_MAX: usize = 4096;

/// `MAX_ARG_STRLEN`: the most bytes of an argument of execve(2), including the zero byte.
const STRING_MAX: usize = 32 * PAGE_SIZE;

/// Bytes that are searched at a time; few, because most strings are short.
const PIECE: usize = 64;

/// Copies the string at `addr` without its zero byte, which must be among the first `limit` bytes.
///
/// # Errors
/// `EFAULT`: a byte of the string is not readable. `ENAMETOOLONG`: no zero byte within `limit`.
pub(crate) fn read_string(space: &AddressSpace, addr: usize, limit: usize) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    let mut next = addr;
    while string.len() < limit {
        // Pieces do not cross pages: the string may end just before an unmapped one.
        let room = TASK_SIZE.checked_sub(next).filter(|room| *room > 0).ok_or(Errno::EFAULT)?;
        let len = PIECE.min(limit - string.len()).min(PAGE_SIZE - next % PAGE_SIZE).min(room);
        let mut piece = [0; PIECE];
        UserSlice::new(space, next, len)?.read_bytes(&mut piece[..len])?;
        if let Some(end) = piece[..len].iter().position(|byte| *byte == 0) {
            string.extend_from_slice(&piece[..end]);
            return Ok(string);
        }
        string.extend_from_slice(&piece[..len]);
        next += len;
    }
    Err(Errno::ENAMETOOLONG)
}

/// Copies the path at `addr`.
///
/// # Errors
/// As [`read_string`] with `PATH_MAX`.
pub(crate) fn read_path(space: &AddressSpace, addr: usize) -> Result<Vec<u8>, Errno> {
    read_string(space, addr, PATH_MAX)
}

/// Copies the strings of the null-terminated array at `addr`, for execve(2). A null `addr` is an empty array.
///
/// `room` limits the total size of strings, zero bytes and pointers; the size is subtracted from it.
///
/// # Errors
/// `EFAULT`: the array or a string is not readable. `E2BIG`: the total exceeds `room`, or a string 128 KiB.
pub(crate) fn read_string_array(
    space: &AddressSpace,
    addr: usize,
    room: &mut usize,
) -> Result<Vec<Vec<u8>>, Errno> {
    let mut strings = Vec::new();
    if addr == 0 {
        return Ok(strings);
    }
    let array = UserPtr::<usize>::new(space, addr);
    loop {
        let pointer = array.at(strings.len()).read()?;
        if pointer == 0 {
            return Ok(strings);
        }
        let string = read_string(space, pointer, STRING_MAX.min(*room)).map_err(|error| match error {
            Errno::ENAMETOOLONG => Errno::E2BIG,
            other => other,
        })?;
        let taken = string.len() + 1 + size_of::<usize>();
        *room = room.checked_sub(taken).ok_or(Errno::E2BIG)?;
        strings.push(string);
    }
}
