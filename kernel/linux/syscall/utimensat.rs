//! utimensat(2).
//!
//! Source: Linux 6.1 fs/utimes.c.

use rules::abi::errno::Errno;
use rules::abi::stat::Timestamp;
use rules::core::fd::Fd;
use rules::linux::abi::at::{AT_FDCWD, AtFlags};
use rules::linux::access::Access;
use rules::linux::inotify::mask::Happened;

use super::at::{self, Lookup};
use super::context::{Caller, Context, SysResult};
use crate::linux::fs::mount::Location;
use crate::linux::fs::notify;
use crate::linux::fs::time;
use crate::machine::memory::user::UserPtr;

/// The new value of one of the two times.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum NewTime {
    Now,
    Keep,
    At(Timestamp),
}

/// utimensat(2). Without a path it applies to the descriptor itself; without times it sets the current time.
pub(crate) fn utimensat(
    cx: &mut Context<'_>,
    directory: i32,
    path: usize,
    times: usize,
    flags: u32,
) -> SysResult {
    let new = if times == 0 {
        [NewTime::Now; 2]
    } else {
        let array = UserPtr::<[i64; 2]>::new(cx.space(), times);
        [parse_time(array.read()?)?, parse_time(array.at(1).read()?)?]
    };
    if new == [NewTime::Keep; 2] {
        return Ok(0);
    }
    if path == 0 && directory != AT_FDCWD {
        if flags != 0 {
            return Err(Errno::EINVAL);
        }
        let fd = u32::try_from(directory).map_err(|_| Errno::EBADF)?;
        let file = cx.files().get(Fd::new(fd))?;
        let place = cx.place_of(&file)?.clone();
        return change_times(cx, &place, new);
    }
    let flags = at::flags(flags, AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH)?;
    change_times(cx, &cx.locate(directory, path, Lookup::with(flags))?, new)
}

fn parse_time([seconds, nanoseconds]: [i64; 2]) -> Result<NewTime, Errno> {
    const UTIME_NOW: i64 = 0x3fff_ffff;
    const UTIME_OMIT: i64 = 0x3fff_fffe;
    match nanoseconds {
        UTIME_NOW => Ok(NewTime::Now),
        UTIME_OMIT => Ok(NewTime::Keep),
        0..1_000_000_000 => Ok(NewTime::At(Timestamp { seconds, nanoseconds: nanoseconds as u32 })),
        _ => Err(Errno::EINVAL),
    }
}

fn change_times(cx: &mut Context<'_>, location: &Location, new: [NewTime; 2]) -> SysResult {
    let inode = &location.inode;
    let ownership = inode.ownership();
    let is_owner = ownership.check_owner(&cx.credentials());
    if new == [NewTime::Now; 2] {
        // Write permission suffices for setting the current time.
        is_owner.or_else(|_| ownership.check(&cx.credentials(), Access::WRITE))?;
    } else {
        is_owner?;
    }
    let now = time::now();
    let resolve = |new, old| match new {
        NewTime::Now => now,
        NewTime::Keep => old,
        NewTime::At(time) => time,
    };
    inode.with_attributes(|attributes| {
        attributes.accessed = resolve(new[0], attributes.accessed);
        attributes.modified = resolve(new[1], attributes.modified);
        attributes.mark_changed();
    });
    let happened = match new {
        [_, NewTime::Keep] => Happened::ACCESS,
        [NewTime::Keep, _] => Happened::MODIFY,
        _ => Happened::ATTRIB,
    };
    notify::of_file(location, happened);
    Ok(0)
}
