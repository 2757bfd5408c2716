//! The system calls of the core. One file for each man page.

pub(crate) mod blocking;
pub(crate) mod buffers;
pub(crate) mod caller;
pub(crate) mod close;
pub(crate) mod dup;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod fcntl;
pub(crate) mod mask;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod read;
pub(crate) mod select;
pub(crate) mod signalfd;
pub(crate) mod timeout;
pub(crate) mod timerfd;
pub(crate) mod write;
