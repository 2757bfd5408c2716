//! What the kernel asks of the machine: memory, time, its own console, random bytes.
//!
//! Nothing in here knows of files, events or processes.

pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod kernel_task;
pub(crate) mod memory;
pub(crate) mod per_cpu;
pub(crate) mod random;
