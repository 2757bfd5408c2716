//! Awake, for registrations that persist: the second wait for the same files registers with none of them.

use std::sync::Arc;

use loom::thread;
use pollee::{Events, PersistentRegistration, Policy, WaitEpochs};

use crate::check::{Check, for_each_policy};
use crate::host::{Model, Sleeper};
use crate::objects::{File, WANTED, file};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("persistent", "cached", 3, cached),
        for_each_policy!("persistent", "locked", 3, locked),
        for_each_policy!("persistent", "two", 2, two_files),
    ]
    .concat()
}

/// A thread's epochs and how it sleeps, after a first wait for `files` that found nothing.
struct Waiter<P: Policy> {
    sleeper: Arc<Sleeper>,
    epochs: WaitEpochs<Model<P>>,
    registrations: Vec<Arc<PersistentRegistration<Model<P>>>>,
}

impl<P: Policy> Waiter<P> {
    fn of(files: &[Arc<File<P>>]) -> Self {
        let sleeper = Sleeper::new();
        let mut epochs = WaitEpochs::new(Arc::clone(&sleeper));
        epochs.begin();
        let register =
            |file: &Arc<File<P>>| PersistentRegistration::register(&**file, &epochs, WANTED).unwrap().0;
        let registrations = files.iter().map(register).collect();
        epochs.end();
        Self { sleeper, epochs, registrations }
    }

    /// Waits until one of the files is ready.
    fn wait(&mut self, files: &[Arc<File<P>>]) -> Events {
        self.epochs.begin();
        let mut ready = Events::empty();
        for (file, registration) in files.iter().zip(&self.registrations) {
            assert!(registration.join(|| &**file, &self.epochs, WANTED));
            ready |= file.poll(WANTED);
        }
        while ready.is_empty() {
            self.sleeper.wait();
            self.epochs.rearm();
            ready = files.iter().fold(ready, |ready, file| ready | file.poll(WANTED));
        }
        self.epochs.end();
        ready
    }

    fn leave(self, files: &[Arc<File<P>>]) {
        for (file, registration) in files.iter().zip(&self.registrations) {
            registration.unregister(&**file);
        }
    }
}

/// The waiter is answered from the cache and takes no lock at all.
fn cached<P: Policy>() {
    let files = [Arc::new(file::<P>(0))];
    let mut waiter = Waiter::of(&files);
    files[0].poll(WANTED);
    let changer = Arc::clone(&files[0]);
    let changer = thread::spawn(move || changer.lock().items = 1);
    assert_eq!(waiter.wait(&files), Events::IN);
    changer.join().unwrap();
    waiter.leave(&files);
}

/// Another may fill the cache at any time.
fn locked<P: Policy>() {
    let files = [Arc::new(file::<P>(0))];
    let mut waiter = Waiter::of(&files);
    let changer = Arc::clone(&files[0]);
    let changer = thread::spawn(move || changer.lock().items = 1);
    let poller = Arc::clone(&files[0]);
    let poller = thread::spawn(move || {
        poller.poll(WANTED);
    });
    assert_eq!(waiter.wait(&files), Events::IN);
    changer.join().unwrap();
    poller.join().unwrap();
    waiter.leave(&files);
}

/// One file becomes ready and stops being so, the other stays ready: whichever wakes first must not use up the wake.
fn two_files<P: Policy>() {
    let files = [Arc::new(file::<P>(0)), Arc::new(file::<P>(0))];
    let mut waiter = Waiter::of(&files);
    for file in &files {
        file.poll(WANTED);
    }
    let fleeting = Arc::clone(&files[0]);
    let fleeting = thread::spawn(move || {
        fleeting.lock().items = 1;
        fleeting.lock().items = 0;
    });
    let lasting = Arc::clone(&files[1]);
    let lasting = thread::spawn(move || lasting.lock().items = 1);
    assert_eq!(waiter.wait(&files), Events::IN);
    fleeting.join().unwrap();
    lasting.join().unwrap();
    waiter.leave(&files);
}
