//! How much went over each interface: `/proc/net/dev`.
//!
//! Each CPU counts for itself, without a lock; more CPUs than there are cells share them and may lose counts.
//! Source: proc(5); Linux 6.1 net/core/net-procfs.c (`dev_seq_printf_stats`).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicU64, Ordering};

use ostd::cpu::CpuId;
use rules::net::abi::netdevice::{Flags, Interface};
use rules::net::traffic::{Amount, Traffic};

use super::interface;

/// A direction of an interface, whose packets are counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// Over the loopback, where what goes out comes in.
    Loopback,
    /// In from the card.
    Arriving,
    /// Out to the card.
    Leaving,
}

const DIRECTIONS: usize = 3;

const CPUS: usize = 64;

/// Packets and bytes of each direction, on cache lines of their own.
#[repr(align(64))]
struct Cells([[AtomicU64; 2]; DIRECTIONS]);

static CELLS: [Cells; CPUS] =
    [const { Cells([const { [const { AtomicU64::new(0) }; 2] }; DIRECTIONS]) }; CPUS];

/// Counts a packet.
#[inline]
pub(super) fn count(direction: Direction, bytes: usize) {
    let cpu = u32::from(CpuId::current_racy()) as usize % CPUS;
    let [packets, total] = &CELLS[cpu].0[direction as usize];
    packets.store(packets.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    total.store(total.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
}

fn sum(direction: Direction) -> Amount {
    let [packets, bytes] = [0, 1].map(|which| {
        CELLS.iter().map(|cells| cells.0[direction as usize][which].load(Ordering::Relaxed)).sum()
    });
    Amount { packets, bytes }
}

/// What went over `interface`.
pub(super) fn of(interface: &Interface) -> Traffic {
    let (received, sent) = if interface.flags.contains(Flags::LOOPBACK) {
        (Direction::Loopback, Direction::Loopback)
    } else {
        (Direction::Arriving, Direction::Leaving)
    };
    Traffic { received: sum(received), sent: sum(sent) }
}

/// The table, of which only packets and bytes are counted: nothing else ever happens to a packet here.
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
