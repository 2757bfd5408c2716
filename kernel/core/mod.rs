//! I/O event notification: files that can be waited for, descriptors, and the system calls of both.
//!
//! `kernel/README.md` says in which order to read it. No module in here names `linux` or `net`.

pub(crate) mod event;
pub(crate) mod file;
pub(crate) mod object;
pub(crate) mod syscall;
