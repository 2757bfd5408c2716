//! The constants and structures of the ABI that only the Linux layer uses.

pub mod at;
pub mod device;
pub mod termios;
pub mod utsname;
