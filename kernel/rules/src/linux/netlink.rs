//! Netlink: messages about interfaces, addresses and routes, without locks or waiting.
//!
//! | file | idea |
//! |---|---|
//! | `message` | what messages and their attributes look like |
//! | `request` | what a program sends: one message after the other, and what is refused |
//! | `dump` | the facts as messages: `link`, `address`, `route` |
//! | `port` | the numbers of sockets |
//! | `socket` | what a socket does: answers that wait, lists that are told in parts |
//!
//! No crate is used: those that know these messages need std, and know a hundred times as many.

pub mod dump;
pub mod message;
pub mod port;
pub mod request;
pub mod socket;

#[cfg(test)]
mod tests;
