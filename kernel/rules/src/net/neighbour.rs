//! The hardware addresses of neighbours: asked for when they are needed, and forgotten when nobody confirms them.
//!
//! Bounds: `MOST` neighbours, and `MOST_WAITING` packets for one that has not answered yet.
//! Source: RFC 1122 section 2.3.2; Linux 6.1 net/core/neighbour.c (three questions, a second apart).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use crate::net::ethernet::Mac;
use crate::net::tcp::packet::Packet;

/// How many neighbours are kept.
pub const MOST: usize = 1024;

/// How many packets wait for one; the oldest is lost for the next.
const MOST_WAITING: usize = 64;

/// From one question to the next.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many questions are asked.
const QUESTIONS: u8 = 3;

/// After this time a neighbour that is spoken to is asked again…
const FRESH: Duration = Duration::from_secs(30);

/// …and after this, if it has not answered, forgotten.
const KEPT: Duration = Duration::from_secs(60);

enum Neighbour {
    /// It was asked for.
    Asked { times: u8, again: Duration, waiting: VecDeque<Packet> },
    /// It has answered.
    Known { mac: Mac, since: Duration, asked: Duration },
}

/// What happens with a packet.
#[derive(Debug, Eq, PartialEq)]
pub enum Resolution {
    /// It leaves for this card; perhaps the neighbour is asked once more, too.
    Send(Mac, Packet, Ask),
    /// It waits.
    Wait(Ask),
}

/// Whether a question is to be asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Now.
    Now,
    /// Not now.
    No,
}

/// What is due.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct NeighbourTimers {
    /// Who is asked for once more.
    pub ask: Vec<Ipv4Addr>,
    /// Packets whose neighbour is not there.
    pub lost: Vec<Packet>,
    /// When to look again.
    pub next: Option<Duration>,
}

/// The neighbours on one link.
#[derive(Default)]
pub struct Neighbours(BTreeMap<Ipv4Addr, Neighbour>);

