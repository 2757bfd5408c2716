//! How often things happen to packets, and that the seed repeats them.

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
    let mut stage = ImpairmentStage::new(text.parse().unwrap(), 1);
    let (mut seen, mut now) = (vec![], Duration::ZERO);
    for sent in 0..count {
        let mut out = PacketBatch::new();
        stage.expire(now, &mut out);
        stage.pass(numbered(sent), now, &mut out);
        seen.extend(out.iter().map(|packet| (number(packet), now)));
        now += Duration::from_millis(1);
    }
    loop {
        let mut out = PacketBatch::new();
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
    let rules: ImpairmentRules = "corrupt:10%".parse().unwrap();
    let mut stage = ImpairmentStage::new(rules, 1);
    let mut out = PacketBatch::new();
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
    let mut stage = ImpairmentStage::new("delay:1000".parse().unwrap(), 1);
    let mut out = PacketBatch::new();
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
