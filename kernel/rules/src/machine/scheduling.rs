//! Which of the runnable tasks of a CPU runs, and for how long.
//!
//! Real-time tasks run by priority, before all others. The others are *fair*: each has a virtual runtime, its time on
//! the CPU divided by its weight, and the task with the least runs. A task that wakes has slept instead of running, so
//! it is behind, and usually preempts.
//!
//! Owns: the order.   Not here: locks, clocks, idle tasks, the choice of a CPU (linux/task/scheduler); policies as
//! sched(7) names them (rules/linux/sched).
//! Invariant: nothing here allocates or fails; a task brings its place in the queue, an [`Entity`], along.
//! Times are nanoseconds of a monotonic clock.
//! Why: decision 0118.

mod entity;
mod queue;
#[cfg(test)]
mod tests;
mod tree;
mod weight;

pub use self::entity::{Class, Entity, Manner};
pub use self::queue::{Arrival, PERIOD, Queue, TURN};
pub use self::weight::{IDLE_WEIGHT, NICE_MAX, NICE_MIN, weight};
