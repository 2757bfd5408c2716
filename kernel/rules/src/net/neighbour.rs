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
mod tests;
