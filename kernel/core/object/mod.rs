//! Files that are not in a tree: what they hold, and when they are ready.
//!
//! Each locks its state in an [`event::Locked`](crate::core::event::Locked) and knows nothing of sleeping.

pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod pipe;
pub(crate) mod signalfd;
pub(crate) mod timerfd;
