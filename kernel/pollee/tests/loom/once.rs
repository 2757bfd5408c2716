//! Once: an exclusive event wakes one waiter, and is handed on however the woken waiter leaves.

use std::sync::Arc;

use loom::thread;
use pollee::{Policy, Registration, WakeMode};

use crate::check::{Check, for_each_policy};
use crate::host::Sleeper;
use crate::objects::{File, WANTED, file, put, take};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("once", "takers", 2, two_takers),
        for_each_policy!("once", "silent", 2, two_takers_of_silent_items),
        for_each_policy!("once", "looks", 2, two_takers_that_look),
        for_each_policy!("once", "impatient", 3, one_gives_up),
        for_each_policy!("once", "herd", 2, one_item_wakes_one),
    ]
    .concat()
}

/// The loop of an operation that blocks.
fn take_one<P: Policy>(file: &File<P>) {
    if take(file) {
        return;
    }
    let sleeper = Sleeper::new();
    let waiting = Registration::new(file, Arc::clone(&sleeper), WANTED, WakeMode::Exclusive).unwrap();
    while !take(file) {
        sleeper.wait();
        waiting.rearm();
    }
}

/// The same, for an operation that finds nothing where the file is not ready: it looks at the word before the first try
/// and, once registered, at the readiness of that moment.
fn look_and_take_one<P: Policy>(file: &File<P>) {
    let is_vain = file.header().events().is_some_and(|events| !events.intersects(WANTED));
    if !is_vain && take(file) {
        return;
    }
    let sleeper = Sleeper::new();
    let waiting = Registration::new(file, Arc::clone(&sleeper), WANTED, WakeMode::Exclusive).unwrap();
    if !waiting.ready().is_empty() && take(file) {
        return;
    }
    loop {
        sleeper.wait();
        if take(file) {
            return;
        }
        waiting.rearm();
        if take(file) {
            return;
        }
    }
}

/// Two takers and two items: each gets one.
fn two_takers<P: Policy>() {
    takers::<P>(take_one, put);
}

/// The same with takers that look before they try.
fn two_takers_that_look<P: Policy>() {
    takers::<P>(look_and_take_one, put);
}

/// The same where a change forgets to raise it: the second item makes nothing ready and chooses nobody.
fn two_takers_of_silent_items<P: Policy>() {
    takers::<P>(take_one, |file| file.lock().items += 1);
}

fn takers<P: Policy>(take_one: fn(&File<P>), put: fn(&File<P>)) {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let takers: Vec<_> = (0..2)
        .map(|_| {
            let file = Arc::clone(&file);
            thread::spawn(move || take_one(&file))
        })
        .collect();
    put(&file);
    put(&file);
    for taker in takers {
        taker.join().unwrap();
    }
}

/// The first in the queue leaves without trying, as a timeout or a signal makes it.
fn one_gives_up<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let waiting = Registration::new(&*file, Sleeper::new(), WANTED, WakeMode::Exclusive).unwrap();
    let taker = Arc::clone(&file);
    let taker = thread::spawn(move || take_one(&taker));
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || put(&changer));
    drop(waiting);
    taker.join().unwrap();
    changer.join().unwrap();
}

/// Two wait, one item comes and is taken by somebody else: no more than one wake.
fn one_item_wakes_one<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let sleepers = [Sleeper::new(), Sleeper::new()];
    let [first, second] = &sleepers;
    let first_waits = Registration::new(&*file, Arc::clone(first), WANTED, WakeMode::Exclusive).unwrap();
    let second_waits = Registration::new(&*file, Arc::clone(second), WANTED, WakeMode::Exclusive).unwrap();
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || put(&changer));
    let rival = Arc::clone(&file);
    let rival = thread::spawn(move || {
        take(&rival);
    });
    changer.join().unwrap();
    rival.join().unwrap();
    let wakes: usize = sleepers.iter().map(|sleeper| sleeper.wakes()).sum();
    assert!(wakes == 1, "{wakes} wakes for one event");
    take(&file);
    drop(first_waits);
    drop(second_waits);
}
