//! Clean: a dropped watcher leaves nothing behind.

use std::sync::Arc;

use loom::thread;
use pollee::{Policy, Poller};

use crate::check::{Check, for_each_policy};
use crate::host::Sleeper;
use crate::objects::{WANTED, file, put};

pub(crate) fn checks() -> Vec<Check> {
    for_each_policy!("clean", "locked", 3, locked).to_vec()
}

/// The watcher goes while a change may be about to wake it.
fn locked<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let sleeper = Sleeper::new();
    let mut poller = Poller::new(Arc::clone(&sleeper));
    poller.watch(Arc::clone(&file), WANTED).unwrap();
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || put(&changer));
    drop(poller);
    changer.join().unwrap();
    assert_eq!(Arc::strong_count(&sleeper), 1, "a handle was left behind");
    let wakes = sleeper.wakes();
    put(&file);
    assert_eq!(sleeper.wakes(), wakes, "woken after it had gone");
}
