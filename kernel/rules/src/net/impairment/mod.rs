//! Simulates packet loss, delay, reordering, duplication and damage, at the rates in [`ImpairmentRules`].
//!
//! What happens to a packet follows from the seed and the packets before it, so it is reproducible.
//! Bound: `MOST_HELD` packets wait; one more is dropped.
//! Why: decision 0071.
//! Source: tc-netem(8) for what networks do.

mod rules;

use alloc::vec::Vec;
use core::time::Duration;

pub use self::rules::{ImpairmentRules, Share};
use crate::net::tcp::packet::{Packet, PacketBatch};

/// How many packets may wait: netem's `limit`.
const MOST_HELD: usize = 1000;

/// How many packets may overtake one…
const MOST_OVERTAKING: u64 = 8;

/// …and how long that one waits for them.
const OVERTAKING: Duration = Duration::from_millis(10);

/// One place on the path of packets.
#[derive(Debug)]
pub struct ImpairmentStage {
    rules: ImpairmentRules,
    random: Random,
    /// In order of arrival.
    held: Vec<Held>,
}

/// A packet that waits.
#[derive(Debug)]
struct Held {
    packet: Packet,
    /// When it leaves…
    until: Duration,
    /// …unless so many others have left before; `None`: it keeps its place.
    overtaking: Option<u64>,
}

impl ImpairmentStage {
    /// Creates a place with these rules; `number` makes its random sequence differ from other places'.
    #[must_use]
    pub const fn new(rules: ImpairmentRules, number: u64) -> Self {
        Self { rules, random: Random(rules.seed ^ number << 32), held: Vec::new() }
    }

    /// Takes in a packet. Packets that leave now go to `out`.
    pub fn pass(&mut self, packet: Packet, now: Duration, out: &mut PacketBatch) {
        if self.happens(self.rules.duplicate) {
            self.pass_one(packet.clone(), now, out);
        }
        self.pass_one(packet, now, out);
    }

    /// Releases the packets that are due, and returns when the next one is.
    pub fn expire(&mut self, now: Duration, out: &mut PacketBatch) -> Option<Duration> {
        while let Some(due) = self.held.iter().position(|held| held.until <= now) {
            let held = self.held.remove(due);
            self.leave(held.packet, out);
        }
        self.held.iter().map(|held| held.until).min()
    }

    fn pass_one(&mut self, mut packet: Packet, now: Duration, out: &mut PacketBatch) {
        if self.happens(self.rules.loss) {
            return;
        }
        if self.happens(self.rules.corrupt) {
            self.damage(&mut packet);
        }
        let is_overtaken = self.happens(self.rules.reorder);
        if !is_overtaken && self.rules.delay.is_zero() {
            return self.leave(packet, out);
        }
        let overtaking = is_overtaken.then(|| 1 + self.random.below(MOST_OVERTAKING));
        let patience = if is_overtaken { OVERTAKING } else { Duration::ZERO };
        if self.held.len() < MOST_HELD {
            self.held.push(Held { packet, until: now + self.rules.delay + patience, overtaking });
        }
    }

    /// Releases a packet, and after it those that enough others have overtaken.
    fn leave(&mut self, packet: Packet, out: &mut PacketBatch) {
        out.push(packet);
        for held in &mut self.held {
            held.overtaking = held.overtaking.map(|left| left.saturating_sub(1));
        }
        let free = self.held.extract_if(.., |held| held.overtaking == Some(0));
        out.extend(free.map(|held| held.packet));
    }

    /// Inverts one bit, which every internet checksum detects.
    fn damage(&mut self, packet: &mut Packet) {
        let bytes = packet.ip_mut();
        let bit = self.random.below(bytes.len() as u64 * 8);
        if let Some(byte) = bytes.get_mut(bit as usize / 8) {
            *byte ^= 1 << (bit % 8);
        }
    }

    fn happens(&mut self, share: Share) -> bool {
        share != Share::NONE && self.random.below(Share::WHOLE) < share.millionths()
    }
}

/// A seeded pseudo-random generator (SplitMix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// Returns a number below `end`; 0 if that is 0.
    const fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        match (mixed ^ mixed >> 31).checked_rem(end) {
            Some(number) => number,
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests;
