//! A mailbox on threads of the standard library: what an embedding kernel has to write, and how little that is.
//!
//! Run it with `cargo run -p pollee --example mailbox`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{self, Thread};
use std::time::Instant;

use pollee::{
    Events, Host, Hybrid, Lock, Locked, Poller, Readiness, Recheck, Sleep, WaitTarget, Wake, WakeMode,
    WakeReason, wait_events,
};

// What the kernel brings along: a lock, and a task that sleeps.

enum Std {}

impl Host for Std {
    type Policy = Hybrid;
    type OwnerLock<T: Send> = StdLock<T>;
    type ListLock<T: Send> = StdLock<T>;
    type ReadyLock<T: Send> = StdLock<T>;
    type Task = Sleeper;
    type Class = ();
}

struct StdLock<T>(Mutex<T>);

impl<T: Send> Lock<T> for StdLock<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `park` and `unpark` have a wake that sticks, as is needed.
#[derive(Clone)]
struct Sleeper(Thread);

impl Wake for Sleeper {
    fn wake(&self) -> bool {
        self.0.unpark();
        true
    }
}

impl Sleep<Std> for Sleeper {
    type Deadline = Instant;

    fn task(&self) -> Self {
        self.clone()
    }

    fn sleep(&self, until: Option<Instant>) -> WakeReason {
        match until {
            None => thread::park(),
            Some(until) => thread::park_timeout(until.saturating_duration_since(Instant::now())),
        }
        let is_late = until.is_some_and(|until| until <= Instant::now());
        if is_late { WakeReason::TimedOut } else { WakeReason::Woken }
    }

    fn is_interrupted(&self) -> bool {
        false
    }
}

// An object: its state, and what is ready. This is all that an author of a file writes.

#[derive(Default)]
struct Letters {
    letters: VecDeque<String>,
    is_closed: bool,
}

impl Readiness for Letters {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, !self.letters.is_empty());
        events.set(Events::HUP, self.is_closed);
        events
    }
}

type Mailbox = Locked<Letters, Std>;

const LETTER_OR_END: Events = Events::IN.union(Events::HUP);

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
        interest: LETTER_OR_END,
        // A letter suffices for one receiver.
        mode: WakeMode::Exclusive,
        recheck: Recheck::Readiness,
    };
    wait_events(&Sleeper(thread::current()), target, None, || try_receive(mailbox)).expect("memory")
}

/// Waits until one of the mailboxes is ready: the shape of poll(2).
fn wait_for_any(mailboxes: &[Arc<Mailbox>], poller: &mut Poller<Std, Arc<Mailbox>>) -> usize {
    let ready = || mailboxes.iter().position(|mailbox| !mailbox.poll(LETTER_OR_END).is_empty());
    // First without registering: mostly something is ready.
    if let Some(nr) = ready() {
        return nr;
    }
    for (nr, mailbox) in mailboxes.iter().enumerate() {
        let events = poller.watch(Arc::clone(mailbox), LETTER_OR_END).expect("memory");
        if !events.is_empty() {
            poller.clear();
            return nr;
        }
    }
    let nr = loop {
        if let Some(nr) = ready() {
            break nr;
        }
        thread::park();
    };
    poller.clear();
    nr
}

fn main() {
    let inbox = || Arc::new(Mailbox::new((), Letters::default()));
    let mailboxes = [inbox(), inbox(), inbox()];

    thread::scope(|scope| {
        for nr in 0..2 {
            let mailbox = &mailboxes[0];
            scope.spawn(move || {
                while let Some(letter) = receive(mailbox) {
                    println!("receiver {nr}: {letter}");
                }
            });
        }
        let others = &mailboxes[1..];
        scope.spawn(move || {
            let mut poller = Poller::new(Sleeper(thread::current()));
            let mut open = others.to_vec();
            while !open.is_empty() {
                let nr = wait_for_any(&open, &mut poller);
                match try_receive(&open[nr]) {
                    Poll::Ready(Some(letter)) => println!("poller, from {nr}: {letter}"),
                    Poll::Ready(None) => drop(open.remove(nr)),
                    Poll::Pending => {}
                }
            }
        });
        for letter in ["one", "two", "three"] {
            for mailbox in &mailboxes {
                send(mailbox, letter);
            }
        }
        for mailbox in &mailboxes {
            mailbox.lock().is_closed = true;
        }
    });
    println!("every letter has arrived");
}
