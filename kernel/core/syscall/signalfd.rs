//! signalfd(2), signalfd4(2).
//!
//! Not here: the file (`core/object/signalfd`).
//! Source: Linux 6.1 fs/signalfd.c (`do_signalfd4`).

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, SysResult};
use super::mask;
use crate::core::object::signalfd::{self, SignalFd};
use crate::machine::memory::user::UserPtr;
use rules::abi::signal::SigSet;

/// Performs Performs [`signalfd4`] without flags.
///
/// # Errors
/// As [`signalfd4`].
pub(crate) fn signalfd(cx: &mut impl Caller, fd: i32, set: usize, size: usize) -> SysResult {
    signalfd4(cx, fd, set, size, 0)
}

/// Makes a signalfd for the signals at `set`, or changes the signals of `fd` if that is not -1; returns the
/// descriptor.
///
/// # Errors
/// `EINVAL`: the set has another size, an unknown flag, or `fd` is no signalfd. `EFAULT`: the set is not readable.
/// `EBADF`: `fd` is not open. `EMFILE`: no number is free. `ENOMEM`.
pub(crate) fn signalfd4<C: Caller>(cx: &mut C, fd: i32, set: usize, size: usize, flags: u32) -> SysResult {
    let known = OpenFlags::NONBLOCK | OpenFlags::CLOSE_ON_EXEC;
    mask::check_set_size(size)?;
    let wanted = SigSet::mask(UserPtr::<u64>::new(cx.space(), set).read()?);
    let flags = OpenFlags::from_bits(flags).filter(|flags| known.contains(*flags)).ok_or(Errno::EINVAL)?;
    if fd == -1 {
        let file = signalfd::create::<C::Signals>(wanted, flags)?;
        return cx.files().open(file, OnExec::from_flags(flags), cx.file_limit()).map(Fd::index);
    }
    let file = cx.file(fd as usize)?;
    file.downcast::<SignalFd<C::Signals>>().ok_or(Errno::EINVAL)?.set_wanted(wanted);
    Ok(fd as usize)
}