impl Neighbours {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// All of them, by address; without a card's as long as they have not answered.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, Option<Mac>)> {
        self.0.iter().map(|(&ip, neighbour)| match neighbour {
            Neighbour::Asked { .. } => (ip, None),
            Neighbour::Known { mac, .. } => (ip, Some(*mac)),
        })
    }

    /// Finds the way for `packet` to `neighbour`.
    pub fn send(&mut self, neighbour: Ipv4Addr, packet: Packet, now: Duration) -> Resolution {
        match self.0.get_mut(&neighbour) {
            Some(Neighbour::Known { mac, since, asked }) if now < *since + KEPT => {
                let is_due = now >= *since + FRESH && now >= *asked + PATIENCE;
                if is_due {
                    *asked = now;
                }
                return Resolution::Send(*mac, packet, if is_due { Ask::Now } else { Ask::No });
            }
            Some(Neighbour::Asked { waiting, .. }) => {
                if waiting.len() >= MOST_WAITING {
                    waiting.pop_front();
                }
                waiting.push_back(packet);
                return Resolution::Wait(Ask::No);
            }
            Some(Neighbour::Known { .. }) | None => {}
        }
        self.make_room(neighbour);
        let waiting = VecDeque::from([packet]);
        self.0.insert(neighbour, Neighbour::Asked { times: 1, again: now + PATIENCE, waiting });
        Resolution::Wait(Ask::Now)
    }

    /// Learns where `neighbour` is, if somebody wants to know or `is_new_too`. Gives the packets that waited for it.
    pub fn learn(
        &mut self,
        neighbour: Ipv4Addr,
        mac: Mac,
        is_new_too: bool,
        now: Duration,
    ) -> VecDeque<Packet> {
        if !self.0.contains_key(&neighbour) {
            if !is_new_too {
                return VecDeque::new();
            }
            self.make_room(neighbour);
        }
        match self.0.insert(neighbour, Neighbour::Known { mac, since: now, asked: now }) {
            Some(Neighbour::Asked { waiting, .. }) => waiting,
            _ => VecDeque::new(),
        }
    }

    /// What is due.
    pub fn expire(&mut self, now: Duration) -> NeighbourTimers {
        let mut due = NeighbourTimers::default();
        let mut gone = Vec::new();
        for (&ip, neighbour) in &mut self.0 {
            let Neighbour::Asked { times, again, waiting } = neighbour else { continue };
            if *again <= now {
                if *times >= QUESTIONS {
                    due.lost.extend(waiting.drain(..));
                    gone.push(ip);
                    continue;
                }
                *times += 1;
                *again = now + PATIENCE;
                due.ask.push(ip);
            }
            due.next = Some(due.next.map_or(*again, |next| next.min(*again)));
        }
        for ip in gone {
            self.0.remove(&ip);
        }
        due
    }

    /// Forgets somebody, if there are too many and `neighbour` is not among them.
    fn make_room(&mut self, neighbour: Ipv4Addr) {
        if self.0.len() < MOST || self.0.contains_key(&neighbour) {
            return;
        }
        let oldest = self.0.iter().min_by_key(|(_, neighbour)| match neighbour {
            Neighbour::Asked { again, .. } => *again,
            Neighbour::Known { since, .. } => *since,
        });
        if let Some((&oldest, _)) = oldest {
            self.0.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);

    fn packet(number: u8) -> Packet {
        Packet::from_ip(&[number])
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn packets_wait_for_the_answer_and_leave_in_order() {
        let mut neighbours = Neighbours::new();
        assert_eq!(neighbours.send(PEER, packet(1), at(0)), Resolution::Wait(Ask::Now));
        assert_eq!(neighbours.send(PEER, packet(2), at(0)), Resolution::Wait(Ask::No));
        assert_eq!(neighbours.learn(PEER, MAC, false, at(0)), [packet(1), packet(2)]);
        assert_eq!(neighbours.send(PEER, packet(3), at(29)), Resolution::Send(MAC, packet(3), Ask::No));
    }

    #[test]
    fn a_silent_neighbour_is_asked_three_times() {
        let mut neighbours = Neighbours::new();
        neighbours.send(PEER, packet(1), at(0));
        assert_eq!(
            neighbours.expire(at(0)),
            NeighbourTimers { next: Some(at(1)), ..NeighbourTimers::default() }
        );
        for second in 1..3 {
            let expected = NeighbourTimers {
                ask: Vec::from([PEER]),
                next: Some(at(second + 1)),
                ..NeighbourTimers::default()
            };
            assert_eq!(neighbours.expire(at(second)), expected);
        }
        assert_eq!(
            neighbours.expire(at(3)),
            NeighbourTimers { lost: Vec::from([packet(1)]), ..NeighbourTimers::default() }
        );
        assert_eq!(neighbours.send(PEER, packet(2), at(3)), Resolution::Wait(Ask::Now));
    }

    #[test]
    fn a_known_one_is_asked_again_in_use_and_then_forgotten() {
        let mut neighbours = Neighbours::new();
        neighbours.learn(PEER, MAC, true, at(0));
        assert_eq!(neighbours.send(PEER, packet(1), at(30)), Resolution::Send(MAC, packet(1), Ask::Now));
        assert_eq!(neighbours.send(PEER, packet(1), at(30)), Resolution::Send(MAC, packet(1), Ask::No));
        assert_eq!(neighbours.send(PEER, packet(1), at(60)), Resolution::Wait(Ask::Now));
    }

    #[test]
    fn strangers_are_not_learned_and_there_are_never_too_many() {
        let mut neighbours = Neighbours::new();
        assert!(neighbours.learn(PEER, MAC, false, at(0)).is_empty());
        assert_eq!(neighbours.send(PEER, packet(0), at(0)), Resolution::Wait(Ask::Now));
        for number in 0..2 * MOST as u32 {
            neighbours.learn(Ipv4Addr::from(number), MAC, true, at(u64::from(number)));
        }
        assert_eq!(neighbours.0.len(), MOST);
        for number in 0..=255 {
            neighbours.send(PEER, packet(number), at(0));
        }
        let waiting = neighbours.learn(PEER, MAC, false, at(1));
        assert_eq!((waiting.len(), waiting.back()), (MOST_WAITING, Some(&packet(255))));
    }
}
