//! What a network device offers to the stack.
//!
//! The stack sends and takes IP packets. A driver puts its link's header into the room in front of them
//! ([`Packet::frame_mut`]), asks for addresses (ARP) by itself where its medium has them, and has a task that calls
//! `stack::receive` when its interrupt has said that packets came.
//!
//! Why: decision 0090.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use rules::net::tcp::Route;
use rules::net::tcp::packet::Packet;

/// Packets that have come in and wait for the stack, the one that waits alone without an allocation.
#[derive(Default)]
pub(crate) struct Inbox {
    /// The first of them. `None`: there are none.
    first: Option<Packet>,
    others: VecDeque<Packet>,
}

impl Inbox {
    /// Adds the last one.
    pub(crate) fn push_back(&mut self, packet: Packet) {
        match self.first {
            None => self.first = Some(packet),
            Some(_) => self.others.push_back(packet),
        }
    }

    /// Takes the first one.
    pub(crate) fn pop_front(&mut self) -> Option<Packet> {
        core::mem::replace(&mut self.first, self.others.pop_front())
    }
}

/// A network interface.
pub(crate) trait Link: Send + Sync {
    /// How many bytes of IP fit into a packet.
    fn route(&self) -> Route;

    /// The address of this machine on the link.
    fn address(&self) -> Ipv4Addr;

    /// Sends `packet` towards `next_hop`, which is on the link, with the checksum that a TCP segment in it has not yet. A packet for which there is no room is lost. What comes
    /// back at once, as all packets do on the loopback, goes to `inbox`; a device leaves that alone.
    ///
    /// Called in task context with no lock held.
    fn transmit(&self, packet: Packet, next_hop: Ipv4Addr, inbox: &mut Inbox);
}
