//! Sends every set of flags in every state, and sequence numbers that are out of place.

use std::{
    net::SocketAddrV4,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};

use super::{
    Stage,
    segment::{Segment, flag},
    talk::{SERVER, Talk, address},
    wire::{GUEST, Wire},
};

/// The time within which an answer would come.
const SOON: Duration = Duration::from_millis(20);

/// The time limit of a required answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A state's name, and a function that brings a connection into it.
type Way = (&'static str, fn(&Wire) -> Result<Talk<'_>>);

const STATES: [Way; 7] = [
    ("SYN-RECEIVED", |wire| Talk::begin(wire)),
    ("ESTABLISHED", |wire| Talk::open(wire)),
    ("ESTABLISHED, bytes under way", |wire| under_way(wire, 2000, b"GET /bytes/50000 HTTP/1.1\r\n\r\n")),
    ("CLOSE-WAIT", |wire| {
        let mut talk = under_way(wire, 2000, b"GET /bytes/50000 HTTP/1.1\r\n\r\n")?;
        finish(&mut talk)?;
        Ok(talk)
    }),
    ("FIN-WAIT-1", |wire| under_way(wire, 500, b"GET /bytes/2000 HTTP/1.0\r\n\r\n")),
    ("FIN-WAIT-2", |wire| {
        let talk = answered(wire)?;
        talk.acknowledge()?;
        Ok(talk)
    }),
    ("TIME-WAIT", |wire| {
        let mut talk = answered(wire)?;
        finish(&mut talk)?;
        Ok(talk)
    }),
];

/// Opens a connection whose answer does not fit into our window.
fn under_way<'a>(wire: &'a Wire, window: u16, request: &[u8]) -> Result<Talk<'a>> {
    let mut talk = Talk::open(wire)?;
    talk.window = window;
    talk.say(request)?;
    talk.take(SOON)?;
    Ok(talk)
}

/// Opens a connection that the server has closed after its answer.
fn answered(wire: &Wire) -> Result<Talk<'_>> {
    let mut talk = Talk::open(wire)?;
    talk.say(b"GET /bytes/10 HTTP/1.0\r\n\r\n")?;
    talk.attend(|talk| talk.has_fin)?;
    Ok(talk)
}

/// Sends a FIN.
fn finish(talk: &mut Talk<'_>) -> Result<()> {
    talk.send(&talk.segment(flag::FIN | flag::ACK))?;
    talk.next = talk.next.wrapping_add(1);
    Ok(())
}

/// Sends every set of flags, with and without bytes, to a port with a listener and one without.
pub(super) fn flags(stage: &mut Stage<'_>) -> Result<()> {
    for to in [SERVER, SocketAddrV4::new(GUEST, 81)] {
        for flags in 0..64 {
            for payload in [&b""[..], b"GET / HTTP/1.0\r\n\r\n"] {
                let mut segment = Segment::new(address(), to, flags);
                segment.payload = payload.to_vec();
                segment.sequence = stage.random.u32(..);
                segment.acknowledgment = stage.random.u32(..);
                stage.wire.send_from(*segment.from.ip(), &segment.packet())?;
                let answer = stage.wire.segment_to(*segment.from.ip(), Duration::from_millis(3))?;
                if let Some(answer) = answer.filter(|seen| seen.to_port == segment.from.port()) {
                    ensure!(flags & flag::RST == 0, "an answer to a RST: {answer:?}");
                    let opens = to == SERVER && flags & (flag::SYN | flag::ACK | flag::FIN) == flag::SYN;
                    ensure!(opens || answer.has(flag::RST), "no RST to {flags:#x} but {answer:?}");
                }
                segment.flags = flag::RST;
                segment.sequence = segment.sequence.wrapping_add(1);
                stage.wire.send_from(*segment.from.ip(), &segment.packet())?;
            }
        }
    }
    Ok(())
}

