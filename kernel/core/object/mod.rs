//! The files that a program waits for: their state, and when they are ready.
//!
//! Each keeps its state in an [`event::Locked`](crate::core::event::Locked) and never sleeps.

pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod pipe;
pub(crate) mod signalfd;
pub(crate) mod timerfd;
