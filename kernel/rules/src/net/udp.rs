//! UDP: the rules of sockets and datagrams, without locks or waiting.
//!
//! | file | idea |
//! |---|---|
//! | `datagram` | reads and writes datagrams, and the ICMP errors about them |
//! | `port` | the table of bound ports, and which socket receives a datagram |
//! | `socket` | the receive queue, and which call fails in which state |

pub mod datagram;
pub mod port;
pub mod socket;

#[cfg(test)]
mod tests;
