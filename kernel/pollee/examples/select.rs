//! A select over a thousand files, again and again: registrations that persist from one wait to the next.
//!
//! `cargo run -p pollee --example select`. A registration that ended with each wait would cost two list operations a
//! file. A persistent one leaves a load a file, and what begins and ends with the wait is one number.

#[path = "host/counter.rs"]
mod counter;
#[path = "host/lock.rs"]
mod lock;
#[path = "host/sleeper.rs"]
mod sleeper;

use std::sync::Arc;
use std::task::Poll;
use std::thread;

use pollee::{Events, PersistentRegistration, WaitEpochs, wait_many};

use crate::counter::{File, Kernel};
use crate::sleeper::Sleeper;

const FILES: usize = 1000;
const ROUNDS: usize = 100;

/// The files of a thread that selects, each with its registration.
struct Select<'a> {
    files: &'a [File],
    epochs: WaitEpochs<Kernel>,
    registrations: Vec<Arc<PersistentRegistration<Kernel>>>,
}

impl<'a> Select<'a> {
    fn new(files: &'a [File]) -> Self {
        Self { files, epochs: WaitEpochs::new(Sleeper::current()), registrations: Vec::new() }
    }

    /// Waits until a file is readable, and says which.
    fn wait(&mut self) -> usize {
        self.epochs.begin();
        for (nr, file) in self.files.iter().enumerate() {
            match self.registrations.get(nr) {
                Some(registration) => drop(registration.join(|| file, &self.epochs, Events::IN)),
                None => {
                    let registered = PersistentRegistration::register(file, &self.epochs, Events::IN);
                    self.registrations.push(registered.expect("memory to register").0);
                }
            }
        }
        let attempt = || {
            // One change uses the wait up; it is armed again before the files are looked at.
            self.epochs.rearm();
            let ready = self.files.iter().position(|file| !file.poll(Events::IN).is_empty());
            ready.map_or(Poll::Pending, Poll::Ready)
        };
        let ready = wait_many(&Sleeper::current(), (), None, attempt).expect("no signal and no deadline");
        self.epochs.end();
        ready
    }
}

impl Drop for Select<'_> {
    fn drop(&mut self) {
        for (registration, file) in self.registrations.iter().zip(self.files) {
            registration.unregister(file);
        }
    }
}

fn main() {
    let files: Vec<File> = (0..FILES).map(|_| File::default()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..ROUNDS {
                files[round * 389 % FILES].lock().0 += 1;
                thread::yield_now();
            }
        });
        let mut select = Select::new(&files);
        for _ in 0..ROUNDS {
            files[select.wait()].lock().0 -= 1;
        }
    });
    println!("{ROUNDS} events of {FILES} files, each seen once");
}
