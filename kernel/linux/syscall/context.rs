//! The context of a system call: its caller and the caller's process.
//! Why: decision 0101.
//!
//! Why: decision 0051.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use ostd::arch::cpu::context::UserContext;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::signal::{SigSet, Signal};
use rules::linux::capability::Capability;

use super::{file_size, mask};

use crate::core::file::description::OpenFile;
use crate::core::file::table::FdTable;
use crate::core::syscall::buffers::Position;
pub(crate) use crate::core::syscall::caller::{Caller, SysResult};
use crate::core::syscall::caller::{Restart, Right};
use crate::core::syscall::poll::Group;
use crate::linux::fs::path::Origin;
use crate::linux::task::limits::Resource;
use crate::linux::task::process::Process;
use crate::linux::task::signal::pending::Info;
use crate::linux::task::signal::send;
use crate::linux::task::signal::signalfd::ThreadPending;
use crate::linux::task::thread::{CurrentThread, Thread};
use crate::machine::memory::account::Account;
use crate::machine::memory::space::AddressSpace;

/// References to the process's parts that a thread keeps, so that a system call needs no lock or reference count to
/// find them.
///
/// Only the thread's own system calls replace these parts: execve(2), which no other thread survives, and
/// close_range(2) with `CLOSE_RANGE_UNSHARE`, which affects only the caller. They then call [`Context::renew`].
pub(crate) struct ProcessRefs {
    pub(crate) space: Arc<AddressSpace>,
    files: Arc<FdTable>,
    /// The array of the last large poll(2), kept because programs poll the same descriptors again and again.
    poll_room: Cell<Vec<Group>>,
}

impl ProcessRefs {
    /// Takes references to what `thread`'s process has now.
    pub(crate) fn of(thread: &Thread) -> Self {
        Self { space: thread.process().space(), files: thread.process().files(), poll_room: Cell::default() }
    }
}

/// The caller of a syscall.
pub(crate) struct Context<'a> {
    current: &'a CurrentThread,
    refs: &'a ProcessRefs,
    /// The caller's registers.
    pub(crate) user: &'a mut UserContext,
    /// Whether and how the system call is restarted if it ends with `EINTR`.
    pub(crate) restart: Cell<Restart>,
    /// The deadline of a restarted wait, so that only the rest of its timeout counts.
    pub(crate) resume: Option<Duration>,
    /// Whether [`ProcessRefs`] no longer matches the process.
    is_outdated: bool,
}

impl<'a> Context<'a> {
    /// Makes the context of a system call by `thread`.
    pub(crate) fn new(
        current: &'a CurrentThread,
        refs: &'a ProcessRefs,
        user: &'a mut UserContext,
        resume: Option<Duration>,
    ) -> Self {
        Self { current, refs, user, restart: Cell::new(Restart::AsHandlersSay), resume, is_outdated: false }
    }

    /// Notes that the process has another address space or descriptor table from the next system call on.
    pub(crate) fn renew(&mut self) {
        self.is_outdated = true;
    }

    /// Returns whether the caller must take its references again.
    pub(crate) const fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// Returns the calling thread.
    pub(crate) fn thread(&self) -> &'a Arc<Thread> {
        self.current
    }

    /// Returns the calling thread as it sees itself.
    pub(crate) fn current(&self) -> &'a CurrentThread {
        self.current
    }

    /// Returns the caller's process.
    pub(crate) fn process(&self) -> &'a Arc<Process> {
        self.current.process()
    }

    /// Returns the working directory, the credentials and the umask, for a path lookup.
    pub(crate) fn origin(&self) -> Origin {
        let paths = self.process().paths.lock();
        Origin { start: paths.cwd.clone(), credentials: self.credentials(), umask: paths.umask }
    }
}

impl Caller for Context<'_> {
    type Sleeper = CurrentThread;
    type Signals = ThreadPending;

    #[inline]
    fn sleeper(&self) -> &CurrentThread {
        self.current
    }

    #[inline]
    fn space(&self) -> &AddressSpace {
        &self.refs.space
    }

    #[inline]
    fn files(&self) -> &Arc<FdTable> {
        &self.refs.files
    }

    fn replace_files(&mut self, files: Arc<FdTable>) {
        drop(self.process().replace_files(files));
        self.renew();
    }

    fn file_limit(&self) -> u32 {
        u32::try_from(self.process().limits.soft(Resource::Files)).unwrap_or(u32::MAX)
    }

    fn account(&self) -> Arc<Account> {
        self.process().account()
    }

    fn may(&self, right: Right) -> bool {
        self.credentials().can(match right {
            Right::AdministerNetwork => Capability::NET_ADMIN,
            Right::BindReservedPort => Capability::NET_BIND_SERVICE,
            Right::ExceedLimits => Capability::SYS_RESOURCE,
            Right::WakeMachine => Capability::WAKE_ALARM,
        })
    }

    fn write_limit(
        &self,
        file: &OpenFile,
        position: Position,
        status: OpenFlags,
    ) -> Result<Option<usize>, Errno> {
        file_size::room(self, file, position, status)
    }

    fn send_sigpipe(&self) {
        send::to_thread(self.thread(), Info::kernel(Signal::PIPE));
    }

    fn set_restart(&self, restart: Restart) {
        self.restart.set(restart);
    }

    fn restart(&self) -> Restart {
        self.restart.get()
    }

    fn take_resumed_deadline(&mut self) -> Option<Duration> {
        self.resume.take()
    }

    fn with_mask(&mut self, mask: Option<SigSet>, wait: impl FnOnce(&mut Self) -> SysResult) -> SysResult {
        mask::replaced(self, mask, wait)
    }

    #[inline]
    fn poll_room(&self) -> &Cell<Vec<Group>> {
        &self.refs.poll_room
    }
}