/// Sends every set of flags in every state: nothing may break, and the server must answer the next visitor.
pub(super) fn every(stage: &mut Stage<'_>) -> Result<()> {
    for (name, way) in STATES {
        let mut seen = 0;
        for flags in (0..64).filter(|flags| stage.is_long || flags & 0x20 == 0) {
            let mut talk = way(stage.wire).map_err(|error| error.context(name))?;
            let mut segment = talk.segment(flags);
            segment.payload = vec![b'x'; stage.random.usize(..3)];
            for (sequence, acknowledgment) in
                [(0, 0), (1, 0), (0, 1), (u32::MAX, u32::MAX), (20_000, 0), (0, 70_000)]
            {
                segment.sequence = talk.next.wrapping_add(sequence);
                segment.acknowledgment = talk.expected.wrapping_add(acknowledgment);
                talk.send(&segment)?;
                seen += usize::from(talk.take(Duration::ZERO)?.is_some());
            }
            talk.reset()?;
            ensure!(seen < 4000, "{name}: too many answers");
        }
        stage.wire.drain(Duration::from_millis(5))?;
    }
    Ok(())
}

/// Sends segments of a blind attacker: the connection must survive them.
pub(super) fn blind(stage: &mut Stage<'_>) -> Result<()> {
    let mut talk = Talk::open(stage.wire)?;
    talk.compare_bytes(100)?;
    for distance in [1 << 16, 1 << 20, 1 << 30, 1 << 31, u32::MAX - 70_000, u32::MAX - 1] {
        for flags in [flag::RST, flag::RST | flag::ACK, flag::SYN, flag::FIN | flag::ACK, flag::ACK] {
            let mut segment = talk.segment(flags);
            segment.sequence = talk.next.wrapping_add(distance);
            talk.send(&segment)?;
            talk.take(Duration::ZERO)?;
        }
    }
    for distance in [1, 5000, 1 << 20, 1 << 31] {
        let mut segment = talk.segment(flag::ACK);
        segment.acknowledgment = talk.expected.wrapping_add(distance);
        segment.payload = b"never written".to_vec();
        talk.send(&segment)?;
    }
    while talk.take(SOON)?.is_some() {}
    ensure!(!talk.has_rst, "the connection is gone");
    talk.compare_bytes(2000)?;
    talk.reset()
}

/// Checks RST and SYN within the window (RFC 5961): the guest answers with a challenge ACK, unless a RST is exact.
pub(super) fn inexact(stage: &mut Stage<'_>) -> Result<()> {
    for flags in [flag::RST, flag::RST | flag::ACK, flag::SYN, flag::SYN | flag::ACK] {
        let mut talk = Talk::open(stage.wire)?;
        talk.compare_bytes(100)?;
        for distance in [1, 2, 100, 8000] {
            let mut segment = talk.segment(flags);
            segment.sequence = talk.next.wrapping_add(distance);
            talk.send(&segment)?;
        }
        let answer = talk.take(PATIENCE)?;
        let is_challenge = answer.is_some_and(|seen| {
            seen.has(flag::ACK) && !seen.has(flag::RST) && seen.acknowledgment == talk.next
        });
        ensure!(is_challenge, "flags {flags:#x}: no answer that says where the guest is");
        ensure!(talk.take(SOON)?.is_none(), "flags {flags:#x}: more than one answer");
        talk.compare_bytes(2000)?;
        let mut exact = talk.segment(flag::RST);
        exact.sequence = talk.next;
        talk.send(&exact)?;
        // Segments under way may come first. Linux may also lose a byte that arrives while it handles the RST.
        let place = talk.next.wrapping_sub(talk.first) as usize;
        let deadline = Instant::now() + PATIENCE;
        while !talk.has_rst && Instant::now() < deadline {
            talk.put(place, b"x")?;
            talk.take(10 * SOON)?;
        }
        ensure!(talk.has_rst, "flags {flags:#x}: an exact RST does nothing");
    }
    Ok(())
}
