//! Datagrams of the internet protocol: what sockets of them do, without locks or waiting.
//!
//! | file | idea |
//! |---|---|
//! | `datagram` | packets as smoltcp's `wire` reads and writes them |
//! | `port` | who gets which datagram |
//! | `socket` | what waits to be read, and which call is an error in which state |

pub mod datagram;
pub mod port;
pub mod socket;

#[cfg(test)]
mod tests;
