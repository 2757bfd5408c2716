//! The caller of a system call, as the core sees it.
//!
//! Owns: what the core's system calls need of their caller.   Not here: threads, processes, credentials, signals;
//! `linux/syscall/context` implements the trait.
//!
//! The system calls are generic over the caller, so the compiler sees one concrete type and inlines through it.
//! Why: decision 0101.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::time::Duration;

use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::abi::signal::SigSet;
use rules::core::fd::Fd;

use super::buffers::Position;
use super::poll::Group;
use crate::core::file::description::OpenFile;
use crate::core::file::poll_set;
use crate::core::file::table::FdTable;
use crate::core::object::signalfd::PendingSignals;
use crate::machine::memory::account::Account;
use crate::machine::memory::space::AddressSpace;

/// What a system call returns: the value of its register, or its error.
pub(crate) type SysResult = Result<usize, Errno>;

/// What the kernel does with a system call that returned `EINTR`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Restart {
    /// Restarts it unless a handler without `SA_RESTART` ran (Linux's `ERESTARTSYS`).
    AsHandlersSay,
    /// Restarts it if no handler ran (`ERESTARTNOHAND`).
    WithoutHandler,
    /// Restarts it if no handler ran, with the deadline that it had (`ERESTART_RESTARTBLOCK`).
    Until(Duration),
    /// Restarts it in any case (`ERESTARTNOINTR`).
    Always,
    /// Lets it fail with `EINTR`.
    Never,
}

/// A capability that a process may hold: capabilities(7).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Right {
    /// `CAP_NET_ADMIN`: may configure the network.
    AdministerNetwork,
    /// `CAP_NET_BIND_SERVICE`: may bind the ports below 1024.
    BindReservedPort,
    /// `CAP_SYS_RESOURCE`: may exceed limits, such as that of a pipe's size.
    ExceedLimits,
    /// `CAP_WAKE_ALARM`: may set timers that wake the machine.
    WakeMachine,
}

/// The thread that makes a system call.
pub(crate) trait Caller {
    /// The thread, as the wait loop sees it.
    type Sleeper: poll_set::PollThread<Deadline = Duration>;

    /// The pending signals of a thread.
    type Signals: PendingSignals;

    /// Returns the calling thread, which [`pollee::wait_events`] puts to sleep.
    fn sleeper(&self) -> &Self::Sleeper;

    /// Returns its address space.
    fn space(&self) -> &AddressSpace;

    /// Returns its table of file descriptors.
    fn files(&self) -> &Arc<FdTable>;

    /// Replaces its process's table of file descriptors.
    fn replace_files(&mut self, files: Arc<FdTable>);

    /// Returns the soft `RLIMIT_NOFILE`.
    fn file_limit(&self) -> u32;

    /// Returns what its user's processes have together.
    fn account(&self) -> Arc<Account>;

    /// Returns whether it holds `right`.
    fn may(&self, right: Right) -> bool;

    /// Returns how many bytes it may write to `file` at `position` (`RLIMIT_FSIZE`); `None`: any number. Clears the
    /// set-user-ID bits of `file` if a write by this caller does.
    ///
    /// # Errors
    /// Nothing may be written. `EFBIG`: the file is at its limit; the caller gets `SIGXFSZ`.
    fn write_limit(
        &self,
        file: &OpenFile,
        position: Position,
        status: OpenFlags,
    ) -> Result<Option<usize>, Errno>;

    /// Sends it the `SIGPIPE` that goes with `EPIPE`.
    fn send_sigpipe(&self);

    /// Decides what happens if the system call returns `EINTR`; the default is [`Restart::AsHandlersSay`].
    fn set_restart(&self, restart: Restart);

    /// Returns the last decision.
    fn restart(&self) -> Restart;

    /// Returns the deadline that the system call had before it was restarted ([`Restart::Until`]).
    fn take_resumed_deadline(&mut self) -> Option<Duration>;

    /// Performs `wait` with the signal mask `mask`; `None` leaves the mask as it is.
    ///
    /// # Errors
    /// Those of `wait`.
    fn with_mask(&mut self, mask: Option<SigSet>, wait: impl FnOnce(&mut Self) -> SysResult) -> SysResult;

    /// Returns memory for the array of poll(2), kept from one call to the next.
    fn poll_room(&self) -> &Cell<Vec<Group>>;

    /// Returns the open file description of a descriptor that a program passed.
    ///
    /// # Errors
    /// `EBADF`: not open, or opened with `O_PATH`.
    #[inline]
    fn file(&self, fd: usize) -> Result<Arc<OpenFile>, Errno> {
        self.files().get(parse_fd(fd)?)
    }
}

/// Parses a descriptor in a register; the upper half is ignored, as on Linux.
///
/// # Errors
/// `EBADF`: it is negative.
pub(crate) fn parse_fd(register: usize) -> Result<Fd, Errno> {
    let number = register as u32;
    if number > i32::MAX.cast_unsigned() { Err(Errno::EBADF) } else { Ok(Fd::new(number)) }
}
