//! What is too large for trying every interleaving, under many random ones: crowds of exclusive waiters that
//! come and go, lists longer than a batch, an epoll's ready list between notifications and waiters.
//!
//! `RUSTFLAGS="--cfg shuttle" cargo test -p pollee --release --test shuttle`. A schedule that fails is printed, and
//! replayed with `shuttle::replay`.
#![expect(clippy::unwrap_used, reason = "in a test the panic is the report")]

#[cfg(not(shuttle))]
compile_error!("this test is built with RUSTFLAGS=\"--cfg shuttle\"");

mod crowd;
mod host;
mod ready_list;

/// Interleavings tried by each test, one half uniformly random, one half with few preemptions (PCT).
const SCHEDULES: usize = 2000;

fn check(test: fn()) {
    shuttle::check_random(test, SCHEDULES / 2);
    shuttle::check_pct(test, SCHEDULES / 2, 3);
}
