//! Local sockets: what they do, without locks, waiting or paths.
//!
//! | file | idea |
//! |---|---|
//! | `name` | what `struct sockaddr_un` says |
//! | `queue` | bytes or messages that wait to be read, and the room for more |
//! | `socket` | the states of a socket, and which call is an error in which |

pub mod name;
pub mod queue;
pub mod socket;

#[cfg(test)]
mod tests;
