//! Sends malformed packets: headers, options, checksums, senders, fragments, ICMP, ARP.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Result, ensure};
use smoltcp::{
    phy::ChecksumCapabilities,
    wire::{
        ArpOperation, EthernetAddress, EthernetProtocol, IPV4_HEADER_LEN, Icmpv4Packet, Icmpv4Repr,
        IpProtocol, Ipv4Packet, Ipv4Repr,
    },
};

use super::{
    Stage,
    segment::{Segment, flag, mend},
    talk::{SERVER, Talk, address},
    wire::{GUEST, HONEST, Wire, card, packet},
};
use crate::cli::Kernel;

/// The time within which an answer would come.
const SOON: Duration = Duration::from_millis(60);

/// Makes a good request, to be damaged.
fn request() -> Segment {
    Segment::new(address(), SERVER, flag::SYN)
}

/// Checks that the guest does not answer these packets.
fn expect_silence(wire: &Wire, packets: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
    wire.drain(SOON)?;
    for packet in packets {
        wire.send_from(HONEST, &packet)?;
        // Otherwise the card's buffers fill up.
        wire.drain(Duration::ZERO).and_then(|answers| {
            ensure!(answers == 0, "an answer, perhaps to {packet:?}");
            Ok(())
        })?;
    }
    let answers = wire.drain(SOON)?;
    ensure!(answers == 0, "{answers} answers");
    Ok(())
}

pub(super) fn headers(stage: &mut Stage<'_>) -> Result<()> {
    let good = request().packet();
    let len = good.len();
    let mut bad = Vec::new();
    for end in 0..len {
        bad.push(good[..end].to_vec());
    }
    let mut change = |work: &mut dyn FnMut(&mut Vec<u8>)| {
        let mut packet = good.clone();
        work(&mut packet);
        mend(&mut packet);
        bad.push(packet);
    };
    // Versions other than 4, and header lengths that are too short or too long.
    (0..16).filter(|version| *version != 4).for_each(|version| change(&mut |p| p[0] = version << 4 | 5));
    (0..16).filter(|words| *words != 5).for_each(|words| change(&mut |p| p[0] = 0x40 | words));
    // Total lengths that are too short for the headers, or longer than the packet.
    for total in (0..len as u16).chain([len as u16 + 1, 1500, 0x7fff, 0xffff]) {
        change(&mut |p| p[2..4].copy_from_slice(&total.to_be_bytes()));
    }
    // Wrong lengths of the TCP header.
    (0..16).filter(|words| *words != 5).for_each(|words| change(&mut |p| p[32] = words << 4));
    expect_silence(stage.wire, bad)?;
    // Port 0, which no socket has. Linux answers all the same.
    let answered = [20..22, 22..24].map(|place| {
        let mut packet = good.clone();
        packet[place].fill(0);
        mend(&mut packet);
        packet
    });
    if stage.on == Kernel::Linux {
        answered.iter().try_for_each(|packet| stage.wire.send_from(HONEST, packet))?;
    } else {
        expect_silence(stage.wire, answered)?;
    }
    // Frames that are too short or of an unknown type. QEMU takes an empty one for the end of the cable.
    for len in 1..60 {
        stage.wire.send_frame(&vec![0xff; len])?;
        let frame = stage.wire.frame(
            card(HONEST),
            EthernetProtocol::Unknown(0x86dd + len as u16),
            &good[..len.min(40)],
        );
        stage.wire.send_frame(&frame)?;
        stage.wire.send_frame(&frame[..len.min(frame.len())])?;
    }
    // The longest frame that the card accepts.
    for len in [1514, 1515, 2000, 2036, 2048, 4000] {
        stage.wire.send_frame(&stage.wire.frame(
            card(HONEST),
            EthernetProtocol::Ipv4,
            &vec![0x45; len - 14],
        ))?;
    }
    Ok(())
}

pub(super) fn checksums(stage: &mut Stage<'_>) -> Result<()> {
    let mut bad = Vec::new();
    for bit in 0..16 {
        for place in [10, 36] {
            let mut packet = request().packet();
            packet[place + bit / 8] ^= 1 << (bit % 8);
            bad.push(packet);
        }
    }
    // One flipped bit anywhere.
    let good = request().packet();
    for bit in 0..good.len() * 8 {
        let mut packet = good.clone();
        packet[bit / 8] ^= 1 << (bit % 8);
        bad.push(packet);
    }
    expect_silence(stage.wire, bad)
}

