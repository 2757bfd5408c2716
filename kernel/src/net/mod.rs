//! Networking: sockets, the way of a packet, and links.
//!
//! What a connection does is [`model::tcp`]; here are its locks, who is woken, and where packets go:
//! ```text
//! syscall → socket → endpoint (lock: rank 3) → packets → unlock → stack → route → link
//!                       ▲                                           │
//!                       └── demux: tuple → endpoint (rank 4) ◀──────┘ what a link hands back at once, or later
//! ```
//! No two of the locks of rank 4 (`demux`, `ports`, `timer`) are held together, nor two endpoints.

pub(crate) mod call;
mod census;
mod demux;
mod endpoint;
pub(crate) mod ethernet;
mod holder;
pub(crate) mod impairment;
pub(crate) mod interface;
pub(crate) mod link;
mod loopback;
pub(crate) mod netlink;
mod ports;
mod request;
mod route;
pub(crate) mod socket;
mod stack;
pub(crate) mod tables;
mod timer;
pub(crate) mod traffic;
pub(crate) mod udp;
pub(crate) mod unix;
mod virtio;

pub(crate) use self::timer::serve;
