//! The system calls of sockets. One file for each man page.

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
pub(crate) mod socketpair;
pub(crate) mod unix;