pub(super) fn options(stage: &mut Stage<'_>) -> Result<()> {
    let mut all: Vec<Vec<u8>> =
        (0..=255_u8).flat_map(|kind| [0, 1, 2, 40, 255].map(|len| vec![kind, len])).collect();
    for len in 0..=10 {
        all.extend([2, 3, 4, 5, 8].map(|kind| [vec![kind, len], vec![0xff; 38]].concat()));
    }
    // Maximum segment sizes of zero and little more, huge window scales, repeated options, and padding.
    all.extend([
        vec![2, 4, 0, 0],
        vec![2, 4, 0, 1],
        vec![2, 4, 255, 255],
        vec![3, 3, 15],
        vec![3, 3, 255],
        vec![4, 2, 4, 2, 4, 2],
        vec![1; 40],
        vec![0; 40],
        vec![8, 10, 255, 255, 255, 255, 255, 255, 255, 255],
    ]);
    for options in all {
        let mut segment = request();
        segment.options = options;
        stage.wire.send_from(*segment.from.ip(), &segment.packet())?;
        segment.flags = flag::RST;
        segment.options.clear();
        segment.sequence = 1;
        stage.wire.send_from(*segment.from.ip(), &segment.packet())?;
        stage.wire.drain(Duration::ZERO)?;
    }
    // A connection with segments of at most one byte: it may be slow, but must be right.
    let mut talk = Talk::open(stage.wire)?;
    for options in [vec![5, 10, 0, 0, 0, 0, 0, 0, 0, 0], vec![5, 34, 1], vec![8, 2], vec![1, 1, 1, 99, 0]] {
        let mut segment = talk.segment(flag::ACK);
        segment.options = options;
        talk.send(&segment)?;
    }
    talk.compare_bytes(3000)?;
    talk.reset()
}

pub(super) fn senders(stage: &mut Stage<'_>) -> Result<()> {
    let network = Ipv4Addr::new(10, 0, 2, 255);
    let nobody = [
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(127, 255, 255, 255),
        network,
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::new(239, 255, 255, 255),
        GUEST,
    ];
    // Linux answers the whole network unless it filters (`rp_filter`).
    let nobody = nobody.into_iter().filter(|ip| stage.on == Kernel::Pollux || *ip != network);
    let others = [
        Ipv4Addr::BROADCAST,
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::UNSPECIFIED,
        network,
        Ipv4Addr::new(224, 0, 0, 1),
        Ipv4Addr::new(10, 0, 2, 16),
        HONEST,
    ];
    let mut bad = Vec::new();
    for flags in [flag::SYN, flag::ACK, flag::RST, flag::FIN | flag::ACK] {
        for ip in nobody.clone() {
            let from = SocketAddrV4::new(ip, 1234);
            bad.push(Segment::new(from, SERVER, flags).packet());
            // Equal source and destination: the "land" attack.
            bad.push(Segment::new(SocketAddrV4::new(ip, 80), SERVER, flags).packet());
        }
        for ip in others {
            bad.push(Segment::new(address(), SocketAddrV4::new(ip, 80), flags).packet());
        }
    }
    expect_silence(stage.wire, bad)
}

pub(super) fn fragments(stage: &mut Stage<'_>) -> Result<()> {
    let mut bad = Vec::new();
    let mut segment = request();
    segment.payload = vec![7; 1000];
    let whole = segment.packet();
    for (offset, more) in
        [(0, true), (1, false), (8, true), (8, false), (0x1fff, true), (0x1fff, false), (2, true)]
    {
        for protocol in [IpProtocol::Tcp, IpProtocol::Udp, IpProtocol::Icmp] {
            let mut packet = whole.clone();
            let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
            ip.set_frag_offset(offset * 8);
            ip.set_more_frags(more);
            ip.set_next_header(protocol);
            mend(&mut packet);
            bad.push(packet);
        }
    }
    for _ in 0..500 {
        let mut packet = whole.clone();
        let mut ip = Ipv4Packet::new_unchecked(&mut packet[..]);
        ip.set_ident(stage.random.u16(..));
        ip.set_frag_offset(8 * stage.random.u16(1..8191));
        ip.set_more_frags(stage.random.bool());
        mend(&mut packet);
        bad.push(packet);
    }
    expect_silence(stage.wire, bad)
}

/// Makes an IP packet with this payload.
pub(super) fn wrap(protocol: IpProtocol, payload: &[u8]) -> Vec<u8> {
    let ip = Ipv4Repr {
        src_addr: HONEST,
        dst_addr: GUEST,
        next_header: protocol,
        payload_len: payload.len(),
        hop_limit: 64,
    };
    let mut bytes = vec![0; IPV4_HEADER_LEN + payload.len()];
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    bytes[IPV4_HEADER_LEN..].copy_from_slice(payload);
    bytes
}

/// Makes an ICMP message with a good checksum.
pub(super) fn message(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = [vec![kind, code, 0, 0], rest.to_vec()].concat();
    bytes.resize(bytes.len().max(8), 0);
    Icmpv4Packet::new_unchecked(&mut bytes[..]).fill_checksum();
    wrap(IpProtocol::Icmp, &bytes)
}

