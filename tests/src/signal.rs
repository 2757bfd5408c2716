//! Wraps signals: actions, masks, and a count of arrived signals.
//!
//! Actions belong to the whole process, so use this in a [`crate::child`].

use core::mem::MaybeUninit;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::sys::{self, Result};
use crate::time;

static SEEN: [AtomicUsize; 65] = [const { AtomicUsize::new(0) }; 65];

/// Installs a handler that counts `signal`; `flags` may hold `SA_RESTART` and its like.
pub fn count(signal: i32, flags: i32) {
    extern "C" fn record(signal: i32) {
        SEEN[signal as usize].fetch_add(1, Ordering::SeqCst);
    }
    handle(signal, flags, record as extern "C" fn(i32) as usize);
}

/// Returns how many times a counted `signal` arrived.
pub fn seen(signal: i32) -> usize {
    SEEN[signal as usize].load(Ordering::SeqCst)
}

/// Installs `handler`: a function's address, `SIG_IGN` or `SIG_DFL`.
pub fn handle(signal: i32, flags: i32, handler: usize) {
    // SAFETY: all-zero is a valid `sigaction`; the caller's handler is one.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

/// Returns the handler's address, `SIG_IGN` or `SIG_DFL`.
pub fn action(signal: i32) -> usize {
    // SAFETY: all-zero is a valid `sigaction`, and it is ours.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        assert_eq!(libc::sigaction(signal, ptr::null(), &mut action), 0);
        action.sa_sigaction
    }
}

/// Restores the default action of `signal`.
pub fn default(signal: i32) {
    handle(signal, 0, libc::SIG_DFL);
}

/// Makes a set of these signals.
pub fn set(signals: &[i32]) -> libc::sigset_t {
    // SAFETY: `sigemptyset` initialises the set.
    unsafe {
        let mut set = MaybeUninit::uninit();
        libc::sigemptyset(set.as_mut_ptr());
        for &signal in signals {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Makes the kernel's 64-bit form of a set of these signals.
pub fn mask(signals: &[i32]) -> u64 {
    signals.iter().fold(0, |mask, signal| mask | 1 << (signal - 1))
}

/// Blocks these signals, in addition to those already blocked.
pub fn block(signals: &[i32]) {
    change(libc::SIG_BLOCK, signals);
}

/// Unblocks these signals.
pub fn unblock(signals: &[i32]) {
    change(libc::SIG_UNBLOCK, signals);
}

fn change(how: i32, signals: &[i32]) {
    // SAFETY: the set is valid, the old one not wanted.
    assert_eq!(unsafe { libc::sigprocmask(how, &set(signals), ptr::null_mut()) }, 0);
}

/// Whether `signal` is blocked.
pub fn is_blocked(signal: i32) -> bool {
    let mut now = set(&[]);
    // SAFETY: both sets are valid.
    unsafe {
        libc::sigprocmask(libc::SIG_BLOCK, ptr::null(), &mut now);
        libc::sigismember(&now, signal) == 1
    }
}

/// Whether `signal` is pending.
pub fn is_pending(signal: i32) -> bool {
    let mut now = set(&[]);
    // SAFETY: the set is valid.
    unsafe {
        assert_eq!(libc::sigpending(&mut now), 0);
        libc::sigismember(&now, signal) == 1
    }
}

/// Sends `signal` as kill(2) does: to a process, a group or all processes.
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: no memory is involved.
    unsafe { sys::call(libc::SYS_kill, [pid as usize, signal as usize]) }.map(drop)
}

/// Sends `signal` to this thread.
pub fn raise(signal: i32) {
    // SAFETY: no memory is involved.
    assert_eq!(unsafe { libc::raise(signal) }, 0);
}

/// Runs `work`, which must take at least `delay`, and interrupts it with `SIGALRM` after `delay`. The signal
/// repeats until `work` ends, in case the first one comes before `work` waits.
#[track_caller]
pub fn interrupted<T>(delay: Duration, work: impl FnOnce() -> T) -> T {
    time::at_least(delay, || {
        alarm_every(delay, delay);
        let result = work();
        alarm(Duration::ZERO);
        result
    })
}

/// Arranges for one `SIGALRM` after `delay`; zero cancels it.
pub fn alarm(delay: Duration) {
    alarm_every(delay, Duration::ZERO);
}

/// Arranges for a `SIGALRM` after `delay` and then after every `interval`.
pub fn alarm_every(delay: Duration, interval: Duration) {
    let timeval = |duration: Duration| libc::timeval {
        tv_sec: duration.as_secs() as i64,
        tv_usec: i64::from(duration.subsec_micros()),
    };
    let timer = libc::itimerval { it_interval: timeval(interval), it_value: timeval(delay) };
    // SAFETY: the timer is valid, the old one not wanted.
    let set = unsafe { libc::setitimer(libc::ITIMER_REAL, &timer, ptr::null_mut()) };
    assert_eq!(set, 0);
}
