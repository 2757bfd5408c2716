//! Threads and processes: who runs, who waits for whom, who ends.

pub(crate) mod exec;
pub(crate) mod exit;
pub(crate) mod futex;
pub(crate) mod hooks;
pub(crate) mod limits;
pub(crate) mod pidfd;
pub(crate) mod process;
pub(crate) mod process_table;
pub(crate) mod registers;
mod robust;
pub(crate) mod scheduler;
pub(crate) mod session;
pub(crate) mod signal;
pub(crate) mod thread;
mod threads;
pub(crate) mod timer;
pub(crate) mod usage;
pub(crate) mod wait;
