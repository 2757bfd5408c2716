//! What the socket calls share: addresses in user memory, and timeouts.
//!
//! Not here: what sockets do (`net/socket`), making them (`linux/syscall/socket`).
//! Source: Linux 6.1 net/socket.c (`move_addr_to_kernel`, `move_addr_to_user`).

use core::time::Duration;

use rules::abi::errno::Errno;

use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::caller::Caller;
use crate::machine::clock;
use crate::machine::memory::user::{UserPtr, UserSlice};
use crate::net::address::{ADDRESS_MAX, Address, RawAddress};

/// A range of the caller's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Where it begins.
    pub(crate) addr: usize,
    /// How long it is.
    pub(crate) len: usize,
}

/// A buffer of the caller for an address or a value, with its length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Where it begins.
    pub(crate) addr: usize,
    /// Where its length is, and where the length of the result goes.
    pub(crate) len_addr: usize,
}

/// Reads the address of a socket.
///
/// # Errors
/// `EINVAL`: longer than any. `EFAULT`: not readable.
pub(crate) fn read_address(cx: &impl Caller, address: Span) -> Result<RawAddress, Errno> {
    if address.len > ADDRESS_MAX {
        return Err(Errno::EINVAL);
    }
    let mut bytes = [0; ADDRESS_MAX];
    UserSlice::new(cx.space(), address.addr, address.len)?.read_bytes(&mut bytes[..address.len])?;
    Ok(RawAddress::new(bytes, address.len))
}

/// Writes as much of `address` as fits into `to`, and its whole length to `len_addr`.
///
/// # Errors
/// `EINVAL`: a negative length. `EFAULT`: not writable.
pub(crate) fn write_address(cx: &impl Caller, to: Room, address: Address) -> Result<(), Errno> {
    let bytes = &address.into_bytes()[..];
    let length = UserPtr::<i32>::new(cx.space(), to.len_addr);
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    let written = room.min(bytes.len());
    UserSlice::new(cx.space(), to.addr, written)?.write_bytes(&bytes[..written])?;
    length.write(&(bytes.len() as i32))
}

/// Returns how long a call on a socket may wait, from its `O_NONBLOCK` and its `timeout`.
pub(crate) fn limit(file: &OpenFile, timeout: Option<Duration>) -> Timeout<Duration> {
    match timeout {
        _ if file.is_nonblocking() => Timeout::Now,
        Some(timeout) => Timeout::At(clock::now() + timeout),
        None => Timeout::Never,
    }
}
