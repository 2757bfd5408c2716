//! socketpair(2), and the send and recv families on its ends.
//!
//! Not here: the pair (object/socketpair).   Missing: peeking, descriptors in messages, the other calls of sockets.
//! Source: Linux 6.1 net/socket.c (`__sys_socketpair`).

use core::task::Poll;

use model::abi::errno::Errno;
use model::abi::open::OpenFlags;
use model::abi::socket::MessageFlags;
use model::fd::{Fd, OnExec};
use model::transfer::Source as _;
use pollee::Events;

use super::context::{Context, SysResult};
use super::{patience, socket, write};
use crate::file::description::OpenFile;
use crate::file::many::Timeout;
use crate::memory::user::{UserPtr, UserSink, UserSource};
use crate::object::socketpair::{self, Kind};

const AF_UNIX: u32 = 1;
const SOCK_STREAM: u32 = 1;
const SOCK_DGRAM: u32 = 2;
const SOCK_SEQPACKET: u32 = 5;
/// `SOCK_TYPE_MASK`.
const TYPE: u32 = 0xf;

/// Makes two connected sockets and writes their numbers to `to`.
///
/// # Errors
/// `EINVAL`: an unknown flag. `EAFNOSUPPORT`: a family that is not here. `EOPNOTSUPP`: one that knows no pairs.
/// `ESOCKTNOSUPPORT`, `EPROTONOSUPPORT`: a type or protocol that pairs have not. `EFAULT`: `to` is not writable.
/// `EMFILE`: no numbers are free. `ENOMEM`. There is no pair then.
pub(crate) fn socketpair(
    cx: &mut Context<'_>,
    family: u32,
    kind: u32,
    protocol: u32,
    to: usize,
) -> SysResult {
    const AF_INET: u32 = 2;
    let known = OpenFlags::NONBLOCK | OpenFlags::CLOSE_ON_EXEC;
    let flags = OpenFlags::from_bits(kind & !TYPE).filter(|flags| known.contains(*flags));
    let flags = flags.ok_or(Errno::EINVAL)?;
    match family {
        AF_UNIX => {}
        AF_INET => return Err(Errno::EOPNOTSUPP),
        _ => return Err(Errno::EAFNOSUPPORT),
    }
    if protocol != 0 && protocol != AF_UNIX {
        return Err(Errno::EPROTONOSUPPORT);
    }
    let kind = match kind & TYPE {
        SOCK_STREAM => Kind::Stream,
        // Between two ends that nobody else can reach, datagrams are messages.
        SOCK_SEQPACKET | SOCK_DGRAM => Kind::Messages,
        _ => return Err(Errno::ESOCKTNOSUPPORT),
    };
    let ends = socketpair::create(kind, flags)?;
    let files = cx.files();
    let places = [files.reserve(Fd::new(0), cx.file_limit())?, files.reserve(Fd::new(0), cx.file_limit())?];
    let numbers = [places[0].fd().number(), places[1].fd().number()];
    UserPtr::<[u32; 2]>::new(cx.space(), to).write(&numbers)?;
    for (place, end) in places.into_iter().zip(ends) {
        place.commit(end, OnExec::from_flags(flags));
    }
    Ok(0)
}

/// What recv(2) and recvmsg(2) do with an end.
///
/// # Errors
/// As read(2). `EOPNOTSUPP`: a flag that ends do not know.
pub(super) fn receive(
    cx: &Context<'_>,
    file: &OpenFile,
    to: &UserSink<'_>,
    flags: MessageFlags,
) -> SysResult {
    let limit = limit(file, flags)?;
    patience::within(cx, file, Events::READABLE, limit, || file.file().read_at(0, &mut to.clone()))
}

/// What send(2) and sendmsg(2) do with an end.
///
/// # Errors
/// As write(2). `EOPNOTSUPP`: a flag that ends do not know.
pub(super) fn send(
    cx: &Context<'_>,
    file: &OpenFile,
    from: &mut UserSource<'_>,
    flags: MessageFlags,
) -> SysResult {
    let limit = limit(file, flags)?;
    let mut total = 0;
    let result =
        patience::within(cx, file, Events::WRITABLE, limit, || match file.file().write_at(0, from) {
            Poll::Ready(Ok(count)) => {
                total += count;
                if count == 0 || from.remaining() == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        });
    match result {
        Err(error) if total == 0 => {
            if !flags.contains(MessageFlags::NO_SIGNAL) {
                write::signal_broken_pipe(cx, error);
            }
            Err(error)
        }
        _ => Ok(total),
    }
}

fn limit(file: &OpenFile, flags: MessageFlags) -> Result<Timeout<core::time::Duration>, Errno> {
    if !(MessageFlags::DONT_WAIT | MessageFlags::NO_SIGNAL).contains(flags) {
        return Err(Errno::EOPNOTSUPP);
    }
    Ok(if flags.contains(MessageFlags::DONT_WAIT) { Timeout::Now } else { socket::limit(file, None) })
}
