//! A connection to the server in the guest that is driven by hand, segment by segment.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use super::{
    segment::{Seen, Segment, flag},
    wire::{GUEST, Wire},
};

/// The server's address.
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(GUEST, 80);

/// The source address of connections.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 66);

/// The time limit of an answer of the guest.
const PATIENCE: Duration = Duration::from_secs(8);

/// The time after which a request is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// The number of addresses to try a connection from.
const TRIES: usize = 5;

/// The most bytes in a segment.
pub(crate) const MOST: usize = 1460;

/// A connection.
pub(crate) struct Talk<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) local: SocketAddrV4,
    /// The sequence number of our first byte.
    pub(crate) first: u32,
    /// The sequence number that we send next, if everything is in order.
    pub(crate) next: u32,
    /// The sequence number up to which the guest has acknowledged everything.
    pub(crate) acknowledged: u32,
    /// The sequence number that we expect next from the guest.
    pub(crate) expected: u32,
    /// The bytes received, in order.
    pub(crate) got: Vec<u8>,
    pub(crate) window: u16,
    pub(crate) has_fin: bool,
    pub(crate) has_rst: bool,
}

/// Returns an address of ours that was not used before.
pub(crate) fn address() -> SocketAddrV4 {
    // Not consecutive: a randomly changed port could hit the next one.
    static NEXT: AtomicU16 = AtomicU16::new(1024);
    loop {
        // Another round gets other ports: 13 does not divide their number.
        let port = NEXT.fetch_add(13, Ordering::Relaxed);
        if port >= 1024 {
            return SocketAddrV4::new(HERE, port);
        }
    }
}

impl<'a> Talk<'a> {
    /// Sends the SYN and waits for the answer, without acknowledging it.
    pub(crate) fn begin(wire: &'a Wire) -> Result<Self> {
        // Random frames may have used an address: then try others.
        for _ in 0..TRIES {
            if let Some(talk) = Self::try_begin(wire, address())? {
                return Ok(talk);
            }
        }
        anyhow::bail!("nobody answers a SYN")
    }

    fn try_begin(wire: &'a Wire, local: SocketAddrV4) -> Result<Option<Self>> {
        let first = u32::from(local.port()).wrapping_mul(0x0123_4567);
        let mut talk = Self {
            wire,
            local,
            first,
            next: first.wrapping_sub(1),
            acknowledged: first,
            expected: 0,
            got: Vec::new(),
            window: 64000,
            has_fin: false,
            has_rst: false,
        };
        let mut request = talk.segment(flag::SYN);
        request.acknowledgment = 0;
        request.options = vec![2, 4, 5, 180];
        talk.send(&request)?;
        talk.next = first;
        let deadline = Instant::now() + AGAIN;
        while let Some(answer) = wire.segment_to(HERE, deadline.saturating_duration_since(Instant::now()))? {
            let is_ours = answer.to_port == local.port() && answer.acknowledgment == first;
            if is_ours && answer.has(flag::SYN | flag::ACK) {
                talk.expected = answer.end();
                return Ok(Some(talk));
            }
        }
        Ok(None)
    }

    /// Opens a connection.
    pub(crate) fn open(wire: &'a Wire) -> Result<Self> {
        let talk = Self::begin(wire)?;
        talk.acknowledge()?;
        Ok(talk)
    }

    /// Makes the next segment in order, without bytes.
    pub(crate) fn segment(&self, flags: u8) -> Segment {
        let mut segment = Segment::new(self.local, SERVER, flags);
        (segment.sequence, segment.acknowledgment, segment.window) = (self.next, self.expected, self.window);
        segment
    }

    pub(crate) fn send(&self, segment: &Segment) -> Result<()> {
        self.wire.send_from(*self.local.ip(), &segment.packet())
    }

    /// Acknowledges all bytes received.
    pub(crate) fn acknowledge(&self) -> Result<()> {
        self.send(&self.segment(flag::ACK))
    }

    /// Sends bytes of the stream at this offset, in one segment.
    pub(crate) fn put(&self, place: usize, bytes: &[u8]) -> Result<()> {
        let mut segment = self.segment(flag::ACK | flag::PSH);
        segment.sequence = self.first.wrapping_add(place as u32);
        segment.payload = bytes.to_vec();
        self.send(&segment)
    }

    /// Sends the next bytes, few enough for one segment.
    pub(crate) fn say(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(self.next.wrapping_sub(self.first) as usize, bytes)?;
        self.next = self.next.wrapping_add(bytes.len() as u32);
        Ok(())
    }

    /// Receives a segment from the guest, and keeps its bytes if they are the next ones.
    pub(crate) fn take(&mut self, patience: Duration) -> Result<Option<Seen>> {
        let deadline = Instant::now() + patience;
        let seen = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(seen) = self.wire.segment_to(HERE, left)? else { return Ok(None) };
            if seen.to_port == self.local.port() {
                break seen;
            }
        };
        self.has_rst |= seen.has(flag::RST);
        if seen.has(flag::ACK) && seen.acknowledgment.wrapping_sub(self.acknowledged).cast_signed() > 0 {
            self.acknowledged = seen.acknowledgment;
        }
        let old = self.expected.wrapping_sub(seen.sequence) as usize;
        if !seen.has(flag::SYN) && old <= seen.payload.len() && !self.has_fin {
            self.got.extend_from_slice(&seen.payload[old..]);
            self.has_fin = seen.has(flag::FIN);
            self.expected = seen.end();
        }
        Ok(Some(seen))
    }

    /// Receives and acknowledges segments until `is_enough`; acknowledges again after silence.
    pub(crate) fn attend(&mut self, mut is_enough: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_enough(self) {
            ensure!(!self.has_rst, "the guest has reset the connection");
            ensure!(Instant::now() < deadline, "the guest is silent, after {} bytes", self.got.len());
            match self.take(AGAIN)? {
                Some(seen) if seen.payload.is_empty() && !seen.has(flag::FIN) => {}
                _ => self.acknowledge()?,
            }
        }
        Ok(())
    }

    /// Requests `count` bytes and compares them.
    pub(crate) fn compare_bytes(&mut self, count: usize) -> Result<()> {
        self.got.clear();
        self.say(format!("GET /bytes/{count} HTTP/1.1\r\n\r\n").as_bytes())?;
        self.await_bytes(count)
    }

    /// Waits for an answer of `count` bytes and compares them.
    pub(crate) fn await_bytes(&mut self, count: usize) -> Result<()> {
        self.attend(|talk| talk.body().is_some_and(|body| body.len() >= count))?;
        let body = self.body().context("no body")?;
        let is_right =
            body.len() == count && (0_usize..).zip(body).all(|(at, byte)| at % 251 == usize::from(*byte));
        ensure!(is_right, "{} bytes, or others, instead of {count}", body.len());
        Ok(())
    }

    /// Returns the bytes received after the head of the answer.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        let end = self.got.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        Some(&self.got[end + 4..])
    }

    /// Ends the connection with an exact RST.
    pub(crate) fn reset(&self) -> Result<()> {
        let mut segment = self.segment(flag::RST);
        // Try the acknowledged number, and our next one, in case the guest has received more than it acknowledged.
        for sequence in [self.acknowledged, self.next] {
            segment.sequence = sequence;
            self.send(&segment)?;
        }
        // If the connection still exists, an old byte makes the guest acknowledge; `hang_up` resets it by that number.
        let mut probe = self.segment(flag::ACK);
        probe.sequence = self.first.wrapping_sub(1);
        probe.payload = vec![0];
        self.send(&probe)
    }
}
