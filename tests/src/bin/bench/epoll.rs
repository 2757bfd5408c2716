//! Measures epoll: a wait among many items, and adding, changing and removing an item.

use pollux_tests::epoll::{self, events};
use pollux_tests::{Fd, sys};

use crate::measure::{Bench, Figure, Outcome, Row, expect};
use crate::watched::{Kind, Watched};

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

pub fn rows(bench: &Bench) {
    for n in SIZES {
        let one = |interest| move |row: &Row| one_ready(row, n, interest);
        bench.row("epoll_one_ready", n, one(events::IN));
        bench.row("epoll_one_ready_edge", n, one(events::IN | events::ET));
        bench.row("epoll_one_ready_one_shot", n, one(events::IN | events::ONESHOT));
        bench.row("epoll_none_ready", n, |row| none_ready(row, n));
        bench.row("epoll_ctl_del_add", n, |row| delete_and_add(row, n));
        bench.row("epoll_ctl_mod", n, |row| modify(row, n));
    }
    for n in [10, 100, 1_000] {
        bench.row("epoll_all_ready", n, |row| all_ready(row, n));
    }
}

/// An epoll instance with eventfds.
struct Set {
    epoll: Fd,
    files: Vec<Watched>,
    room: Vec<libc::epoll_event>,
}

impl Set {
    fn new(n: usize, interest: u32) -> Outcome<Self> {
        let epoll = epoll::create1(0)?;
        let files = Watched::many(Kind::Eventfd, n)?;
        for (index, file) in files.iter().enumerate() {
            epoll::ctl(epoll.number(), libc::EPOLL_CTL_ADD, file.reader(), interest, index as u64)?;
        }
        Ok(Self { epoll, files, room: vec![libc::epoll_event { events: 0, u64: 0 }; n] })
    }

    fn control(&self, operation: i32, index: usize, interest: u32) -> Outcome {
        let fd = self.files[index].reader();
        Ok(epoll::ctl(self.epoll.number(), operation, fd, interest, index as u64)?)
    }

    /// Calls epoll_wait(2) with room for `most` events.
    fn wait(&mut self, most: usize, timeout: i32) -> sys::Result<usize> {
        // SAFETY: the array is ours.
        unsafe {
            epoll::wait_at(
                self.epoll.number(),
                self.room.as_mut_ptr() as usize,
                most as i32,
                timeout,
            )
        }
    }

    /// Checks the first event that was reported.
    fn check(&self, index: usize) -> Outcome {
        let libc::epoll_event { events, u64: data } = self.room[0];
        expect("the event", (events, data), (events::IN, index as u64))
    }
}

/// Measures one of n becoming ready: write, wait, read, and re-arming for one-shot items.
fn one_ready(row: &Row, n: usize, interest: u32) -> Outcome<Figure> {
    let mut set = Set::new(n, interest)?;
    let mut active = 0;
    row.measure(|watch| {
        active = (active + 7) % n;
        watch.time(|| -> Outcome {
            set.files[active].make_ready()?;
            expect("epoll_wait", set.wait(8, -1), Ok(1))?;
            set.files[active].drain()?;
            if interest & events::ONESHOT != 0 {
                set.control(libc::EPOLL_CTL_MOD, active, interest)?;
            }
            Ok(())
        })?;
        set.check(active)
    })
}

fn none_ready(row: &Row, n: usize) -> Outcome<Figure> {
    let mut set = Set::new(n, events::IN)?;
    row.measure(|watch| expect("epoll_wait", watch.time(|| set.wait(8, 0)), Ok(0)))
}

/// Measures one call that reports n ready items, which stay ready.
fn all_ready(row: &Row, n: usize) -> Outcome<Figure> {
    let mut set = Set::new(n, events::OUT)?;
    row.measure(|watch| {
        expect("epoll_wait", watch.time(|| set.wait(n, 0)), Ok(n))?;
        let mut seen: Vec<u64> = set.room.iter().map(|event| event.u64).collect();
        seen.sort_unstable();
        expect("each once", seen.into_iter().eq(0..n as u64), true)
    })
}

fn delete_and_add(row: &Row, n: usize) -> Outcome<Figure> {
    let set = Set::new(n, events::IN)?;
    let mut active = 0;
    row.measure(|watch| {
        active = (active + 7) % n;
        watch.time(|| {
            set.control(libc::EPOLL_CTL_DEL, active, 0)?;
            set.control(libc::EPOLL_CTL_ADD, active, events::IN)
        })
    })
}

fn modify(row: &Row, n: usize) -> Outcome<Figure> {
    let set = Set::new(n, events::IN)?;
    let mut active = 0;
    row.measure(|watch| {
        active = (active + 7) % n;
        watch.time(|| set.control(libc::EPOLL_CTL_MOD, active, events::IN | events::PRI))
    })
}
