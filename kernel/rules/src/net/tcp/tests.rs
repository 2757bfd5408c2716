//! Two connections that exchange packets in memory.

mod both_ways;

use alloc::vec::Vec;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::task::Poll;
use core::time::Duration;
use std::vec;

use pollee::{Events, Readiness};

use super::connection::{CloseMode, Connection, End, Pace, RecvMode};
use super::packet::{Packet, PacketBatch};
use super::path::PathKind;
use super::readiness::Shutdown;
use super::segment::{self, Segment, Tuple};
use super::{Resources, TcpState};
use crate::abi::errno::Errno;
use crate::net::socket::Options;
use crate::net::wire::{TcpControl, TcpRepr, TcpSeqNumber};

const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 40000);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 80);

/// Two ends and the packets on their way.
struct Pair {
    client: Connection,
    server: Connection,
    to_client: PacketBatch,
    to_server: PacketBatch,
    now: Duration,
    ends: [Option<End>; 2],
}

impl Pair {
    fn new(path: PathKind) -> Self {
        let now = Duration::from_secs(1);
        let options = Options::default();
        let tuple = Tuple { local: CLIENT, remote: SERVER };
        let back = Tuple { local: SERVER, remote: CLIENT };
        let client = Connection::connect(tuple, path, Resources::unlimited(7), &options, now);
        let server = Connection::accept(back, path, Resources::unlimited(8), &options, now);
        let mut pair = Self {
            client,
            server,
            to_client: PacketBatch::new(),
            to_server: PacketBatch::new(),
            now,
            ends: [None, None],
        };
        pair.run();
        pair
    }

    /// Delivers everything until nothing is left.
    fn run(&mut self) {
        self.run_with(|_| true);
    }

    fn run_with(&mut self, mut keeps: impl FnMut(&Packet) -> bool) {
        loop {
            let Self { client, server, now, .. } = self;
            let outcome = client.settle(*now, &mut self.to_server);
            self.ends[0] = self.ends[0].or(outcome.end);
            let outcome = server.settle(*now, &mut self.to_client);
            self.ends[1] = self.ends[1].or(outcome.end);
            if self.to_client.is_empty() && self.to_server.is_empty() {
                return;
            }
            for mut packet in core::mem::take(&mut self.to_server).into_iter().filter(&mut keeps) {
                let segment = Segment::parse(packet.ip()).unwrap();
                let outcome = self.server.process(&segment, &mut packet, self.now, &mut self.to_client);
                self.ends[1] = self.ends[1].or(outcome.end);
            }
            for mut packet in core::mem::take(&mut self.to_client).into_iter().filter(&mut keeps) {
                let segment = Segment::parse(packet.ip()).unwrap();
                let outcome = self.client.process(&segment, &mut packet, self.now, &mut self.to_server);
                self.ends[0] = self.ends[0].or(outcome.end);
            }
        }
    }
}

fn read(connection: &mut Connection) -> Poll<Result<Vec<u8>, Errno>> {
    let mut space = vec![0; 1 << 20];
    let mut to = &mut space[..];
    let result = connection.receive(&mut to, RecvMode::Consume);
    result.map_ok(|len| space[..len].to_vec())
}

fn write(connection: &mut Connection, mut bytes: &[u8]) -> Poll<Result<usize, Errno>> {
    let mut total = 0;
    let mut result = connection.send(&mut bytes, Pace::Send);
    while let Poll::Ready(Ok(count)) = result {
        total += count;
        if bytes.is_empty() || !connection.can_send() {
            return Poll::Ready(Ok(total));
        }
        result = connection.send(&mut bytes, Pace::Send);
    }
    result
}

#[test]
fn a_handshake_makes_both_ends_writable() {
    let pair = Pair::new(PathKind::Local);
    assert_eq!((pair.client.state(), pair.server.state()), (TcpState::Established, TcpState::Established));
    assert_eq!(pair.client.readiness(), Events::WRITABLE);
    assert_eq!(pair.server.readiness(), Events::WRITABLE);
}

#[test]
fn bytes_arrive_whatever_their_number() {
    for path in [PathKind::Local, PathKind::Link { mtu: 1500 }] {
        let mut pair = Pair::new(path);
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n * 7) as u8).collect();
        let (mut sent, mut got) = (0, vec![]);
        while got.len() < bytes.len() {
            if let Poll::Ready(count) = write(&mut pair.client, &bytes[sent..]) {
                sent += count.unwrap();
            }
            pair.run();
            if let Poll::Ready(more) = read(&mut pair.server) {
                got.extend(more.unwrap());
            }
            pair.now += Duration::from_millis(10);
        }
        assert!(got == bytes);
    }
}

#[test]
fn who_moves_much_moves_it_in_large_segments() {
    let mut pair = Pair::new(PathKind::Local);
    let mut longest = [0; 4];
    for longest in &mut longest {
        assert_eq!(write(&mut pair.client, &[3; 60_000]), Poll::Ready(Ok(60_000)));
        pair.run_with(|packet| {
            *longest = packet.ip().len().max(*longest);
            true
        });
        assert_eq!(read(&mut pair.server).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(60_000)));
    }
    assert!(longest[3] > 60_000, "{longest:?}");
}

