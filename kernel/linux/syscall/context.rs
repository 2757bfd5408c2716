//! What a syscall knows about its caller.
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
use crate::linux::task::signal::signalfd::Signals;
use crate::linux::task::thread::{Myself, Thread};
use crate::machine::memory::space::AddressSpace;

/// What a thread keeps at hand of its process, so that a syscall finds it without a lock or a reference count.
///
/// Only the thread's own syscalls put something else in place: execve(2), which no other thread survives, and
/// close_range(2) with `CLOSE_RANGE_UNSHARE`, which is about the caller alone. They say so with [`Context::renew`].
pub(crate) struct Held {
    pub(crate) space: Arc<AddressSpace>,
    files: Arc<FdTable>,
    /// Where the last poll(2) of many had its array: programs poll the same descriptors again and again.
    poll_room: Cell<Vec<Group>>,
}

impl Held {
    /// What the process of `thread` has now.
    pub(crate) fn of(thread: &Thread) -> Self {
        Self { space: thread.process().space(), files: thread.process().files(), poll_room: Cell::default() }
    }
}

/// The caller of a syscall.
pub(crate) struct Context<'a> {
    myself: &'a Myself,
    held: &'a Held,
    /// The caller's registers.
    pub(crate) user: &'a mut UserContext,
    /// What becomes of the syscall if it ends with `EINTR`.
    pub(crate) restart: Cell<Restart>,
    /// When its wait ends, if it is begun again after an interruption: what is left of its time limit counts.
    pub(crate) resume: Option<Duration>,
    /// Whether what was held is not the process's any more.
    is_outdated: bool,
}

impl<'a> Context<'a> {
    /// The context of a syscall of `thread`.
    pub(crate) fn new(
        myself: &'a Myself,
        held: &'a Held,
        user: &'a mut UserContext,
        resume: Option<Duration>,
    ) -> Self {
        Self { myself, held, user, restart: Cell::new(Restart::AsHandlersSay), resume, is_outdated: false }
    }

    /// Says that the process has another address space or table of descriptors from the next syscall on.
    pub(crate) fn renew(&mut self) {
        self.is_outdated = true;
    }

    /// Whether the caller must look again at what it holds.
    pub(crate) const fn is_outdated(&self) -> bool {
        self.is_outdated
    }

    /// The calling thread.
    pub(crate) fn thread(&self) -> &'a Arc<Thread> {
        self.myself
    }

    /// The calling thread as it sees itself.
    pub(crate) fn myself(&self) -> &'a Myself {
        self.myself
    }

    /// Its process.
    pub(crate) fn process(&self) -> &'a Arc<Process> {
        self.myself.process()
    }

    /// Where relative paths begin, who asks, and the umask.
    pub(crate) fn origin(&self) -> Origin {
        let paths = self.process().paths.lock();
        Origin {
            start: paths.cwd.clone(),
            credentials: *self.process().credentials.lock(),
            umask: paths.umask,
        }
    }
}

impl Caller for Context<'_> {
    type Sleeper = Myself;
    type Signals = Signals;

    #[inline]
    fn sleeper(&self) -> &Myself {
        self.myself
    }

    #[inline]
    fn space(&self) -> &AddressSpace {
        &self.held.space
    }

    #[inline]
    fn files(&self) -> &Arc<FdTable> {
        &self.held.files
    }

    fn replace_files(&mut self, files: Arc<FdTable>) {
        drop(self.process().replace_files(files));
        self.renew();
    }

    fn file_limit(&self) -> u32 {
        u32::try_from(self.process().limits.soft(Resource::Files)).unwrap_or(u32::MAX)
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
        &self.held.poll_room
    }
}
