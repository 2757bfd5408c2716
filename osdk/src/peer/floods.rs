//! Floods of connection requests.
//!
//! Why: decision 0073.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    Stage,
    segment::{Segment, flag},
    talk::{SERVER, Talk, address},
    wire::{HONEST, Wire},
};

/// Connection requests that no ACK follows.
const FLOOD: usize = 10_000;

/// The requests that a listener keeps.
const KEPT: usize = 512;

/// The memory that they may take, in KiB; with a buffer each it would be 16 MiB.
const MOST_KIB: u64 = 512;

/// Requests between two honest visits.
const BETWEEN: usize = 2500;

pub(super) fn requests(stage: &mut Stage<'_>) -> Result<()> {
    let mut requests = Vec::new();
    for asked in 0..if stage.is_long { 20 * FLOOD } else { FLOOD } {
        let ip = Ipv4Addr::new(
            stage.random.u8(11..100),
            stage.random.u8(..),
            stage.random.u8(..),
            stage.random.u8(1..255),
        );
        let from = SocketAddrV4::new(ip, stage.random.u16(1024..));
        let mut segment = Segment::new(from, SERVER, flag::SYN);
        segment.sequence = stage.random.u32(..);
        segment.options = vec![2, 4, 5, 180, 4, 2, 1, 3, 3, 7];
        segment.options.truncate(stage.random.usize(..=10));
        stage.wire.send_from(HONEST, &segment.packet())?;
        requests.push((from, segment.sequence));
        stage.wire.drain(Duration::ZERO)?;
        if asked % BETWEEN == BETWEEN - 1 {
            let context = || format!("after {asked} requests");
            stage.honest.check(stage.wire).with_context(context)?;
            // Another client pauses between its SYN and its ACK.
            let mut talk = Talk::begin(stage.wire).with_context(context)?;
            stage.wire.drain(Duration::from_millis(5))?;
            talk.acknowledge()?;
            talk.compare_bytes(1000).with_context(context)?;
            talk.reset()?;
        }
    }
    take_back(stage.wire, &requests)
}

/// Checks that as many requests as a listener keeps take little memory: none has a buffer.
pub(super) fn memory(stage: &mut Stage<'_>) -> Result<()> {
    let before = stage.honest.free_memory(stage.wire)?;
    let mut requests = Vec::new();
    for _ in 0..KEPT {
        let segment = Segment::new(address(), SERVER, flag::SYN);
        stage.wire.send_from(HONEST, &segment.packet())?;
        requests.push((segment.from, segment.sequence));
        stage.wire.drain(Duration::ZERO)?;
    }
    let taken = before.saturating_sub(stage.honest.free_memory(stage.wire)?);
    take_back(stage.wire, &requests)?;
    ensure!(taken <= MOST_KIB, "{KEPT} requests take {taken} KiB");
    Ok(())
}

fn take_back(wire: &Wire, requests: &[(SocketAddrV4, u32)]) -> Result<()> {
    for (from, sequence) in requests {
        let mut segment = Segment::new(*from, SERVER, flag::RST);
        segment.sequence = sequence.wrapping_add(1);
        wire.send_from(HONEST, &segment.packet())?;
        wire.drain(Duration::ZERO)?;
    }
    Ok(())
}
