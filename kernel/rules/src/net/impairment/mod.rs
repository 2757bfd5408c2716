//! A bad network: packets that are lost, late, out of order, twice there or damaged, as often as [`Rules`] say.
//!
//! What happens to a packet follows from the seed and the packets before it, and so comes again.
//! Bound: `MOST_HELD` packets wait; one more is lost.
//! Why: decision 0071.
//! Source: tc-netem(8) for what networks do.

mod rules;

use alloc::vec::Vec;
use core::time::Duration;

pub use self::rules::{Rules, Share};
use crate::net::tcp::packet::{Burst, Packet};

/// How many packets wait at most: netem's `limit`.
const MOST_HELD: usize = 1000;

/// How many others overtake a packet at most…
const MOST_OVERTAKING: u64 = 8;

/// …and how long it waits for them at most.
const OVERTAKING: Duration = Duration::from_millis(10);

/// One place that packets pass.
#[derive(Debug)]
pub struct Stage {
    rules: Rules,
    random: Random,
    /// In the order in which they came.
    held: Vec<Held>,
}

/// A packet that waits.
#[derive(Debug)]
struct Held {
    packet: Packet,
    /// It leaves then…
    until: Duration,
    /// …or when so many others have left; `None`: it keeps its place.
    overtaking: Option<u64>,
}

impl Stage {
    /// A place with these rules; `number` tells it from others, where other packets fare badly.
    #[must_use]
    pub const fn new(rules: Rules, number: u64) -> Self {
        Self { rules, random: Random(rules.seed ^ number << 32), held: Vec::new() }
    }

    /// Takes in a packet. What leaves now goes to `out`.
    pub fn pass(&mut self, packet: Packet, now: Duration, out: &mut Burst) {
        if self.happens(self.rules.duplicate) {
            self.pass_one(packet.clone(), now, out);
        }
        self.pass_one(packet, now, out);
    }

    /// Lets go whose time has come, and says when the next one's comes.
    pub fn expire(&mut self, now: Duration, out: &mut Burst) -> Option<Duration> {
        while let Some(due) = self.held.iter().position(|held| held.until <= now) {
            let held = self.held.remove(due);
            self.leave(held.packet, out);
        }
        self.held.iter().map(|held| held.until).min()
    }

