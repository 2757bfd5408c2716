//! The two kinds of object: a counter behind one lock, and one that is atomic.

use loom::sync::Mutex;
use loom::sync::atomic::{AtomicUsize, Ordering};
use pollee::fault::{self, Fault};
use pollee::lock_free::Pollee;
use pollee::{Events, Locked, Policy, Readiness};

use crate::host::Model;

pub(crate) const WANTED: Events = Events::IN.union(Events::ALWAYS);

/// Readable when it is not zero.
#[derive(Default)]
pub(crate) struct Counter {
    pub(crate) items: usize,
    pub(crate) is_closed: bool,
}

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.items > 0);
        events.set(Events::HUP, self.is_closed);
        events
    }
}

pub(crate) type File<P> = Locked<Counter, Model<P>>;

pub(crate) fn file<P: Policy>(items: usize) -> File<P> {
    File::new((), Counter { items, is_closed: false })
}

/// One more item, and the event for it.
pub(crate) fn put<P: Policy>(file: &File<P>) {
    let mut guard = file.lock();
    guard.items += 1;
    guard.raise(Events::IN);
}

pub(crate) fn take<P: Policy>(file: &File<P>) -> bool {
    let mut guard = file.lock();
    let has_item = guard.items > 0;
    guard.items -= usize::from(has_item);
    has_item
}

/// A counter in one atomic variable, under no lock.
pub(crate) struct Atomic<P: Policy> {
    items: AtomicUsize,
    pub(crate) pollee: Pollee<Model<P>>,
}

impl<P: Policy> Readiness for Atomic<P> {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::IN, self.items.load(Ordering::Relaxed) > 0);
        events
    }
}

impl<P: Policy> Atomic<P> {
    pub(crate) fn new() -> Self {
        Self { items: AtomicUsize::new(0), pollee: Pollee::new(()) }
    }

    /// Relaxed: what order there is comes from the word.
    pub(crate) fn put(&self) {
        if fault::is_seeded(Fault::NotifyBeforeChange) {
            self.pollee.notify_events(Events::IN).deliver();
            self.items.store(1, Ordering::Relaxed);
            return;
        }
        self.items.store(1, Ordering::Relaxed);
        self.pollee.notify_events(Events::IN).deliver();
    }

    pub(crate) fn poll(&self) -> Events {
        self.pollee.poll(WANTED, self)
    }
}

/// A counter behind a lock of its own, with the lock-free form beside it.
pub(crate) struct Beside<P: Policy> {
    pub(crate) state: Mutex<Counter>,
    pollee: Pollee<Model<P>>,
}

impl<P: Policy> Readiness for Beside<P> {
    fn readiness(&self) -> Events {
        lock(&self.state).readiness()
    }
}

impl<P: Policy> Beside<P> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(Counter::default()), pollee: Pollee::new(()) }
    }

    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        if fault::is_seeded(Fault::NotifyAfterUnlock) {
            drop(state);
            self.pollee.notify_events(Events::HUP).deliver();
            return;
        }
        let notification = self.pollee.notify_events(Events::HUP);
        drop(state);
        notification.deliver();
    }

    pub(crate) fn poll(&self) -> Events {
        self.pollee.poll(WANTED, self)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
