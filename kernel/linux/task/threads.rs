//! The list of a process's threads.
//!
//! Owns: the list, and whether it accepts threads.   Not here: how threads start (`thread`) and end (`exit`).
//! Invariant: a closed list accepts no thread, so closing it and then ending its threads ends all of them. Otherwise a
//! thread that is just being created could outlive its process.
//! Source: Linux 6.1 kernel/fork.c (`copy_process`), fs/exec.c (`de_thread`), kernel/exit.c (`do_group_exit`).

use alloc::sync::Arc;
use core::ops::Deref;

use rules::abi::errno::Errno;
use rules::machine::fallible;
use smallvec::SmallVec;

use super::thread::Thread;

/// The living threads of a process, oldest first. The process's lock guards it.
#[derive(Default)]
pub(crate) struct ThreadList {
    /// Most processes have one thread, which needs no allocation.
    list: SmallVec<[Arc<Thread>; 1]>,
    /// Set while the process ends or one of its threads executes another program.
    is_closed: bool,
}

impl ThreadList {
    /// Adds a thread that does not run yet.
    ///
    /// # Errors
    /// The thread was not added. `EAGAIN`: no memory; or the list is closed, and the caller is about to end.
    pub(super) fn add(&mut self, thread: &Arc<Thread>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::EAGAIN);
        }
        fallible::reserve(&mut self.list, 1).map_err(|_| Errno::EAGAIN)?;
        self.list.push(thread.clone());
        Ok(())
    }

    /// Removes a thread.
    pub(super) fn remove(&mut self, thread: &Arc<Thread>) {
        self.list.retain(|other| !Arc::ptr_eq(other, thread));
    }

    /// Closes the list and makes all its threads end.
    pub(super) fn end_all(&mut self) {
        self.is_closed = true;
        self.list.iter().for_each(|thread| thread.kill());
    }

    /// Closes the list and makes all threads but `thread` end.
    ///
    /// # Errors
    /// `EAGAIN`: another thread does this already, or the process ends; the caller must end, too. Nothing was changed.
    pub(crate) fn end_others(&mut self, thread: &Arc<Thread>) -> Result<(), Errno> {
        if self.is_closed {
            return Err(Errno::EAGAIN);
        }
        self.is_closed = true;
        self.list.iter().filter(|other| !Arc::ptr_eq(other, thread)).for_each(|other| other.kill());
        Ok(())
    }

    /// Opens the list again. The process must not be about to end.
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
