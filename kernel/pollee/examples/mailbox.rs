//! A mailbox on threads: what the author of a file writes, and how a thread waits for it.
//!
//! `cargo run -p pollee --example mailbox`. `examples/host` is what the kernel brings along: a lock, and a thread that
//! sleeps.

#[path = "host/lock.rs"]
mod lock;
#[path = "host/sleeper.rs"]
mod sleeper;

use std::collections::VecDeque;
use std::task::Poll;
use std::thread;

use pollee::{Events, Locked, Readiness, Recheck, WaitTarget, WakeMode, wait_events};

use crate::lock::Std;
use crate::sleeper::Sleeper;

#[derive(Default)]
struct Letters {
    letters: VecDeque<String>,
    is_closed: bool,
}

/// What is ready, in one pure function.
impl Readiness for Letters {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, !self.letters.is_empty());
        events.set(Events::HUP, self.is_closed);
        events
    }
}

type Mailbox = Locked<Letters, Std<Sleeper>>;

/// Puts a letter in. The guard's drop notifies.
fn send(mailbox: &Mailbox, letter: &str) {
    let mut state = mailbox.lock();
    state.letters.push_back(letter.to_owned());
    state.raise(Events::IN);
}

/// Takes a letter without waiting: `Ready(None)` at the end.
fn try_receive(mailbox: &Mailbox) -> Poll<Option<String>> {
    let mut state = mailbox.lock();
    let letter = state.letters.pop_front();
    if letter.is_none() && !state.is_closed { Poll::Pending } else { Poll::Ready(letter) }
}

/// Takes a letter, or `None` at the end.
fn receive(mailbox: &Mailbox) -> Option<String> {
    let target = WaitTarget {
        file: mailbox,
        interest: Events::IN,
        // A letter suffices for one receiver.
        mode: WakeMode::Exclusive,
        recheck: Recheck::Readiness,
    };
    wait_events(&Sleeper::current(), target, None, || try_receive(mailbox)).expect("memory to register")
}

fn main() {
    let mailbox = &Mailbox::default();
    let received: usize = thread::scope(|scope| {
        let receivers = [0, 1].map(|nr| {
            scope.spawn(move || {
                let mut count = 0;
                while let Some(letter) = receive(mailbox) {
                    println!("receiver {nr}: {letter}");
                    count += 1;
                }
                count
            })
        });
        for letter in ["one", "two", "three", "four"] {
            send(mailbox, letter);
        }
        mailbox.lock().is_closed = true;
        receivers.map(|receiver| receiver.join().expect("a receiver that ends")).iter().sum()
    });
    assert_eq!(received, 4);
    println!("every letter has arrived");
}
