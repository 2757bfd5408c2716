//! What unmodified programs need beside events: processes, signals, a tree of files, terminals, local sockets.

pub(crate) mod devices;
pub(crate) mod fs;
pub(crate) mod netlink;
pub(crate) mod proc;
pub(crate) mod serial;
pub(crate) mod syscall;
pub(crate) mod task;
pub(crate) mod terminal;
pub(crate) mod unix;
