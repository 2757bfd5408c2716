//! A solution of the exercise `fair`: a reported item goes to the end, so the next scan begins with another one.

use std::sync::Arc;

use pollee::ready_list::{Batch, Settle};
use pollee::{Events, Locked, Readiness, ReadinessSource, ReadyList, Token, WakeMode};

use crate::host::Kernel;

/// A file that is readable while its number is not zero.
#[derive(Debug, Default)]
pub struct Counter(pub u64);

impl Readiness for Counter {
    fn readiness(&self) -> Events {
        if self.0 > 0 { Events::IN } else { Events::empty() }
    }
}

/// A file.
pub type File = Locked<Counter, Kernel>;

struct Item {
    file: Arc<File>,
    token: Token,
}

/// The instance.
#[derive(Default)]
pub struct Epoll {
    list: Arc<ReadyList<Kernel>>,
    items: Vec<Item>,
}

impl Epoll {
    /// Adds a file and returns its number.
    pub fn add(&mut self, file: Arc<File>) -> usize {
        let key = self.list.open().expect("memory for an item");
        let registered = file.register(self.list.entry(key), Events::IN, WakeMode::All);
        let (token, ready) = registered.expect("memory to register");
        self.items.push(Item { file, token });
        if !ready.is_empty() {
            self.list.enqueue(key).deliver();
        }
        key.index()
    }

    /// Reports up to `max` ready files, by their numbers.
    #[must_use]
    pub fn scan(&self, max: usize) -> Vec<usize> {
        let (mut start, mut found) = (None, Vec::new());
        while found.len() < max {
            let mut batch = Batch::new();
            self.list.take(&mut start, max - found.len(), &mut batch);
            if batch.is_empty() {
                break;
            }
            for (taken, settle) in batch.iter_mut() {
                if !self.items[taken.key.index()].file.poll(Events::IN).is_empty() {
                    found.push(taken.key.index());
                    *settle = Settle::Back;
                }
            }
            self.list.settle(&batch);
        }
        found
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        self.items.drain(..).for_each(|item| drop(item.file.unregister(item.token)));
    }
}
