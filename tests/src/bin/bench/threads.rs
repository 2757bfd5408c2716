//! Measures an event for one of many threads that wait in the same epoll.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use pollux_tests::epoll::{self, events};
use pollux_tests::{Errno, fd};

use crate::measure::{Bench, Outcome, expect};
use crate::peer;
use crate::watched::{read, write};

/// The number of waiting threads.
const WAITERS: usize = 8;

pub fn rows(bench: &Bench) {
    bench.row("epoll_eight_threads", WAITERS, |row| {
        let epoll = epoll::create1(0)?;
        let work = fd::eventfd(0, libc::EFD_NONBLOCK)?;
        let done = fd::eventfd(0, 0)?;
        let stop = fd::eventfd(0, 0)?;
        epoll::ctl(epoll.number(), libc::EPOLL_CTL_ADD, work.number(), events::IN, WORK)?;
        epoll::ctl(epoll.number(), libc::EPOLL_CTL_ADD, stop.number(), events::IN, STOP)?;
        let served = Arc::new(AtomicU64::new(0));
        let numbers = [epoll.number(), work.number(), done.number()];
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let served = served.clone();
                thread::spawn(move || serve(numbers, &served))
            })
            .collect();
        let mut sent = 0_u64;
        let figure = row.measure(|watch| {
            sent += 1;
            let mut answer = [0; 8];
            watch.time(|| {
                expect("write", write(numbers[1], &1_u64.to_ne_bytes()), Ok(8))?;
                expect("read", read(numbers[2], &mut answer), Ok(8))
            })?;
            expect("answers", u64::from_ne_bytes(answer), 1)?;
            expect("events served", served.load(Ordering::SeqCst), sent)
        })?;
        // Level-triggered and never read: all threads see it.
        expect("write", write(stop.number(), &1_u64.to_ne_bytes()), Ok(8))?;
        waiters.into_iter().try_for_each(peer::join)?;
        Ok(figure)
    });
}

const WORK: u64 = 1;
const STOP: u64 = 2;

fn serve([epoll, work, done]: [i32; 3], served: &AtomicU64) -> Outcome {
    loop {
        let mut event = libc::epoll_event { events: 0, u64: 0 };
        // SAFETY: the event is ours.
        let got = unsafe { epoll::wait_at(epoll, &raw mut event as usize, 1, -1) };
        expect("epoll_wait", got, Ok(1))?;
        if { event.u64 } == STOP {
            return Ok(());
        }
        let mut bytes = [0; 8];
        match read(work, &mut bytes) {
            Ok(8) => {
                served.fetch_add(1, Ordering::SeqCst);
                expect("write", write(done, &1_u64.to_ne_bytes()), Ok(8))?;
            }
            // Another thread was faster: two threads may see a level-triggered event.
            Err(Errno::EAGAIN) => {}
            other => expect("read", other, Ok(8))?,
        }
    }
}
