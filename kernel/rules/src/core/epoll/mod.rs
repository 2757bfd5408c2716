//! The rules of epoll: what may be watched, what is wanted of it, and what a report uses up.
//!
//! Source: epoll(7); Linux 6.1 fs/eventpoll.c.

pub mod interest;
