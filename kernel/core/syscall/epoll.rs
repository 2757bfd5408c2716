//! epoll_create(2), epoll_ctl(2), epoll_wait(2), epoll_pwait(2) and epoll_pwait2.
//!
//! Not here: the instance (object/epoll), what may be added (`rules::core::epoll`), the wait loop (event/wait).
//! Source: Linux 6.1 fs/eventpoll.c.

use core::task::Poll;
use core::time::Duration;

use ostd::mm::VmReader;
use pollee::{Events, Share};
use rules::abi::epoll::{EPOLL_CLOEXEC, EpollEvent, Operation};
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::fd::{Fd, OnExec};

use super::caller::{Caller, Restart, SysResult};
use super::mask;
use super::timeout::{self, TimeLimit};
use crate::core::event::ready::CHUNK;
use crate::core::event::wait::{self, Check, Source, Stop};
use crate::core::file::poll_set::Timeout;
use crate::core::object::epoll::{self, Epoll};
use crate::machine::memory::user::{UserPtr, UserSlice};

/// Makes an instance and returns its number. `size` is of no use today.
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
    let instance = epoll::create()?;
    let on_exec = OnExec::from_flags(OpenFlags::from_bits_truncate(flags));
    cx.files().open(instance, on_exec, cx.file_limit()).map(Fd::index)
}

/// Adds, changes or removes the item of `fd` in the instance `epfd`.
///
/// # Errors
/// `EFAULT`: the event at `event` is not readable. `EBADF`: one of the two is not open. Those of
/// [`epoll::control`].
pub(crate) fn epoll_ctl(
    cx: &mut impl Caller,
    epfd: usize,
    operation: i32,
    fd: usize,
    event: usize,
) -> SysResult {
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

/// Waits until an item of the instance `epfd` is ready, for at most `milliseconds`, or for ever if negative, and
/// writes up to `max` ready ones to `events`. Returns how many.
///
/// # Errors
/// No event is lost. `EINVAL`: `max` is not positive or too many, or `epfd` is no instance. `EFAULT`: `events` is
/// not writable. `EBADF`: `epfd` is not open. `EINTR`: a signal came first. `ENOMEM`.
pub(crate) fn epoll_wait(
    cx: &mut impl Caller,
    epfd: usize,
    events: usize,
    max: i32,
    milliseconds: i32,
) -> SysResult {
    wait_until(cx, epfd, events, max, timeout::from_milliseconds(milliseconds))
}

/// [`epoll_wait`] with the signal mask at `mask` (null: as it is).
///
/// # Errors
/// As [`epoll_wait`]. `EFAULT`: the mask is not readable. `EINVAL`: `mask_size` is not 8.
pub(crate) fn epoll_pwait(
    cx: &mut impl Caller,
    epfd: usize,
    events: usize,
    max: i32,
    milliseconds: i32,
    mask: usize,
    mask_size: usize,
) -> SysResult {
    let timeout = timeout::from_milliseconds(milliseconds);
    let mask = mask::read(cx.space(), mask, mask_size)?;
    cx.with_mask(mask, |cx| wait_until(cx, epfd, events, max, timeout))
}

/// [`epoll_pwait`] for at most the `struct timespec` at `time` (null: for ever), which is not written.
///
/// # Errors
/// As [`epoll_pwait`]. `EFAULT`: the time is not readable. `EINVAL`: no valid time.
pub(crate) fn epoll_pwait2(
    cx: &mut impl Caller,
    epfd: usize,
    events: usize,
    max: i32,
    time: usize,
    mask: usize,
    mask_size: usize,
) -> SysResult {
    let timeout = TimeLimit::timespec(cx.space(), time)?.timeout();
    let mask = mask::read(cx.space(), mask, mask_size)?;
    cx.with_mask(mask, |cx| wait_until(cx, epfd, events, max, timeout))
}

fn wait_until(
    cx: &mut impl Caller,
    epfd: usize,
    events: usize,
    max: i32,
    timeout: Timeout<Duration>,
) -> SysResult {
    /// `EP_MAX_EVENTS`.
    const MOST: usize = i32::MAX as usize / EpollEvent::SIZE;
    cx.set_restart(Restart::Never);
    let max = usize::try_from(max).ok().filter(|max| (1..=MOST).contains(max)).ok_or(Errno::EINVAL)?;
    let events = UserSlice::new(cx.space(), events, max * EpollEvent::SIZE)?;
    let file = cx.file(epfd)?;
    let instance = file.downcast::<Epoll>().ok_or(Errno::EINVAL)?;
    let scan = || {
        let put = |nr, reports: &[EpollEvent]| put(events.part(nr * EpollEvent::SIZE, usize::MAX), reports);
        match instance.scan(max, put) {
            Ok(0) => Poll::Pending,
            result => Poll::Ready(result),
        }
    };
    if let Poll::Ready(result) = scan() {
        // There may be more than `max`, or level-triggered ones, for others who wait.
        instance.pass_on();
        return result;
    }
    let deadline = match timeout {
        Timeout::Now => return Ok(0),
        Timeout::At(deadline) => Some(deadline),
        Timeout::Never => None,
    };
    // One waiter for each event; whoever leaves passes on what is left.
    let source = Source {
        file: instance.queue(),
        interest: Events::READABLE,
        share: Share::Relay,
        check: Check::Readiness,
    };
    match wait::registered(cx.sleeper(), source, deadline, scan) {
        Ok(result) => result,
        Err(Stop::TimedOut) => Ok(0),
        Err(stop @ (Stop::Interrupted | Stop::NoMemory)) => Err(stop.into()),
    }
}

/// Writes reports one behind the other, and returns how many were written.
fn put(to: UserSlice<'_>, reports: &[EpollEvent]) -> usize {
    let mut bytes: heapless::Vec<u8, { CHUNK * EpollEvent::SIZE }> = heapless::Vec::new();
    for report in reports {
        // There is room: a scan reports no more at a time.
        let _ = bytes.extend_from_slice(&report.to_bytes());
    }
    to.copy_from(&mut VmReader::from(&bytes[..])) / EpollEvent::SIZE
}
