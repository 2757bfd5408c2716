//! Measures poll and select that really sleep on many files until another process makes one of them ready.

use pollux_tests::{fd, poll, sys};

use crate::measure::{Bench, Figure, Outcome, Row, expect};
use crate::peer::{self, Process, Shared};
use crate::watched::{Kind, Watched, read, write};

const SIZES: [usize; 4] = [10, 100, 400, 1_000];

pub fn rows(bench: &Bench) {
    for n in SIZES {
        bench.row("poll_blocks_on_pipes", n, |row| woken(row, n, Wait::Poll));
    }
    for n in [10, 100, 400] {
        bench.row("select_blocks_on_pipes", n, |row| woken(row, n, Wait::Select));
    }
}

/// The call that sleeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wait {
    Poll,
    Select,
}

/// The memory that the two processes share.
const AT_WORK: u32 = 0;
const ABOUT_TO_SLEEP: u32 = 1;
const FINISHED: u32 = 2;

/// Measures from the call of the wait to its return, with the wake-up and both switches. The other process writes only
/// once this one is about to sleep and has given up the processor.
fn woken(row: &Row, n: usize, wait: Wait) -> Outcome<Figure> {
    let files = Watched::many(Kind::Pipe, n)?;
    let (asked, ask) = fd::pipe2(0)?;
    let state = Shared::new()?;
    let writers: Vec<i32> = files.iter().map(Watched::writer).collect();
    let (asked_at, ask_at) = (asked.number(), ask.number());
    let other = Process::start(|| {
        fd::close(ask_at)?;
        let mut which = [0; 2];
        while read(asked_at, &mut which)? == 2 {
            state.wait_for(ABOUT_TO_SLEEP)?;
            peer::yield_now()?;
            expect("the sleeper", state.get(), ABOUT_TO_SLEEP)?;
            let writer = writers[usize::from(u16::from_ne_bytes(which))];
            expect("write", write(writer, b"!"), Ok(1))?;
        }
        Ok(())
    })?;
    asked.close()?;
    let mut entries: Vec<_> =
        files.iter().map(|file| poll::entry(file.reader(), libc::POLLIN)).collect();
    let mut wanted = [0_u64; 16];
    let mut highest = 0;
    for number in files.iter().map(|file| file.reader() as usize).filter(|number| *number < 1_024) {
        highest = highest.max(number);
        wanted[number / 64] |= 1 << (number % 64);
    }
    let mut active = 0;
    let figure = row.measure(|watch| {
        // Far from the last one each time, so that a few operations reach all parts of the array.
        active = (active + n * 5 / 8 + 1) % n;
        expect("write", write(ask.number(), &(active as u16).to_ne_bytes()), Ok(2))?;
        state.set(ABOUT_TO_SLEEP);
        let mut set = wanted;
        let got = watch.time(|| match wait {
            Wait::Poll => poll::poll(&mut entries, -1),
            Wait::Select => {
                let arguments = [highest + 1, set.as_mut_ptr() as usize, 0, 0, 0];
                // SAFETY: the set is ours.
                unsafe { sys::call(libc::SYS_select, arguments) }
            }
        });
        state.set(AT_WORK);
        expect("the wait", got, Ok(1))?;
        match wait {
            Wait::Poll => expect("the active pipe", entries[active].revents, libc::POLLIN)?,
            Wait::Select => {
                let number = files[active].reader() as usize;
                let mut only = [0; 16];
                only[number / 64] = 1 << (number % 64);
                expect("the set", set, only)?;
            }
        }
        expect("read", read(files[active].reader(), &mut [0]), Ok(1))
    })?;
    state.set(FINISHED);
    ask.close()?;
    other.finish()?;
    Ok(figure)
}
