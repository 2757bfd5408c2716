//! Timerfds: the rule [`rules::core::timerfd`] behind a lock, and the clock that drives it.
//!
//! Owns: the armed timer.   Not here: sleeping (`pollee::wait`), which clock a program chose
//! (`core/syscall/timerfd`).
//! Invariant: whenever the lock is free, a timer is armed for the next expiration, if there is one. It is never late;
//! a disarmed timer may fire nevertheless, and finds nothing due.
//! Source: timerfd_create(2); Linux 6.1 fs/timerfd.c.

use alloc::sync::{Arc, Weak};
use core::sync::atomic::AtomicU32;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness, WakeMode};
use rules::abi::errno::Errno;
use rules::abi::open::{AccessMode, OpenFlags};
use rules::core::seek::Whence;
use rules::core::timerfd::{Setting, VALUE_SIZE};

use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy};
use crate::machine::clock;
use crate::machine::clock::deferred::{self, Work};
use crate::machine::clock::timer::Timer;
use crate::machine::memory::transfer::Sink;

/// A timer that can be waited for.
pub(crate) struct TimerFd {
    state: event::Locked<TimerFdState>,
    alarm: Arc<Alarm>,
    /// The clock that the program chose, by its number.
    pub(crate) clock: u32,
    /// The flags of the last setting; a number alone, so the atomic needs no ordering.
    pub(crate) flags: AtomicU32,
}

struct TimerFdState {
    rule: rules::core::timerfd::TimerFd,
    armed: Option<Timer>,
}

/// What the clock calls. It does not keep the timer alive.
struct Alarm(Weak<TimerFd>);

/// Makes and opens a disarmed timer. Of `flags` only `O_NONBLOCK` counts.
///
/// # Errors
/// `ENOMEM`: only the reserve is left.
pub(crate) fn create(clock: u32, flags: OpenFlags) -> Result<Arc<OpenFile>, Errno> {
    let state = TimerFdState { rule: rules::core::timerfd::TimerFd::default(), armed: None };
    let file = Arc::new_cyclic(|me| TimerFd {
        state: event::Locked::new(Class::TimerFd, state),
        alarm: Arc::new(Alarm(me.clone())),
        clock,
        flags: AtomicU32::new(0),
    });
    OpenFile::new(file, AccessMode::ReadWrite, flags & OpenFlags::NONBLOCK)
}

impl TimerFd {
    /// Sets the timer to expire at `first` of the monotonic clock, or never; returns the previous setting.
    pub(crate) fn set(&self, first: Option<Duration>, interval: Duration) -> Setting {
        let mut state = self.state.lock();
        let before = state.rule.set(clock::now(), first, interval);
        // A time that is due already has expired when the call returns.
        if state.rule.expire(clock::now()) {
            state.raise(Events::IN);
        }
        let disarmed = state.arm(&self.alarm);
        drop(state);
        drop(disarmed);
        before
    }

    /// Returns the setting, and how many expirations were not read.
    pub(crate) fn get(&self) -> (Setting, u64) {
        let mut state = self.state.lock();
        let setting = (state.rule.get(clock::now()), state.rule.count);
        let disarmed = state.arm(&self.alarm);
        drop(state);
        drop(disarmed);
        setting
    }
}

impl TimerFdState {
    /// Arms the clock for the next expiration; returns the timer that was armed before, to be dropped without the
    /// lock.
    #[must_use]
    fn arm(&mut self, alarm: &Arc<Alarm>) -> Option<Timer> {
        let timer = self.rule.due().map(|due| deferred::arm(due, alarm.clone()));
        core::mem::replace(&mut self.armed, timer)
    }
}

impl Readiness for TimerFdState {
    fn readiness(&self) -> Events {
        self.rule.readiness()
    }
}

impl Work for Alarm {
    fn run(&self) {
        let Some(timer) = self.0.upgrade() else { return };
        let mut state = timer.state.lock();
        if state.rule.expire(clock::now()) {
            state.raise(Events::IN);
        }
    }
}

impl File for TimerFd {
    fn class(&self) -> Class {
        Class::TimerFd
    }

    /// Reads the number of expirations, and resets it only if it has arrived.
    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() < VALUE_SIZE {
            return Poll::Ready(Err(Errno::EINVAL));
        }
        let mut state = self.state.lock();
        let Poll::Ready(count) = state.rule.peek(clock::now()) else { return Poll::Pending };
        let result = if to.put(&count.to_ne_bytes()) < VALUE_SIZE {
            Err(Errno::EFAULT)
        } else {
            state.rule.take();
            Ok(VALUE_SIZE)
        };
        let disarmed = state.arm(&self.alarm);
        drop(state);
        drop(disarmed);
        Poll::Ready(result)
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.state)
    }

    /// One reader takes the whole count.
    fn wait_policy(&self, _waits_for: Events) -> WaitPolicy {
        WakeMode::Exclusive.into()
    }

    /// Succeeds, although there is no offset (`noop_llseek`).
    fn seek(&self, current: u64, _offset: i64, _whence: Whence) -> Result<u64, Errno> {
        Ok(current)
    }
}