    fn pass_one(&mut self, mut packet: Packet, now: Duration, out: &mut Burst) {
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

    /// Lets a packet go, and after it those who have waited for enough others.
    fn leave(&mut self, packet: Packet, out: &mut Burst) {
        out.push(packet);
        for held in &mut self.held {
            held.overtaking = held.overtaking.map(|left| left.saturating_sub(1));
        }
        let free = self.held.extract_if(.., |held| held.overtaking == Some(0));
        out.extend(free.map(|held| held.packet));
    }

    /// Turns one bit around, which no checksum of the internet overlooks.
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

/// Numbers that look random and come again with the same seed (SplitMix64).
#[derive(Debug)]
struct Random(u64);

impl Random {
    /// A number below `end`; 0 if that is 0.
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
mod tests {
    use std::collections::HashMap;
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    fn numbered(number: u32) -> Packet {
        Packet::from_ip(&number.to_be_bytes())
    }

    fn number(packet: &Packet) -> u32 {
        u32::from_be_bytes(packet.ip().try_into().unwrap())
    }

    /// What comes out of `count` packets, a millisecond between two of them, and when.
    fn run(text: &str, count: u32) -> Vec<(u32, Duration)> {
        let mut stage = Stage::new(text.parse().unwrap(), 1);
        let (mut seen, mut now) = (vec![], Duration::ZERO);
        for sent in 0..count {
            let mut out = Burst::new();
            stage.expire(now, &mut out);
            stage.pass(numbered(sent), now, &mut out);
            seen.extend(out.iter().map(|packet| (number(packet), now)));
            now += Duration::from_millis(1);
        }
        loop {
            let mut out = Burst::new();
            let next = stage.expire(now, &mut out);
            seen.extend(out.iter().map(|packet| (number(packet), now)));
            let Some(next) = next else { break };
            now = next;
        }
        assert!(stage.held.is_empty());
        seen
    }

    fn numbers(text: &str, count: u32) -> Vec<u32> {
        run(text, count).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn without_rules_nothing_happens() {
        assert!(numbers("seed:1", 1000).into_iter().eq(0..1000));
    }

    #[test]
    fn as_many_are_lost_and_doubled_as_was_asked_for() {
        let lost = 100_000 - numbers("loss:5%,seed:3", 100_000).len();
        assert!((4700..5300).contains(&lost), "{lost}");
        let doubled = numbers("duplicate:0.5%", 100_000).len() - 100_000;
        assert!((400..600).contains(&doubled), "{doubled}");
        assert!(numbers("loss:100%", 1000).is_empty());
        assert_eq!(numbers("duplicate:100%", 2), [0, 0, 1, 1]);
    }

    #[test]
    fn some_are_overtaken_and_none_is_lost_by_it() {
        let mut seen = numbers("reorder:5%", 100_000);
        let late = seen.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((3500..5300).contains(&late), "{late}");
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..100_000));
    }

    #[test]
    fn damage_is_one_bit() {
        let rules: Rules = "corrupt:10%".parse().unwrap();
        let mut stage = Stage::new(rules, 1);
        let mut out = Burst::new();
        (0..10_000).for_each(|_| stage.pass(numbered(0), Duration::ZERO, &mut out));
        let bits: Vec<u32> = out.iter().map(|packet| number(packet).count_ones()).collect();
        assert!(bits.iter().all(|bits| *bits <= 1));
        let damaged = bits.iter().filter(|bits| **bits == 1).count();
        assert!((850..1150).contains(&damaged), "{damaged}");
        stage.pass(Packet::from_ip(&[]), Duration::ZERO, &mut out);
    }

    #[test]
    fn a_delay_keeps_the_order_and_is_as_long_as_was_asked_for() {
        let seen = run("delay:20", 100);
        for (sent, (number, at)) in (0..).zip(seen) {
            assert_eq!((number, at), (sent, Duration::from_millis(u64::from(sent) + 20)));
        }
    }

    #[test]
    fn only_so_many_wait() {
        let mut stage = Stage::new("delay:1000".parse().unwrap(), 1);
        let mut out = Burst::new();
        (0..2000).for_each(|sent| stage.pass(numbered(sent), Duration::ZERO, &mut out));
        assert_eq!(stage.expire(Duration::from_secs(1), &mut out), None);
        assert!(out.iter().map(number).eq(0..1000));
    }

    #[test]
    fn another_seed_or_place_meets_other_packets() {
        let text = |seed: u64| std::format!("loss:50%,seed:{seed}");
        assert_eq!(numbers(&text(1), 100), numbers(&text(1), 100));
        assert_ne!(numbers(&text(1), 100), numbers(&text(2), 100));
    }

    proptest! {
        /// Nothing comes from nowhere, or oftener than twice; without loss everything comes; nothing waits for long.
        #[test]
        fn packets_come_when_they_may(
            loss in 0..100_u32, reorder in 0..100_u32, duplicate in 0..100_u32, delay in 0..50_u64, seed: u64,
        ) {
            let text = std::format!(
                "loss:{loss}%,reorder:{reorder}%,duplicate:{duplicate}%,delay:{delay},seed:{seed}"
            );
            let mut times = HashMap::new();
            for (number, at) in run(&text, 500) {
                *times.entry(number).or_insert(0) += 1;
                let sent = Duration::from_millis(number.into());
                let longest = sent + Duration::from_millis(delay) + OVERTAKING;
                prop_assert!(number < 500 && at >= sent && at <= longest, "{number} at {at:?}");
            }
            prop_assert!(times.values().all(|count| *count <= 2));
            prop_assert!(loss > 0 || times.len() == 500);
            prop_assert!(duplicate > 0 || times.values().all(|count| *count == 1));
        }
    }
}
