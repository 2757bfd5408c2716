//! kill(2), tkill(2), tgkill(2), sigqueue(3).
//!
//! Source: Linux 6.1 kernel/signal.c (`kill_something_info`, `check_kill_permission`, `do_rt_sigqueueinfo`).

use alloc::sync::Arc;

use rules::abi::errno::Errno;
use rules::abi::siginfo;

use super::context::{Caller, Context, SysResult};
use crate::linux::task::process::Process;
use crate::linux::task::process_table;
use crate::linux::task::signal::pending::{INFO_WORDS, Info, Pending, SI_TKILL, SI_USER};
use crate::linux::task::signal::send;
use crate::linux::task::thread::Thread;
use crate::machine::memory::user::UserPtr;
use crate::machine::pause::pause;
use rules::abi::signal::Signal;

/// Parses a signal number; `None` for 0, which only checks whether a signal could be sent.
///
/// # Errors
/// `EINVAL`: no such signal.
pub(super) fn parse(number: usize) -> Result<Option<Signal>, Errno> {
    match number as u32 {
        0 => Ok(None),
        number => Signal::new(number as usize).map(Some).ok_or(Errno::EINVAL),
    }
}

/// Checks whether the caller may send `signal` to `process`.
///
/// # Errors
/// `EPERM`: the process belongs to another user, and the signal is not `SIGCONT` within the session.
pub(super) fn check_permission(
    cx: &Context<'_>,
    process: &Process,
    signal: Option<Signal>,
) -> Result<(), Errno> {
    let own = cx.credentials();
    if own.may_signal(&process.credentials.lock()) {
        return Ok(());
    }
    if signal == Some(Signal::CONT) && process.session() == cx.process().session() {
        return Ok(());
    }
    Err(Errno::EPERM)
}

/// Returns the process with that ID, or the one that has a thread with that ID (`pid_task`).
///
/// # Errors
/// `ESRCH`: there is no such process.
pub(super) fn find_process(id: usize) -> Result<Arc<Process>, Errno> {
    let id = id as u32;
    let of_thread = || process_table::find_thread(id).map(|thread| thread.process().clone());
    process_table::find(id).or_else(of_thread).ok_or(Errno::ESRCH)
}

/// kill(2).
///
/// # Errors
/// `EINVAL`: no such signal. `ESRCH`: no such process or group. `EPERM`: the caller may signal none of them, and the
/// PID is not -1.
pub(crate) fn kill(cx: &mut Context<'_>, pid: usize, number: usize) -> SysResult {
    let signal = parse(number);
    let uid = cx.process().credentials.lock().users.real;
    let send = |process: &Arc<Process>| {
        let signal = signal?;
        check_permission(cx, process, signal)?;
        if let Some(signal) = signal {
            send::to_process(process, Info::user(signal, SI_USER, cx.process().pid(), uid));
        }
        Ok(0)
    };
    let pid = pid as u32 as i32;
    if pid > 0 {
        return send(&find_process(pid as usize)?);
    }
    let _membership = process_table::MEMBERSHIP.lock();
    if pid == i32::MIN {
        return Err(Errno::ESRCH);
    }
    let own = cx.process();
    let group = if pid == 0 { own.group() } else { pid.unsigned_abs() };
    // Zombies count as members of a group, as on Linux.
    let receivers = process_table::filter(|process| match pid {
        -1 => !process.is_init() && process.pid() != own.pid(),
        _ => process.group() == group,
    });
    let mut result = Err(Errno::ESRCH);
    for process in receivers {
        pause();
        result = match send(&process) {
            // With -1, processes that the caller may not signal are skipped silently.
            Err(Errno::EPERM) if pid == -1 => result.or(Ok(0)),
            Err(error) if pid == -1 => Err(error),
            sent => result.or(sent),
        };
    }
    result
}

/// Returns the thread with that ID; it must belong to the process `group`, if that is given.
fn find(group: Option<usize>, tid: usize) -> Result<Arc<Thread>, Errno> {
    let (group, tid) = (group.map(|group| group as u32 as i32), tid as u32 as i32);
    if group.is_some_and(|group| group <= 0) || tid <= 0 {
        return Err(Errno::EINVAL);
    }
    let thread = process_table::find_thread(tid.unsigned_abs()).ok_or(Errno::ESRCH)?;
    if group.is_some_and(|group| thread.process().pid() != group.unsigned_abs()) {
        return Err(Errno::ESRCH);
    }
    Ok(thread)
}

/// tkill(2): as [`tgkill`], for a thread of any process.
///
/// # Errors
/// As [`tgkill`].
pub(crate) fn tkill(cx: &mut Context<'_>, tid: usize, number: usize) -> SysResult {
    let thread = find(None, tid)?;
    send_to_thread(cx, &thread, number)
}

