//! A request for a connection that has been answered and not followed up: Linux's request socket.
//!
//! It has no buffers. smoltcp makes its SYN|ACK from the SYN and a seed, and from the same two the same one again; so the
//! two are kept, and the protocol machine is made anew for each answer and for the connection.
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

/// How often the answer is repeated: `net.ipv4.tcp_synack_retries`.
const MOST_REPEATS: u8 = 5;

/// How long it is waited for the first time; then twice as long each time (`TCP_TIMEOUT_INIT`).
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No more than one answer in this time to what says nothing new: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionRequest {
    tuple: Tuple,
    /// The number of the SYN.
    sequence: u32,
    /// The number of our SYN, which follows from `seed`.
    first: u32,
    seed: u64,
    window: u16,
    max_segment: Option<u16>,
    scale: Option<u8>,
    is_selective: bool,
    repeats: u8,
    /// It was answered more than once, so that nobody knows how long a round trip takes.
    is_repeated: bool,
    /// When it was answered last.
    answered: Duration,
    due: Duration,
}

/// What a segment means for a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestVerdict {
    /// Nothing.
    Ignore,
    /// The answer was lost: it is sent again.
    Repeat,
    /// It is far from what may come: the peer is told what is expected.
    Acknowledge,
    /// It acknowledges what was never sent, and gets a RST.
    Refuse,
    /// The peer does not want it any more.
    Withdraw,
    /// Another SYN within the window: it gets a RST, and the request is over.
    RefuseAndWithdraw,
    /// The handshake is complete, and [`Connection::process`] takes the segment.
    Complete,
}

/// What a request wants when its time has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RequestAction {
    /// Its time has not come.
    Nothing,
    /// Its answer again.
    Repeat,
    /// To be forgotten.
    Forget,
}

impl ConnectionRequest {
    /// Takes a SYN. The answer goes to `out`; `None`: it gets none, because its options cannot be read.
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

    /// Both ends.
    #[must_use]
    pub const fn tuple(&self) -> Tuple {
        self.tuple
    }

    /// When [`expire`](Self::expire) has something to say.
    #[must_use]
    pub const fn due(&self) -> Duration {
        self.due
    }

    /// Makes the answer, each time the same.
    pub fn answer(&self, path: PathKind, options: &Options, now: Duration, out: &mut PacketBatch) {
        drop(self.replay(path, options, now, |_| false, out));
    }

    /// Goes on with time.
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

    /// What `segment` means.
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

    /// What tells the peer what is expected.
    #[must_use]
    pub fn acknowledge(&self, path: PathKind) -> Packet {
        let rest = TimeWait::new(self.first.wrapping_add(1), self.sequence.wrapping_add(1), self.answered);
        rest.acknowledge(self.tuple, path)
    }

    /// The connection, as if it had waited all the time for the segment that completes it.
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
            // Nothing follows from it but the answer.
            let _ = connection.process(&segment, &mut packet, now, out);
        }
        connection
    }

    /// The SYN, as far as it matters.
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

    /// Whether a part of `segment` is within the window that was announced (`tcp_in_window`).
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
