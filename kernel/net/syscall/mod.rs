//! The system calls of sockets. One file for each man page.
//!
//! Not here: socket(2) and socketpair(2), which know all families (`linux/syscall`).

pub(crate) mod accept;
pub(crate) mod bind;
pub(crate) mod cmsg;
pub(crate) mod connect;
pub(crate) mod getsockname;
pub(crate) mod getsockopt;
pub(crate) mod listen;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod sendmmsg;
pub(crate) mod shutdown;
pub(crate) mod socket;
