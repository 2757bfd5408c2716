//! What the stack needs of a network device.
//!
//! The stack sends and receives IP packets. A driver puts its link's header into the room in front of them
//! ([`Packet::frame_mut`]), resolves hardware addresses (ARP) itself if its medium has them, and runs a task that
//! calls `stack::receive` when an interrupt announced packets.
//!
//! Why: decision 0090.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use rules::net::tcp::PathKind;
use rules::net::tcp::packet::Packet;

/// Received packets that wait for the stack. A single one needs no allocation.
#[derive(Default)]
pub(crate) struct Inbox {
    /// The first of them. `None`: there are none.
    first: Option<Packet>,
    others: VecDeque<Packet>,
}

impl Inbox {
    /// Adds a packet at the end.
    pub(crate) fn push_back(&mut self, packet: Packet) {
        match self.first {
            None => self.first = Some(packet),
            Some(_) => self.others.push_back(packet),
        }
    }

    /// Takes the first packet.
    pub(crate) fn pop_front(&mut self) -> Option<Packet> {
        core::mem::replace(&mut self.first, self.others.pop_front())
    }
}

/// A network interface.
pub(crate) trait Link: Send + Sync {
    /// Returns the kind of path, with the MTU.
    fn path(&self) -> PathKind;

    /// Returns the address of this machine on the link.
    fn address(&self) -> Ipv4Addr;

    /// Sends `packet` to `next_hop`, which is on the link, and completes the checksum of a TCP segment in it. A
    /// packet for which there is no room is lost. Packets that come back at once, as all do on the loopback, go to
    /// `inbox`; a device leaves that alone.
    ///
    /// Called in task context with no lock held.
    fn transmit(&self, packet: Packet, next_hop: Ipv4Addr, inbox: &mut Inbox);
}
