//! Everything that unmodified programs need besides events: processes, signals, files, terminals, local sockets.

pub(crate) mod devices;
pub(crate) mod fs;
pub(crate) mod netlink;
pub(crate) mod proc;
pub(crate) mod serial;
pub(crate) mod syscall;
pub(crate) mod task;
pub(crate) mod terminal;
pub(crate) mod unix;
