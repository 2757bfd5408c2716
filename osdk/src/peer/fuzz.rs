//! Sends good frames with random changes, half of them with corrected checksums.

use std::time::Duration;

use anyhow::Result;
use smoltcp::wire::{EthernetProtocol, IpProtocol};

use super::{
    Stage, malformed,
    segment::{Segment, flag, mend},
    talk::{SERVER, Talk, address},
    wire::{GUEST, HEADER, HONEST, card},
};

/// The number of frames.
const COUNT: usize = 50_000;

/// The number of frames after which the open connection is replaced.
const FRESH: usize = 1000;

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let wire = stage.wire;
    let random = &mut stage.random;
    let arp =
        [&[0, 1, 8, 0, 6, 4, 0, 1][..], &card(HONEST).0, &HONEST.octets(), &[0; 6], &GUEST.octets()].concat();
    let mut sent = 0;
    while sent < if stage.is_long { 100 * COUNT } else { COUNT } {
        let talk = Talk::open(wire)?;
        let mut good: Vec<Vec<u8>> =
            [flag::ACK, flag::ACK | flag::PSH, flag::FIN | flag::ACK, flag::RST, flag::SYN]
                .iter()
                .map(|flags| {
                    let mut segment = talk.segment(*flags);
                    segment.payload = b"GET /bytes/3000 HTTP/1.1\r\n\r\n".to_vec();
                    segment.options = vec![1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8];
                    segment.packet()
                })
                .collect();
        good.push(Segment::new(address(), SERVER, flag::SYN).packet());
        good.push(malformed::message(8, 0, &[1, 2, 3, 4, 5, 6, 7, 8]));
        good.push(malformed::message(3, 3, &[&[0; 4][..], &good[0]].concat()));
        good.push(malformed::wrap(IpProtocol::Udp, &[4, 210, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4]));
        for _ in 0..FRESH {
            let kind = random.usize(..=good.len());
            let mut packet = good.get(kind).unwrap_or(&arp).clone();
            change(random, &mut packet);
            if random.bool() {
                mend(&mut packet);
            }
            let protocol = if kind < good.len() { EthernetProtocol::Ipv4 } else { EthernetProtocol::Arp };
            let mut frame = wire.frame(card(HONEST), protocol, &packet);
            if random.u8(..) < 4 {
                let place = random.usize(..HEADER);
                frame[place] = random.u8(..);
            }
            wire.send_frame(&frame)?;
            wire.drain(Duration::ZERO)?;
        }
        sent += FRESH;
        talk.reset()?;
        wire.hang_up(Duration::from_millis(20))?;
    }
    Ok(())
}

/// Changes a few bytes, or the length.
fn change(random: &mut fastrand::Rng, packet: &mut Vec<u8>) {
    for _ in 0..random.usize(1..5) {
        // Change headers more often than payloads: they have more to go wrong.
        let end = if random.bool() { packet.len().min(60) } else { packet.len() };
        if end == 0 {
            return;
        }
        let place = random.usize(..end);
        match random.u8(..8) {
            0 => packet[place] = random.u8(..),
            1 => packet[place] ^= 1 << random.u8(..8),
            2 => packet[place] = packet[place].wrapping_add(1),
            3 => packet[place] = packet[place].wrapping_sub(1),
            4 => packet[place] = random.choice([0, 1, 127, 128, 255]).unwrap_or(0),
            5 => packet.truncate(place),
            6 => packet.extend(std::iter::repeat_with(|| random.u8(..)).take(place)),
            _ => {
                let value = random.u8(..);
                packet.insert(place, value);
            }
        }
        packet.truncate(1500);
    }
}
