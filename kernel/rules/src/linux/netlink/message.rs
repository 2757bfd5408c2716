//! The layout of messages: a header, mostly a structure of the kind, and attributes, each aligned to four bytes.
//!
//! Source: netlink(7), netlink(3); Linux 6.1 include/uapi/linux/netlink.h, include/net/netlink.h.

use alloc::vec::Vec;

use bitflags::bitflags;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::abi::errno::Errno;

/// An error, or an acknowledgment: `NLMSG_ERROR`.
pub const ERROR: u16 = 2;
/// The end of a list: `NLMSG_DONE`.
pub const DONE: u16 = 3;
/// The first kind that means something to a protocol: `NLMSG_MIN_TYPE`.
pub const FIRST_KIND: u16 = 16;

bitflags! {
    /// The flags of a message.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct NetlinkFlags: u16 {
        /// `NLM_F_REQUEST`.
        const REQUEST = 1;
        /// `NLM_F_MULTI`: one of several.
        const MULTI = 2;
        /// `NLM_F_ACK`: success is to be told, too.
        const ACK = 4;
        /// `NLM_F_DUMP`: everything of the kind. Either bit is enough.
        const DUMP = 0x300;
        /// `NLM_F_CAPPED`: an error with no more of the request than its header.
        const CAPPED = 0x100;
    }
}

/// `struct nlmsghdr`.
#[derive(Clone, Copy, Debug, Eq, FromBytes, Immutable, IntoBytes, KnownLayout, PartialEq)]
#[repr(C)]
pub struct NetlinkHeader {
    /// Bytes of the message, with this header.
    pub len: u32,
    /// What it is about.
    pub kind: u16,
    /// [`NetlinkFlags`].
    pub flags: u16,
    /// A number that answers repeat.
    pub sequence: u32,
    /// The socket that an answer is for; a sender's word means nothing.
    pub port: u32,
}

/// Bytes of a header.
pub const HEADER: usize = size_of::<NetlinkHeader>();

/// Returns where the next message or attribute begins.
#[must_use]
pub const fn aligned(len: usize) -> usize {
    len.next_multiple_of(4)
}

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Recipient {
    /// The number of the request.
    pub sequence: u32,
    /// The socket.
    pub port: u32,
}

/// A message that is being written.
#[derive(Debug)]
pub struct Message(Vec<u8>);

impl Message {
    /// One without contents.
    #[must_use]
    pub fn new(kind: u16, flags: NetlinkFlags, to: Recipient) -> Self {
        let header =
            NetlinkHeader { len: 0, kind, flags: flags.bits(), sequence: to.sequence, port: to.port };
        Self(header.as_bytes().to_vec())
    }

    /// Adds bytes.
    #[must_use]
    pub fn with(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self.0.resize(aligned(self.0.len()), 0);
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(self, kind: u16, value: &[u8]) -> Self {
        let [low, high] = (ATTRIBUTE as u16 + value.len() as u16).to_ne_bytes();
        let [kind_low, kind_high] = kind.to_ne_bytes();
        self.with(&[low, high, kind_low, kind_high]).with(value)
    }

    /// Adds an attribute that is a number.
    #[must_use]
    pub fn number(self, kind: u16, value: u32) -> Self {
        self.attribute(kind, &value.to_ne_bytes())
    }

    /// Adds an attribute that is a text, which a zero ends.
    #[must_use]
    pub fn text(self, kind: u16, value: &str) -> Self {
        self.attribute(kind, &[value.as_bytes(), &[0]].concat())
    }

    /// Returns the whole of it.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let len = (self.0.len() as u32).to_ne_bytes();
        self.0[..len.len()].copy_from_slice(&len);
        self.0
    }
}

/// Returns the end of a list.
#[must_use]
pub fn done(to: Recipient) -> Vec<u8> {
    Message::new(DONE, NetlinkFlags::MULTI, to).with(&[0; 4]).finish()
}

/// How the request in `message` went: with all of it if it failed, unless that is not wanted (`netlink_ack`).
#[must_use]
pub fn outcome(message: &[u8], result: Result<(), Errno>, is_capped: bool, to: Recipient) -> Vec<u8> {
    let is_short = is_capped || result.is_ok();
    let flags = if is_short { NetlinkFlags::CAPPED } else { NetlinkFlags::empty() };
    let error = result.map_or_else(|errno| -errno.number(), |()| 0);
    let told = if is_short { &message[..HEADER] } else { message };
    Message::new(ERROR, flags, to).with(&error.to_ne_bytes()).with(told).finish()
}

/// Bytes of an attribute's header: its length and its kind.
const ATTRIBUTE: usize = 4;

/// Returns the attributes in `bytes`, up to one that lies about its length.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    /// Above are flags (`NLA_TYPE_MASK`).
    const KIND: u16 = 0x3fff;
    core::iter::from_fn(move || {
        let &[a, b, c, d] = bytes.first_chunk::<ATTRIBUTE>()?;
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let value = bytes.get(ATTRIBUTE..len)?;
        bytes = bytes.get(aligned(len)..).unwrap_or(&[]);
        Some((u16::from_ne_bytes([c, d]) & KIND, value))
    })
}
