//! Counters of each interface's traffic: `/proc/net/dev`.
//!
//! Source: proc(5); Linux 6.1 net/core/net-procfs.c (`dev_seq_printf_stats`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;

use rules::net::abi::netdevice::{Flags, Interface};
use rules::net::traffic::{Amount, Traffic};

use super::interface;
use crate::machine::per_cpu::{CPUS, CacheLines, Counter, PerCpu};

/// A direction of an interface, with its own counters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// Over the loopback, where both directions are the same.
    Loopback,
    /// In from the card.
    Arriving,
    /// Out to the card.
    Leaving,
}

const DIRECTIONS: usize = 3;

/// The packets and bytes of each direction.
type Counters = [[Counter; 2]; DIRECTIONS];

static COUNTERS: PerCpu<Counters> =
    PerCpu::new([const { CacheLines([const { [const { Counter::new() }; 2] }; DIRECTIONS]) }; CPUS]);

/// Counts a packet.
#[inline]
pub(super) fn count(direction: Direction, bytes: usize) {
    let [packets, total] = &COUNTERS.get()[direction as usize];
    packets.add(1);
    total.add(bytes as u64);
}

fn sum(direction: Direction) -> Amount {
    let [packets, bytes] =
        [0, 1].map(|which| COUNTERS.iter().map(|counters| counters[direction as usize][which].get()).sum());
    Amount { packets, bytes }
}

/// Returns the traffic of `interface`.
pub(super) fn of(interface: &Interface) -> Traffic {
    let (received, sent) = if interface.flags.contains(Flags::LOOPBACK) {
        (Direction::Loopback, Direction::Loopback)
    } else {
        (Direction::Arriving, Direction::Leaving)
    };
    Traffic { received: sum(received), sent: sum(sent) }
}

/// Returns the table. Only packets and bytes are counted; the other columns are always 0.
pub(crate) fn table() -> Vec<u8> {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls \
         carrier compressed\n",
    );
    for interface in interface::all() {
        let Traffic { received, sent } = of(&interface);
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{:>6}: {:7} {:7}    0    0    0     0          0         0 {:8} {:7}    0    0    0     0       0          \
             0",
            interface.name, received.bytes, received.packets, sent.bytes, sent.packets
        );
    }
    text.into_bytes()
}
