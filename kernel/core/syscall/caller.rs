//! The caller of a system call, as the core sees it.
//!
//! Owns: what the core's system calls ask of their caller.   Not here: threads, processes, credentials, signals;
//! `linux/syscall/context` implements the trait with them.
//!
//! The system calls are generic over the caller, so the compiler sees one concrete type and inlines through it.

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
use crate::machine::memory::space::AddressSpace;

/// The value that a system call returns in its register, or its error.
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

/// A right that a process may hold: capabilities(7).
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
    /// The thread as something that sleeps.
    type Sleeper: poll_set::PollThread<Deadline = Duration>;

    /// The signals that wait for a thread.
    type Signals: PendingSignals;

    /// The calling thread, which [`pollee::wait_events`] puts to sleep.
    fn sleeper(&self) -> &Self::Sleeper;

    /// Its address space.
    fn space(&self) -> &AddressSpace;

    /// Its table of file descriptors.
    fn files(&self) -> &Arc<FdTable>;

    /// Gives its process another table of file descriptors.
    fn replace_files(&mut self, files: Arc<FdTable>);

    /// `RLIMIT_NOFILE`, the soft limit.
    fn file_limit(&self) -> u32;

    /// Whether it holds `right`.
    fn may(&self, right: Right) -> bool;

    /// How many bytes it may write to `file` at `position` (`RLIMIT_FSIZE`); `None` if there is no limit. `file` loses
    /// its set-user-ID bits if the caller's write takes them.
    ///
    /// # Errors
    /// `EFBIG`: none. The caller gets `SIGXFSZ`.
    fn write_limit(
        &self,
        file: &OpenFile,
        position: Position,
        status: OpenFlags,
    ) -> Result<Option<usize>, Errno>;

    /// Sends it the `SIGPIPE` that goes with `EPIPE`.
    fn send_sigpipe(&self);

    /// Decides what follows if the system call returns `EINTR`; [`Restart::AsHandlersSay`] if it does not say.
    fn set_restart(&self, restart: Restart);

    /// What was decided so far.
    fn restart(&self) -> Restart;

    /// The deadline that the system call had before it was restarted ([`Restart::Until`]).
    fn take_resumed_deadline(&mut self) -> Option<Duration>;

    /// Performs `wait` with the signal mask `mask`; `None` leaves the mask as it is.
    ///
    /// # Errors
    /// Those of `wait`.
    fn with_mask(&mut self, mask: Option<SigSet>, wait: impl FnOnce(&mut Self) -> SysResult) -> SysResult;

    /// Room for the array of poll(2), kept from one call to the next.
    fn poll_room(&self) -> &Cell<Vec<Group>>;

    /// The open file description behind a descriptor that a program passed.
    ///
    /// # Errors
    /// `EBADF`: it is not open, or it was opened with `O_PATH`.
    #[inline]
    fn file(&self, fd: usize) -> Result<Arc<OpenFile>, Errno> {
        self.files().get(parse_fd(fd)?)
    }
}

/// A descriptor as a register holds it; the upper half is ignored, as Linux does.
///
/// # Errors
/// `EBADF`: it is negative.
pub(crate) fn parse_fd(register: usize) -> Result<Fd, Errno> {
    let number = register as u32;
    if number > i32::MAX.cast_unsigned() { Err(Errno::EBADF) } else { Ok(Fd::new(number)) }
}
