//! Measures eventfds: one alone, and two threads that wake each other through two.

use std::thread;

use pollux_tests::fd;

use crate::measure::{Bench, Outcome, expect};
use crate::peer;
use crate::watched::{read, write};

/// The value that ends the other thread.
const STOP: u64 = 2;

pub fn rows(bench: &Bench) {
    bench.row("eventfd_write_read", 0, |row| {
        let eventfd = fd::eventfd(0, 0)?;
        row.measure(|watch| {
            watch.time(|| {
                put(eventfd.number(), 3)?;
                expect("the eventfd", take(eventfd.number())?, 3)
            })
        })
    });
    bench.row("eventfd_ping_pong", 0, |row| {
        let (ping, pong) = (fd::eventfd(0, 0)?, fd::eventfd(0, 0)?);
        let ends = (ping.number(), pong.number());
        let other = thread::spawn(move || serve(ends.0, ends.1));
        let figure = row.measure(|watch| {
            watch.time(|| {
                put(ends.0, 1)?;
                expect("the answer", take(ends.1)?, 1)
            })
        })?;
        put(ends.0, STOP)?;
        peer::join(other)?;
        Ok(figure)
    });
}

fn serve(ping: i32, pong: i32) -> Outcome {
    while take(ping)? != STOP {
        put(pong, 1)?;
    }
    Ok(())
}

fn put(fd: i32, value: u64) -> Outcome {
    expect("write", write(fd, &value.to_ne_bytes()), Ok(8))
}

fn take(fd: i32) -> Outcome<u64> {
    let mut bytes = [0; 8];
    expect("read", read(fd, &mut bytes), Ok(8))?;
    Ok(u64::from_ne_bytes(bytes))
}
