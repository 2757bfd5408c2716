//! Fresh: after a change and its notification no later poll returns the old readiness.

use std::sync::Arc;

use loom::thread;
use pollee::{Events, Policy};

use crate::check::{Check, for_each_policy};
use crate::objects::{Atomic, WANTED, file};

pub(crate) fn checks() -> Vec<Check> {
    [for_each_policy!("fresh", "atomic", 3, atomic), for_each_policy!("fresh", "locked", 2, locked)].concat()
}

/// Two pollers, either of whom may be in the middle of a computation, and a changer who polls afterwards.
fn atomic<P: Policy>() {
    let object = Arc::new(Atomic::<P>::new());
    let pollers: Vec<_> = (0..2)
        .map(|_| {
            let object = Arc::clone(&object);
            thread::spawn(move || {
                object.poll();
            })
        })
        .collect();
    object.put();
    assert_eq!(object.poll(), Events::IN, "stale readiness");
    for poller in pollers {
        poller.join().unwrap();
    }
    assert_eq!(object.poll(), Events::IN, "stale readiness");
}

fn locked<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let pollers: Vec<_> = (0..2)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || {
                file.poll(WANTED);
            })
        })
        .collect();
    file.lock().items = 1;
    assert_eq!(file.poll(WANTED), Events::IN, "stale readiness");
    file.lock().items = 0;
    assert_eq!(file.poll(WANTED), Events::empty(), "stale readiness");
    for poller in pollers {
        poller.join().unwrap();
    }
}
