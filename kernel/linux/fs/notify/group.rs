//! The watches and the queue of an instance: Linux's `fsnotify_group`.
//!
//! Owns: the numbers of watches.   Not here: reading the queue (`file`), the watches of one file (`watchers`).
//! Invariant: the last event of a watch is `IN_IGNORED`. A number is not used twice.
//!
//! An instance and its watches refer to each other until the instance is closed. A watch does not keep its file.
//! Source: Linux 6.1 fs/notify/inotify/inotify_user.c (`inotify_update_watch`, `inotify_ignored_and_remove_idr`).

use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use ostd::sync::SpinLock;
use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::inotify::mask::{Happened, Request, Wanted};
use rules::linux::inotify::queue::{Pushed, Queue};
use rules::linux::inotify::record::{Event, WatchNumber};
use rules::machine::fallible;

use super::limits::{self, User};
use super::watchers::Told;
use crate::core::event;
use crate::core::event::class::Class;
use crate::linux::fs::tmpfs::inode::Inode;
use crate::linux::fs::tmpfs::superblock::{FileSystemType, Superblock};
use crate::machine::memory::budget;
use crate::machine::memory::layout::PAGE_SIZE;

/// An instance's watches and its queue.
pub(crate) struct Group {
    pub(super) queue: event::Locked<Queue>,
    watches: SpinLock<Watches>,
    user: Arc<User>,
}

/// The watches by ascending number.
struct Watches {
    list: Vec<Arc<Watch>>,
    next: WatchNumber,
}

/// A watch of a file.
pub(crate) struct Watch {
    group: Arc<Group>,
    number: WatchNumber,
    inode: Weak<Inode>,
    /// The file, if each lookup makes a new one: it would end at once.
    _kept: Option<Arc<Inode>>,
    superblock: Arc<Superblock>,
    wanted: SpinLock<Wanted>,
    /// Whether its last event is in the queue. Changes under the queue's lock.
    has_ended: AtomicBool,
}

/// A watch as `/proc/PID/fdinfo` shows it.
pub(crate) struct ShownWatch {
    pub(crate) number: WatchNumber,
    pub(crate) inode: Arc<Inode>,
    pub(crate) wanted: Wanted,
}

impl Group {
    /// Makes the group of an instance of `uid`.
    ///
    /// # Errors
    /// `EMFILE`: the user has too many instances. `ENOMEM`.
    pub(super) fn new(uid: u32) -> Result<Arc<Self>, Errno> {
        let _grant = budget::grant(PAGE_SIZE)?;
        let queue = Queue::new(limits::QUEUED_EVENTS.get())?;
        let user = User::charge_instance(uid)?;
        let watches = Watches { list: Vec::new(), next: 1 };
        Ok(Arc::new(Self {
            queue: event::Locked::new(Class::Inotify, queue),
            watches: SpinLock::new(watches),
            user,
        }))
    }

    /// Watches `inode`, or changes the watch that exists; returns its number.
    ///
    /// # Errors
    /// Nothing changed. `EEXIST`: `IN_MASK_CREATE`, and it is watched. `ENOSPC`: the user has too many watches.
    /// `ENOMEM`.
    pub(crate) fn watch(
        self: &Arc<Self>,
        inode: &Arc<Inode>,
        request: Request,
    ) -> Result<WatchNumber, Errno> {
        let mut watches = self.watches.lock();
        if let Some(number) = inode.watchers().update(self, request)? {
            return Ok(number);
        }
        let _grant = budget::grant(PAGE_SIZE)?;
        let number = watches.next;
        // As on Linux, a watch that is refused has taken its number.
        watches.next = number.checked_add(1).ok_or(Errno::ENOSPC)?;
        fallible::reserve(&mut watches.list, 1)?;
        self.user.charge_watch()?;
        let mut wanted = Wanted::default();
        wanted.update(request);
        let superblock = inode.superblock().clone();
        superblock.add_watch();
        let is_generated = superblock.file_system() == FileSystemType::Proc;
        let watch = Arc::new(Watch {
            group: self.clone(),
            number,
            inode: Arc::downgrade(inode),
            _kept: is_generated.then(|| inode.clone()),
            superblock,
            wanted: SpinLock::new(wanted),
            has_ended: AtomicBool::new(false),
        });
        inode.watchers().add(&watch)?;
        watches.list.push(watch);
        Ok(number)
    }

