//! TCP segments: builds arbitrary ones, and parses the guest's.

use std::net::SocketAddrV4;

use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        IPV4_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv4Repr, TCP_HEADER_LEN, TcpPacket, TcpSeqNumber,
    },
};

/// The flags of a segment, as in its header.
pub(crate) mod flag {
    pub(crate) const FIN: u8 = 1;
    pub(crate) const SYN: u8 = 2;
    pub(crate) const RST: u8 = 4;
    pub(crate) const PSH: u8 = 8;
    pub(crate) const ACK: u8 = 16;
}

/// The place of the flags in a packet.
const FLAGS: usize = IPV4_HEADER_LEN + 13;

/// A segment to send.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    /// Zeros pad and end them.
    pub(crate) options: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    /// Makes a segment without options and payload.
    pub(crate) fn new(from: SocketAddrV4, to: SocketAddrV4, flags: u8) -> Self {
        let (options, payload) = (Vec::new(), Vec::new());
        Self { from, to, sequence: 0, acknowledgment: 0, flags, window: 64000, options, payload }
    }

    /// Builds a correct packet.
    pub(crate) fn packet(&self) -> Vec<u8> {
        let header = TCP_HEADER_LEN + self.options.len().next_multiple_of(4).min(40);
        let ip = Ipv4Repr {
            src_addr: *self.from.ip(),
            dst_addr: *self.to.ip(),
            next_header: IpProtocol::Tcp,
            payload_len: header + self.payload.len(),
            hop_limit: 64,
        };
        let mut bytes = vec![0; IPV4_HEADER_LEN + ip.payload_len];
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
        let mut tcp = TcpPacket::new_unchecked(&mut bytes[IPV4_HEADER_LEN..]);
        tcp.set_src_port(self.from.port());
        tcp.set_dst_port(self.to.port());
        tcp.set_seq_number(TcpSeqNumber(self.sequence.cast_signed()));
        tcp.set_ack_number(TcpSeqNumber(self.acknowledgment.cast_signed()));
        tcp.set_header_len(header as u8);
        tcp.set_window_len(self.window);
        bytes[FLAGS] = self.flags;
        let options = self.options.len().min(40);
        bytes[IPV4_HEADER_LEN + TCP_HEADER_LEN..][..options].copy_from_slice(&self.options[..options]);
        bytes[IPV4_HEADER_LEN + header..].copy_from_slice(&self.payload);
        mend(&mut bytes);
        bytes
    }
}

/// Corrects the checksums of a packet, as far as it has fields for them.
pub(crate) fn mend(packet: &mut [u8]) {
    if packet.len() < IPV4_HEADER_LEN {
        return;
    }
    let header = usize::from(packet[0] & 15) * 4;
    if header < IPV4_HEADER_LEN || header > packet.len() {
        return;
    }
    let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
    ip.fill_checksum();
    let total = usize::from(ip.total_len());
    let (from, to) = (IpAddress::Ipv4(ip.src_addr()), IpAddress::Ipv4(ip.dst_addr()));
    let is_tcp = ip.next_header() == IpProtocol::Tcp;
    let end = total.min(packet.len());
    if is_tcp && end >= header + TCP_HEADER_LEN {
        TcpPacket::new_unchecked(&mut packet[header..end]).fill_checksum(&from, &to);
    }
}

/// A segment from the guest.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) to_port: u16,
    pub(crate) sequence: u32,
    pub(crate) acknowledgment: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

impl Seen {
    pub(crate) fn parse(packet: &Ipv4Packet<&[u8]>) -> Option<Self> {
        let bytes = packet.payload();
        let tcp = TcpPacket::new_checked(bytes).ok()?;
        Some(Self {
            to_port: tcp.dst_port(),
            sequence: tcp.seq_number().0.cast_unsigned(),
            acknowledgment: tcp.ack_number().0.cast_unsigned(),
            flags: bytes[13] & 63,
            payload: tcp.payload().to_vec(),
        })
    }

    pub(crate) fn has(&self, flags: u8) -> bool {
        self.flags & flags == flags
    }

    /// Returns the sequence number after its last byte.
    pub(crate) fn end(&self) -> u32 {
        let control = u32::from(self.has(flag::SYN)) + u32::from(self.has(flag::FIN));
        self.sequence.wrapping_add(self.payload.len() as u32).wrapping_add(control)
    }
}
