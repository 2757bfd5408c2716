//! What happens when memory runs out: a process ends, and who asked tries again.
//!
//! Owns: the choice among all processes, the wait for what the victim gives back.   Not here: how bad a process is
//! (`rules::linux::oom`), what is free (`machine/memory/budget`).
//! Locks: the killer's, a mutex, before those of processes. No memory is needed in here.
//! Why: decision 0121.
//! Source: Linux 6.1 mm/oom_kill.c (`out_of_memory`, `select_bad_process`, `__oom_kill_process`).

use alloc::string::String;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicI16, Ordering};
use core::time::Duration;

use ostd::sync::Mutex;
use pollee::Sleep;
use rules::abi::signal::Signal;
use rules::linux::oom;

use super::exit;
use super::process::{ExitStatus, Process};
use super::process_table;
use super::thread::CurrentThread;
use crate::machine::clock;
use crate::machine::console::println;
use crate::machine::memory::layout::PAGE_SIZE;
use crate::machine::memory::{budget, reclaim};

/// How a process stands to the choice: `/proc/PID/oom_score_adj`.
#[derive(Debug, Default)]
pub(crate) struct Adjustment {
    /// -1000 to 1000 thousandths of memory.
    pub(crate) value: AtomicI16,
    /// The lowest value that a process without `CAP_SYS_RESOURCE` may set.
    pub(crate) least: AtomicI16,
}

impl Clone for Adjustment {
    fn clone(&self) -> Self {
        let copy = |number: &AtomicI16| AtomicI16::new(number.load(Ordering::Relaxed));
        Self { value: copy(&self.value), least: copy(&self.least) }
    }
}

/// What became of a shortage.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Relief {
    /// There may be memory now, or the caller ends: it tries again.
    Retry,
    /// There is nobody left to end.
    Hopeless,
}

/// The process that was ended last, until its memory is back.
struct Victim {
    process: Weak<Process>,
    since: Duration,
    ended: Option<Duration>,
}

static VICTIM: Mutex<Option<Victim>> = Mutex::new(None);

/// Bytes that must be free before a wait ends.
const ENOUGH: usize = 64 * PAGE_SIZE;
/// The longest sleep between two looks.
const NAP: Duration = Duration::from_millis(1);
/// How long a victim may take to end before another one is chosen.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long memory that was unmapped may take to become free.
const GRACE: Duration = Duration::from_millis(200);
/// The share of memory that a process must hold to be ended for a system call, which can also fail, or if it is an
/// administrator's, whose reserve others leave.
const LARGE: usize = 8;

/// Finds memory for the current thread, which has none for a page that it touched: waits for what is about to become
/// free, or ends the process that holds most. The thread sleeps meanwhile.
///
/// Where the administrators' reserve is left, only an administrator's process that holds much may end.
pub(crate) fn relieve(thread: &CurrentThread) -> Relief {
    if !thread.begin_relief() {
        return Relief::Hopeless;
    }
    let is_administrator = thread.process().space().is_administrators();
    let may_end = |process: &Arc<Process>| {
        is_administrator || !process.space().is_administrators() || is_large(process)
    };
    wait_or_kill(thread, may_end)
}

/// Finds memory for a system call that failed with `ENOMEM`, but only at the cost of another process that holds much.
/// [`Relief::Hopeless`]: the error stands.
pub(crate) fn relieve_call(thread: &CurrentThread) -> Relief {
    if budget::available() >= ENOUGH || !thread.begin_relief() {
        return Relief::Hopeless;
    }
    let own = thread.process().clone();
    wait_or_kill(thread, |process| !Arc::ptr_eq(process, &own) && is_large(process))
}

fn is_large(process: &Arc<Process>) -> bool {
    process.space().statistics().resident >= budget::total() / LARGE
}

fn wait_or_kill(thread: &CurrentThread, may_end: impl Fn(&Arc<Process>) -> bool) -> Relief {
    let start = clock::now();
    loop {
        nap(thread);
        if thread.is_dying() || budget::available() >= ENOUGH {
            return Relief::Retry;
        }
        let now = clock::now();
        if reclaim::pending() > 0 && now - start < GRACE {
            continue;
        }
        let mut victim = VICTIM.lock();
        if victim.as_mut().is_some_and(|victim| victim.holds(now)) {
            continue;
        }
        let Some(chosen) = choose(&may_end) else { return Relief::Hopeless };
        kill(&chosen);
        *victim = Some(Victim { process: Arc::downgrade(&chosen), since: now, ended: None });
    }
}

impl Victim {
    /// Returns whether to wait for its memory. The wait begins again when it has ended.
    fn holds(&mut self, now: Duration) -> bool {
        if self.ended.is_none() && self.process.upgrade().is_none_or(|process| process.has_ended()) {
            self.ended = Some(now);
        }
        let (from, patience) = self.ended.map_or((self.since, PATIENCE), |ended| (ended, GRACE));
        now.saturating_sub(from) < patience
    }
}

/// Sleeps for a moment in which memory may become free.
pub(crate) fn nap(thread: &CurrentThread) {
    thread.sleep(Some(clock::now().saturating_add(NAP)));
}

/// Returns the process that is worst of those that may end: never init, one that is ending already, or one that runs
/// in its parent's memory after vfork(2).
fn choose(may_end: &impl Fn(&Arc<Process>) -> bool) -> Option<Arc<Process>> {
    let mut worst: Option<(i64, Arc<Process>)> = None;
    let mut next = 0;
    // One by one, because a list of them would need memory.
    while let Some(process) = process_table::first_from(next) {
        next = process.pid() + 1;
        let Some(points) = badness(&process) else { continue };
        let is_ending = process.exit_status.lock().is_some();
        if is_ending || process.borrows_space() || !may_end(&process) {
            continue;
        }
        if worst.as_ref().is_none_or(|(most, _)| points > *most) {
            worst = Some((points, process));
        }
    }
    worst.map(|(_, process)| process)
}

/// Returns how bad a process is; `None`: it is never chosen.
pub(crate) fn badness(process: &Process) -> Option<i64> {
    if process.is_init() || process.has_ended() {
        return None;
    }
    let held = process.space().statistics().resident / PAGE_SIZE;
    oom::badness(held, process.oom.value.load(Ordering::Relaxed), total_pages())
}

/// Returns the pages of memory, of which adjustments are thousandths.
pub(crate) fn total_pages() -> usize {
    budget::total() / PAGE_SIZE
}

/// Ends a process and all others in the same memory.
fn kill(victim: &Arc<Process>) {
    let space = victim.space();
    let sizes = space.statistics();
    println!(
        "Out of memory: Killed process {} ({}) total-vm:{}kB, anon-rss:{}kB, file-rss:0kB, shmem-rss:0kB, UID:{} \
         pgtables:0kB oom_score_adj:{}",
        victim.pid(),
        String::from_utf8_lossy(&victim.name.lock()),
        sizes.virtual_size >> 10,
        sizes.resident >> 10,
        victim.credentials.lock().users.real,
        victim.oom.value.load(Ordering::Relaxed)
    );
    let killed = ExitStatus::Killed(Signal::KILL.number());
    exit::end_process(victim, killed);
    let mut next = 0;
    while let Some(process) = process_table::first_from(next) {
        next = process.pid() + 1;
        if !process.is_init() && Arc::ptr_eq(&process.space(), &space) && !process.has_ended() {
            exit::end_process(&process, killed);
        }
    }
}
