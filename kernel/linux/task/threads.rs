//! The threads of a process: who they are, and whether there may be more.
//!
//! Owns: the list.   Not here: how they begin (`thread`) and end (`exit`).
//! Invariant: once it is closed nobody comes, so whoever closes it and then ends those who are there has ended all. A
//! thread that was just being made would otherwise live on in a process that is dead for everybody else.
//! Source: Linux 6.1 kernel/fork.c (`copy_process`), fs/exec.c (`de_thread`), kernel/exit.c (`do_group_exit`).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Deref;

use rules::abi::errno::Errno;

use super::thread::Thread;

/// The living threads of a process, the oldest first; under its lock.
#[derive(Default)]
pub(crate) struct ThreadList {
    list: Vec<Arc<Thread>>,
    /// The process ends, or one of them executes another program.
    is_closed: bool,
}

impl ThreadList {
    /// Adds one that does not run yet.
    ///
    /// # Errors
    /// `EAGAIN`: there may not be more. The caller is about to end, and does not see it.
    pub(super) fn add(&mut self, thread: &Arc<Thread>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::EAGAIN);
        }
        self.list.push(thread.clone());
        Ok(())
    }

    /// Takes one out.
    pub(super) fn remove(&mut self, thread: &Arc<Thread>) {
        self.list.retain(|other| !Arc::ptr_eq(other, thread));
    }

    /// Lets nobody come any more, and makes those end who are there.
    pub(super) fn end_all(&mut self) {
        self.is_closed = true;
        self.list.iter().for_each(|thread| thread.kill());
    }

    /// As [`end_all`](Self::end_all), but for `thread`, which has the process for itself then.
    ///
    /// # Errors
    /// `EAGAIN`: another one does this already, or the process ends: this thread is to end, too.
    pub(crate) fn end_others(&mut self, thread: &Arc<Thread>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::EAGAIN);
        }
        self.is_closed = true;
        self.list.iter().filter(|other| !Arc::ptr_eq(other, thread)).for_each(|other| other.kill());
        Ok(())
    }

    /// Lets others come again. The process must not be about to end.
    pub(crate) fn reopen(&mut self) {
        self.is_closed = false;
    }
}

impl Deref for ThreadList {
    type Target = [Arc<Thread>];

    fn deref(&self) -> &[Arc<Thread>] {
        &self.list
    }
}
