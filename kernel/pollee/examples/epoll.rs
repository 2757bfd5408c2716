//! An epoll of one's own, with level-triggered, edge-triggered and one-shot items: `cargo run -p pollee --example epoll`.
//! The `ReadyList` holds the order and what is queued; the instance holds the items.

#[path = "host/counter.rs"]
mod counter;
#[path = "host/lock.rs"]
mod lock;
#[path = "host/sleeper.rs"]
mod sleeper;

use std::sync::Arc;
use std::task::Poll;
use std::thread;

use pollee::ready_list::{Batch, Settle};
use pollee::{Events, Pollable, ReadyList, Recheck, Token, WaitTarget, WakeMode, wait_events};

use crate::counter::{File, Kernel};
use crate::sleeper::Sleeper;

struct Item {
    file: Arc<File>,
    token: Token,
    after_report: Settle,
}

#[derive(Default)]
struct Epoll {
    list: Arc<ReadyList<Kernel>>,
    /// By the index of the item's key.
    items: Vec<Item>,
}

impl Epoll {
    /// `EPOLL_CTL_ADD`. `Back` is level-triggered, `Gone` edge-triggered, `Disarmed` one-shot.
    fn add(&mut self, file: Arc<File>, after_report: Settle) {
        let key = self.list.open().expect("memory for an item");
        let registered = file.register(self.list.entry(key), Events::IN, WakeMode::All);
        let (token, ready) = registered.expect("memory to register");
        self.items.push(Item { file, token, after_report });
        if !ready.is_empty() {
            self.list.enqueue(key).deliver();
        }
    }

    /// One scan: the keys of the items that are ready.
    fn scan(&self) -> Vec<usize> {
        let (mut start, mut found) = (None, Vec::new());
        loop {
            let mut batch = Batch::new();
            self.list.take(&mut start, Batch::CAPACITY, &mut batch);
            if batch.is_empty() {
                return found;
            }
            for (taken, settle) in batch.iter_mut() {
                let item = &self.items[taken.key.index()];
                if !item.file.poll(Events::IN).is_empty() {
                    found.push(taken.key.index());
                    *settle = item.after_report;
                }
            }
            self.list.settle(&batch);
        }
    }

    /// `epoll_wait` without a limit and without a deadline.
    fn wait(&self) -> Vec<usize> {
        let (mode, recheck) = (WakeMode::Handoff, Recheck::Try);
        let target = WaitTarget { file: &*self.list, interest: Events::IN, mode, recheck };
        let scan = || Some(self.scan()).filter(|found| !found.is_empty()).map_or(Poll::Pending, Poll::Ready);
        wait_events(&Sleeper::current(), target, None, scan).expect("memory to register")
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        self.items.drain(..).for_each(|item| drop(item.file.unregister(item.token)));
    }
}

fn main() {
    let files = [(); 3].map(|()| Arc::new(File::default()));
    let mut epoll = Epoll::default();
    for (file, after_report) in files.iter().zip([Settle::Back, Settle::Gone, Settle::Disarmed]) {
        epoll.add(Arc::clone(file), after_report);
    }
    let ticker = Arc::clone(&files[0]);
    let ticking = thread::spawn(move || ticker.lock().0 += 1);
    assert_eq!(epoll.wait(), [0]);
    ticking.join().expect("a thread that ends");
    assert_eq!(epoll.wait(), [0], "level-triggered: still ready, so reported again");
    files[0].lock().0 = 0;
    files[1..].iter().for_each(|file| file.lock().0 += 1);
    assert_eq!(epoll.wait(), [1, 2]);
    assert_eq!(epoll.scan(), [], "reported once");
    files[1..].iter().for_each(|file| file.lock().raise(Events::IN));
    assert_eq!(epoll.wait(), [1], "an edge; the one-shot item is disarmed");
    println!("level, edge and one-shot: as epoll(7) says");
}
