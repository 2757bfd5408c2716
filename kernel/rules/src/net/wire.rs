//! Packet formats: the headers of IPv4, ICMP, UDP and TCP, as smoltcp reads and writes them.
//!
//! Only this file and `tcp/engine` name smoltcp. The engine runs connections; everything else needs formats alone.

pub(super) use smoltcp::phy::{Checksum, ChecksumCapabilities};
pub(super) use smoltcp::wire::{
    IPV4_HEADER_LEN, Icmpv4DstUnreachable, Icmpv4Message, Icmpv4Packet, Icmpv4Repr, IpAddress, IpProtocol,
    Ipv4Packet, Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber, UDP_HEADER_LEN, UdpPacket, UdpRepr,
};
