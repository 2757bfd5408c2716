//! Measures select and poll over many files without waiting: all ready, none ready, one active; alone and with
//! the descriptor table shared by a second thread.

use std::thread;

use pollux_tests::{fd, poll, sys};

use crate::measure::{Bench, Figure, Outcome, Row, expect};
use crate::peer;
use crate::watched::{Kind, Watched, read};

/// Numbers of files with one descriptor each.
const SINGLE: [usize; 4] = [10, 100, 400, 1_000];

/// Numbers of pairs, because select's sets hold no more than 500; and of sockets, with the 450 of published results.
const PAIRS: [usize; 4] = [10, 100, 400, 1_000];
const SOCKETS: [usize; 4] = [10, 100, 450, 1_000];

pub fn rows(bench: &Bench) {
    for (of, sizes) in [(Kind::File, SINGLE), (Kind::Pipe, PAIRS), (Kind::Eventfd, SINGLE)] {
        all(bench, of, sizes);
    }
    // Files with names take poll's fast path, too. A pidfd's readiness is in the lock-free form of the word.
    for of in [Kind::Fifo, Kind::Terminal, Kind::PidFd] {
        let (name, n) = (of.name(), PAIRS[1]);
        bench.row(&format!("poll_{name}_none_ready"), n, |row| poll(row, of, n, Ready::None));
    }
}

/// Measures the same as [`rows`], for sockets.
pub fn tcp_rows(bench: &Bench) {
    all(bench, Kind::Tcp, SOCKETS);
}

fn all(bench: &Bench, of: Kind, sizes: [usize; 4]) {
    let name = of.name();
    for n in sizes {
        let has_two = matches!(of, Kind::Pipe | Kind::Tcp);
        if n <= 500 || !has_two {
            bench.row(&format!("select_{name}_all_ready"), n, |row| select(row, of, n, Ready::All));
            if of != Kind::File {
                bench.row(&format!("select_{name}_none_ready"), n, |row| {
                    select(row, of, n, Ready::None)
                });
            }
        }
        bench.row(&format!("poll_{name}_all_ready"), n, |row| poll(row, of, n, Ready::All));
        if of == Kind::File {
            continue;
        }
        bench.row(&format!("poll_{name}_none_ready"), n, |row| poll(row, of, n, Ready::None));
        bench.row(&format!("poll_{name}_one_active"), n, |row| poll_one_active(row, of, n));
    }
    let n = sizes[2];
    bench.row(&format!("select_{name}_all_ready_shared_table"), n, |row| {
        beside_a_thread(|| select(row, of, n, Ready::All))
    });
    if of != Kind::File {
        bench.row(&format!("poll_{name}_none_ready_shared_table"), n, |row| {
            beside_a_thread(|| poll(row, of, n, Ready::None))
        });
    }
}

/// Which of the files are ready.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ready {
    /// All are writable.
    All,
    /// None is readable.
    None,
}

impl Ready {
    /// Returns the descriptor to watch.
    fn descriptor(self, file: &Watched) -> i32 {
        match self {
            Self::All => file.writer(),
            Self::None => file.reader(),
        }
    }
}

/// A set for select(2), of the usual size of 1 024.
type FdSet = [u64; 16];

fn select(row: &Row, of: Kind, n: usize, ready: Ready) -> Outcome<Figure> {
    let files = Watched::many(of, n)?;
    let mut wanted: FdSet = [0; 16];
    let mut highest = 0;
    for number in files.iter().map(|file| ready.descriptor(file)) {
        highest = highest.max(number as usize);
        wanted[number as usize / 64] |= 1 << (number % 64);
    }
    let (count, found) = match ready {
        Ready::All => (n, wanted),
        Ready::None => (0, [0; 16]),
    };
    row.measure(|watch| {
        let mut set = wanted;
        let mut timeout = [0_i64; 2];
        let (set_at, timeout_at) = (set.as_mut_ptr() as usize, timeout.as_mut_ptr() as usize);
        let (read_at, write_at) = match ready {
            Ready::All => (0, set_at),
            Ready::None => (set_at, 0),
        };
        let arguments = [highest + 1, read_at, write_at, 0, timeout_at];
        // SAFETY: the set and the time are ours.
        let got = watch.time(|| unsafe { sys::call(libc::SYS_select, arguments) });
        expect("select", got, Ok(count))?;
        expect("the set", set, found)
    })
}

fn poll(row: &Row, of: Kind, n: usize, ready: Ready) -> Outcome<Figure> {
    let files = Watched::many(of, n)?;
    let (events, count) = match ready {
        Ready::All => (libc::POLLOUT, n),
        Ready::None => (libc::POLLIN, 0),
    };
    let mut entries: Vec<_> =
        files.iter().map(|file| poll::entry(ready.descriptor(file), events)).collect();
    row.measure(|watch| {
        expect("poll", watch.time(|| poll::poll(&mut entries, 0)), Ok(count))?;
        expect(
            "ready entries",
            entries.iter().filter(|entry| entry.revents == events).count(),
            count,
        )?;
        expect("others", entries.iter().filter(|entry| entry.revents == 0).count(), n - count)
    })
}

/// Measures a write to one of the files, a poll and a read; each time with another file.
fn poll_one_active(row: &Row, of: Kind, n: usize) -> Outcome<Figure> {
    let files = Watched::many(of, n)?;
    let mut entries: Vec<_> =
        files.iter().map(|file| poll::entry(file.reader(), libc::POLLIN)).collect();
    let mut active = 0;
    row.measure(|watch| {
        // Far from the last one each time, so that a few operations reach all parts of the array.
        active = (active + n * 5 / 8 + 1) % n;
        watch.time(|| {
            files[active].make_ready()?;
            expect("poll", poll::poll(&mut entries, -1), Ok(1))?;
            files[active].drain()
        })?;
        expect("the active file", entries[active].revents, libc::POLLIN)
    })
}

/// Measures while a second thread, asleep, shares the descriptor table.
fn beside_a_thread(measure: impl FnOnce() -> Outcome<Figure>) -> Outcome<Figure> {
    let (reader, writer) = fd::pipe2(0)?;
    let number = reader.number();
    let sleeper = thread::spawn(move || expect("read", read(number, &mut [0]), Ok(0)));
    let figure = measure();
    writer.close()?;
    peer::join(sleeper)?;
    figure
}
