//! TCP: the rules of sockets and connections, without locks, waiting or user pointers.
//!
//! | file | idea |
//! |---|---|
//! | `engine` | runs the protocol of one connection, by smoltcp; the only module that names it, with `net/wire` |
//! | `state` | the states of RFC 9293 |
//! | `path` | what the path to a peer is like: this machine, or a link with an MTU |
//! | `packet` | an IP packet with headroom, and batches of packets |
//! | `buffer` | recycled memory for packets and queues |
//! | `pool` | objects out of use, kept for the next user |
//! | `queue` | bytes that wait outside the engine's buffers |
//! | `segment` | reads and writes the headers of segments |
//! | `connection` | Linux's meaning of a connection: errors, half closes, queues |
//! | `timeouts` | user time-out, keep-alive and the deadline of a handshake |
//! | `readiness` | what poll(2) reports in each state |
//! | `listener` | the backlog |
//! | `request` | a handshake over a network before its last ACK: Linux's request socket |
//! | `requests` | the requests of one listener |
//! | `socket` | the states of a socket, and which call is an error in which |
//! | `port` | the table of bound ports |
//! | `time_wait` | a closed connection in TIME-WAIT |

mod buffer;
pub mod connection;
mod engine;
pub mod listener;
pub mod packet;
mod path;
mod pool;
pub mod port;
mod queue;
pub mod readiness;
pub mod request;
pub mod requests;
pub mod segment;
pub mod socket;
mod state;
pub mod time_wait;
mod timeouts;

#[cfg(test)]
mod tests;

pub use engine::{MemoryBudget, Resources, refuse};
pub use path::PathKind;
pub use state::TcpState;
