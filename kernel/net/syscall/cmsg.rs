//! cmsg(3): control messages.
//!
//! Owns: descriptors (`SCM_RIGHTS`), as programs write and read them.   Missing: credentials.
//! Why: decision 0070.
//! Source: Linux 6.1 net/core/scm.c (`__scm_send`, `scm_detach_fds`), include/linux/socket.h.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rules::abi::errno::Errno;
use rules::core::fd::{Fd, OnExec};
use rules::machine::fallible;
use rules::net::abi::socket::{MessageFlags, MessageHeader, SOL_SOCKET, family};

use crate::core::file::description::OpenFile;
use crate::core::syscall::caller::{Caller, parse_fd};
use crate::machine::memory::user::UserSlice;
use crate::net::file;
use crate::net::socket::SocketType;

/// `sizeof(struct cmsghdr)`: a length of eight bytes, a level and a type of four.
const HEADER: usize = 16;
/// `net.core.optmem_max`.
const CONTROL_MAX: usize = 20_480;
/// `SCM_MAX_FD`.
const RIGHTS_MAX: usize = 253;
/// Descriptors.
const SCM_RIGHTS: u32 = 1;

/// Reads the descriptors that `message` sends over a socket of type `socket_type`, and returns their descriptions.
///
/// # Errors
/// `ENOBUFS`: too long. `EINVAL`: malformed, of a type that the socket does not know, or with too many descriptors.
/// `EBADF`: not open. `ETOOMANYREFS`: a local socket, which could keep itself alive. `EFAULT`: not readable.
pub(crate) fn read_rights(
    cx: &impl Caller,
    message: &MessageHeader,
    socket_type: SocketType,
) -> Result<Vec<Arc<OpenFile>>, Errno> {
    let len = message.control_len as usize;
    let mut rights = Vec::new();
    if len == 0 {
        return Ok(rights);
    }
    if len > CONTROL_MAX {
        return Err(Errno::ENOBUFS);
    }
    let mut control = fallible::zeroes(len)?;
    UserSlice::new(cx.space(), message.control as usize, len)?.read_bytes(&mut control)?;
    let mut rest = &control[..];
    while let Some((header, _)) = rest.split_first_chunk::<HEADER>() {
        let len = word(&header[..8]);
        if !(HEADER..=rest.len()).contains(&len) {
            return Err(Errno::EINVAL);
        }
        let is_known = word(&header[8..12]) == SOL_SOCKET as usize;
        if is_known {
            if word(&header[12..]) != SCM_RIGHTS as usize || socket_type.family == family::AF_NETLINK {
                return Err(Errno::EINVAL);
            }
            // Internet sockets ignore descriptors.
            let is_local = socket_type.family == family::AF_UNIX;
            for number in rest[HEADER..len].chunks_exact(4).filter(|_| is_local) {
                rights.push(right(cx, word(number))?);
            }
            if rights.len() > RIGHTS_MAX {
                return Err(Errno::EINVAL);
            }
        }
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or(&[]);
    }
    Ok(rights)
}

fn word(bytes: &[u8]) -> usize {
    bytes.iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte))
}

fn right(cx: &impl Caller, number: usize) -> Result<Arc<OpenFile>, Errno> {
    let file = cx.files().get_any(parse_fd(number)?)?;
    if file::socket(&file).is_ok_and(|socket| socket.socket_type().family == family::AF_UNIX) {
        return Err(Errno::ETOOMANYREFS);
    }
    Ok(file)
}

/// Opens as many of `rights` as `message` has room for, and sets its length and `MSG_CTRUNC`.
///
/// # Errors
/// `EFAULT`: not writable.
pub(crate) fn write_rights(
    cx: &impl Caller,
    message: &mut MessageHeader,
    rights: Vec<Arc<OpenFile>>,
    flags: MessageFlags,
) -> Result<(), Errno> {
    let room = message.control_len as usize;
    message.control_len = 0;
    if rights.is_empty() {
        return Ok(());
    }
    let count = if message.control == 0 { 0 } else { room.saturating_sub(HEADER) / 4 };
    let on_exec =
        if flags.contains(MessageFlags::CONTROL_CLOSE_ON_EXEC) { OnExec::Close } else { OnExec::Keep };
    let files = cx.files();
    let total = rights.len();
    let mut numbers = Vec::new();
    let mut opened = Vec::new();
    for file in rights.into_iter().take(count) {
        let Ok(place) = files.reserve(Fd::new(0), cx.file_limit()) else { break };
        numbers.push(place.fd().number());
        opened.push((place, file));
    }
    if numbers.len() < total {
        message.flags |= MessageFlags::CONTROL_TRUNCATED.bits();
    }
    if numbers.is_empty() {
        return Ok(());
    }
    let len = HEADER + 4 * numbers.len();
    let mut control = Vec::with_capacity(len);
    control.extend((len as u64).to_ne_bytes());
    control.extend(SOL_SOCKET.to_ne_bytes());
    control.extend(SCM_RIGHTS.to_ne_bytes());
    control.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
    UserSlice::new(cx.space(), message.control as usize, len)?.write_bytes(&control)?;
    for (place, file) in opened {
        place.commit(file, on_exec);
    }
    message.control_len = len.next_multiple_of(8).min(room) as u64;
    Ok(())
}
