//! A connection to the server in the guest that is led by hand, segment by segment.

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

/// The server.
pub(crate) const SERVER: SocketAddrV4 = SocketAddrV4::new(GUEST, 80);

/// Where connections come from.
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 66);

/// How long the guest may take to answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// After so long what was not answered is sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// From how many addresses a connection is tried.
const TRIES: usize = 5;

/// Bytes of a segment at most.
pub(crate) const MOST: usize = 1460;

/// A connection.
pub(crate) struct Talk<'a> {
    pub(crate) wire: &'a Wire,
    pub(crate) local: SocketAddrV4,
    /// The number of our first byte.
    pub(crate) first: u32,
    /// The number of what we send next, if everything is in order.
    pub(crate) next: u32,
    /// Up to where the guest has everything.
    pub(crate) acknowledged: u32,
    /// The number that comes next from the guest.
    pub(crate) expected: u32,
    /// What has come, in order.
    pub(crate) got: Vec<u8>,
    pub(crate) window: u16,
    pub(crate) has_fin: bool,
    pub(crate) has_rst: bool,
}

/// An address of ours that was not used before.
pub(crate) fn address() -> SocketAddrV4 {
    // Not side by side: what is changed at random may hit the next.
    static NEXT: AtomicU16 = AtomicU16::new(1024);
    loop {
        // Another round has other ports: 13 does not divide their number.
        let port = NEXT.fetch_add(13, Ordering::Relaxed);
        if port >= 1024 {
            return SocketAddrV4::new(HERE, port);
        }
    }
}

impl<'a> Talk<'a> {
    /// Sends the SYN and waits for the answer, which is not acknowledged yet.
    pub(crate) fn begin(wire: &'a Wire) -> Result<Self> {
        // What was sent at random may have taken an address: then there are others.
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

    /// A segment that comes next, without bytes.
    pub(crate) fn segment(&self, flags: u8) -> Segment {
        let mut segment = Segment::new(self.local, SERVER, flags);
        (segment.sequence, segment.acknowledgment, segment.window) = (self.next, self.expected, self.window);
        segment
    }

    pub(crate) fn send(&self, segment: &Segment) -> Result<()> {
        self.wire.send_from(*self.local.ip(), &segment.packet())
    }

    /// Says what has come.
    pub(crate) fn acknowledge(&self) -> Result<()> {
        self.send(&self.segment(flag::ACK))
    }

    /// Sends bytes of the stream from this place on, in one segment.
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

    /// The next segment from the guest, whose bytes are kept if they come next.
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

    /// Takes and acknowledges what comes until `is_enough`; after silence says again what is missing.
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

    /// Asks for `count` bytes and compares them.
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

    /// What has come behind the head of the answer.
    pub(crate) fn body(&self) -> Option<&[u8]> {
        let end = self.got.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
        Some(&self.got[end + 4..])
    }

    /// Ends it with a RST that is exactly where it has to be.
    pub(crate) fn reset(&self) -> Result<()> {
        let mut segment = self.segment(flag::RST);
        // Where the guest is; and where it may be if it has got more than it has said.
        for sequence in [self.acknowledged, self.next] {
            segment.sequence = sequence;
            self.send(&segment)?;
        }
        // If it is there in spite of that, it says where it is when it gets an old byte again; `hang_up` has the answer.
        let mut probe = self.segment(flag::ACK);
        probe.sequence = self.first.wrapping_sub(1);
        probe.payload = vec![0];
        self.send(&probe)
    }
}
