//! exit(2), exit_group(2).

use super::context::{Context, SysResult};
use crate::linux::task::exit;
use crate::linux::task::process::ExitStatus;

/// exit(2): ends the calling thread. The first thread's status becomes the process's, unless exit_group(2) or a signal
/// ends the process.
pub(crate) fn exit(cx: &mut Context<'_>, status: usize) -> SysResult {
    cx.thread().finish(status as u8);
    Ok(0)
}

/// exit_group(2): ends the process.
pub(crate) fn exit_group(cx: &mut Context<'_>, status: usize) -> SysResult {
    exit::end_process(cx.process(), ExitStatus::Exited(status as u8));
    Ok(0)
}
