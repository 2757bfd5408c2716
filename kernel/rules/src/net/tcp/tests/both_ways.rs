//! Two who send to each other as fast as they can, through a network that loses, turns around and doubles packets.

use alloc::vec::Vec;
use core::task::Poll;
use core::time::Duration;
use std::vec;

use super::{Pair, read};
use crate::net::tcp::connection::{Connection, Pace};
use crate::net::tcp::packet::{Packet, PacketBatch};
use crate::net::tcp::path::PathKind;
use crate::net::tcp::segment::Segment;

/// Bytes in each direction.
const LEN: usize = 1 << 20;

/// How long neither may get anything.
const PATIENCE: Duration = Duration::from_secs(60);

struct LossyNetwork {
    random: u64,
    /// It does harm in one case of so many; in none, if that is 0.
    harm: u64,
}

impl LossyNetwork {
    /// Whether it does harm now.
    fn strikes(&mut self) -> bool {
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.harm > 0 && (self.random >> 33).is_multiple_of(self.harm)
    }

    fn carry(&mut self, packets: &mut PacketBatch) -> Vec<Packet> {
        let mut carried = vec![];
        for packet in core::mem::take(packets) {
            if self.strikes() {
                continue;
            }
            if self.strikes() {
                carried.push(packet.clone());
            }
            let place = if self.strikes() { carried.len().saturating_sub(1) } else { carried.len() };
            carried.insert(place, packet);
        }
        carried
    }
}

/// An end, with what it has sent and got.
struct Peer {
    connection: Connection,
    /// When it begins to send, and how many bytes it sends before it reads.
    begins: Duration,
    reads_after: usize,
    sent: usize,
    got: Vec<u8>,
    wake_at: Option<Duration>,
    out: PacketBatch,
}

impl Peer {
    fn new(connection: Connection, (begins, reads_after): (Duration, usize)) -> Self {
        Self { connection, begins, reads_after, sent: 0, got: vec![], wake_at: None, out: PacketBatch::new() }
    }

    /// Writes and reads what it can, and says whether that was anything.
    fn use_it(&mut self, bytes: &[u8], now: Duration) -> bool {
        let before = (self.sent, self.got.len());
        let mut rest = &bytes[self.sent..];
        if now >= self.begins
            && !rest.is_empty()
            && self.connection.can_send()
            && let Poll::Ready(count) = self.connection.send(&mut rest, Pace::Send)
        {
            self.sent += count.unwrap();
            self.settle(now);
        }
        if self.sent >= self.reads_after
            && let Poll::Ready(more) = read(&mut self.connection)
        {
            self.got.extend(more.unwrap());
            if !self.connection.is_at_rest() {
                self.settle(now);
            }
        }
        before != (self.sent, self.got.len())
    }

    fn settle(&mut self, now: Duration) {
        let outcome = self.connection.settle(now, &mut self.out);
        self.wake(outcome.wake_at);
    }

    fn process(&mut self, mut packet: Packet, now: Duration) {
        let segment = Segment::parse(packet.ip()).unwrap();
        let outcome = self.connection.process(&segment, &mut packet, now, &mut self.out);
        self.wake(outcome.wake_at);
    }

    fn wake(&mut self, at: Option<Duration>) {
        self.wake_at = [self.wake_at, at].into_iter().flatten().min();
    }

    /// Does what is due, if anything is.
    fn pass(&mut self, now: Duration) {
        if self.wake_at.is_some_and(|at| at <= now) {
            self.wake_at = None;
            self.settle(now);
        }
    }
}

fn exchange(seed: u64, harm: u64, (silence, reads_after): (Duration, usize)) {
    let Pair { client, server, mut now, .. } = Pair::new(PathKind::Link { mtu: 1500 });
    let mut network = LossyNetwork { random: seed, harm };
    let bytes: Vec<u8> = (0..LEN).map(|n| ((n * 13) >> 3) as u8).collect();
    let (mut client, mut server) =
        (Peer::new(client, (now, 0)), Peer::new(server, (now + silence, reads_after)));
    let mut heard = now;
    while client.got.len() + server.got.len() < 2 * LEN {
        let is_used = client.use_it(&bytes, now) | server.use_it(&bytes, now);
        heard = if is_used { now } else { heard };
        let arriving = [network.carry(&mut client.out), network.carry(&mut server.out)];
        let is_silent = arriving.iter().all(Vec::is_empty);
        let [to_server, to_client] = arriving;
        to_server.into_iter().for_each(|packet| server.process(packet, now));
        to_client.into_iter().for_each(|packet| client.process(packet, now));
        if is_silent && !is_used {
            let next = [client.wake_at, server.wake_at].into_iter().flatten().min();
            now = next.expect("an end that goes on").max(now);
            client.pass(now);
            server.pass(now);
        }
        let (to_client, to_server) = (client.got.len(), server.got.len());
        assert!(now < heard + PATIENCE, "seed {seed}: silence after {to_client} and {to_server} bytes");
    }
    assert!(client.got == bytes && server.got == bytes);
}

#[test]
fn two_who_have_both_to_repeat_hear_each_other() {
    (1..=8).for_each(|seed| exchange(seed, 20, (Duration::ZERO, 0)));
}

/// The one who writes first asks again and again whether there is room; after that, its acknowledgments must still be
/// heard.
#[test]
fn who_reads_only_after_it_has_written_hears_what_the_other_got() {
    exchange(1, 0, (Duration::from_secs(9), LEN));
}
