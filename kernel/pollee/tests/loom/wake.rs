//! Awake: a watcher that registered, computed "not ready" and slept is woken by any later change that meets
//! its interest. A wake that is lost is a deadlock of the model.

use std::sync::Arc;

use loom::thread;
use pollee::{Events, Policy, ReadinessSource, WakeMode, Watcher};

use crate::check::{Check, for_each_policy};
use crate::host::Sleeper;
use crate::objects::{Atomic, File, WANTED, file, put};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("awake", "atomic", 3, atomic),
        for_each_policy!("awake", "locked", 2, locked),
        for_each_policy!("awake", "cached", 3, cached),
        for_each_policy!("awake", "leaver", 2, another_leaves),
        for_each_policy!("awake", "interest", 3, new_interest),
    ]
    .concat()
}

/// A poller may fill the cache between the watcher's registration and the change.
fn atomic<P: Policy>() {
    let object = Arc::new(Atomic::<P>::new());
    object.poll();
    let changer = Arc::clone(&object);
    let changer = thread::spawn(move || changer.put());
    let poller = Arc::clone(&object);
    let poller = thread::spawn(move || {
        poller.poll();
    });
    let sleeper = Sleeper::new();
    let watcher = Watcher::Task(Arc::clone(&sleeper));
    let registered = object.pollee.register(watcher, WANTED, WakeMode::All, &*object);
    let (token, mut ready) = registered.unwrap();
    while ready.is_empty() {
        sleeper.wait();
        ready = object.poll();
    }
    drop(object.pollee.unregister(token, &*object));
    changer.join().unwrap();
    poller.join().unwrap();
}

/// Registers, and sleeps until the file is ready.
fn sleep_until_ready<P: Policy>(file: &File<P>) {
    let sleeper = Sleeper::new();
    let watcher = Watcher::Task(Arc::clone(&sleeper));
    let (token, mut ready) = file.register(watcher, WANTED, WakeMode::All).unwrap();
    while ready.is_empty() {
        sleeper.wait();
        ready = file.poll(WANTED);
    }
    drop(file.unregister(token));
}

/// Two watchers, of whom one may have filled the cache when the other registers.
fn locked<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || changer.lock().items = 1);
    let other = Arc::clone(&file);
    let other = thread::spawn(move || sleep_until_ready(&other));
    sleep_until_ready(&file);
    changer.join().unwrap();
    other.join().unwrap();
}

/// A watcher that is answered from the cache and never takes the owner's lock.
fn cached<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || changer.lock().items = 1);
    sleep_until_ready(&file);
    changer.join().unwrap();
}

/// One watcher goes, and may be the last, while another comes.
fn another_leaves<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let leaver = Arc::clone(&file);
    let (token, _) = file.register(Watcher::Task(Sleeper::new()), WANTED, WakeMode::All).unwrap();
    let leaver = thread::spawn(move || drop(leaver.unregister(token)));
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || put(&changer));
    sleep_until_ready(&file);
    leaver.join().unwrap();
    changer.join().unwrap();
}

/// A registered watcher asks for more.
fn new_interest<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || changer.lock().items = 1);
    let sleeper = Sleeper::new();
    let watcher = Watcher::Task(Arc::clone(&sleeper));
    let (token, _) = file.register(watcher, Events::PRI, WakeMode::All).unwrap();
    let mut ready = file.set_interest(&token, WANTED);
    while ready.is_empty() {
        sleeper.wait();
        ready = file.poll(WANTED);
    }
    drop(file.unregister(token));
    changer.join().unwrap();
}
