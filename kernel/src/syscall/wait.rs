//! wait4(2).

use model::abi::errno::Errno;

use super::context::{Context, SysResult};
use crate::memory::user::{UserPtr, UserSlice};
use crate::task::process::End;
use crate::task::wait::{self, Found, Patience, Which};

const WNOHANG: usize = 1;
const WUNTRACED: usize = 2;
const WCONTINUED: usize = 8;
/// `__WNOTHREAD`, `__WALL`, `__WCLONE`.
const CLONE_OPTIONS: usize = 0xe000_0000;

/// wait4(2).
///
/// # Errors
/// `ECHILD`, `EINTR`, `EINVAL`: unknown options. `EFAULT`: the child is gone all the same, as on Linux.
pub(crate) fn wait4(
    cx: &mut Context<'_>,
    pid: usize,
    status: usize,
    options: usize,
    usage: usize,
) -> SysResult {
    if options & 0xffff_ffff & !(WNOHANG | WUNTRACED | WCONTINUED | CLONE_OPTIONS) != 0 {
        return Err(Errno::EINVAL);
    }
    let which = match pid as u32 as i32 {
        i32::MIN => return Err(Errno::ESRCH),
        -1 => Which::Any,
        0 => Which::Group(cx.process().group.load(core::sync::atomic::Ordering::Relaxed)),
        group if group < 0 => Which::Group(group.unsigned_abs()),
        pid => Which::Process(pid.unsigned_abs()),
    };
    let patience = if options & WNOHANG != 0 { Patience::Look } else { Patience::Wait };
    let Some((child, end)) = wait::child(cx.thread(), which, Found::Reap, patience)? else { return Ok(0) };
    let word = match end {
        End::Exited(status) => u32::from(status) << 8,
        End::Killed(signal) => u32::from(signal),
    };
    if status != 0 {
        UserPtr::<u32>::new(cx.space(), status).write(&word)?;
    }
    if usage != 0 {
        // struct rusage: nothing is accounted.
        UserSlice::new(cx.space(), usage, 144)?.write_bytes(&[0; 144])?;
    }
    Ok(child.pid() as usize)
}
