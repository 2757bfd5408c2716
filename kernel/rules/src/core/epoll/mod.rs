//! The rules of epoll: what is ready, in which order it is reported, and what a report uses up.
//!
//! Source: epoll(7); Linux 6.1 fs/eventpoll.c.

pub mod interest;
pub mod queue;
