//! Quiet: a level-triggered waiter on a file that is not ready sleeps; it does not spin.

use std::sync::Arc;

use loom::thread;
use pollee::{Policy, Poller};

use crate::check::{Check, for_each_policy};
use crate::host::Sleeper;
use crate::objects::{WANTED, file, put, take};

pub(crate) fn checks() -> Vec<Check> {
    for_each_policy!("quiet", "locked", 3, locked).to_vec()
}

/// Another thread takes the item that the waiter was promised, and gives it back later.
fn locked<P: Policy>() {
    let file = Arc::new(file::<P>(1));
    let sleeper = Sleeper::new();
    let mut poller = Poller::new(Arc::clone(&sleeper));
    poller.watch(Arc::clone(&file), WANTED).unwrap();
    let rival = Arc::clone(&file);
    let rival = thread::spawn(move || {
        if take(&rival) {
            put(&rival);
        }
    });
    // The rival takes once, so the promise can be broken once.
    let mut broken_promises = 0;
    // Looks before it takes: a try that locks for a change would repair a cache that is wrong.
    while file.read().items == 0 || !take(&file) {
        if file.poll(WANTED).is_empty() {
            sleeper.wait();
        } else {
            broken_promises += 1;
            assert!(broken_promises <= 1, "spinning on a file that is not ready");
        }
    }
    rival.join().unwrap();
}
