//! The numbers and layouts of the ABI that only the Linux layer uses.

pub mod at;
pub mod device;
pub mod termios;
pub mod utsname;
