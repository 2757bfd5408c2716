//! epoll_create(2), epoll_ctl(2), epoll_wait(2), epoll_pwait(2) and epoll_pwait2.
//!
//! Not here: the instance (object/epoll), what may be added (`rules::core::epoll`), the wait loop (`pollee::wait`).
//! Source: Linux 6.1 fs/eventpoll.c.

use core::task::Poll;
use core::time::Duration;

use ostd::mm::VmReader;
use pollee::ready_list::Batch;
use pollee::{Events, Recheck, WaitError, WaitTarget, WakeMode};
use rules::abi::epoll::{EPOLL_CLOEXEC, EpollEvent, Operation};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, Restart, SysResult};
use super::mask::MaskArgument;
use super::timeout::{self, TimeLimit};
use crate::core::file::poll_set::Timeout;
use crate::core::object::epoll::{self, Epoll};
use crate::machine::memory::user::{UserPtr, UserSlice};

/// The instance that epoll_wait(2) waits for, and the array that it fills.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventsBuffer {
    /// The descriptor of the instance.
    pub(crate) epfd: usize,
    /// Where the array begins.
    pub(crate) events: usize,
    /// How many events it has room for.
    pub(crate) max: i32,
}

/// Makes an instance and returns its number. `size` has no effect.
///
/// # Errors
/// `EINVAL`: `size` is not positive. `EMFILE`: no number is free. `ENOMEM`.
pub(crate) fn epoll_create(cx: &mut impl Caller, size: i32) -> SysResult {
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    epoll_create1(cx, 0)
}

/// Makes an instance and returns its number.
///
/// # Errors
/// `EINVAL`: a flag other than `EPOLL_CLOEXEC`. `EMFILE`: no number is free. `ENOMEM`.
pub(crate) fn epoll_create1(cx: &mut impl Caller, flags: u32) -> SysResult {
    if flags & !EPOLL_CLOEXEC != 0 {
        return Err(Errno::EINVAL);
    }
    let instance = epoll::create(cx.account())?;
    let on_exec = OnExec::from_flags(OpenFlags::from_bits_truncate(flags));
    cx.files().open(instance, on_exec, cx.file_limit()).map(Fd::index)
}

/// Adds, changes or removes the item of `fd` in the instance `epfd`.
///
/// # Errors
/// `EFAULT`: the event at `event` is not readable. `EBADF`: `epfd` or `fd` is not open. Those of [`epoll::control`].
pub(crate) fn epoll_ctl(cx: &impl Caller, epfd: usize, operation: i32, fd: usize, event: usize) -> SysResult {
    let operation = Operation::parse(operation);
    let event = match operation {
        Some(Operation::Delete) => EpollEvent::default(),
        _ => {
            let bytes = UserPtr::<[u8; EpollEvent::SIZE]>::new(cx.space(), event).read()?;
            EpollEvent::from_bytes(bytes)
        }
    };
    let file = cx.file(epfd)?;
    let target = cx.file(fd)?;
    epoll::control(&file, operation, &target, fd as i32, event).map(|()| 0)
}

/// Waits until an item of the instance is ready, for at most `milliseconds` (negative: without limit), and writes
/// ready items to the array, as far as there is room. Returns how many.
///
/// # Errors
/// No event is lost. `EINVAL`: the room is not positive or too large, or `epfd` is no instance. `EFAULT`: the array
/// is not writable. `EBADF`: `epfd` is not open. `EINTR`: a signal came first. `ENOMEM`.
pub(crate) fn epoll_wait(cx: &mut impl Caller, to: EventsBuffer, milliseconds: i32) -> SysResult {
    wait_until(cx, to, timeout::from_milliseconds(milliseconds))
}

/// Performs [`epoll_wait`] with the signal mask `mask`.
///
/// # Errors
/// As [`epoll_wait`]. Those of [`MaskArgument::read`].
pub(crate) fn epoll_pwait(
    cx: &mut impl Caller,
    to: EventsBuffer,
    milliseconds: i32,
    mask: MaskArgument,
) -> SysResult {
    let timeout = timeout::from_milliseconds(milliseconds);
    let mask = mask.read(cx.space())?;
    cx.with_mask(mask, |cx| wait_until(cx, to, timeout))
}

/// Performs [`epoll_pwait`] for at most the `struct timespec` at `time` (null: without limit), which is not written
/// back.
///
/// # Errors
/// As [`epoll_pwait`]. `EFAULT`: the time is not readable. `EINVAL`: no valid time.
pub(crate) fn epoll_pwait2(
    cx: &mut impl Caller,
    to: EventsBuffer,
    time: usize,
    mask: MaskArgument,
) -> SysResult {
    let timeout = TimeLimit::timespec(cx.space(), time)?.timeout();
    let mask = mask.read(cx.space())?;
    cx.with_mask(mask, |cx| wait_until(cx, to, timeout))
}

fn wait_until(cx: &mut impl Caller, to: EventsBuffer, timeout: Timeout<Duration>) -> SysResult {
    /// `EP_MAX_EVENTS`.
    const MOST: usize = i32::MAX as usize / EpollEvent::SIZE;
    cx.set_restart(Restart::Never);
    let max = usize::try_from(to.max).ok().filter(|max| (1..=MOST).contains(max)).ok_or(Errno::EINVAL)?;
    let events = UserSlice::new(cx.space(), to.events, max * EpollEvent::SIZE)?;
    let file = cx.file(to.epfd)?;
    let instance = file.downcast::<Epoll>().ok_or(Errno::EINVAL)?;
    let scan = || {
        let put = |nr, reports: &[EpollEvent]| put(events.part(nr * EpollEvent::SIZE, usize::MAX), reports);
        match instance.scan(max, put) {
            Ok(0) => Poll::Pending,
            result => Poll::Ready(result),
        }
    };
    if let Poll::Ready(result) = scan() {
        // Items beyond `max`, and level-triggered ones, may be ready for other waiters.
        instance.ready_list().hand_on();
        return result;
    }
    let Ok(deadline) = timeout.deadline() else { return Ok(0) };
    // Each event wakes one waiter, which hands on what it leaves.
    let target = WaitTarget {
        file: instance.ready_list(),
        interest: Events::READABLE,
        mode: WakeMode::Handoff,
        recheck: Recheck::Readiness,
    };
    match pollee::wait_events_after_try(cx.sleeper(), target, deadline, scan) {
        Ok(result) => result,
        Err(WaitError::TimedOut) => Ok(0),
        Err(error @ (WaitError::Interrupted | WaitError::NoMemory)) => Err(error.into()),
    }
}

/// Writes `reports` to the array, and returns how many arrived.
fn put(to: UserSlice<'_>, reports: &[EpollEvent]) -> usize {
    let mut bytes: heapless::Vec<u8, { Batch::CAPACITY * EpollEvent::SIZE }> = heapless::Vec::new();
    for report in reports {
        // There is room: a scan reports no more than a batch at a time.
        let _ = bytes.extend_from_slice(&report.to_bytes());
    }
    to.copy_from(&mut VmReader::from(&bytes[..])) / EpollEvent::SIZE
}
