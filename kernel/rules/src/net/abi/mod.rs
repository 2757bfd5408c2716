//! The numbers and layouts of the ABI of sockets and interfaces.

pub mod netdevice;
pub mod socket;
