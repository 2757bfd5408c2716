//! exit(2), exit_group(2).

use alloc::sync::Arc;

use super::context::{Context, SysResult};
use crate::task::exit;
use crate::task::process::End;

/// exit(2): ends the calling thread; the process, if it is the last one, with this status.
pub(crate) fn exit(cx: &mut Context<'_>, status: usize) -> SysResult {
    let thread: &Arc<_> = cx.thread();
    let is_only = thread.process().threads.lock().len() == 1;
    if is_only {
        exit::end_process(thread.process(), End::Exited(status as u8));
    }
    thread.kill();
    Ok(0)
}

/// exit_group(2): ends the process.
pub(crate) fn exit_group(cx: &mut Context<'_>, status: usize) -> SysResult {
    exit::end_process(cx.process(), End::Exited(status as u8));
    Ok(0)
}
