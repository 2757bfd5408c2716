//! Causal: who has observed a change never polls the readiness from before it.

use std::sync::Arc;

use loom::thread;
use pollee::{Events, Policy};

use crate::check::{Check, for_each_policy};
use crate::objects::{Beside, WANTED, file, lock};

pub(crate) fn checks() -> Vec<Check> {
    [for_each_policy!("causal", "locked", 3, locked), for_each_policy!("causal", "lock-free", 3, lock_free)]
        .concat()
}

/// One closes, another reads until it sees the end, a third fills the cache at any time.
fn locked<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let closer = Arc::clone(&file);
    let closer = thread::spawn(move || closer.lock().is_closed = true);
    let poller = Arc::clone(&file);
    let poller = thread::spawn(move || {
        poller.poll(WANTED);
    });
    let has_ended = file.read().is_closed;
    let ready = file.poll(WANTED);
    assert!(!has_ended || ready == Events::HUP, "the end was read, not polled");
    closer.join().unwrap();
    poller.join().unwrap();
}

fn lock_free<P: Policy>() {
    let object = Arc::new(Beside::<P>::new());
    object.poll();
    let closer = Arc::clone(&object);
    let closer = thread::spawn(move || closer.close());
    let poller = Arc::clone(&object);
    let poller = thread::spawn(move || {
        poller.poll();
    });
    let has_ended = lock(&object.state).is_closed;
    let ready = object.poll();
    assert!(!has_ended || ready == Events::HUP, "the end was read, not polled");
    closer.join().unwrap();
    poller.join().unwrap();
}
