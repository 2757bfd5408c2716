//! The benchmark: measures the cost of system calls, row by row.
//!
//! `bench GROUP [quick]` measures the rows of one group and prints one line for each:
//! `name n median least most`, in ticks of the time stamp counter, or `name n failed reason`.
//! Under QEMU's `-icount` the counter counts instructions; a kernel never measures itself with its
//! own clock. The benchmark checks every call's result: a wrong answer is a failed row, not a fast one.
//!
//! `bench GROUP ROW [N]` performs one row's operation for ever, for a profiler.
//!
//! It is an ordinary Linux program: the same file runs on both kernels.
//!
//! Why: decision 0050.

mod basics;
mod block;
mod calls;
mod epoll;
mod eventfd;
mod measure;
mod peer;
mod pipe;
mod scan;
mod tcp;
mod threads;
mod watched;

use measure::{Bench, Effort};

/// More descriptors than the largest row needs: two for each of ten thousand connections.
const DESCRIPTORS: u64 = 20_100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == basics::NOTHING) {
        return;
    }
    let effort = match words.get(1).map(String::as_str) {
        None => Effort::Full,
        Some("quick") => Effort::Quick,
        Some(name) => match words.get(2).map_or(Ok(0), |n| n.parse()) {
            Ok(n) => Effort::Endless { name: name.to_owned(), n },
            Err(_) => usage(),
        },
    };
    if let Err(error) = pollux_tests::limit::set(libc::RLIMIT_NOFILE, DESCRIPTORS, DESCRIPTORS) {
        eprintln!("bench: cannot have {DESCRIPTORS} descriptors: {error:?}");
    }
    let bench = Bench::new(effort);
    match words.first().map(String::as_str) {
        Some("clock") => measure::frequency(),
        Some("calls") => calls::rows(&bench),
        Some("basics") => basics::rows(&bench),
        Some("eventfd") => eventfd::rows(&bench),
        Some("pipe") => pipe::rows(&bench),
        Some("scan") => scan::rows(&bench),
        Some("block") => block::rows(&bench),
        Some("epoll") => epoll::rows(&bench),
        Some("threads") => threads::rows(&bench),
        Some("tcp") => tcp::rows(&bench),
        Some("tcp-scan") => scan::tcp_rows(&bench),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!(
        "usage: bench clock|calls|basics|eventfd|pipe|scan|block|epoll|threads|tcp|tcp-scan [quick]"
    );
    std::process::exit(2)
}
