//! From a pipe to another file.
//!
//! A try takes slots, writes them, and gives the rest back before anything sleeps, so other readers of the pipe find all
//! that was not written.
//! Source: Linux 6.1 fs/splice.c (`iter_file_splice_write`, `splice_from_pipe_next`, `pipe_to_sendpage`).

use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::splice::MOST;
use rules::net::abi::socket::{MessageFlags, family, kind};

use super::{Caller, Context, OpenPipe, SpliceFlags, SysResult, support};
use crate::core::file::description::OpenFile;
use crate::core::syscall::blocking::Blocking;
use crate::core::syscall::buffers::Position;
use crate::core::syscall::write;
use crate::machine::memory::transfer::Source;
use crate::net::file as net_file;
use crate::net::socket::{Outgoing, Socket};

/// Writes at most `len` bytes to `to`, at `position` if it has offsets, and advances that.
///
/// # Errors
/// Nothing was written. Those of splice(2).
pub(super) fn to_file(
    cx: &Context<'_>,
    from: OpenPipe<'_>,
    to: &OpenFile,
    position: &mut u64,
    len: usize,
    flags: SpliceFlags,
) -> SysResult {
    if !support::is_writable(to) {
        return Err(Errno::EINVAL);
    }
    let socket = net_file::socket(to).ok();
    let most = if socket.is_some_and(keeps_slots_apart) { 1 } else { MOST };
    let mut total = 0;
    while total < len {
        let has_bytes = if total == 0 {
            from.wait_for_bytes(cx, flags)?
        } else {
            from.end.has_bytes() == Poll::Ready(true)
        };
        if !has_bytes {
            break;
        }
        let wanted = match cx.write_limit(to, Position::At(*position), to.status()) {
            Ok(room) => (len - total).min(room.unwrap_or(usize::MAX)),
            Err(_) if total > 0 => break,
            Err(error) => return Err(error),
        };
        let written = Blocking::new(cx, to, Events::WRITABLE).run(|| {
            let parcel = from.end.take(wanted, most)?;
            let result = if parcel.is_empty() {
                Poll::Ready(Ok(0))
            } else {
                put(to, socket, *position, &mut parcel.source(), flags)
            };
            from.end.give_back(parcel, if let Poll::Ready(Ok(written)) = result { written } else { 0 });
            result
        });
        match written {
            // Another reader was faster, or the file is full.
            Ok(0) if to.is_seekable() || total > 0 => break,
            Ok(written) => {
                total += written;
                if to.is_seekable() {
                    *position += written as u64;
                }
            }
            Err(error) => {
                write::signal_broken_pipe(cx, error);
                return if total > 0 { Ok(total) } else { Err(error) };
            }
        }
        if cx.thread().is_dying() {
            break;
        }
    }
    Ok(total)
}

/// Returns whether each slot becomes a message of its own; UDP sends the slots of one call as one datagram.
fn keeps_slots_apart(socket: &dyn Socket) -> bool {
    let is = socket.socket_type();
    is.kind != kind::SOCK_STREAM && is.family != family::AF_INET
}

fn put(
    to: &OpenFile,
    socket: Option<&dyn Socket>,
    position: u64,
    from: &mut dyn Source,
    flags: SpliceFlags,
) -> Poll<Result<usize, Errno>> {
    match socket {
        Some(socket) => {
            let mut message = Outgoing::default();
            message.flags.set(MessageFlags::MORE, flags.contains(SpliceFlags::MORE));
            socket.send(from, &mut message)
        }
        None => to.file().write_at(position, from),
    }
}
