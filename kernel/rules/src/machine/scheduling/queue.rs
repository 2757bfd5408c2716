//! The run queue of a CPU.
//!
//! Source: sched(7); the design of Linux 6.1 kernel/sched/fair.c and rt.c: virtual runtimes, weights, preemption by
//! sleepers that are more than a granularity behind, a bound on what real-time tasks get.

use alloc::boxed::Box;

use super::entity::{Class, Entity, Manner};
use super::tree::{Key, Tree};
use super::weight::{UNIT, scaled};

const MILLISECOND: u64 = 1_000_000;

/// The time in which each fair task runs once, if there are not too many.
pub const PERIOD: u64 = 12 * MILLISECOND;
/// The least time that a fair task runs before one with less virtual runtime follows: switching costs.
const SLICE_MIN: u64 = 2 * MILLISECOND;
/// How far behind the others a task that has slept may be. So long does it run before them, and no longer.
const CREDIT: u64 = 3 * MILLISECOND;
/// A task that wakes preempts one that is further ahead than this; with less, two tasks that wake each other would
/// switch needlessly.
const GRANULARITY: u64 = MILLISECOND;
/// The time after which a `SCHED_RR` task lets others of its priority run.
pub const TURN: u64 = 100 * MILLISECOND;
/// Of each `WINDOW`, real-time tasks get at most `BUDGET` while fair ones wait.
const WINDOW: u64 = 1000 * MILLISECOND;
const BUDGET: u64 = 950 * MILLISECOND;

/// Why a task enters a queue.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Arrival {
    /// It was created by the task that runs.
    New,
    /// It was asleep, or in another queue.
    Woken,
}

/// The runnable tasks of a CPU, with the running one.
#[derive(Debug)]
pub struct Queue<T> {
    current: Option<Box<Entity<T>>>,
    real_time: Tree<T>,
    fair: Tree<T>,
    /// The weights of the fair tasks, with the running one's.
    weight: u64,
    /// A virtual runtime that only grows: about the least of the fair tasks'.
    floor: u64,
    /// When `current` was charged last.
    charged: u64,
    /// How long `current` has run in this turn.
    turn: u64,
    /// Whether `current` lets others of its rank run first.
    gives_way: bool,
    /// Numbers of entities that are queued behind, and before, those of the same rank.
    last: u64,
    first: u64,
    window: Window,
}

/// What real-time tasks have had lately.
#[derive(Debug, Default)]
struct Window {
    start: u64,
    used: u64,
}

impl Window {
    fn add(&mut self, now: u64, delta: u64) {
        self.turn(now);
        self.used += delta;
    }

    fn turn(&mut self, now: u64) {
        if now.saturating_sub(self.start) >= WINDOW {
            *self = Self { start: now, used: 0 };
        }
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            current: None,
            real_time: Tree::default(),
            fair: Tree::default(),
            weight: 0,
            // Room for the credit of the first that sleep.
            floor: WINDOW,
            charged: 0,
            turn: 0,
            gives_way: false,
            last: 1 << 63,
            first: 1 << 63,
            window: Window::default(),
        }
    }
}

impl<T> Queue<T> {
    /// Returns the running task.
    #[must_use]
    #[inline]
    pub fn current(&self) -> Option<&T> {
        self.current.as_ref()?.task.as_ref()
    }

    /// Returns how many tasks wait.
    #[must_use]
    #[inline]
    pub const fn waiting(&self) -> usize {
        self.real_time.len() + self.fair.len()
    }

