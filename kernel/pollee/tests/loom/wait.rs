//! Awake, for the loop in which threads wait: it registers, tries again, sleeps.

use std::sync::Arc;
use std::task::Poll;

use loom::thread;
use pollee::{Policy, Recheck, WaitTarget, WakeMode, wait_events};

use crate::check::{Check, for_each_policy};
use crate::host::Sleeper;
use crate::objects::{File, WANTED, file, put, take};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("wait", "try", 3, by_a_try),
        for_each_policy!("wait", "readiness", 3, by_readiness),
        for_each_policy!("wait", "rivals", 2, two_takers),
    ]
    .concat()
}

fn take_one<P: Policy>(file: &File<P>, mode: WakeMode, recheck: Recheck) {
    let target = WaitTarget { file, interest: WANTED, mode, recheck };
    let attempt = || if take(file) { Poll::Ready(()) } else { Poll::Pending };
    wait_events(&Sleeper::new(), target, None, attempt).unwrap();
}

fn one_taker<P: Policy>(recheck: Recheck) {
    let file = Arc::new(file::<P>(0));
    file.poll(WANTED);
    let changer = Arc::clone(&file);
    let changer = thread::spawn(move || changer.lock().items = 1);
    take_one(&file, WakeMode::All, recheck);
    changer.join().unwrap();
}

fn by_a_try<P: Policy>() {
    one_taker::<P>(Recheck::Try);
}

/// The first try after the registration is left out where the readiness says that it would find nothing.
fn by_readiness<P: Policy>() {
    one_taker::<P>(Recheck::Readiness);
}

/// Two exclusive takers and an item for each.
fn two_takers<P: Policy>() {
    let file = Arc::new(file::<P>(0));
    let takers = [Recheck::Try, Recheck::Readiness].map(|recheck| {
        let file = Arc::clone(&file);
        thread::spawn(move || take_one(&file, WakeMode::Exclusive, recheck))
    });
    put(&file);
    put(&file);
    for taker in takers {
        taker.join().unwrap();
    }
}
