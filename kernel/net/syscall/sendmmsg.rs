//! sendmmsg(2), recvmmsg(2): several messages with one call.
//!
//! Not here: a single one (`send`, `recv`).
//! Source: Linux 6.1 net/socket.c (`__sys_sendmmsg`, `do_recvmmsg`).

use rules::abi::errno::Errno;
use rules::core::fd::Fd;
use rules::net::abi::socket::{MessageFlags, MessageHeader};

use super::{recv, send};
use crate::core::file::poll_set::Timeout;
use crate::core::syscall::caller::{Caller, SysResult};
use crate::core::syscall::timeout::TimeLimit;
use crate::machine::clock;
use crate::machine::memory::user::UserPtr;
use crate::net::file;
use crate::net::socket::SocketCaller;

/// `UIO_MAXIOV`: the most messages of one call.
const SENT_MOST: u32 = 1024;

/// `struct mmsghdr`: a `struct msghdr`, and the length of the message in four bytes of eight.
const HEADER: usize = size_of::<MessageHeader>() + size_of::<u64>();

/// Sends the `count` messages at `headers`, one after the other, and writes the length of each. Returns how many were
/// sent.
///
/// # Errors
/// Nothing was sent. Those of [`send::sendmsg`], about the first message.
pub(crate) fn sendmmsg(
    cx: &mut (impl Caller + SocketCaller),
    fd: Fd,
    headers: usize,
    count: u32,
    flags: u32,
) -> SysResult {
    file::socket(&*cx.files().get(fd)?)?;
    let mut done = 0;
    for nr in 0..count.min(SENT_MOST) as usize {
        let header = headers.wrapping_add(nr * HEADER);
        let sent = send::sendmsg(cx, fd, header, flags).and_then(|len| note(cx, header, len));
        match sent {
            Ok(()) => done += 1,
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(done)
}

/// Receives up to `count` messages to the buffers of `headers`, until the timeout at `time` (null: none) is over.
/// Checks that after each message, and writes back what remains. Returns how many messages came.
///
/// An error after the first message is kept for the next call, unless it is that nothing more is there.
///
/// # Errors
/// Nothing was received. `EINVAL`: no valid time. `EFAULT`: the time is not readable. The pending error of the
/// connection, even if there is something to read. Those of [`recv::recvmsg`], about the first message.
pub(crate) fn recvmmsg(
    cx: &mut impl Caller,
    fd: Fd,
    headers: usize,
    count: u32,
    flags: u32,
    time: usize,
) -> SysResult {
    let limit = TimeLimit::timespec(cx.space(), time)?;
    let mut flags = MessageFlags::from_bits_retain(flags);
    let file = cx.files().get(fd)?;
    let socket = file::socket(&file)?;
    if !flags.contains(MessageFlags::ERROR_QUEUE)
        && let Some(error) = socket.state().take_error()
    {
        return Err(error);
    }
    let waits_for_one = flags.contains(MessageFlags::WAIT_FOR_ONE);
    flags.remove(MessageFlags::WAIT_FOR_ONE);
    let mut done = 0;
    for nr in 0..count as usize {
        let header = headers.wrapping_add(nr * HEADER);
        let received = recv::recvmsg(cx, fd, header, flags.bits()).and_then(|len| note(cx, header, len));
        match received {
            Ok(()) => done += 1,
            Err(error) if done == 0 => return Err(error),
            Err(Errno::EAGAIN) => break,
            Err(error) => {
                socket.state().put_error(error);
                break;
            }
        }
        let is_up = match limit.timeout() {
            Timeout::Now => true,
            Timeout::At(end) => end <= clock::now(),
            Timeout::Never => false,
        };
        if is_up {
            break;
        }
        flags.set(MessageFlags::DONT_WAIT, waits_for_one || flags.contains(MessageFlags::DONT_WAIT));
    }
    if done > 0 {
        limit.write_back(cx.space());
    }
    Ok(done)
}

fn note(cx: &impl Caller, header: usize, len: usize) -> Result<(), Errno> {
    UserPtr::<u32>::new(cx.space(), header.wrapping_add(size_of::<MessageHeader>())).write(&(len as u32))
}
