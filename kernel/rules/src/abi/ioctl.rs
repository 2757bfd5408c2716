//! The requests of ioctl(2) that mean the same for every file.
//!
//! Source: ioctl(2); Linux 6.1 include/uapi/asm-generic/ioctls.h.

/// Lets execve(2) keep the descriptor.
pub const FIONCLEX: u32 = 0x5450;
/// Lets execve(2) close the descriptor.
pub const FIOCLEX: u32 = 0x5451;
/// Sets or clears `O_NONBLOCK`.
pub const FIONBIO: u32 = 0x5421;
/// Sets or clears `O_ASYNC`.
pub const FIOASYNC: u32 = 0x5452;
/// How many bytes can be read now.
pub const FIONREAD: u32 = 0x541b;
/// How many bytes of a socket the peer has not acknowledged.
pub const SIOCOUTQ: u32 = 0x5411;
/// Makes a process or a group the owner of a socket.
pub const FIOSETOWN: u32 = 0x8901;
/// The same.
pub const SIOCSPGRP: u32 = 0x8902;
/// Who owns a socket.
pub const FIOGETOWN: u32 = 0x8903;
/// The same.
pub const SIOCGPGRP: u32 = 0x8904;
/// When the last packet came.
pub const SIOCGSTAMP: u32 = 0x8906;
/// The same, with nanoseconds.
pub const SIOCGSTAMPNS: u32 = 0x8907;
