//! The rules of epoll: the interest list, and the order in which ready files are reported.
//!
//! Source: epoll(7); Linux 6.1 fs/eventpoll.c.

pub mod interest;
