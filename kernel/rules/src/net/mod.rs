//! The rules of TCP, UDP, IP and of what carries them.

pub mod abi;
pub mod checksum;
pub mod ethernet;
pub mod impairment;
pub mod ingress_filter;
pub mod neighbour;
pub mod network;
pub mod pci;
pub mod route;
pub mod socket;
pub mod tcp;
pub mod traffic;
pub mod udp;
pub mod virtio;
mod wire;
