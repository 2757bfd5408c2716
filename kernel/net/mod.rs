//! Networking: sockets, the path of a packet, and links.
//!
//! [`rules::net::tcp`] says what a connection does. Here are its locks, its wakes, and the path of its packets:
//! ```text
//! syscall → socket → endpoint (lock: rank 3) → packets → unlock → stack → route → link
//!                       ▲                                           │
//!                       └── demux: tuple → endpoint (rank 4) ◀──────┘ what a link hands back at once, or later
//! ```
//! No two of the locks of rank 4 (`demux`, `ports`, `timer`) are held together, nor two endpoints.

pub(crate) mod address;
pub(crate) mod counters;
pub(crate) mod demux;
pub(crate) mod endpoint;
pub(crate) mod ethernet;
pub(crate) mod file;
pub(crate) mod holder;
pub(crate) mod impairment;
pub(crate) mod interface;
pub(crate) mod link;
mod loopback;
pub(crate) mod option;
pub(crate) mod ports;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod socket;
pub(crate) mod stack;
pub(crate) mod syscall;
pub(crate) mod tcp;
pub(crate) mod timer;
pub(crate) mod traffic;
pub(crate) mod udp;
mod virtio;