pub(super) fn icmp(stage: &mut Stage<'_>) -> Result<()> {
    let wire = stage.wire;
    // The guest answers a ping, but not a truncated one.
    let data = vec![0xa5; 1000];
    let ping = Icmpv4Repr::EchoRequest { ident: 7, seq_no: 9, data: &data };
    let mut bytes = vec![0; ping.buffer_len()];
    ping.emit(&mut Icmpv4Packet::new_unchecked(&mut bytes[..]), &ChecksumCapabilities::default());
    wire.drain(SOON)?;
    wire.send_from(HONEST, &wrap(IpProtocol::Icmp, &bytes))?;
    let answer = loop {
        let Some(frame) = wire.receive(Duration::from_secs(2))? else { break None };
        if let Some(packet) = packet(&frame).filter(|packet| packet.next_header() == IpProtocol::Icmp) {
            break Some(packet.payload().to_vec());
        }
    };
    let is_right = answer.is_some_and(|answer| answer[0] == 0 && answer[4..] == bytes[4..]);
    ensure!(is_right, "a ping is not answered as it should be");
    let halves = (0..8).map(|len| wrap(IpProtocol::Icmp, &bytes[..len]));
    let mut damaged = bytes.clone();
    damaged[500] ^= 4;
    expect_silence(wire, halves.chain([wrap(IpProtocol::Icmp, &damaged)]))?;
    // Junk of all types while a connection is open, and "destination unreachable" for it, which must not end it.
    let mut talk = Talk::open(wire)?;
    let mut quoted = talk.segment(flag::ACK);
    (quoted.from, quoted.to) = (SERVER, talk.local);
    let quoted = quoted.packet();
    let junk: Vec<u8> = (0..100).map(|_| stage.random.u8(..)).collect();
    for kind in (0..=255).filter(|kind| *kind != 8) {
        for code in [0, 1, 3, 4, 255] {
            for rest in [&[][..], &[0; 4], &[&[0; 4][..], &quoted].concat(), &quoted[..7], &junk] {
                wire.send_from(HONEST, &message(kind, code, rest))?;
            }
        }
        wire.drain(Duration::ZERO)?;
    }
    talk.compare_bytes(5000)?;
    talk.reset()
}

pub(super) fn arp(stage: &mut Stage<'_>) -> Result<()> {
    let wire = stage.wire;
    let good = {
        let arp =
            [&[0, 1, 8, 0, 6, 4, 0, 1][..], &card(HONEST).0, &HONEST.octets(), &[0; 6], &GUEST.octets()];
        arp.concat()
    };
    for len in 0..good.len() {
        wire.send_frame(&wire.frame(card(HONEST), EthernetProtocol::Arp, &good[..len]))?;
    }
    for byte in 0..8 {
        for value in [0, 2, 7, 255] {
            let mut bad = good.clone();
            bad[byte] = value;
            wire.send_frame(&wire.frame(card(HONEST), EthernetProtocol::Arp, &bad))?;
        }
    }
    // Senders that claim the guest's address, the broadcast address, or none.
    let thief = EthernetAddress([2, 9, 9, 9, 9, 9]);
    let claims = [
        GUEST,
        Ipv4Addr::UNSPECIFIED,
        Ipv4Addr::BROADCAST,
        Ipv4Addr::new(10, 0, 2, 255),
        Ipv4Addr::LOCALHOST,
    ];
    for ip in claims {
        for operation in [ArpOperation::Request, ArpOperation::Reply, ArpOperation::Unknown(9)] {
            wire.send_arp(operation, thief, ip, EthernetAddress::BROADCAST, GUEST)?;
            wire.send_arp(operation, EthernetAddress::BROADCAST, ip, EthernetAddress::BROADCAST, ip)?;
        }
    }
    // Many requests, from our network and from others.
    for round in 0..if stage.is_long { 100_000 } else { 5000_u32 } {
        let near = Ipv4Addr::new(10, 0, 2, stage.random.u8(100..200));
        let ip = if round % 2 == 0 { near } else { Ipv4Addr::from(stage.random.u32(..)) };
        wire.send_arp(ArpOperation::Request, card(ip), ip, EthernetAddress([0; 6]), GUEST)?;
        wire.drain(Duration::ZERO)?;
    }
    // A sender that claims to be the gateway, which no switch can detect. The real gateway then claims it again.
    for (operation, ip) in [(ArpOperation::Reply, thief), (ArpOperation::Request, card(HONEST))] {
        wire.send_arp(operation, ip, HONEST, EthernetAddress([0; 6]), GUEST)?;
    }
    Ok(())
}
