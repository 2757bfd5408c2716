//! From pipe to pipe: splice(2) moves slots, tee(2) copies them.
//!
//! Source: Linux 6.1 fs/splice.c (`splice_pipe_to_pipe`, `link_pipe`).

use rules::linux::splice::{MOST, Parcel};
use rules::machine::fallible;

use super::{Context, OpenPipe, SpliceFlags, SysResult};
use crate::core::object::pipe::pool::PagePool;
use crate::core::syscall::write;

/// Moves at most `len` bytes.
///
/// # Errors
/// Nothing was moved. Those of splice(2).
pub(super) fn pipes(
    cx: &Context<'_>,
    from: OpenPipe<'_>,
    to: OpenPipe<'_>,
    len: usize,
    flags: SpliceFlags,
) -> SysResult {
    loop {
        let is_at_end = !from.wait_for_bytes(cx, flags)?;
        to.wait_for_room(cx, flags).inspect_err(|error| write::signal_broken_pipe(cx, *error))?;
        if is_at_end {
            return Ok(0);
        }
        let mut total = 0;
        let mut result = Ok(());
        while total < len && !cx.thread().is_dying() {
            let moved = move_some(from, to, len - total);
            match moved {
                Ok(0) => break,
                Ok(moved) => total += moved,
                Err(error) => {
                    write::signal_broken_pipe(cx, error);
                    result = Err(error);
                    break;
                }
            }
        }
        // Zero means the end, so after a race with another reader or writer the call begins anew.
        if total > 0 || result.is_err() || cx.thread().is_dying() {
            return if total > 0 { Ok(total) } else { result.map(|()| 0) };
        }
    }
}

fn move_some(from: OpenPipe<'_>, to: OpenPipe<'_>, len: usize) -> SysResult {
    let room = to.end.room()?;
    let parcel = from.end.take(len, room)?;
    if parcel.is_empty() {
        return Ok(0);
    }
    to.end.put(parcel)
}

/// Copies at most `len` bytes.
///
/// # Errors
/// Nothing was copied. Those of tee(2).
pub(super) fn tee(
    cx: &Context<'_>,
    from: OpenPipe<'_>,
    to: OpenPipe<'_>,
    len: usize,
    flags: SpliceFlags,
) -> SysResult {
    from.wait_for_bytes(cx, flags)?;
    to.wait_for_room(cx, flags).inspect_err(|error| write::signal_broken_pipe(cx, *error))?;
    copy(from, to, len).inspect_err(|error| write::signal_broken_pipe(cx, *error))
}

/// Copies what is in `from` now: one look at it, so that no byte is copied twice.
fn copy(from: OpenPipe<'_>, to: OpenPipe<'_>, len: usize) -> SysResult {
    let room = to.end.room()?;
    let filled = from.end.pipe.state.read().filled_slots();
    let mut left = len;
    let mut parcels = alloc::vec::Vec::new();
    let wanted = filled.min(room);
    if wanted == 0 {
        return Ok(0);
    }
    fallible::reserve_exact(&mut parcels, wanted.div_ceil(MOST))?;
    for first in (0..wanted).step_by(MOST) {
        parcels.push(Parcel::with_room(usize::MAX / 2, 0, wanted - first, &mut PagePool)?);
    }
    {
        let state = from.end.pipe.state.read();
        let mut first = 0;
        for parcel in &mut parcels {
            left -= state.copy_to(first, left, parcel);
            first += parcel.slots();
        }
    }
    let mut total = 0;
    for parcel in parcels {
        match to.end.put(parcel) {
            Ok(put) => total += put,
            Err(error) if total == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(total)
}
