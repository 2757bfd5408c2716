//! Threads and processes: how they start, run, wait and end.

pub(crate) mod access;
pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod futex;
pub(crate) mod hooks;
pub(crate) mod limits;
pub(crate) mod oom;
pub(crate) mod pidfd;
pub(crate) mod process;
pub(crate) mod process_table;
pub(crate) mod processor_clock;
pub(crate) mod registers;
mod robust;
pub(crate) mod scheduler;
pub(crate) mod session;
pub(crate) mod signal;
pub(crate) mod thread;
mod threads;
pub(crate) mod timer;
pub(crate) mod uname;
pub(crate) mod usage;
pub(crate) mod wait;
