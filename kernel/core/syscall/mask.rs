//! A signal mask for the time of one syscall: ppoll(2), pselect(2), epoll_pwait(2).
//!
//! The mask is replaced, and put back, in one step with the wait: a signal that it lets through cannot come
//! between the replacement and the sleep without ending that. If one did, the handler runs with the replaced
//! mask, and its return puts the old one back (`task::signal`).
//! Source: Linux 6.1 kernel/signal.c (`set_user_sigmask`, `restore_saved_sigmask_unless`).

use rules::abi::errno::Errno;

use crate::linux::syscall::context::{Context, SysResult};
use crate::linux::task::signal;
use crate::linux::task::signal::set::SigSet;
use crate::linux::task::thread::Thread;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::user::UserPtr;

/// Reads the mask at `address`; null leaves the mask as it is.
///
/// # Errors
/// `EINVAL`: `size` is not the size of a set. `EFAULT`: not readable.
pub(crate) fn read(space: &AddressSpace, address: usize, size: usize) -> Result<Option<SigSet>, Errno> {
    if address == 0 {
        return Ok(None);
    }
    if size != size_of::<u64>() {
        return Err(Errno::EINVAL);
    }
    UserPtr::<u64>::new(space, address).read().map(|bits| Some(SigSet::mask(bits)))
}

/// Performs `wait` with `mask`.
///
/// # Errors
/// Those of `wait`.
pub(crate) fn replaced(
    cx: &mut Context<'_>,
    mask: Option<SigSet>,
    wait: impl FnOnce(&mut Context<'_>) -> SysResult,
) -> SysResult {
    let Some(mask) = mask else {
        return wait(cx);
    };
    let thread = cx.thread();
    {
        let mut signals = thread.signals.lock();
        signals.saved_mask = Some(signals.mask);
        signals.mask = mask;
    }
    attend(thread);
    let result = wait(cx);
    if result != Err(Errno::EINTR) {
        let mut signals = thread.signals.lock();
        if let Some(saved) = signals.saved_mask.take() {
            signals.mask = saved;
        }
        drop(signals);
        attend(thread);
    }
    result
}

/// Signals that waited for another mask are to be looked at.
fn attend(thread: &Thread) {
    if signal::has_deliverable(thread) {
        thread.call_attention();
    }
}
