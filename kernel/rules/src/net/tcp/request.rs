//! A request for a connection that has been answered and not followed up: Linux's request socket.
//!
//! It has no buffers. smoltcp makes its SYN|ACK from the SYN and a seed, and from the same two the same one again; so the
//! two are kept, and the protocol machine is made anew for each answer and for the connection.
//! Why: decision 0088.
//! Source: RFC 9293 section 3.10.7.4 (SYN-RECEIVED); RFC 4987 section 3.4; Linux 6.1 net/ipv4/tcp_minisocks.c
//! (`tcp_check_req`), inet_connection_sock.c (`reqsk_timer_handler`).

use core::time::Duration;

use smoltcp::phy::ChecksumCapabilities;
use smoltcp::wire::{IpAddress, Ipv4Packet, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber};

use super::connection::Connection;
use super::engine::BUFFER;
use super::packet::{Burst, Packet};
use super::segment::{Segment, Tuple};
use super::stray;
use super::time_wait::TimeWait;
use super::wire::Route;
use crate::net::socket::Options;

/// How often the answer is repeated: `net.ipv4.tcp_synack_retries`.
const MOST_REPEATS: u8 = 5;

/// How long it is waited for the first time; then twice as long each time (`TCP_TIMEOUT_INIT`).
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// No more than one answer in this time to what says nothing new: `net.ipv4.tcp_invalid_ratelimit`.
const LEAST_PAUSE: Duration = Duration::from_millis(500);

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
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
pub enum Verdict {
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
pub enum Due {
    /// Its time has not come.
    Nothing,
    /// Its answer again.
    Repeat,
    /// To be forgotten.
    Forget,
}

impl Request {
    /// Takes a SYN. The answer goes to `out`; `None`: it gets none, because its options cannot be read.
    #[must_use]
    pub fn new(
        packet: &[u8],
        route: Route,
        seed: u64,
        options: &Options,
        now: Duration,
        out: &mut Burst,
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
        request.answer(route, options, now, out);
        request.first = stray::parse(out.last()?.ip())?.sequence;
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
    pub fn answer(&self, route: Route, options: &Options, now: Duration, out: &mut Burst) {
        drop(self.replay(route, options, now, out));
    }

    /// Goes on with time.
    #[must_use]
    pub fn expire(&mut self, now: Duration) -> Due {
        if now < self.due {
            return Due::Nothing;
        }
        if self.repeats == MOST_REPEATS {
            return Due::Forget;
        }
        self.repeats += 1;
        self.note_repeat(now);
        self.due = now + FIRST_PAUSE * (1 << self.repeats);
        Due::Repeat
    }

    /// What `segment` means.
    #[must_use]
    pub fn judge(&mut self, segment: &Segment, now: Duration) -> Verdict {
        let is_new = now >= self.answered + LEAST_PAUSE;
        if segment.is_request() && segment.sequence == self.sequence {
            if !is_new {
                return Verdict::Ignore;
            }
            self.note_repeat(now);
            return Verdict::Repeat;
        }
        if segment.has_ack && segment.acknowledgment != self.first.wrapping_add(1) {
            return Verdict::Refuse;
        }
        if !self.is_in_window(segment) {
            if segment.has_rst || !is_new {
                return Verdict::Ignore;
            }
            self.answered = now;
            return Verdict::Acknowledge;
        }
        match (segment.has_rst, segment.has_syn && segment.sequence != self.sequence, segment.has_ack) {
            (true, ..) => Verdict::Withdraw,
            (_, true, _) => Verdict::RefuseAndWithdraw,
            (.., true) => Verdict::Complete,
            _ => Verdict::Ignore,
        }
    }

    /// What tells the peer what is expected.
    #[must_use]
    pub fn acknowledge(&self, route: Route) -> Packet {
        let rest = TimeWait::new(self.first.wrapping_add(1), self.sequence.wrapping_add(1), self.answered);
        stray::acknowledge(self.tuple, &rest, route)
    }

    /// The connection, as if it had waited all the time for the segment that completes it.
    #[must_use]
    pub fn complete(&self, route: Route, options: &Options, now: Duration) -> Connection {
        let since = if self.is_repeated { now } else { self.answered };
        self.replay(route, options, since, &mut Burst::new())
    }

    fn replay(&self, route: Route, options: &Options, now: Duration, out: &mut Burst) -> Connection {
        let mut connection = Connection::accept(self.tuple, route, self.seed, options, now);
        let mut packet = self.packet(route);
        if let Some(segment) = Segment::parse(packet.ip()) {
            // Nothing follows from it but the answer.
            let _ = connection.process(&segment, &mut packet, now, out);
        }
        connection
    }

    /// The SYN, as far as it matters.
    fn packet(&self, route: Route) -> Packet {
        let Tuple { local, remote } = self.tuple;
        let tcp = TcpRepr {
            src_port: 0,
            dst_port: 0,
            control: TcpControl::Syn,
            seq_number: TcpSeqNumber(self.sequence.cast_signed()),
            ack_number: None,
            window_len: self.window,
            window_scale: self.scale,
            max_seg_size: self.max_segment,
            sack_permitted: self.is_selective,
            sack_ranges: [None; 3],
            timestamp: None,
            payload: &[],
        };
        stray::packet(Tuple { local: remote, remote: local }, &tcp, route)
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
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};

    use super::*;
    use crate::net::tcp::Phase;

    const ROUTE: Route = Route::Link { mtu: 1500 };
    const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 15), 80);
    const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 2, 2), 40000);
    const THEN: Duration = Duration::from_secs(5);

    /// A client, its SYN, and what came of it.
    fn begin() -> (Connection, Request, Burst) {
        let tuple = Tuple { local: CLIENT, remote: SERVER };
        let mut client = Connection::connect(tuple, ROUTE, 7, &Options::default(), THEN);
        let (mut syn, mut answers) = (Burst::new(), Burst::new());
        let _ = client.settle(THEN, &mut syn);
        let request =
            Request::new(syn[0].ip(), ROUTE, 1234, &Options::default(), THEN, &mut answers).expect("a SYN");
        (client, request, answers)
    }

    fn deliver(connection: &mut Connection, packet: &Packet, now: Duration) -> Burst {
        let mut out = Burst::new();
        let segment = Segment::parse(packet.ip()).expect("a segment");
        let _ = connection.process(&segment, &mut packet.clone(), now, &mut out);
        out
    }

    #[test]
    fn it_is_small_and_its_answer_is_always_the_same() {
        let (_, request, answers) = begin();
        assert!(size_of::<Request>() <= 96, "{}", size_of::<Request>());
        let mut again = Burst::new();
        request.answer(ROUTE, &Options::default(), THEN * 2, &mut again);
        assert_eq!(answers, again);
        assert_eq!(answers.len(), 1);
    }

    #[test]
    fn what_completes_it_makes_a_connection_that_works() {
        let (mut client, mut request, answers) = begin();
        let later = THEN + Duration::from_millis(30);
        let acknowledgment = deliver(&mut client, &answers[0], later);
        let segment = Segment::parse(acknowledgment[0].ip()).expect("a segment");
        assert_eq!(request.judge(&segment, later), Verdict::Complete);
        let mut server = request.complete(ROUTE, &Options::default(), later);
        assert_eq!(server.phase(), Phase::SynReceived);
        deliver(&mut server, &acknowledgment[0], later);
        assert_eq!((client.phase(), server.phase()), (Phase::Established, Phase::Established));
        assert_eq!(server.segment_len(), 1460);
    }

    #[test]
    fn the_answer_is_repeated_five_times_and_then_forgotten() {
        let (_, mut request, _) = begin();
        let mut repeats = std::vec::Vec::new();
        for second in 0.. {
            match request.expire(THEN + Duration::from_secs(second)) {
                Due::Nothing => {}
                Due::Repeat => repeats.push(second),
                Due::Forget => {
                    assert_eq!(second, 63);
                    break;
                }
            }
        }
        assert_eq!(repeats, [1, 3, 7, 15, 31]);
    }

    #[test]
    fn each_segment_means_what_it_means_on_linux() {
        let (.., answers) = begin();
        let first = Segment::parse(answers[0].ip()).expect("a segment").sequence;
        let soon = THEN + Duration::from_millis(10);
        let late = THEN + Duration::from_millis(600);
        let plain = |request: &Request| Segment {
            tuple: request.tuple,
            sequence: request.sequence.wrapping_add(1),
            acknowledgment: first.wrapping_add(1),
            window: 1000,
            len: 0,
            start: 40,
            has_syn: false,
            has_ack: false,
            has_fin: false,
            has_rst: false,
        };
        type Change = fn(&mut Segment);
        let cases: [(Change, Duration, Verdict); 14] = [
            (|s| s.has_ack = true, soon, Verdict::Complete),
            (|_| (), soon, Verdict::Ignore),
            (|s| s.has_fin = true, soon, Verdict::Ignore),
            (|s| (s.has_ack, s.has_fin) = (true, true), soon, Verdict::Complete),
            (|s| (s.has_ack, s.len, s.sequence) = (true, 9, s.sequence + 5), soon, Verdict::Complete),
            (|s| (s.has_ack, s.acknowledgment) = (true, s.acknowledgment + 1), soon, Verdict::Refuse),
            (|s| s.has_rst = true, soon, Verdict::Withdraw),
            (|s| (s.has_rst, s.sequence) = (true, s.sequence - 1), late, Verdict::Ignore),
            (|s| s.has_syn = true, soon, Verdict::RefuseAndWithdraw),
            (|s| (s.has_syn, s.sequence) = (true, s.sequence - 1), soon, Verdict::Ignore),
            (|s| (s.has_syn, s.sequence) = (true, s.sequence - 1), late, Verdict::Repeat),
            (|s| (s.has_ack, s.sequence) = (true, s.sequence + 70_000), soon, Verdict::Ignore),
            (|s| (s.has_ack, s.sequence) = (true, s.sequence + 70_000), late, Verdict::Acknowledge),
            (|s| (s.has_syn, s.sequence) = (true, s.sequence - 70_000), late, Verdict::Acknowledge),
        ];
        for (number, (change, now, expected)) in cases.into_iter().enumerate() {
            let (_, mut request, _) = begin();
            let mut segment = plain(&request);
            change(&mut segment);
            assert_eq!(request.judge(&segment, now), expected, "case {number}");
        }
    }
}
