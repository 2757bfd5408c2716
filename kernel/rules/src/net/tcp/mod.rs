//! TCP sockets: what they do, without locks, waiting or addresses of users.
//!
//! | file | idea |
//! |---|---|
//! | `engine` | one connection's protocol machine, which is smoltcp's |
//! | `clock` | the time as smoltcp sees it |
//! | `state` | the states of RFC 9293 |
//! | `wire` | how smoltcp sees the way to the peer |
//! | `rst` | packets that belong to no connection |
//! | `buffer` | memory for packets and queues, used again |
//! | `pool` | what is out of use and kept for the next |
//! | `segment` | what of a packet is looked at before it reaches its connection |
//! | `connection` | Linux's meaning of a connection: errors, half closes, queues |
//! | `timeouts` | how long a silent peer is waited for |
//! | `readiness` | what poll(2) says in every state |
//! | `listener` | the backlog |
//! | `request` | who has asked for a connection over a network and said no more |
//! | `requests` | all of them that a listener has |
//! | `socket` | the states of a socket, and which call is an error in which |
//! | `port` | who has which port |
//! | `time_wait` | what is left of a connection for a minute |

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