    /// Ends the watch with that number.
    ///
    /// # Errors
    /// `EINVAL`: there is none.
    pub(crate) fn remove(&self, number: WatchNumber) -> Result<(), Errno> {
        let watch = {
            let mut watches = self.watches.lock();
            let at = watches.list.binary_search_by_key(&number, |watch| watch.number);
            watches.list.remove(at.map_err(|_| Errno::EINVAL)?)
        };
        let was_there = watch.end();
        watch.leave();
        if was_there { Ok(()) } else { Err(Errno::EINVAL) }
    }

    /// Ends all watches without an event: the instance is being closed.
    pub(super) fn close(&self) {
        let list = core::mem::take(&mut self.watches.lock().list);
        for watch in list {
            {
                let _queue = self.queue.lock();
                watch.has_ended.store(true, Ordering::Relaxed);
            }
            watch.leave();
        }
    }

    /// Returns the watches.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(crate) fn shown(&self) -> Result<Vec<ShownWatch>, Errno> {
        let watches = fallible::collect(self.watches.lock().list.iter().cloned())?;
        let shown = |watch: &Arc<Watch>| {
            let inode = watch.inode.upgrade()?;
            Some(ShownWatch { number: watch.number, inode, wanted: watch.wanted() })
        };
        fallible::collect(watches.iter().rev().filter_map(shown))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.user.refund_instance();
    }
}

impl Watch {
    /// Returns its number.
    pub(super) const fn number(&self) -> WatchNumber {
        self.number
    }

    /// Returns what it wants.
    pub(super) fn wanted(&self) -> Wanted {
        *self.wanted.lock()
    }

    /// Changes what it wants.
    pub(super) fn update(&self, request: Request) {
        self.wanted.lock().update(request);
    }

    /// Returns whether it is a watch of `group` that has not ended.
    pub(super) fn is_of(&self, group: &Arc<Group>) -> bool {
        Arc::ptr_eq(&self.group, group) && !self.has_ended()
    }

    /// Returns whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Relaxed)
    }

    /// Queues an event, if the watch wants it. Returns whether that ended the watch.
    pub(super) fn tell(&self, told: &Told<'_>) -> bool {
        let wanted = self.wanted();
        if !wanted.matches(told.happened, told.state) {
            return false;
        }
        let mut queue = self.group.queue.lock();
        if self.has_ended() {
            return false;
        }
        let event = Event {
            watch: self.number,
            happened: told.happened.shown(),
            cookie: told.cookie,
            name: told.name.cloned(),
        };
        push(&mut queue, event);
        if wanted.is_oneshot() {
            self.end_in(&mut queue);
        }
        wanted.is_oneshot()
    }

    /// Queues the last event. Returns whether the watch had not ended before.
    pub(super) fn end(&self) -> bool {
        let mut queue = self.group.queue.lock();
        !self.has_ended() && {
            self.end_in(&mut queue);
            true
        }
    }

    fn end_in(&self, queue: &mut event::Guard<'_, Queue>) {
        push(queue, Event::own(self.number, Happened::IGNORED));
        self.has_ended.store(true, Ordering::Relaxed);
    }

    /// Leaves the file.
    fn leave(&self) {
        if let Some(inode) = self.inode.upgrade() {
            inode.watchers().remove_ended();
        }
    }

    /// Leaves the instance.
    pub(super) fn forget(self: Arc<Self>) {
        let mut watches = self.group.watches.lock();
        let at = watches.list.binary_search_by_key(&self.number, |watch| watch.number);
        let forgotten = at.ok().map(|at| watches.list.remove(at));
        drop(watches);
        drop(forgotten);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.superblock.remove_watch();
        self.group.user.refund_watch();
    }
}

fn push(queue: &mut event::Guard<'_, Queue>, event: Event) {
    if queue.push(event, |bytes| budget::grant(bytes).is_ok()) == Pushed::Added {
        queue.raise(Events::IN);
    }
}
