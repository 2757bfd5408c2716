//! Waiting for children: wait4(2), waitid(2).

use alloc::sync::Arc;
use core::sync::atomic::Ordering;

use model::abi::errno::Errno;

use super::process::{self, End, Process};
use super::thread::Thread;
use crate::event::wait::Sleep;

/// Which children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Which {
    /// Any child.
    Any,
    /// The child with this ID.
    Process(u32),
    /// Children of this process group.
    Group(u32),
}

/// What happens to a child that is found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Found {
    /// It is forgotten.
    Reap,
    /// It stays (`WNOWAIT`).
    Leave,
}

/// Whether to sleep until there is a child that ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Patience {
    /// Sleep.
    Wait,
    /// `WNOHANG`.
    Look,
}

/// Finds a child that ended; `None` if none has and the caller does not wait.
///
/// # Errors
/// `ECHILD`: there is no such child. `EINTR`.
pub(crate) fn child(
    thread: &Thread,
    which: Which,
    found: Found,
    patience: Patience,
) -> Result<Option<(Arc<Process>, End)>, Errno> {
    loop {
        if let Some(ended) = look(thread.process(), which, found)? {
            return Ok(Some(ended));
        }
        if patience == Patience::Look {
            return Ok(None);
        }
        // A child that ends after the look wakes this thread, and the wake sticks.
        if thread.is_interrupted() {
            return Err(Errno::EINTR);
        }
        thread.sleep(None);
    }
}

fn look(parent: &Process, which: Which, found: Found) -> Result<Option<(Arc<Process>, End)>, Errno> {
    let mut children = parent.children.lock();
    let mut exists = false;
    let mut ended = None;
    for (index, child) in children.iter().enumerate() {
        let is_meant = match which {
            Which::Any => true,
            Which::Process(pid) => child.pid() == pid,
            Which::Group(group) => child.group.load(Ordering::Relaxed) == group,
        };
        exists |= is_meant;
        if is_meant && child.threads.lock().is_empty() {
            let end = *child.end.lock();
            ended = end.map(|end| (index, end));
            if ended.is_some() {
                break;
            }
        }
    }
    match ended {
        Some((index, end)) if found == Found::Reap => {
            let child = children.remove(index);
            drop(children);
            process::forget(child.pid());
            Ok(Some((child, end)))
        }
        Some((index, end)) => Ok(Some((children[index].clone(), end))),
        None if exists => Ok(None),
        None => Err(Errno::ECHILD),
    }
}