    /// Returns how many tasks wait or run.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.waiting() + usize::from(self.current.is_some())
    }

    /// Returns whether no task waits or runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the queue's virtual time, for [`Entity::translate`].
    #[must_use]
    #[inline]
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// Returns the priority of the running task if it is a real-time task, and 0 otherwise.
    #[must_use]
    pub fn priority(&self) -> u8 {
        self.current.as_ref().map_or(0, |current| current.class.priority())
    }

    /// Adds a task that became runnable. Returns whether it should run now, instead of the current one.
    #[must_use]
    pub fn add(&mut self, mut entity: Box<Entity<T>>, arrival: Arrival, now: u64) -> bool {
        self.charge(now);
        let Class::Fair { weight, manner } = entity.class else {
            let preempts = entity.class.priority() > self.priority() && !self.is_throttled(now);
            self.queue_real_time(entity, true);
            return preempts;
        };
        let least = match (arrival, &self.current) {
            (Arrival::New, Some(parent)) if parent.class.weight().is_some() => parent.runtime.max(self.floor),
            (Arrival::New, _) => self.floor,
            (Arrival::Woken, _) if manner == Manner::Idle => self.floor,
            (Arrival::Woken, _) => self.floor.saturating_sub(CREDIT),
        };
        entity.runtime = entity.runtime.max(least);
        let preempts = match &self.current {
            None => true,
            Some(current) => match current.class {
                Class::RealTime { .. } => false,
                Class::Fair { manner: Manner::Idle, .. } => manner != Manner::Idle,
                Class::Fair { .. } if arrival == Arrival::New || manner != Manner::Eager => false,
                Class::Fair { .. } => entity.runtime + scaled(GRANULARITY, entity.pace) < current.runtime,
            },
        };
        self.weight += u64::from(weight);
        self.queue_fair(entity, 0);
        preempts
    }

    /// Notes that time has passed. Returns whether another task should run now.
    #[must_use]
    pub fn tick(&mut self, now: u64) -> bool {
        self.charge(now);
        self.window.turn(now);
        let Some(current) = &self.current else { return self.waiting() > 0 };
        let (class, runtime) = (current.class, current.runtime);
        let Class::Fair { weight, .. } = class else {
            if self.is_throttled(now) && !self.fair.is_empty() {
                return true;
            }
            let Some(next) = self.real_time.first() else { return false };
            let is_over = matches!(class, Class::RealTime { takes_turns: true, .. }) && self.turn >= TURN;
            self.gives_way |= is_over && next.class.priority() == class.priority();
            return self.gives_way || next.class.priority() > class.priority();
        };
        if !self.real_time.is_empty() && !self.is_throttled(now) {
            return true;
        }
        let Some(next) = self.fair.first() else { return false };
        let slice = self.slice(weight);
        if self.turn >= slice {
            return next.runtime < runtime;
        }
        // Far behind: it woke, and did not preempt.
        next.runtime + slice < runtime
    }

    /// Lets others of the current task's rank run first. Returns whether there are any, or any before it.
    #[must_use]
    pub fn give_way(&mut self, now: u64) -> bool {
        self.charge(now);
        let Self { current: Some(current), real_time, fair, .. } = self else { return self.waiting() > 0 };
        self.gives_way = match current.class {
            Class::RealTime { priority, .. } => {
                real_time.first().is_some_and(|next| next.class.priority() >= priority)
            }
            Class::Fair { .. } => {
                if let Some(next) = fair.first() {
                    current.runtime = current.runtime.max(next.runtime);
                }
                !fair.is_empty() || !real_time.is_empty()
            }
        };
        self.gives_way
    }

    /// Makes the task that should run the current one; the old one waits. Returns false if that is the current one, or
    /// if there is none.
    #[must_use]
    pub fn pick(&mut self, now: u64) -> bool {
        self.charge(now);
        let gives_way = core::mem::take(&mut self.gives_way);
        let takes_real_time = !self.real_time.is_empty() && (self.fair.is_empty() || !self.is_throttled(now));
        let candidate = if takes_real_time { self.real_time.first() } else { self.fair.first() };
        let Some(next) = candidate else { return false };
        if let Some(current) = &self.current {
            let replaces = match (current.class, next.class) {
                (Class::RealTime { priority: old, .. }, Class::RealTime { priority: new, .. }) => {
                    new > old || (gives_way && new == old)
                }
                // A fair task comes before a real-time one only where that has had its budget.
                (Class::RealTime { .. }, Class::Fair { .. }) => self.is_throttled(now),
                (Class::Fair { .. }, Class::RealTime { .. }) => true,
                (Class::Fair { .. }, Class::Fair { .. }) => {
                    next.runtime < current.runtime || (gives_way && next.runtime == current.runtime)
                }
            };
            if !replaces {
                return false;
            }
        }
        let next = if takes_real_time { self.real_time.pop_first() } else { self.fair.pop_first() };
        let turn = core::mem::take(&mut self.turn);
        self.charged = now;
        if let Some(previous) = core::mem::replace(&mut self.current, next) {
            match previous.class {
                // One that was preempted stays the first of its priority.
                Class::RealTime { .. } => self.queue_real_time(previous, gives_way),
                Class::Fair { .. } => {
                    let lag = self.fair.random() % (2 * turn + 1).min(SLICE_MIN);
                    self.queue_fair(previous, lag);
                }
            }
        }
        true
    }

    /// Removes the current task, which sleeps or ends.
    pub fn take_current(&mut self, now: u64) -> Option<Box<Entity<T>>> {
        self.charge(now);
        self.gives_way = false;
        let current = self.current.take()?;
        self.weight -= u64::from(current.class.weight().unwrap_or(0));
        Some(current)
    }

    /// Changes how the current task competes.
    pub fn set_current_class(&mut self, class: Class, now: u64) {
        self.charge(now);
        if let Some(current) = &mut self.current {
            self.weight -= u64::from(current.class.weight().unwrap_or(0));
            self.weight += u64::from(class.weight().unwrap_or(0));
            current.runtime = current.runtime.max(self.floor);
            current.set_class(class);
        }
    }

    /// Removes a waiting task for which `meets` holds. Looks at all of them.
    pub fn take_waiting(&mut self, mut meets: impl FnMut(&T) -> bool) -> Option<Box<Entity<T>>> {
        if let Some(key) = self.real_time.find(&mut meets) {
            return self.real_time.remove(key);
        }
        let key = self.fair.find(&mut meets)?;
        let entity = self.fair.remove(key)?;
        self.weight -= u64::from(entity.class.weight().unwrap_or(0));
        Some(entity)
    }

    /// Charges the current task for the time since the last call.
    fn charge(&mut self, now: u64) {
        let delta = now.saturating_sub(self.charged);
        self.charged = now;
        let Some(current) = &mut self.current else { return };
        self.turn += delta;
        if current.class.weight().is_none() {
            return self.window.add(now, delta);
        }
        current.runtime += if current.pace == UNIT_PACE { delta } else { scaled(delta, current.pace) };
        let least = match self.fair.first() {
            Some(next) => next.runtime.min(current.runtime),
            None => current.runtime,
        };
        self.floor = self.floor.max(least);
    }

    /// Returns how long a task of that weight may run while others wait.
    fn slice(&self, weight: u32) -> u64 {
        (PERIOD * u64::from(weight) / self.weight.max(1)).max(SLICE_MIN)
    }

    /// Returns whether real-time tasks have had their share of the present window.
    fn is_throttled(&self, now: u64) -> bool {
        self.window.used >= BUDGET && now.saturating_sub(self.window.start) < WINDOW
    }

    fn queue_real_time(&mut self, entity: Box<Entity<T>>, behind: bool) {
        let number = if behind {
            self.last += 1;
            self.last
        } else {
            self.first -= 1;
            self.first
        };
        let rank = u64::from(u8::MAX - entity.class.priority());
        self.real_time.insert(entity, Key { rank, number });
    }

    /// Queues a task `lag` nanoseconds behind its place. A task that has run is queued at random within as long
    /// again: tasks that only compute would otherwise stay in step, so that one that sleeps, but uses a bit more than
    /// its share, had to wait for all of them at once. What is charged is not changed.
    fn queue_fair(&mut self, entity: Box<Entity<T>>, lag: u64) {
        self.last += 1;
        let key = Key { rank: entity.runtime + scaled(lag, entity.pace), number: self.last };
        self.fair.insert(entity, key);
    }
}

/// The pace of a task with a nice value of 0, which needs no multiplication.
const UNIT_PACE: u64 = 1 << 32;
const _: () = assert!(UNIT == 1024);
