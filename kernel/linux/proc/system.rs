//! Files in `/proc` that describe the whole machine from the scheduler's counters.
//!
//! Missing: load averages; `loadavg` shows 0.
//! Source: proc(5); Linux 6.1 fs/proc/{stat,loadavg,uptime}.c.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::text::is_running;
use crate::linux::task::process;
use crate::linux::task::process_table;
use crate::linux::task::scheduler::{self, Spent};
use crate::machine::clock;

/// Ticks of 1 ms in one of `USER_HZ`.
const TICKS: u64 = 10;

/// Reports how each processor has spent its time.
pub(super) fn stat() -> Vec<u8> {
    let spent = scheduler::spent();
    let mut sum = Spent::default();
    for cpu in &spent {
        sum.user += cpu.user;
        sum.system += cpu.system;
        sum.idle += cpu.idle;
        sum.switches += cpu.switches;
    }
    let mut text = String::new();
    cpu_line(&mut text, "cpu ", &sum);
    for (number, cpu) in spent.iter().enumerate() {
        cpu_line(&mut text, &format!("cpu{number}"), cpu);
    }
    let started = clock::realtime().saturating_sub(clock::now()).as_secs();
    let rest = format!(
        "intr 0\nctxt {}\nbtime {started}\nprocesses {}\nprocs_running {}\nprocs_blocked 0\nsoftirq 0\n",
        sum.switches,
        process_table::last_id(),
        running(),
    );
    text.push_str(&rest);
    text.into_bytes()
}

fn cpu_line(text: &mut String, name: &str, spent: &Spent) {
    let [user, system, idle] = [spent.user, spent.system, spent.idle].map(|ticks| ticks / TICKS);
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "{name} {user} 0 {system} {idle} 0 0 0 0 0 0");
}

/// Reports load averages, running and existing threads, and the last process ID.
pub(super) fn loadavg() -> Vec<u8> {
    let threads: usize = process_table::all().map(|process| process.threads.lock().len()).sum();
    format!("0.00 0.00 0.00 {}/{threads} {}\n", running(), process_table::last_id()).into_bytes()
}

/// Reports the seconds since boot, and the idle seconds of all processors.
pub(super) fn uptime() -> Vec<u8> {
    let idle: u64 = scheduler::spent().iter().map(|cpu| cpu.idle).sum();
    let centiseconds = |time: Duration| time.as_millis() / 10;
    let (up, idle) = (centiseconds(clock::now()), centiseconds(Duration::from_millis(idle)));
    format!("{}.{:02} {}.{:02}\n", up / 100, up % 100, idle / 100, idle % 100).into_bytes()
}

fn running() -> usize {
    let count = |process: alloc::sync::Arc<process::Process>| {
        process.threads.lock().iter().filter(|thread| is_running(thread)).count()
    };
    process_table::all().map(count).sum()
}
