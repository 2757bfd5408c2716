//! The tour: makes a pipe, an eventfd and an epoll instance ready, and shows with the kernel's own
//! counters what each step took.
//!
//! Each step makes a few system calls, prints their results, and compares `/proc/pollee` before and
//! after. Linux has no such file; there the tour shows only the results. It exits with status 1 if a
//! result is not what the man pages promise.

use std::process::ExitCode;
use std::time::Duration;

use pollux_tests::epoll::Epoll;
use pollux_tests::epoll::events::{ET, IN, ONESHOT, OUT};
use pollux_tests::poll::{self, entry};
use pollux_tests::pollee::{self, Counters};
use pollux_tests::select::{self, Sets};
use pollux_tests::sys::Result;
use pollux_tests::{Fd, fd, time};

fn main() -> ExitCode {
    let mut tour = Tour::begin();

    let (reader, writer) = fd::pipe();
    tour.step("A new pipe is asked twice whether it is readable", |see| {
        see.call("poll(pipe)", poll_now(&reader), "nothing");
        see.call("poll(pipe)", poll_now(&reader), "nothing");
    });
    tour.step("Five bytes go in and come out again", |see| {
        see.call("write(pipe, \"hello\")", writer.write(b"hello"), "5");
        see.call("select(pipe)", select_now(&reader), "1 readable");
        see.call("read(pipe)", reader.read(100).map(|bytes| bytes.len()), "5");
        see.call("select(pipe)", select_now(&reader), "0 readable");
    });
    tour.step("poll sleeps until another thread writes", |see| {
        let writer = writer.dup().expect("a second descriptor");
        let other = time::soon(move || writer.write(b"!"));
        see.call("poll(pipe, no time limit)", poll_long(&reader), "IN");
        see.call("write(pipe) by the thread", other.join().expect("no panic"), "1");
    });

    let counter = fd::eventfd(0, libc::EFD_NONBLOCK).expect("an eventfd");
    tour.step("An eventfd adds up what is written", |see| {
        see.call("poll(eventfd)", poll_now(&counter), "OUT");
        see.call("write(eventfd, 2), write(eventfd, 3)", add(&counter, [2, 3]), "0");
        see.call("poll(eventfd)", poll_now(&counter), "IN OUT");
        see.call("read(eventfd)", counter.read_u64(), "5");
    });

    let epoll = Epoll::new();
    tour.step("epoll, level: told as long as it is readable", |see| {
        see.call("epoll_ctl(add pipe: IN)", epoll.add(&reader, IN, 0), "0");
        see.call("epoll_wait, twice", wait_twice(&epoll), "IN; IN");
        see.call("read(pipe)", reader.read(100).map(|bytes| bytes.len()), "1");
        see.call("epoll_wait", wait_now(&epoll), "nothing");
    });
    tour.step("epoll, edge: told once per write, even while still readable", |see| {
        see.call("epoll_ctl(modify pipe: IN ET)", epoll.modify(&reader, IN | ET, 0), "0");
        for _ in 0..2 {
            see.call("write(pipe, \"x\")", writer.write(b"x"), "1");
            see.call("epoll_wait, twice", wait_twice(&epoll), "IN; nothing");
        }
    });
    tour.step("epoll, one-shot: told once, then silent until re-armed", |see| {
        let once = IN | ONESHOT;
        see.call("epoll_ctl(add eventfd: IN ONESHOT)", epoll.add(&counter, once, 1), "0");
        see.call("write(eventfd, 1)", add(&counter, [1]), "0");
        see.call("epoll_wait, twice", wait_twice(&epoll), "IN; nothing");
        see.call("epoll_ctl(modify eventfd)", epoll.modify(&counter, once, 1), "0");
        see.call("epoll_wait", wait_now(&epoll), "IN");
    });
    tour.step("epoll_wait sleeps until another thread writes", |see| {
        see.call("read(eventfd)", counter.read_u64(), "1");
        see.call("epoll_ctl(modify eventfd: IN)", epoll.modify(&counter, IN, 1), "0");
        let writer = counter.dup().expect("a second descriptor");
        let other = time::soon(move || writer.write_u64(1));
        see.call("epoll_wait(no time limit)", wait(&epoll, -1), "IN");
        see.call("write(eventfd) by the thread", other.join().expect("no panic"), "0");
    });

    tour.end()
}

// What the calls return, in a word or two.

fn poll_now(fd: &Fd) -> String {
    names(poll::ready(fd, libc::POLLIN | libc::POLLOUT) as u32)
}

fn poll_long(fd: &Fd) -> String {
    let mut entries = [entry(fd.number(), libc::POLLIN)];
    match poll::poll(&mut entries, -1) {
        Ok(_) => names(entries[0].revents as u32),
        Err(error) => format!("{error:?}"),
    }
}

