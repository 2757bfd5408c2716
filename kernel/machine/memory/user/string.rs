//! Null-terminated strings in user memory.

use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::machine::fallible;

use super::super::layout::{PAGE_SIZE, TASK_SIZE};
use super::super::paged::PagedBytes;
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
/// `EFAULT`: a byte of the string is not readable. `ENAMETOOLONG`: no zero byte within `limit`. `ENOMEM`.
pub(crate) fn read_string(space: &AddressSpace, addr: usize, limit: usize) -> Result<Vec<u8>, Errno> {
    let mut string = Vec::new();
    let len = each_piece(space, addr, limit, |piece| {
        fallible::reserve(&mut string, piece.len())?;
        string.extend_from_slice(piece);
        Ok(())
    })?;
    if len.is_some() { Ok(string) } else { Err(Errno::ENAMETOOLONG) }
}

/// Copies the path at `addr`.
///
/// # Errors
/// As [`read_string`] with `PATH_MAX`.
pub(crate) fn read_path(space: &AddressSpace, addr: usize) -> Result<Vec<u8>, Errno> {
    read_string(space, addr, PATH_MAX)
}

/// Copies the strings of the null-terminated array at `addr`, each with its zero byte, for execve(2). A null `addr` is an
/// empty array.
///
/// `room` limits the total size of strings, zero bytes and pointers; the size is subtracted from it.
///
/// # Errors
/// `EFAULT`: the array or a string is not readable. `E2BIG`: the total exceeds `room`, or a string 128 KiB. `ENOMEM`.
pub(crate) fn read_string_array(
    space: &AddressSpace,
    addr: usize,
    room: &mut usize,
) -> Result<PagedBytes, Errno> {
    let mut strings = PagedBytes::default();
    if addr == 0 {
        return Ok(strings);
    }
    let array = UserPtr::<usize>::new(space, addr);
    let mut count = 0;
    loop {
        let pointer = array.at(count).read()?;
        if pointer == 0 {
            return Ok(strings);
        }
        let limit = STRING_MAX.min(*room);
        let len = each_piece(space, pointer, limit, |piece| strings.push(piece))?.ok_or(Errno::E2BIG)?;
        strings.push(&[0])?;
        *room = room.checked_sub(len + 1 + size_of::<usize>()).ok_or(Errno::E2BIG)?;
        count += 1;
    }
}

/// Passes the string at `addr` on in pieces, and returns its length; `None` if there is no zero byte among the first
/// `limit` bytes.
///
/// # Errors
/// `EFAULT`: a byte of the string is not readable. Those of `take`.
fn each_piece(
    space: &AddressSpace,
    addr: usize,
    limit: usize,
    mut take: impl FnMut(&[u8]) -> Result<(), Errno>,
) -> Result<Option<usize>, Errno> {
    let mut done = 0;
    while done < limit {
        let next = addr.wrapping_add(done);
        // Pieces do not cross pages: the string may end just before an unmapped one.
        let room = TASK_SIZE.checked_sub(next).filter(|room| *room > 0).ok_or(Errno::EFAULT)?;
        let len = PIECE.min(limit - done).min(PAGE_SIZE - next % PAGE_SIZE).min(room);
        let mut piece = [0; PIECE];
        UserSlice::new(space, next, len)?.read_bytes(&mut piece[..len])?;
        let end = piece[..len].iter().position(|byte| *byte == 0);
        take(&piece[..end.unwrap_or(len)])?;
        if let Some(end) = end {
            return Ok(Some(done + end));
        }
        done += len;
    }
    Ok(None)
}
