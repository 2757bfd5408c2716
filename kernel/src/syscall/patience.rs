//! Whether and how an operation on a file waits.
//!
//! Owns: `O_NONBLOCK`.   Not here: the wait itself (event/wait), what is tried (the callers).

use core::task::Poll;

use model::abi::errno::Errno;
use pollee::Events;

use super::context::Context;
use crate::event::wait::{self, Source};
use crate::file::description::OpenFile;

/// Tries `attempt` until it is ready; what it waits for is [`Events::READABLE`] or [`Events::WRITABLE`].
///
/// # Errors
/// `EAGAIN`: `O_NONBLOCK`, and it was not ready. `EINTR`: a signal came first. `ENOMEM`: no memory to wait with.
/// Those of `attempt`.
pub(super) fn until_ready<T>(
    cx: &Context<'_>,
    file: &OpenFile,
    waits_for: Events,
    mut attempt: impl FnMut() -> Poll<Result<T, Errno>>,
) -> Result<T, Errno> {
    if let Poll::Ready(result) = attempt() {
        return result;
    }
    if file.is_nonblocking() {
        return Err(Errno::EAGAIN);
    }
    let share = file.file().share(waits_for);
    // What is not ready and never changes would be waited for in vain.
    let file = file.file().watch().ok_or(Errno::EAGAIN)?;
    wait::registered(cx.thread(), Source { file, interest: waits_for, share }, None, attempt)?
}
