//! A handshake over a network between its SYN|ACK and the last ACK: Linux's request socket.
//!
//! It has no buffers. smoltcp derives the SYN|ACK from the SYN and a seed alone; so only these two are kept, and the
//! engine is made anew for each SYN|ACK and for the connection.
//! Why: decision 0088.
//! Source: RFC 9293 section 3.10.7.4 (SYN-RECEIVED); RFC 4987 section 3.4; Linux 6.1 net/ipv4/tcp_minisocks.c
//! (`tcp_check_req`), inet_connection_sock.c (`reqsk_timer_handler`).

use core::time::Duration;

use super::connection::Connection;
use super::engine::{BUFFER, MemoryBudget, Resources};
use super::packet::{Packet, PacketBatch};
use super::path::PathKind;
use super::segment::{self, Segment, Tuple};
use super::time_wait::TimeWait;
use crate::net::socket::Options;
use crate::net::wire::{ChecksumCapabilities, IpAddress, Ipv4Packet, TcpControl, TcpPacket, TcpRepr};

/// How often the SYN|ACK is retransmitted: `net.ipv4.tcp_synack_retries`.
const MOST_REPEATS: u8 = 5;

/// The time before the first retransmission; it doubles each time (`TCP_TIMEOUT_INIT`).
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The least time between two answers to segments that change nothing: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// A handshake over a network that waits for its last ACK.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRequest {
    tuple: Tuple,
    /// The sequence number of the peer's SYN.
    sequence: u32,
    /// The sequence number of our SYN, which follows from `seed`.
    first: u32,
    seed: u64,
    window: u16,
    max_segment: Option<u16>,
    scale: Option<u8>,
    is_selective: bool,
    repeats: u8,
    /// The SYN|ACK was sent more than once, so the round trip cannot be measured.
    is_repeated: bool,
    /// When the SYN|ACK left last.
    answered: Duration,
    due: Duration,
}

/// What a segment means for a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestVerdict {
    /// Nothing: drop the segment.
    Ignore,
    /// The SYN|ACK was lost: send it again.
    Repeat,
    /// It is outside the window; answer with the expected numbers.
    Acknowledge,
    /// It acknowledges a number that was never sent; answer with a RST.
    Refuse,
    /// It is a RST: drop the request.
    Withdraw,
    /// It is another SYN within the window: answer with a RST and drop the request.
    RefuseAndWithdraw,
    /// It completes the handshake, and [`Connection::process`] takes it.
    Complete,
}

/// What an expired timer demands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestAction {
    /// Nothing: the timer has not expired.
    Nothing,
    /// Send the SYN|ACK again.
    Repeat,
    /// Drop the request.
    Forget,
}

impl ConnectionRequest {
    /// Creates a request from a SYN and puts the SYN|ACK into `out`. `None`: the options are malformed.
    #[must_use]
    pub fn new(
        packet: &[u8],
        path: PathKind,
        seed: u64,
        options: &Options,
        now: Duration,
        out: &mut PacketBatch,
    ) -> Option<Self> {
        let segment = Segment::parse(packet).filter(Segment::is_request)?;
        let ip = Ipv4Packet::new_checked(packet).ok()?;
        let [from, to] = [ip.src_addr(), ip.dst_addr()].map(IpAddress::Ipv4);
        let tcp = TcpPacket::new_checked(ip.payload()).ok()?;
        let syn = TcpRepr::parse(&tcp, &from, &to, &ChecksumCapabilities::ignored()).ok()?;
        let mut request = Self {
            tuple: segment.tuple,
            sequence: segment.sequence,
            first: 0,
            seed,
            window: syn.window_len,
            max_segment: syn.max_seg_size,
            scale: syn.window_scale,
            is_selective: syn.sack_permitted,
            repeats: 0,
            is_repeated: false,
            answered: now,
            due: now + FIRST_PAUSE,
        };
        request.answer(path, options, now, out);
        request.first = segment::parse_headers(out.last()?.ip())?.sequence;
        Some(request)
    }