#[test]
fn a_writer_stops_where_the_buffers_are_full_and_nothing_is_lost() {
    let mut pair = Pair::new(PathKind::Local);
    let mut total = 0;
    while let Poll::Ready(count) = write(&mut pair.client, &[5; 100_000]) {
        total += count.unwrap();
        pair.run();
    }
    assert!(!pair.client.readiness().contains(Events::OUT));
    assert!(total >= 2 * Options::default().send_buffer, "{total}");
    let mut got = 0;
    while got < total {
        match read(&mut pair.server) {
            Poll::Ready(bytes) => got += bytes.unwrap().len(),
            Poll::Pending => pair.now += Duration::from_millis(10),
        }
        pair.run();
    }
    assert!(pair.client.readiness().contains(Events::OUT));
    assert!(read(&mut pair.server).is_pending());
}

#[test]
fn the_end_comes_after_the_last_byte() {
    let mut pair = Pair::new(PathKind::Local);
    assert_eq!(write(&mut pair.client, &[1; 60_000]), Poll::Ready(Ok(60_000)));
    pair.client.shut_down(Shutdown::SEND);
    pair.run();
    let events = pair.server.readiness();
    assert_eq!(events, Events::READABLE | Events::RDHUP | Events::WRITABLE);
    assert_eq!(read(&mut pair.server).map_ok(|bytes| bytes.len()), Poll::Ready(Ok(60_000)));
    assert_eq!(read(&mut pair.server), Poll::Ready(Ok(vec![])));
    assert_eq!(write(&mut pair.client, b"x"), Poll::Ready(Err(Errno::EPIPE)));
    // The other direction still works.
    assert_eq!(write(&mut pair.server, b"late"), Poll::Ready(Ok(4)));
    pair.run();
    assert_eq!(read(&mut pair.client), Poll::Ready(Ok(b"late".to_vec())));
}

#[test]
fn the_end_that_closes_first_enters_time_wait() {
    let mut pair = Pair::new(PathKind::Local);
    pair.client.close(CloseMode::Orderly, pair.now);
    pair.run();
    pair.server.close(CloseMode::Orderly, pair.now);
    pair.run();
    pair.now += Duration::from_millis(20);
    pair.run();
    assert!(matches!(pair.ends[0], Some(End::TimeWait(_))), "{:?}", pair.ends);
    assert_eq!(pair.ends[1], Some(End::Gone));
}

#[test]
fn unread_bytes_turn_a_close_into_a_reset() {
    let mut pair = Pair::new(PathKind::Local);
    write(&mut pair.client, b"x").map(Result::unwrap).is_ready();
    pair.run();
    pair.server.close(CloseMode::Orderly, pair.now);
    pair.run();
    assert_eq!(pair.ends, [Some(End::Gone), Some(End::Gone)]);
    let everything = Events::READABLE | Events::WRITABLE | Events::RDHUP | Events::HUP;
    assert_eq!(pair.client.readiness(), everything | Events::ERR);
    assert_eq!(read(&mut pair.client), Poll::Ready(Err(Errno::ECONNRESET)));
    assert_eq!(read(&mut pair.client), Poll::Ready(Ok(vec![])));
    assert_eq!(pair.client.readiness(), everything);
    assert_eq!(write(&mut pair.client, b"x"), Poll::Ready(Err(Errno::EPIPE)));
}

#[test]
fn an_abandoned_handshake_times_out() {
    let options = Options::default();
    let tuple = Tuple { local: CLIENT, remote: SERVER };
    let mut now = Duration::from_secs(1);
    let mut client = Connection::connect(tuple, PathKind::Local, Resources::unlimited(7), &options, now);
    let (mut out, mut count) = (PacketBatch::new(), 0);
    while client.state() == TcpState::SynSent {
        let outcome = client.settle(now, &mut out);
        count += core::mem::take(&mut out).len();
        now = outcome.wake_at.unwrap_or(now).max(now + Duration::from_millis(1));
    }
    assert!(now >= Duration::from_secs(128) && now < Duration::from_secs(140), "{now:?}");
    assert!((6..10).contains(&count), "{count} segments");
    assert_eq!(client.take_error(), Some(Errno::ETIMEDOUT));
}

#[test]
fn lost_and_reordered_packets_are_made_good() {
    let mut pair = Pair::new(PathKind::Link { mtu: 1500 });
    let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n * 13) as u8).collect();
    let (mut sent, mut got, mut random) = (0, vec![], 1_u64);
    while got.len() < bytes.len() {
        if let Poll::Ready(count) = write(&mut pair.client, &bytes[sent..]) {
            sent += count.unwrap();
        }
        pair.run_with(|_| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            !(random >> 33).is_multiple_of(20)
        });
        if let Poll::Ready(more) = read(&mut pair.server) {
            got.extend(more.unwrap());
        }
        pair.now += Duration::from_millis(100);
    }
    assert!(got == bytes);
}

