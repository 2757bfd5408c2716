//! Local sockets: their rules, without locks, waiting or paths.
//!
//! | file | idea |
//! |---|---|
//! | `name` | parses `struct sockaddr_un` |
//! | `queue` | the receive queue of bytes or messages |
//! | `socket` | the states of a socket, and which call fails in which |

pub mod name;
pub mod queue;
pub mod socket;

#[cfg(test)]
mod tests;
