//! Ways to get it wrong, and by which check and with which words each is caught.

use std::env;
use std::process::Command;

use pollee::fault::{self, Fault};

use crate::check::Check;

/// The words with which loom reports that everybody sleeps.
const LOST_WAKE: &str = "deadlock";

const FAULT: &str = "POLLEE_FAULT";

/// A fault, the check that must catch it, and the words it must say.
pub(crate) struct Case {
    fault: Fault,
    check: &'static str,
    words: &'static str,
}

const CASES: &[Case] = &[
    case(Fault::LoadForNotify, "awake atomic hybrid", LOST_WAKE),
    case(Fault::LoadForNotify, "awake atomic stateless", LOST_WAKE),
    case(Fault::LoadForNotify, "fresh atomic hybrid", "stale readiness"),
    case(Fault::NoVersionCheck, "fresh atomic hybrid", "stale readiness"),
    case(Fault::NoVersionCheck, "fresh atomic stateful", "stale readiness"),
    case(Fault::UpdateDropsInterests, "awake locked hybrid", LOST_WAKE),
    case(Fault::LockedLoadForNotify, "awake cached hybrid", LOST_WAKE),
    case(Fault::LockedLoadForNotify, "awake cached stateful", LOST_WAKE),
    case(Fault::LockedNotifyAfterUnlock, "causal locked hybrid", "not polled"),
    case(Fault::LockedNotifyAfterUnlock, "causal locked stateful", "not polled"),
    case(Fault::LockedNotifyAfterUnlock, "quiet locked hybrid", "spinning"),
    case(Fault::NotifyAfterUnlock, "causal lock-free hybrid", "not polled"),
    case(Fault::NotifyBeforeChange, "awake atomic hybrid", LOST_WAKE),
    case(Fault::NotifyBeforeChange, "fresh atomic hybrid", "stale readiness"),
    case(Fault::WatchAfterCompute, "awake locked hybrid", LOST_WAKE),
    case(Fault::WatchAfterCompute, "awake locked stateful", LOST_WAKE),
    case(Fault::WatchAfterCompute, "awake locked stateless", LOST_WAKE),
    case(Fault::WatchAfterCompute, "once looks hybrid", LOST_WAKE),
    case(Fault::WatchAfterCompute, "once looks stateless", LOST_WAKE),
    case(Fault::UnwatchOutsideLock, "awake leaver hybrid", LOST_WAKE),
    case(Fault::UnwatchOutsideLock, "awake leaver stateful", LOST_WAKE),
    case(Fault::UnwatchOutsideLock, "awake leaver stateless", LOST_WAKE),
    case(Fault::NoHandoff, "once silent hybrid", LOST_WAKE),
    case(Fault::NoHandoff, "once impatient hybrid", LOST_WAKE),
    case(Fault::NoEpoch, "persistent cached hybrid", LOST_WAKE),
    case(Fault::NoEpoch, "persistent locked stateless", LOST_WAKE),
    case(Fault::NoFence, "persistent cached hybrid", LOST_WAKE),
    case(Fault::NoFence, "persistent cached stateful", LOST_WAKE),
    case(Fault::WatchAfterCompute, "wait readiness hybrid", LOST_WAKE),
    case(Fault::DequeueAfterPoll, "ready stale hybrid", LOST_WAKE),
    case(Fault::NoHandOn, "ready level hybrid", LOST_WAKE),
    case(Fault::LeakWatcher, "clean locked hybrid", "left behind"),
];

const fn case(fault: Fault, check: &'static str, words: &'static str) -> Case {
    Case { fault, check, words }
}

impl Case {
    /// The case that this process was started for, by its number.
    pub(crate) fn from_environment() -> Option<&'static Self> {
        let nr: usize = env::var(FAULT).ok()?.parse().ok()?;
        CASES.get(nr)
    }

    /// Runs the check with the fault in place; returns only if the fault is not noticed.
    pub(crate) fn run(&self, checks: &[Check]) {
        fault::seed(self.fault);
        find(checks, self.check).run();
    }

    /// Why the fault counts as missed, or `Ok` if it was caught as expected.
    fn require_caught(&self, nr: usize) -> Result<(), String> {
        let program = env::current_exe().map_err(|error| error.to_string())?;
        let output = Command::new(program)
            .env(FAULT, nr.to_string())
            .env("RUST_BACKTRACE", "0")
            .output()
            .map_err(|error| error.to_string())?;
        let report = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            return Err("not noticed".to_owned());
        }
        if !report.contains(self.words) {
            return Err(format!("no word of {:?} in:\n{report}", self.words));
        }
        Ok(())
    }
}

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    checks.iter().find(|check| check.name() == name).unwrap_or_else(|| panic!("no check is called {name:?}"))
}

/// Runs every case in a process of its own; ends this one if a fault is missed. Returns how many were caught.
pub(crate) fn require_all_caught(checks: &[Check]) -> usize {
    let mut missed = 0;
    for (nr, case) in CASES.iter().enumerate() {
        find(checks, case.check);
        match case.require_caught(nr) {
            Ok(()) => println!("{:?}: caught by {:?}: {:?}", case.fault, case.check, case.words),
            Err(why) => {
                missed += 1;
                println!("{:?}: MISSED by {:?}: {why}", case.fault, case.check);
            }
        }
    }
    assert!(missed == 0, "{missed} seeded faults were missed");
    CASES.len()
}
