//! pidfds: descriptors that become readable when a process ends.
//!
//! Owns: the file, and what a process shows to poll(2).   Not here: system calls (`linux/syscall/pidfd_open`), how a
//! process ends (`exit`).
//!
//! Whether a process has ended is an atomic of the process, which changes under a lock of its parent. So its readiness is
//! in a [`LockFree`](event::LockFree) of the process, and all its pidfds show that one.
//! Source: pidfd_open(2); Linux 6.1 kernel/pid.c.

use alloc::sync::Arc;

use pollee::{Events, NoMemory, Readiness, ReadinessSource, Token, WakeMode, Watcher};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};

use super::process::Process;
use crate::core::event::class::Class;
use crate::core::event::{self, Pollux};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::File;

/// A process, as a file.
pub(crate) struct PidFd(Arc<Process>);

/// Opens a pidfd for the process. Of `flags` only `O_NONBLOCK` has a meaning.
///
/// # Errors
/// `ENOMEM`: only the emergency reserve is left.
pub(crate) fn open(process: Arc<Process>, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    OpenFile::new(Arc::new(PidFd(process)), AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl PidFd {
    /// Returns the process.
    pub(crate) fn process(&self) -> &Arc<Process> {
        &self.0
    }
}

impl File for PidFd {
    fn class(&self) -> Class {
        Class::PidFd
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(self)
    }
}

impl pollee::Pollable<Pollux> for PidFd {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &*self.0
    }
}

impl Readiness for Process {
    fn readiness(&self) -> Events {
        if self.has_ended() { Events::READABLE } else { Events::empty() }
    }
}

impl ReadinessSource<Pollux> for Process {
    fn header(&self) -> &event::ReadinessHeader {
        self.pollee.header()
    }

    fn poll(&self, interest: Events) -> Events {
        self.pollee.poll(interest, self)
    }

    fn register(
        &self,
        watcher: Watcher<Pollux>,
        interest: Events,
        mode: WakeMode,
    ) -> Result<(Token, Events), NoMemory> {
        self.pollee.register(watcher, interest, mode, self)
    }

    fn set_interest(&self, token: &Token, interest: Events) -> Events {
        self.pollee.set_interest(token, interest, self)
    }

    fn rearm(&self, token: &Token) {
        self.pollee.rearm(token);
    }

    fn leave(&self, token: Token, last_look: &mut dyn FnMut()) -> Watcher<Pollux> {
        self.pollee.leave(token, last_look, self)
    }
}
