//! The cable: sends frames to the guest, receives its frames, and answers its ARP requests.
//!
//! Every address of the network but the guest's is ours, each with its own hardware address.
//! Source: IEEE 802.3; RFC 826.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, IpProtocol,
    Ipv4Packet,
};

use super::{
    segment::{Seen, Segment, flag},
    talk::SERVER,
};

/// The guest's address.
pub(crate) const GUEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 15);

/// The gateway's address, which the honest client uses.
pub(crate) const HONEST: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);

/// An unused address.
pub(crate) const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 200);

/// The length of a frame's header.
pub(crate) const HEADER: usize = 14;

/// The time limit for the guest to accept a frame.
const PATIENCE: Duration = Duration::from_secs(20);

/// The cable.
pub(crate) struct Wire {
    socket: UnixDatagram,
    guest: EthernetAddress,
}

/// Returns the hardware address of an address of ours.
pub(crate) fn card(ip: Ipv4Addr) -> EthernetAddress {
    let [a, b, c, d] = ip.octets();
    EthernetAddress([0x52, 0x55, a, b, c, d])
}

impl Wire {
    pub(crate) fn new(socket: UnixDatagram) -> Result<Self> {
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, guest: EthernetAddress::BROADCAST })
    }

    /// Sends ARP requests for the guest until it answers.
    pub(crate) fn meet(&mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            self.send_arp(ArpOperation::Request, card(HONEST), HONEST, EthernetAddress([0; 6]), GUEST)?;
            while let Some(frame) = self.receive(Duration::from_millis(200))? {
                let arp = EthernetFrame::new_checked(&frame)
                    .ok()
                    .filter(|frame| frame.ethertype() == EthernetProtocol::Arp);
                let arp =
                    arp.and_then(|frame| ArpRepr::parse(&ArpPacket::new_checked(frame.payload()).ok()?).ok());
                if let Some(ArpRepr::EthernetIpv4 {
                    source_hardware_addr, source_protocol_addr: GUEST, ..
                }) = arp
                {
                    self.guest = source_hardware_addr;
                    return Ok(());
                }
            }
        }
        anyhow::bail!("the guest does not say its hardware address")
    }

    /// Sends these bytes unchanged.
    pub(crate) fn send_frame(&self, frame: &[u8]) -> Result<()> {
        self.socket.send(frame).context("the guest takes no frame")?;
        Ok(())
    }

    /// Sends an IP packet from the hardware address of `from`.
    pub(crate) fn send_from(&self, from: Ipv4Addr, packet: &[u8]) -> Result<()> {
        self.send_frame(&self.frame(card(from), EthernetProtocol::Ipv4, packet))
    }

    /// Builds a frame to the guest.
    pub(crate) fn frame(&self, from: EthernetAddress, kind: EthernetProtocol, packet: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + packet.len()];
        let mut frame = EthernetFrame::new_unchecked(&mut bytes);
        frame.set_src_addr(from);
        frame.set_dst_addr(self.guest);
        frame.set_ethertype(kind);
        frame.payload_mut().copy_from_slice(packet);
        bytes
    }

    /// Sends an ARP request or reply.
    pub(crate) fn send_arp(
        &self,
        operation: ArpOperation,
        from: EthernetAddress,
        ip: Ipv4Addr,
        to: EthernetAddress,
        target: Ipv4Addr,
    ) -> Result<()> {
        let arp = ArpRepr::EthernetIpv4 {
            operation,
            source_hardware_addr: from,
            source_protocol_addr: ip,
            target_hardware_addr: to,
            target_protocol_addr: target,
        };
        let mut bytes = vec![0; arp.buffer_len()];
        arp.emit(&mut ArpPacket::new_unchecked(&mut bytes));
        self.send_frame(&self.frame(from, EthernetProtocol::Arp, &bytes))
    }

    /// Receives the next frame from the guest; `None` if none comes in time.
    pub(crate) fn receive(&self, patience: Duration) -> Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; 65536];
        self.socket.set_nonblocking(patience.is_zero())?;
        if !patience.is_zero() {
            self.socket.set_read_timeout(Some(patience))?;
        }
        let received = self.socket.recv(&mut bytes);
        self.socket.set_nonblocking(false)?;
        match received {
            Ok(len) => {
                bytes.truncate(len);
                self.answer(&bytes)?;
                Ok(Some(bytes))
            }
            Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => Ok(None),
            Err(error) => Err(error).context("the cable is broken"),
        }
    }

    /// Answers an ARP request.
    fn answer(&self, frame: &[u8]) -> Result<()> {
        let Ok(frame) = EthernetFrame::new_checked(frame) else { return Ok(()) };
        if frame.ethertype() != EthernetProtocol::Arp {
            return Ok(());
        }
        let arp = ArpPacket::new_checked(frame.payload()).and_then(|packet| ArpRepr::parse(&packet));
        let Ok(ArpRepr::EthernetIpv4 {
            operation: ArpOperation::Request,
            source_hardware_addr,
            source_protocol_addr,
            target_protocol_addr,
            ..
        }) = arp
        else {
            return Ok(());
        };
        if [NOBODY, GUEST].contains(&target_protocol_addr) {
            return Ok(());
        }
        self.send_arp(
            ArpOperation::Reply,
            card(target_protocol_addr),
            target_protocol_addr,
            source_hardware_addr,
            source_protocol_addr,
        )
    }

    /// Receives the next TCP segment from the guest to `ip`.
    pub(crate) fn segment_to(&self, ip: Ipv4Addr, patience: Duration) -> Result<Option<Seen>> {
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(frame) = self.receive(left)? else { return Ok(None) };
            if let Some(packet) = packet(&frame)
                && packet.dst_addr() == ip
                && packet.next_header() == IpProtocol::Tcp
                && let Some(seen) = Seen::parse(&packet)
            {
                return Ok(Some(seen));
            }
        }
    }

    /// Answers every segment with a RST until the guest is silent.
    pub(crate) fn hang_up(&self, patience: Duration) -> Result<()> {
        while let Some(frame) = self.receive(patience)? {
            let Some(packet) = packet(&frame).filter(|packet| packet.next_header() == IpProtocol::Tcp) else {
                continue;
            };
            let Some(seen) = Seen::parse(&packet).filter(|seen| !seen.has(flag::RST)) else { continue };
            let from = SocketAddrV4::new(packet.dst_addr(), seen.to_port);
            let mut answer = Segment::new(from, SERVER, flag::RST);
            answer.sequence = seen.acknowledgment;
            self.send_from(HONEST, &answer.packet())?;
        }
        Ok(())
    }

    /// Discards the received frames and counts the IP packets among them, except ICMP's "parameter problem", which a
    /// host may send or not (RFC 1122 section 3.2.2.5).
    pub(crate) fn drain(&self, patience: Duration) -> Result<usize> {
        let mut count = 0;
        while let Some(frame) = self.receive(patience)? {
            count += usize::from(packet(&frame).is_some_and(|packet| !is_complaint(&packet)));
        }
        Ok(count)
    }
}

/// Whether a packet is ICMP's "parameter problem".
fn is_complaint(packet: &Ipv4Packet<&[u8]>) -> bool {
    packet.next_header() == IpProtocol::Icmp && packet.payload().first() == Some(&12)
}

/// Returns the IP packet in a frame.
pub(crate) fn packet(frame: &[u8]) -> Option<Ipv4Packet<&[u8]>> {
    let frame = EthernetFrame::new_checked(frame).ok()?;
    if frame.ethertype() != EthernetProtocol::Ipv4 {
        return None;
    }
    Ipv4Packet::new_checked(frame.payload()).ok()
}