fn select_now(fd: &Fd) -> String {
    let mut sets = Sets::reading(&[fd.number()]);
    match select::select(fd.number() + 1, &mut sets, Some(Duration::ZERO)).0 {
        Ok(count) => format!("{count} readable"),
        Err(error) => format!("{error:?}"),
    }
}

fn wait_now(epoll: &Epoll) -> String {
    wait(epoll, 0)
}

fn wait_twice(epoll: &Epoll) -> String {
    [wait_now(epoll), wait_now(epoll)].join("; ")
}

fn wait(epoll: &Epoll, timeout: i32) -> String {
    match epoll.wait(8, timeout) {
        Ok(found) if found.is_empty() => names(0),
        Ok(found) => found.iter().map(|event| names(event.events)).collect::<Vec<_>>().join(", "),
        Err(error) => format!("{error:?}"),
    }
}

fn add<const N: usize>(counter: &Fd, values: [u64; N]) -> Result<()> {
    values.into_iter().try_for_each(|value| counter.write_u64(value))
}

/// Names these events, which have the same values in poll and in epoll.
fn names(events: u32) -> String {
    match (events & IN != 0, events & OUT != 0, events & !(IN | OUT)) {
        (false, false, 0) => "nothing".to_owned(),
        (true, false, 0) => "IN".to_owned(),
        (false, true, 0) => "OUT".to_owned(),
        (true, true, 0) => "IN OUT".to_owned(),
        (_, _, _) => format!("{events:#x}"),
    }
}

// The frame.

/// The number of steps shown, and whether all results were as promised.
struct Tour {
    steps: u32,
    wrong: u32,
    counting: bool,
}

/// The calls of one step. Their output waits until the counters are read, because it goes through a pipe, too.
struct Step {
    wrong: u32,
    text: String,
}

impl Tour {
    fn begin() -> Self {
        println!("A tour of readiness: what select, poll and epoll return, and what it takes.");
        let counting = Counters::read().is_some();
        if counting {
            println!("Below each step: the counters of /proc/pollee that moved, and why.");
        } else {
            println!("This kernel has no /proc/pollee, so the counters are left out.");
        }
        Self { steps: 0, wrong: 0, counting }
    }

    fn step(&mut self, title: &str, show: impl FnOnce(&mut Step)) {
        self.steps += 1;
        println!("\n{}. {title}", self.steps);
        // Give the reader of our output time to finish.
        time::settle();
        let before = Counters::read();
        let mut step = Step { wrong: 0, text: String::new() };
        show(&mut step);
        let after = Counters::read();
        print!("{}", step.text);
        self.wrong += step.wrong;
        if let (Some(before), Some(after)) = (before, after) {
            for class in ["pipe", "eventfd", "epoll"] {
                if let Some((values, reasons)) = pollee::moves(class, &before, &after) {
                    print_wrapped(&format!("{class}: {values}"), " | ");
                    print_wrapped(&format!("({reasons})"), " | ");
                }
            }
        }
    }

    fn end(self) -> ExitCode {
        if self.wrong > 0 {
            println!("\n{} results are not what Linux returns.", self.wrong);
            return ExitCode::FAILURE;
        }
        let where_seen = if self.counting { "" } else { " (results only)" };
        println!("\nThe end{where_seen}: {} steps, every result as Linux has it.", self.steps);
        ExitCode::SUCCESS
    }
}

impl Step {
    /// Shows a call with its result, which must be `promised`.
    fn call(&mut self, call: &str, result: impl Shown, promised: &str) {
        let result = result.shown();
        self.text += &format!("   {call:<40} {result}");
        if result != promised {
            self.wrong += 1;
            self.text += &format!("   <-- not {promised}");
        }
        self.text.push('\n');
    }
}

/// Prints `text` in lines of at most 78 columns that all begin with `margin`.
fn print_wrapped(text: &str, margin: &str) {
    let mut line = String::new();
    for word in text.split(' ') {
        if margin.len() + line.len() + 1 + word.len() > 78 {
            println!("{margin}{line}");
            line.clear();
        }
        line.push(' ');
        line.push_str(word);
    }
    println!("{margin}{line}");
}

/// Formats a result as the man page writes it.
trait Shown {
    fn shown(self) -> String;
}

impl Shown for String {
    fn shown(self) -> String {
        self
    }
}

impl Shown for Result<()> {
    fn shown(self) -> String {
        self.map(|()| 0_u64).shown()
    }
}

impl Shown for Result<usize> {
    fn shown(self) -> String {
        self.map(|value| value as u64).shown()
    }
}

impl Shown for Result<u64> {
    fn shown(self) -> String {
        self.map_or_else(|error| format!("{error:?}"), |value| value.to_string())
    }
}
