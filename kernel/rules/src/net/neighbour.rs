//! The ARP cache: hardware addresses are requested when they are needed, and dropped when they are not confirmed.
//!
//! Bounds: `MOST` neighbours, and `MOST_WAITING` packets for one that has not answered yet.
//! Source: RFC 1122 section 2.3.2; Linux 6.1 net/core/neighbour.c (three requests, a second apart).

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use crate::net::ethernet::Mac;
use crate::net::tcp::packet::Packet;

/// The size of the cache.
pub const MOST: usize = 1024;

/// How many packets wait for one neighbour; a new one replaces the oldest.
const MOST_WAITING: usize = 64;

/// The time between two requests.
const PATIENCE: Duration = Duration::from_secs(1);

/// How many requests are sent.
const QUESTIONS: u8 = 3;

/// After this time a neighbour in use is asked again…
const FRESH: Duration = Duration::from_secs(30);

/// …and after this, if it has not answered, dropped.
const KEPT: Duration = Duration::from_secs(60);

enum Neighbour {
    /// Requested, not answered.
    Asked { times: u8, again: Duration, waiting: VecDeque<Packet> },
    /// Answered.
    Known { mac: Mac, since: Duration, asked: Duration },
}

/// What to do with a packet for a neighbour.
#[derive(Debug, Eq, PartialEq)]
pub enum Resolution {
    /// Send it to this hardware address, and perhaps a request.
    Send(Mac, Packet, Ask),
    /// It is queued; perhaps send a request.
    Wait(Ask),
}

/// Whether a request is to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ask {
    /// Now.
    Now,
    /// Not now.
    No,
}

/// The requests to repeat and the packets to drop, after timers expired.
#[derive(Debug, Default, Eq, PartialEq)]
pub struct NeighbourTimers {
    /// The addresses to request again.
    pub ask: Vec<Ipv4Addr>,
    /// Packets whose neighbour did not answer.
    pub lost: Vec<Packet>,
    /// When the next timer expires.
    pub next: Option<Duration>,
}

/// The ARP cache of one link.
#[derive(Default)]
pub struct Neighbours(BTreeMap<Ipv4Addr, Neighbour>);

impl Neighbours {
    /// Creates an empty cache.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Iterates over the neighbours, by address; the hardware address is `None` until they answer.
    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, Option<Mac>)> {
        self.0.iter().map(|(&ip, neighbour)| match neighbour {
            Neighbour::Asked { .. } => (ip, None),
            Neighbour::Known { mac, .. } => (ip, Some(*mac)),
        })
    }

    /// Resolves `neighbour` for `packet`, and queues the packet if the address is not known.
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

    /// Records the hardware address of `neighbour`, if it was requested or `is_new_too`. Returns the packets that
    /// waited.
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

    /// Returns the requests to repeat and the packets to drop, after timers expired.
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

    /// Drops an entry if the cache is full and `neighbour` is not in it.
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
