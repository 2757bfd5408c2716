//! Sends streams in the wrong order, in overlapping pieces, and through nearly closed windows.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{
    Stage,
    segment::flag,
    talk::{MOST, Talk},
};

/// The number of ways in which a stream is cut into pieces.
const STREAMS: usize = 12;

/// The number of times that all pieces are sent at most.
const ROUNDS: usize = 60;

pub(super) fn pieces(stage: &mut Stage<'_>) -> Result<()> {
    for _ in 0..if stage.is_long { 20 * STREAMS } else { STREAMS } {
        let body: Vec<u8> = (0..12_000).map(|_| stage.random.u8(..)).collect();
        let head = format!("POST /echo HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
        let bytes = [head.as_bytes(), &body].concat();
        let mut talk = Talk::open(stage.wire)?;
        let end = talk.first.wrapping_add(bytes.len() as u32);
        for round in 0.. {
            ensure!(round < ROUNDS, "{} bytes have arrived", talk.acknowledged.wrapping_sub(talk.first));
            let mut pieces = cut(&mut stage.random, bytes.len());
            stage.random.shuffle(&mut pieces);
            for (from, to) in pieces {
                talk.put(from, &bytes[from..to])?;
                while talk.take(Duration::ZERO)?.is_some() {}
            }
            while talk.take(Duration::from_millis(5))?.is_some() {}
            if talk.acknowledged == end {
                break;
            }
        }
        talk.next = end;
        talk.attend(|talk| talk.body().is_some_and(|got| got.len() >= body.len()))?;
        ensure!(talk.body() == Some(&body), "another stream has arrived");
        talk.reset()?;
    }
    Ok(())
}

/// Makes pieces that cover the stream, some of it twice or more.
fn cut(random: &mut fastrand::Rng, len: usize) -> Vec<(usize, usize)> {
    let mut pieces = Vec::new();
    let mut place = 0;
    while place < len {
        let from = place.saturating_sub(random.usize(..200));
        let to = (place + random.usize(1..MOST - 200)).min(len);
        pieces.extend(std::iter::repeat_n((from, to), random.usize(1..3)));
        place = to;
    }
    pieces
}

pub(super) fn windows(stage: &mut Stage<'_>) -> Result<()> {
    // The window closes before the answer and opens late.
    let mut talk = Talk::open(stage.wire)?;
    talk.say(b"GET ")?;
    talk.window = 0;
    talk.say(b"/bytes/30000 HTTP/1.1\r\n\r\n")?;
    for _ in 0..3 {
        if let Some(seen) = talk.take(Duration::from_millis(600))? {
            ensure!(seen.payload.len() <= 1, "{} bytes into a window of none", seen.payload.len());
            talk.acknowledge()?;
        }
    }
    talk.window = 64000;
    talk.acknowledge()?;
    talk.await_bytes(30_000)?;
    talk.reset()?;
    // The window shrinks with each acknowledgment, below the bytes in flight, and opens again.
    let mut talk = Talk::open(stage.wire)?;
    talk.say(b"GET /bytes/60000 HTTP/1.1\r\n\r\n")?;
    let sizes = [20_000, 4000, 900, 100, 3, 0, 1, 5000];
    let mut round = 0;
    while talk.got.len() < 40_000 {
        round += 1;
        ensure!(round < 600, "only {} bytes", talk.got.len());
        talk.window = sizes[round % sizes.len()];
        talk.acknowledge()?;
        talk.take(Duration::from_millis(20))?;
        talk.acknowledge()?;
    }
    talk.window = 64000;
    talk.acknowledge()?;
    talk.await_bytes(60_000)?;
    talk.reset()?;
    // Tiny windows, byte by byte.
    let mut talk = Talk::open(stage.wire)?;
    talk.window = 1;
    talk.say(b"GET /bytes/50 HTTP/1.1\r\n\r\n")?;
    for _ in 0..20 {
        talk.take(Duration::from_millis(50))?;
        talk.acknowledge()?;
    }
    talk.window = 1000;
    talk.acknowledge()?;
    talk.await_bytes(50)?;
    // A last window that never opens; a RST ends the connection.
    talk.window = 0;
    talk.send(&talk.segment(flag::ACK))?;
    talk.reset()
}
