//! What the kernel needs of the machine: memory, time, the console, random numbers, a trace.
//!
//! Nothing here knows of files or processes.

pub(crate) mod clock;
pub(crate) mod console;
pub(crate) mod kernel_task;
pub(crate) mod memory;
pub(crate) mod pause;
pub(crate) mod per_cpu;
pub(crate) mod random;
pub(crate) mod trace;