    /// Returns both addresses.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// Returns when [`expire`](Self::expire) is due.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Puts the SYN|ACK into `out`, each time the same.
    pub fn answer(&self, path: PathKind, options: &Options, now: Duration, out: &mut PacketBatch) {
        drop(self.replay(path, options, now, |_| false, out));
    }

    /// Advances the retransmission timer to `now`.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> RequestAction {
        if now < self.due {
            return RequestAction::Nothing;
        }
        if self.repeats == MOST_REPEATS {
            return RequestAction::Forget;
        }
        self.repeats += 1;
        self.note_repeat(now);
        self.due = now + FIRST_PAUSE * (1 << self.repeats);
        RequestAction::Repeat
    }

    /// Judges a segment for this request.
    #[must_use]
    pub fn judge(&mut self, segment: &Segment, now: Duration) -> RequestVerdict {
        let is_new = now >= self.answered + LEAST_PAUSE;
        if segment.is_request() && segment.sequence == self.sequence {
            if !is_new {
                return RequestVerdict::Ignore;
            }
            self.note_repeat(now);
            return RequestVerdict::Repeat;
        }
        if segment.has_ack && segment.acknowledgment != self.first.wrapping_add(1) {
            return RequestVerdict::Refuse;
        }
        if !self.is_in_window(segment) {
            if segment.has_rst || !is_new {
                return RequestVerdict::Ignore;
            }
            self.answered = now;
            return RequestVerdict::Acknowledge;
        }
        match (segment.has_rst, segment.has_syn && segment.sequence != self.sequence, segment.has_ack) {
            (true, ..) => RequestVerdict::Withdraw,
            (_, true, _) => RequestVerdict::RefuseAndWithdraw,
            (.., true) => RequestVerdict::Complete,
            _ => RequestVerdict::Ignore,
        }
    }

    /// Makes the ACK that tells the peer the expected numbers.
    #[must_use]
    pub fn acknowledge(&self, path: PathKind) -> Packet {
        let rest = TimeWait::new(self.first.wrapping_add(1), self.sequence.wrapping_add(1), self.answered);
        rest.acknowledge(self.tuple, path)
    }

    /// Makes the connection, in SYN-RECEIVED, for the segment that completes the handshake.
    #[must_use]
    pub fn complete(
        &self,
        path: PathKind,
        options: &Options,
        now: Duration,
        budget: MemoryBudget,
    ) -> Connection {
        let since = if self.is_repeated { now } else { self.answered };
        self.replay(path, options, since, budget, &mut PacketBatch::new())
    }

    fn replay(
        &self,
        path: PathKind,
        options: &Options,
        now: Duration,
        budget: MemoryBudget,
        out: &mut PacketBatch,
    ) -> Connection {
        let mut connection =
            Connection::accept(self.tuple, path, Resources { seed: self.seed, budget }, options, now);
        let mut packet = self.packet(path);
        if let Some(segment) = Segment::parse(packet.ip()) {
            // The outcome is the SYN|ACK alone, which is in `out`.
            let _ = connection.process(&segment, &mut packet, now, out);
        }
        connection
    }

    /// Rebuilds the SYN from what was kept of it.
    fn packet(&self, path: PathKind) -> Packet {
        let Tuple { local, remote } = self.tuple;
        let tcp = TcpRepr {
            window_scale: self.scale,
            max_seg_size: self.max_segment,
            sack_permitted: self.is_selective,
            ..segment::bare(TcpControl::Syn, self.sequence, None, self.window)
        };
        segment::emit(Tuple { local: remote, remote: local }, &tcp, path)
    }

    const fn note_repeat(&mut self, now: Duration) {
        self.is_repeated = true;
        self.answered = now;
    }

    /// Returns whether a part of `segment` is within the announced window (`tcp_in_window`).
    const fn is_in_window(&self, segment: &Segment) -> bool {
        let start = self.sequence.wrapping_add(1);
        let place = segment.sequence.wrapping_sub(start).cast_signed();
        let end = segment.end().wrapping_sub(start).cast_signed();
        let window = BUFFER as i32;
        place == 0 || (end > 0 && place < window) || (place == window && end == window)
    }
}

#[cfg(test)]
mod tests;
