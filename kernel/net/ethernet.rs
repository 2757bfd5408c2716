//! `eth0`: framing, neighbours, and the task that serves the card.
//!
//! Owns: the neighbours (rank 4, never held together with the card's lock), and the receive queue. While frames
//! arrive, the card's interrupts are off and the task polls; when none are left, it sleeps.

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use ostd_pod::{FromBytes, IntoBytes};
use rules::abi::errno::Errno;
use rules::net::checksum;
use rules::net::ethernet::{self, Arp, Header, Mac};
use rules::net::ingress_filter;
use rules::net::neighbour::{Ask, Neighbours, Resolution};
use rules::net::network::Network;
use rules::net::tcp::PathKind;
use rules::net::tcp::packet::{Packet, PacketBatch};
use rules::net::virtio::prefix::Trust;
use spin::Once;

use super::impairment::{self, Place};
use super::link::{Inbox, Link};
use super::stack;
use super::traffic::{self, Direction};
use super::virtio::{self, Card, ReceiveQueue};
use crate::core::event::rank::{Rank, Ranked};
use crate::machine::clock;
use crate::machine::console::println;
use crate::machine::kernel_task::{KernelTask, Sleeper, Urgency};

/// The name that programs see.
pub(crate) const NAME: &str = "eth0";

/// The most bytes of a packet.
pub(crate) const MTU: u16 = 1500;

/// How many frames are processed before other tasks run.
const BATCH: usize = 64;

static ETHERNET: Once<Ethernet> = Once::new();
static SERVER: KernelTask = KernelTask::new(Urgency::Soon);

/// The interface.
pub(crate) struct Ethernet {
    network: Network,
    card: Card,
    neighbours: Ranked<Neighbours>,
}

/// Returns the interface, if there is one.
pub(crate) fn get() -> Option<&'static Ethernet> {
    ETHERNET.get()
}

/// Sends a frame that `impair=` delayed.
pub(crate) fn send_delayed(frame: Packet) {
    if let Some(interface) = get() {
        interface.card.send(frame, ethernet::HEADER, None);
    }
}

/// Receives a packet that `impair=` delayed.
pub(crate) fn receive_delayed(packet: &mut Packet) {
    if let Some(ethernet) = get() {
        ethernet.receive(packet, Trust::Checksum);
    }
}

/// Starts the card, if there is one, with the addresses of the command line's `option` (`ip=`), and the task that serves it.
///
/// # Errors
/// `ENOMEM`: no memory for a task.
pub(crate) fn start(option: Option<&str>) -> Result<(), Errno> {
    let network = match option {
        Some("off") => return Ok(()),
        Some(text) => text.parse().unwrap_or(Network::QEMU_USER),
        None => Network::QEMU_USER,
    };
    // Checksums must detect the damage that `impair=` does.
    let trust = if impairment::is_on() { Trust::Checksum } else { Trust::Card };
    let Some((card, receiving)) = virtio::start(trust, || SERVER.wake()) else { return Ok(()) };
    println!("pollux: eth0 is {}", network.address);
    let neighbours = Ranked::new(Rank::Interface, Neighbours::new());
    let ethernet = ETHERNET.call_once(|| Ethernet { network, card, neighbours });
    SERVER.spawn(|sleeper| serve(ethernet, receiving, sleeper))
}

fn serve(ethernet: &Ethernet, mut receiving: ReceiveQueue, sleeper: &Sleeper) {
    loop {
        let has_more = ethernet.receive_frames(&mut receiving);
        ethernet.card.send_waiting();
        let until = ethernet.expire_neighbours();
        if has_more || receiving.set_interrupts(true) {
            receiving.set_interrupts(false);
            ostd::task::Task::yield_now();
            continue;
        }
        clock::timer::sleep_until(sleeper, until);
        receiving.set_interrupts(false);
    }
}

impl Ethernet {
    /// Returns its network configuration.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    /// Lists the neighbours by address.
    pub(crate) fn neighbours(&self) -> Vec<(Ipv4Addr, Option<Mac>)> {
        let mut all = Vec::with_capacity(rules::net::neighbour::MOST);
        all.extend(self.neighbours.lock().iter().take(rules::net::neighbour::MOST));
        all
    }

    /// Returns the card's hardware address.
    pub(crate) fn hardware_address(&self) -> [u8; 6] {
        self.card.mac.0
    }

