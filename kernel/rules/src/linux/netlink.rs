//! Netlink: messages about interfaces, addresses and routes, without locks or waiting.
//!
//! | file | idea |
//! |---|---|
//! | `message` | the layout of messages and their attributes |
//! | `request` | parses a program's requests, and refuses those that are not supported |
//! | `dump` | the facts as messages: `link`, `address`, `route` |
//! | `port` | the table of port IDs |
//! | `socket` | the receive queue, and dumps that are produced in parts |
//!
//! No crate is used: those that know these messages need std, and know a hundred times as many.

pub mod dump;
pub mod message;
pub mod port;
pub mod request;
pub mod socket;

#[cfg(test)]
mod tests;
