//! What the calls on sockets share: addresses in user memory, and how long they wait.
//!
//! Not here: what sockets do (`net`), making them (linux/syscall/socket).
//! Source: Linux 6.1 net/socket.c (`move_addr_to_kernel`, `move_addr_to_user`).

use core::time::Duration;

use rules::abi::errno::Errno;

use crate::core::file::description::OpenFile;
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::caller::Caller;
use crate::machine::clock;
use crate::machine::memory::user::{UserPtr, UserSlice};
use crate::net::address::{ADDRESS_MAX, Address, RawAddress};

/// A part of the caller's memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    /// Where it begins.
    pub(crate) addr: usize,
    /// How long it is.
    pub(crate) len: usize,
}

/// Where the caller wants an address or a value.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// Where it begins.
    pub(crate) addr: usize,
    /// Where its length is, and the length of the answer goes.
    pub(crate) len_addr: usize,
}

/// Reads an address.
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

/// Writes `address` to where `to` says, as far as `*len` bytes of room reach, and its whole length to `*len`.
///
/// # Errors
/// `EINVAL`: negative room. `EFAULT`: not writable.
pub(crate) fn write_address(cx: &impl Caller, to: Room, address: Address) -> Result<(), Errno> {
    let bytes = &address.into_bytes()[..];
    let length = UserPtr::<i32>::new(cx.space(), to.len_addr);
    let room = usize::try_from(length.read()?).map_err(|_| Errno::EINVAL)?;
    let written = room.min(bytes.len());
    UserSlice::new(cx.space(), to.addr, written)?.write_bytes(&bytes[..written])?;
    length.write(&(bytes.len() as i32))
}

/// How long an operation on a socket may wait: `O_NONBLOCK`, or its timeout, from now on.
pub(crate) fn limit(file: &OpenFile, timeout: Option<Duration>) -> Timeout<Duration> {
    match timeout {
        _ if file.is_nonblocking() => Timeout::Now,
        Some(timeout) => Timeout::At(clock::now() + timeout),
        None => Timeout::Never,
    }
}
