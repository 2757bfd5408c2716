//! Measures pipes between two processes: the round trip of a byte, and bandwidth.

use pollux_tests::fd;

use crate::measure::{Bench, Outcome, expect};
use crate::peer::Process;
use crate::watched::{read, write};

/// The bytes that one call of the bandwidth row moves.
const BLOCK: usize = 64 * 1024;

pub fn rows(bench: &Bench) {
    bench.row("pipe_ping_pong", 0, |row| {
        let (ping, to_other) = fd::pipe2(0)?;
        let (from_other, pong) = fd::pipe2(0)?;
        let ends = (to_other.number(), from_other.number());
        let other = Process::start(|| {
            fd::close(ends.0)?;
            serve(ping.number(), pong.number())
        })?;
        ping.close()?;
        let figure = row.measure(|watch| {
            watch.time(|| {
                let mut byte = [0];
                expect("write", write(ends.0, b"?"), Ok(1))?;
                expect("read", read(ends.1, &mut byte), Ok(1))?;
                expect("the answer", byte, *b"!")
            })
        })?;
        to_other.close()?;
        other.finish()?;
        Ok(figure)
    });
    bench.row("pipe_bandwidth_KiB", 0, |row| {
        let (reader, writer) = fd::pipe2(0)?;
        let ends = (reader.number(), writer.number());
        let other = Process::start(|| {
            fd::close(ends.0)?;
            let block = vec![0x5a; BLOCK];
            while let Ok(BLOCK) = write(ends.1, &block) {}
            Ok(())
        })?;
        writer.close()?;
        let mut block = vec![0; BLOCK];
        let figure = row.measure_many(BLOCK / 1024, |watch| {
            let mut got = 0;
            while got < BLOCK {
                let count = watch.time(|| read(ends.0, &mut block[got..]))?;
                expect("the end of the pipe", count == 0, false)?;
                got += count;
            }
            let is_right = block[0] == 0x5a && block[BLOCK - 1] == 0x5a;
            expect("the bytes", is_right, true)
        })?;
        // The writer gets SIGPIPE in the middle of a block, which ends it.
        reader.close()?;
        let _ = other.finish();
        Ok(figure)
    });
}

fn serve(ping: i32, pong: i32) -> Outcome {
    let mut byte = [0];
    while read(ping, &mut byte)? == 1 {
        expect("write", write(pong, b"!"), Ok(1))?;
    }
    Ok(())
}