/// tgkill(2).
///
/// # Errors
/// No signal was sent. `EINVAL`: no such signal, or a number that cannot be a thread ID. `ESRCH`, `EPERM`.
pub(crate) fn tgkill(cx: &mut Context<'_>, group: usize, tid: usize, number: usize) -> SysResult {
    let thread = find(Some(group), tid)?;
    send_to_thread(cx, &thread, number)
}

fn send_to_thread(cx: &Context<'_>, thread: &Thread, number: usize) -> SysResult {
    let signal = parse(number)?;
    check_permission(cx, thread.process(), signal)?;
    if let Some(signal) = signal {
        let uid = cx.process().credentials.lock().users.real;
        send::to_thread(thread, Info::user(signal, SI_TKILL, cx.process().pid(), uid));
    }
    Ok(0)
}

/// A `siginfo_t` that a program passed.
pub(super) struct UserSigInfo {
    words: [u64; INFO_WORDS],
}

impl UserSigInfo {
    /// Reads the structure at `at`, for the signal with that number.
    ///
    /// # Errors
    /// `EFAULT`. `E2BIG`: bytes beyond those that the kernel keeps are not zero.
    pub(super) fn read(cx: &Context<'_>, at: usize, number: usize) -> Result<Self, Errno> {
        /// The words that the kernel keeps.
        const KEPT: usize = 6;
        let words = UserPtr::<[u64; INFO_WORDS]>::new(cx.space(), at).read()?;
        let told = Self { words };
        if !siginfo::is_known(number as u32, told.code()) && words[KEPT..].iter().any(|word| *word != 0) {
            return Err(Errno::E2BIG);
        }
        Ok(told)
    }

    /// Returns its `si_signo`.
    pub(super) fn number(&self) -> u32 {
        self.words[0] as u32
    }

    fn code(&self) -> i32 {
        self.words[1] as u32 as i32
    }

    /// Checks whether the caller may send this `siginfo_t` to the thread or process with the ID `receiver`.
    ///
    /// # Errors
    /// `EPERM`: it claims to come from the kernel or from kill(2), and the receiver is not the caller.
    pub(super) fn check_claim(&self, cx: &Context<'_>, receiver: u32) -> Result<(), Errno> {
        let is_claim = self.code() >= 0 || self.code() == SI_TKILL;
        if is_claim && receiver != cx.thread().tid() { Err(Errno::EPERM) } else { Ok(()) }
    }

    /// Makes the signal's info for the receiver.
    pub(super) fn info(&self, signal: Signal) -> Info {
        let errno = (self.words[0] >> 32) as u32;
        let [_, _, fields @ ..] = self.words;
        let fields = [fields[0], fields[1], fields[2], fields[3]];
        Info { signal, errno: errno.cast_signed(), code: self.code(), fields, timer: None }
    }
}

/// # Errors
/// `EAGAIN`: the receiver's queue has no room for a real-time signal.
fn check_room(info: &Info, room: &send::Room) -> Result<(), Errno> {
    let may_be_lost = !info.signal.is_queued() || info.code == SI_USER;
    if may_be_lost || Pending::has_room(info, room) { Ok(()) } else { Err(Errno::EAGAIN) }
}

/// rt_sigqueueinfo(2), the system call behind sigqueue(3).
///
/// # Errors
/// As [`kill`], [`UserSigInfo::read`] and [`UserSigInfo::check_claim`]. `EAGAIN`: the receiver's queue is full.
pub(crate) fn rt_sigqueueinfo(cx: &mut Context<'_>, pid: usize, number: usize, info: usize) -> SysResult {
    let told = UserSigInfo::read(cx, info, number)?;
    told.check_claim(cx, pid as u32)?;
    let process = find_process(pid)?;
    let signal = parse(number)?;
    check_permission(cx, &process, signal)?;
    if let Some(info) = signal.map(|signal| told.info(signal)) {
        check_room(&info, &send::room(&process))?;
        send::to_process(&process, info);
    }
    Ok(0)
}

/// rt_tgsigqueueinfo(2), the system call behind pthread_sigqueue(3).
///
/// # Errors
/// As [`tgkill`] and [`rt_sigqueueinfo`].
pub(crate) fn rt_tgsigqueueinfo(
    cx: &mut Context<'_>,
    group: usize,
    tid: usize,
    number: usize,
    info: usize,
) -> SysResult {
    let told = UserSigInfo::read(cx, info, number)?;
    if (tid as u32).cast_signed() <= 0 || (group as u32).cast_signed() <= 0 {
        return Err(Errno::EINVAL);
    }
    told.check_claim(cx, tid as u32)?;
    let thread = find(Some(group), tid)?;
    let signal = parse(number)?;
    check_permission(cx, thread.process(), signal)?;
    if let Some(info) = signal.map(|signal| told.info(signal)) {
        check_room(&info, &send::room(thread.process()))?;
        send::to_thread(&thread, info);
    }
    Ok(0)
}
