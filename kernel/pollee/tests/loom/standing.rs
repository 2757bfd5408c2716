//! Awake, for registrations that stand: the second wait for the same files registers with none of them.

use std::sync::Arc;

use loom::thread;
use pollee::{Bell, Events, Policy, Standing};

use crate::check::{Check, for_each_policy};
use crate::host::{Model, Sleeper};
use crate::objects::{File, WANTED, file};

pub(crate) fn checks() -> Vec<Check> {
    [
        for_each_policy!("standing", "cached", 3, cached),
        for_each_policy!("standing", "locked", 3, locked),
        for_each_policy!("standing", "two", 2, two_files),
    ]
    .concat()
}

/// A thread's bell and how it sleeps, after a first wait for `files` that found nothing.
struct Waiter {
    sleeper: Arc<Sleeper>,
    bell: Bell<Model>,
    standings: Vec<Arc<Standing<Model>>>,
}

impl Waiter {
    fn of<P: Policy>(files: &[Arc<File<P>>]) -> Self {
        let sleeper = Sleeper::new();
        let mut bell = Bell::new(Arc::clone(&sleeper));
        bell.begin();
        let begin = |file: &Arc<File<P>>| Standing::begin(&**file, &bell, WANTED).unwrap().0;
        let standings = files.iter().map(begin).collect();
        bell.end();
        Self { sleeper, bell, standings }
    }

    /// Waits until one of the files is ready.
    fn wait<P: Policy>(&mut self, files: &[Arc<File<P>>]) -> Events {
        self.bell.begin();
        let mut ready = Events::empty();
        for (file, standing) in files.iter().zip(&self.standings) {
            assert!(standing.keep(|| &**file, &self.bell, WANTED));
            ready |= file.poll(WANTED);
        }
        while ready.is_empty() {
            self.sleeper.wait();
            self.bell.arm();
            ready = files.iter().fold(ready, |ready, file| ready | file.poll(WANTED));
        }
        self.bell.end();
        ready
    }

    fn leave<P: Policy>(self, files: &[Arc<File<P>>]) {
        for (file, standing) in files.iter().zip(&self.standings) {
            standing.end(&**file);
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

/// One file becomes ready and stops being so, the other stays ready: whichever rings first must not use up the wake.
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
