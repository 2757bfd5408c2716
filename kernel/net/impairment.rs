//! Packets that fare badly, if the command line wants that: `impair=`.
//!
//! Owns: the packets that wait at each place. What happens to a packet is [`rules::net::impairment`]'s.
//! Locks: one for each place (rank 4), held for the decision.
//! Cost: without the option one load for a packet: the loopback asks which link it is, the card at each frame.
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

/// Where packets pass.
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

    /// What a packet does that leaves here.
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

/// Begins, if the command line's `option` (`impair=`) says so.
pub(crate) fn start(option: Option<&str>) {
    let Some(text) = option else { return };
    let rules = text.parse().unwrap_or(ImpairmentRules::NONE);
    println!("pollux: packets fare badly: {}", text);
    STAGES.call_once(|| {
        Place::ALL.map(|place| Ranked::new(Rank::Interface, ImpairmentStage::new(rules, place as u64)))
    });
}

/// Whether packets may fare badly.
pub(super) fn is_on() -> bool {
    STAGES.is_completed()
}

/// Lets `packet` pass `place`, and gives `take` what leaves there now.
pub(super) fn pass(place: Place, packet: Packet, mut take: impl FnMut(Packet)) {
    let Some(stages) = STAGES.get() else { return take(packet) };
    let mut out = PacketBatch::new();
    stages[place as usize].lock().pass(packet, clock::now(), &mut out);
    out.into_iter().for_each(take);
    // Perhaps one waits.
    timer::wake();
}

/// Lets go whose time has come, and says when the next one's comes.
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
