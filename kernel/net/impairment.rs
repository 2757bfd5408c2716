//! Simulates packet loss, reordering and damage (`impair=`).
//!
//! Owns: the packets that are delayed at each place.   Not here: what happens to a packet
//! ([`rules::net::impairment`]).
//! Locks: one for each place (rank 4), held for the decision about a packet.
//! Cost: without the option, one load for each packet.
//! Why: decision 0071.

use core::time::Duration;

use rules::net::impairment::{ImpairmentRules, ImpairmentStage};
use rules::net::ingress_filter;
use rules::net::tcp::packet::{Packet, PacketBatch};
use spin::Once;

use super::{ethernet, stack, timer};
use crate::core::event::rank::{Rank, Ranked};
use crate::machine::clock;
use crate::machine::console::println;

/// Where packets are impaired.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Place {
    /// From this machine to itself.
    Loopback,
    /// Out through the card.
    Leaving,
    /// In through the card.
    Arriving,
}

impl Place {
    const ALL: [Self; 3] = [Self::Loopback, Self::Leaving, Self::Arriving];

    /// Sends a packet that was delayed here on its way.
    fn resume(self, mut packet: Packet) {
        match self {
            Self::Loopback if ingress_filter::is_intact(packet.ip()) => {
                let mut answers = PacketBatch::new();
                stack::receive(&mut packet, &mut answers);
                stack::send(answers);
            }
            Self::Loopback => {}
            Self::Leaving => ethernet::send_delayed(packet),
            Self::Arriving => ethernet::receive_delayed(&mut packet),
        }
    }
}

static STAGES: Once<[Ranked<ImpairmentStage>; 3]> = Once::new();

/// Starts impairing packets, if the command line has the `option` `impair=`.
pub(crate) fn start(option: Option<&str>) {
    let Some(text) = option else { return };
    let rules = text.parse().unwrap_or(ImpairmentRules::NONE);
    println!("pollux: packets are impaired: {}", text);
    STAGES.call_once(|| {
        Place::ALL.map(|place| Ranked::new(Rank::Interface, ImpairmentStage::new(rules, place as u64)))
    });
}

/// Returns whether packets are impaired.
pub(super) fn is_on() -> bool {
    STAGES.is_completed()
}

/// Passes `packet` through `place`, and gives the packets that leave it now to `take`.
pub(super) fn pass(place: Place, packet: Packet, mut take: impl FnMut(Packet)) {
    let Some(stages) = STAGES.get() else { return take(packet) };
    let mut out = PacketBatch::new();
    stages[place as usize].lock().pass(packet, clock::now(), &mut out);
    out.into_iter().for_each(take);
    // A packet may be delayed now.
    timer::wake();
}

/// Sends the packets whose delay is over, and returns when the next delay ends.
pub(super) fn expire(now: Duration) -> Option<Duration> {
    let stages = STAGES.get()?;
    let due = Place::ALL.into_iter().filter_map(|place| {
        let mut out = PacketBatch::new();
        let next = stages[place as usize].lock().expire(now, &mut out);
        out.into_iter().for_each(|packet| place.resume(packet));
        next
    });
    due.min()
}
