//! What a network device offers to the stack.
//!
//! The stack sends and takes IP packets. A driver puts its link's header into the room in front of them
//! ([`Packet::frame_mut`]), asks for addresses (ARP) by itself where its medium has them, and has a task that calls
//! `stack::receive` when its interrupt has said that packets came.

use alloc::collections::VecDeque;
use core::net::Ipv4Addr;

use model::tcp::Route;
use model::tcp::packet::Packet;

/// Packets that have come in and wait for the stack.
pub(crate) type Inbox = VecDeque<Packet>;

/// A network interface.
pub(crate) trait Link: Send + Sync {
    /// How many bytes of IP fit into a packet, and who computes checksums.
    fn route(&self) -> Route;

    /// The address of this machine on the link.
    fn address(&self) -> Ipv4Addr;

    /// Sends `packet` towards `next_hop`, which is on the link. A packet for which there is no room is lost. What comes
    /// back at once, as all packets do on the loopback, goes to `inbox`; a device leaves that alone.
    ///
    /// Called in task context with no lock held.
    fn transmit(&self, packet: Packet, next_hop: Ipv4Addr, inbox: &mut Inbox);
}