#[test]
fn a_lost_segment_is_sent_again_as_soon_as_linux_does() {
    for (path, pause) in [(PathKind::Local, 1000), (PathKind::Link { mtu: 1500 }, 200)] {
        let mut pair = Pair::new(path);
        write(&mut pair.client, b"x").map(Result::unwrap).is_ready();
        pair.run_with(|_| false);
        let lost = pair.now;
        while pair.server.unread() == 0 {
            pair.now += Duration::from_millis(1);
            pair.run();
        }
        assert_eq!(pair.now - lost, Duration::from_millis(pause));
    }
}

#[test]
fn an_answer_to_a_request_is_repeated_for_a_minute() {
    let options = Options::default();
    let mut now = Duration::from_secs(1);
    let (mut request, mut out) = (PacketBatch::new(), PacketBatch::new());
    let tuple = Tuple { local: CLIENT, remote: SERVER };
    let mut client =
        Connection::connect(tuple, PathKind::Link { mtu: 1500 }, Resources::unlimited(7), &options, now);
    let _ = client.settle(now, &mut request);
    let segment = Segment::parse(request[0].ip()).unwrap();
    let back = Tuple { local: SERVER, remote: CLIENT };
    let mut server =
        Connection::accept(back, PathKind::Link { mtu: 1500 }, Resources::unlimited(8), &options, now);
    let mut outcome = server.process(&segment, &mut request[0], now, &mut out);
    let mut times = vec![];
    while outcome.end.is_none() {
        if !core::mem::take(&mut out).is_empty() {
            times.push(now.as_secs() - 1);
        }
        now = outcome.wake_at.unwrap();
        outcome = server.settle(now, &mut out);
    }
    assert_eq!(times, [0, 1, 3, 7, 15, 31]);
    assert_eq!(now, Duration::from_secs(64));
}

#[test]
fn a_peer_that_is_not_there_ends_a_handshake_and_nothing_else() {
    let options = Options::default();
    let tuple = Tuple { local: CLIENT, remote: SERVER };
    let now = Duration::from_secs(1);
    let mut client =
        Connection::connect(tuple, PathKind::Link { mtu: 1500 }, Resources::unlimited(7), &options, now);
    let outcome = client.fail(Errno::EHOSTUNREACH);
    assert_eq!((outcome.end, client.state()), (Some(End::Gone), TcpState::Closed));
    assert_eq!(client.take_error(), Some(Errno::EHOSTUNREACH));
    let mut pair = Pair::new(PathKind::Link { mtu: 1500 });
    assert_eq!(pair.client.fail(Errno::EHOSTUNREACH).end, None);
    assert_eq!((pair.client.state(), pair.client.take_error()), (TcpState::Established, None));
}

/// A segment of the client's with these flags, so far from where the server is.
fn forged(pair: &mut Pair, distance: u32, change: impl FnOnce(&mut TcpRepr<'_>)) -> Packet {
    write(&mut pair.client, b"x").is_ready().then_some(()).unwrap();
    pair.run();
    let mut tcp = segment::bare(TcpControl::None, 0, None, 1000);
    // Where that is, says the answer to something far away.
    tcp.control = TcpControl::Syn;
    let [mut packet, mut out] = [PacketBatch::new(), PacketBatch::new()];
    packet.push(segment::emit(pair.client.tuple(), &tcp, PathKind::Local));
    pair.now += Duration::from_secs(1);
    let segment = Segment::parse(packet[0].ip()).unwrap();
    let _ = pair.server.process(&segment, &mut packet[0], pair.now, &mut out);
    let answer = Segment::parse(out[0].ip()).unwrap();
    tcp.seq_number = TcpSeqNumber(answer.acknowledgment.wrapping_add(distance).cast_signed());
    pair.now += Duration::from_secs(1);
    change(&mut tcp);
    segment::emit(pair.client.tuple(), &tcp, PathKind::Local)
}

#[test]
fn only_an_exact_rst_ends_a_connection_and_no_syn_does() {
    for (control, distance, answers, state) in [
        (TcpControl::Rst, 0, 0, TcpState::Closed),
        (TcpControl::Rst, 1, 1, TcpState::Established),
        (TcpControl::Rst, 16_000, 1, TcpState::Established),
        (TcpControl::Rst, 70_000, 0, TcpState::Established),
        (TcpControl::Rst, u32::MAX, 0, TcpState::Established),
        (TcpControl::Syn, 0, 1, TcpState::Established),
        (TcpControl::Syn, 5, 1, TcpState::Established),
        (TcpControl::Syn, 70_000, 1, TcpState::Established),
    ] {
        let mut pair = Pair::new(PathKind::Local);
        let mut packet = forged(&mut pair, distance, |tcp| tcp.control = control);
        let segment = Segment::parse(packet.ip()).unwrap();
        let mut out = PacketBatch::new();
        let _ = pair.server.process(&segment, &mut packet, pair.now, &mut out);
        let context = std::format!("{control:?} at {distance}");
        assert_eq!((out.len(), pair.server.state()), (answers, state), "{context}");
        // Not twice in half a second.
        let _ = pair.server.process(&segment, &mut packet, pair.now, &mut out);
        assert_eq!(out.len(), answers, "{context}");
    }
}
