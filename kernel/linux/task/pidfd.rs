//! pidfds: descriptors that become readable when a process ends.
//!
//! Owns: the readiness.   Not here: the system calls on them (syscall/pidfd_open).
//! Source: pidfd_open(2); Linux 6.1 kernel/pid.c.

use alloc::sync::Arc;

use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};

use super::process::Process;
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;

/// An open pidfd.
pub(crate) struct PidFd {
    process: Arc<Process>,
    state: Arc<event::Locked<PidfdState>>,
}

/// Whether the process has ended.
pub(super) struct PidfdState(bool);

impl Readiness for PidfdState {
    fn readiness(&self) -> Events {
        if self.0 { Events::READABLE } else { Events::empty() }
    }
}

/// Opens a pidfd for the process. Of `flags` only `O_NONBLOCK` has a meaning.
///
/// # Errors
/// `ENOMEM`: only the emergency reserve is left.
pub(crate) fn open(process: Arc<Process>, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let state = Arc::new(event::Locked::new(Class::PidFd, PidfdState(false)));
    {
        let mut watchers = process.watchers.lock();
        watchers.retain(|other| other.strong_count() > 0);
        watchers.push(Arc::downgrade(&state));
    }
    if process.has_ended() {
        // The process may have ended before this pidfd was among its watchers.
        state.lock().0 = true;
    }
    OpenFile::new(Arc::new(PidFd { process, state }), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

/// Makes the pidfds of a process readable when it has ended.
pub(super) fn notify(process: &Process) {
    let watchers = core::mem::take(&mut *process.watchers.lock());
    for watcher in watchers.iter().filter_map(alloc::sync::Weak::upgrade) {
        watcher.lock().0 = true;
    }
}

impl PidFd {
    /// Returns the process.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.process
    }
}

impl File for PidFd {
    fn class(&self) -> Class {
        Class::PidFd
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&*self.state)
    }
}