    /// Receives a batch of frames. Returns whether there may be more.
    fn receive_frames(&self, receiving: &mut ReceiveQueue) -> bool {
        for count in 0..BATCH {
            let Some((mut packet, trust)) = receiving.next(ethernet::HEADER) else {
                if count > 0 {
                    receiving.notify();
                }
                return false;
            };
            traffic::count(Direction::Arriving, ethernet::HEADER + packet.ip().len());
            let Ok(header) =
                Header::read_from_bytes(packet.frame_mut(ethernet::HEADER)[..ethernet::HEADER].as_ref())
            else {
                continue;
            };
            match header.kind() {
                ethernet::ARP => self.receive_arp(packet.ip()),
                ethernet::IPV4 => {
                    let take = |mut packet: Packet| self.receive(&mut packet, trust);
                    impairment::pass(Place::Arriving, packet, take);
                }
                _ => {}
            }
        }
        receiving.notify();
        true
    }

    /// Receives a packet.
    fn receive(&self, packet: &mut Packet, trust: Trust) {
        if !ingress_filter::admits(packet.ip(), &self.network, trust) {
            return;
        }
        if trust == Trust::Card {
            checksum::waive(packet.ip_mut());
        }
        let mut answers = PacketBatch::new();
        match ingress_filter::pong(packet.ip(), self.network.address) {
            Some(answer) => answers.push(answer),
            None => stack::receive(packet, &mut answers),
        }
        stack::send(answers);
    }

    /// Processes an ARP request or reply.
    fn receive_arp(&self, bytes: &[u8]) {
        let Some(arp) = Arp::parse(bytes) else { return };
        let (ip, mac) = arp.sender();
        let is_for_us = arp.target() == self.network.address;
        if self.network.contains(ip) && ip != self.network.address && !ip.is_unspecified() {
            let waiting = self.neighbours.lock().learn(ip, mac, is_for_us, clock::now());
            for packet in waiting {
                self.send(packet, mac, ethernet::IPV4);
            }
        }
        if arp.is_question() && is_for_us {
            self.send(Packet::from_ip(arp.answer(self.card.mac).as_bytes()), mac, ethernet::ARP);
        }
    }

    /// Repeats ARP requests without a reply, and fails packets to neighbours that never reply. Returns when to do so
    /// next.
    fn expire_neighbours(&self) -> Option<core::time::Duration> {
        let due = self.neighbours.lock().expire(clock::now());
        due.ask.into_iter().for_each(|ip| self.ask(ip));
        due.lost.iter().for_each(|packet| stack::fail(packet, Errno::EHOSTUNREACH));
        due.next
    }

    fn ask(&self, neighbour: Ipv4Addr) {
        let question = Arp::ask(self.card.mac, self.network.address, neighbour);
        self.send(Packet::from_ip(question.as_bytes()), Mac::BROADCAST, ethernet::ARP);
    }

    fn send(&self, mut packet: Packet, to: Mac, kind: u16) {
        traffic::count(Direction::Leaving, ethernet::HEADER + packet.ip().len());
        let header = Header::new(to, self.card.mac, kind);
        packet.frame_mut(ethernet::HEADER)[..ethernet::HEADER].copy_from_slice(header.as_bytes());
        if kind == ethernet::IPV4 {
            let segment = if self.card.completes_checksums {
                checksum::leave(packet.ip_mut())
            } else {
                checksum::complete(packet.ip_mut());
                None
            };
            let send = |packet| self.card.send(packet, ethernet::HEADER, segment);
            impairment::pass(Place::Leaving, packet, send);
        } else {
            // ARP has no checksum, so damage would not be detected.
            self.card.send(packet, ethernet::HEADER, None);
        }
    }
}

impl Link for Ethernet {
    fn path(&self) -> PathKind {
        PathKind::Link { mtu: MTU }
    }

    fn address(&self) -> Ipv4Addr {
        self.network.address
    }

    fn transmit(&self, packet: Packet, next_hop: Ipv4Addr, _: &mut Inbox) {
        if self.network.is_broadcast(next_hop) || next_hop.is_broadcast() {
            return self.send(packet, Mac::BROADCAST, ethernet::IPV4);
        }
        let way = self.neighbours.lock().send(next_hop, packet, clock::now());
        let ask = match way {
            Resolution::Send(mac, packet, ask) => {
                self.send(packet, mac, ethernet::IPV4);
                ask
            }
            Resolution::Wait(ask) => ask,
        };
        if ask == Ask::Now {
            self.ask(next_hop);
            // The task repeats requests that get no reply.
            SERVER.wake();
        }
    }
}
