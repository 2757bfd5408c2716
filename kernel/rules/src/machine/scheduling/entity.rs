//! A task as a run queue sees it.

use alloc::boxed::Box;

use super::tree::Link;
use super::weight::{IDLE_WEIGHT, UNIT, pace, weight};

/// How a task competes for the CPU.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Runs before all fair tasks, and before real-time tasks of a lower priority.
    RealTime {
        /// 1 to 99; the greatest runs first.
        priority: u8,
        /// Whether tasks of one priority take turns; otherwise one runs until it sleeps or yields.
        takes_turns: bool,
    },
    /// Shares the CPU by weight.
    Fair {
        /// The weight, as [`weight`] gives it.
        weight: u32,
        /// What it does when it wakes.
        manner: Manner,
    },
}

/// What a fair task does when it wakes, and to whom.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// Preempts a task that is ahead of it.
    Eager,
    /// Waits for its turn.
    Patient,
    /// Waits for its turn, and is preempted by anything that is not idle.
    Idle,
}

impl Class {
    /// Returns the class of a fair task with a nice value.
    #[must_use]
    pub fn fair(nice: i8, manner: Manner) -> Self {
        let weight = if manner == Manner::Idle { IDLE_WEIGHT } else { weight(nice) };
        Self::Fair { weight, manner }
    }

    /// Returns the priority of a real-time class; 0 for a fair one.
    #[must_use]
    pub const fn priority(self) -> u8 {
        match self {
            Self::RealTime { priority, .. } => priority,
            Self::Fair { .. } => 0,
        }
    }

    /// Returns the weight of a fair class.
    pub(super) const fn weight(self) -> Option<u32> {
        match self {
            Self::RealTime { .. } => None,
            Self::Fair { weight, .. } => Some(weight),
        }
    }
}

/// A task's place in a run queue, which the task brings along, so that queueing allocates nothing.
#[derive(Debug)]
pub struct Entity<T> {
    /// The task; `None` while it sleeps.
    pub task: Option<T>,
    /// The number of the queue that the task was in last.
    pub home: usize,
    pub(super) class: Class,
    /// How fast `runtime` grows.
    pub(super) pace: u64,
    /// The virtual runtime, on the clock of the queue where the task ran last.
    pub(super) runtime: u64,
    pub(super) link: Link<T>,
}

impl<T> Entity<T> {
    /// Makes the entity of a task that has not run.
    #[must_use]
    pub fn new(class: Class) -> Box<Self> {
        let pace = class.weight().map_or(UNIT, pace);
        Box::new(Self { task: None, home: 0, class, pace, runtime: 0, link: Link::default() })
    }

    /// Returns how the task competes.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Changes how the task competes. The entity is in no queue.
    pub fn set_class(&mut self, class: Class) {
        self.class = class;
        self.pace = class.weight().map_or(UNIT, pace);
    }

    /// Translates the virtual runtime from the clock of the queue that the task left to that of the one it enters.
    pub fn translate(&mut self, from: u64, to: u64) {
        self.runtime = self.runtime.wrapping_sub(from).wrapping_add(to);
        // A task far behind a clock that has hardly begun: it is behind there, too.
        if self.runtime > to && self.runtime - to > u64::MAX / 2 {
            self.runtime = 0;
        }
    }
}
