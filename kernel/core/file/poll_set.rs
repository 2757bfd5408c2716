//! Waiting for any of many descriptors: the common part of select(2) and poll(2).
//!
//! Owns: the passes over the descriptors.   Not here: the program's arrays and sets (`syscall`), the wait loop
//! (`pollee::wait_many`).
//!
//! The first pass registers nothing: mostly a descriptor is ready, or the timeout is zero. Only before a sleep, a
//! second pass adds the files to the wait, until it finds the first ready descriptor. Each pass looks the descriptors
//! up again, as on Linux: one that is closed meanwhile is noticed at the next wake.
//!
//! A file of a wait stays registered for the thread's next wait ([`pollee::PersistentRegistration`]) until it is
//! closed, because programs wait for the same files again and again. If that registration belongs to another thread,
//! a thread registers for this one wait.
//!
//! Files are polled under the shared lock of the table and borrowed from it, without a reference count. Only files
//! that a thread sleeps on are counted: they must outlive a close(2) by another thread.
//!
//! Why: decision 0052, decision 0054, decision 0055.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::RefMut;
use core::ops::Deref;
use core::task::Poll;

use pollee::{Events, NoMemory, Sleep, WaitError};
use rules::abi::errno::Errno;
use rules::core::fd;
use rules::machine::fallible;

use super::description::OpenFile;
use super::table::FdTable;
use crate::core::event::class::{Class, Hits};
use crate::core::event::parker::Unparker;
use crate::core::event::{self, Poller, Pollux};
use crate::machine::memory::layout::PAGE_SIZE;

/// A thread that can wait for many files.
pub(crate) trait PollThread: Sleep<Pollux> {
    /// Borrows the context of the thread's waits, which only [`wait`] uses.
    fn poll_context(&self) -> RefMut<'_, PollContext>;
}

/// The state of a thread's waits for many files, kept from one wait to the next.
pub(crate) struct PollContext {
    epochs: event::WaitEpochs,
    /// The files of the present wait, kept open until it ends.
    armed: Vec<Arc<OpenFile>>,
    /// Registrations with files whose persistent registration belongs to another thread.
    poller: Poller<WatchedFile>,
    /// Whether the last wait slept. If so, the next one probably will, and begins with the second pass.
    has_slept: bool,
}

/// The most room that is kept for the next wait.
const FEW: usize = PAGE_SIZE / size_of::<Arc<OpenFile>>();

/// An open file description that can be watched.
struct WatchedFile(Arc<OpenFile>);

impl PollContext {
    /// Makes the context of `task`.
    pub(crate) fn new(task: &Arc<Unparker>) -> Self {
        Self {
            epochs: event::WaitEpochs::new(task.clone()),
            armed: Vec::new(),
            poller: Poller::new(task.clone()),
            has_slept: false,
        }
    }

    /// Adds `file` to the wait and then polls it.
    // Called for each of thousands of files, from poll and from select.
    #[inline(always)]
    fn arm(&mut self, file: &Arc<OpenFile>, interest: Events, hits: &mut Hits) -> Result<Events, NoMemory> {
        fallible::reserve(&mut self.armed, 1).map_err(|_| NoMemory)?;
        match file.arm(&self.epochs, interest, hits)? {
            Some(ready) => {
                self.armed.push(file.clone());
                Ok(ready)
            }
            None => self.register_once(file, interest),
        }
    }

    /// Registers for this one wait, because the persistent registration belongs to another thread.
    #[cold]
    fn register_once(&mut self, file: &Arc<OpenFile>, interest: Events) -> Result<Events, NoMemory> {
        self.poller.watch(WatchedFile(file.clone()), interest)
    }

    fn end(&mut self) {
        self.epochs.end();
        self.poller.clear();
        if self.armed.capacity() > FEW {
            self.armed = Vec::new();
        } else {
            self.armed.clear();
        }
    }
}

/// How long to wait.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Timeout<D> {
    /// Not at all.
    Now,
    /// Until then.
    At(D),
    /// Until something is ready.
    Never,
}

impl<D> Timeout<D> {
    /// Converts the timeout to a deadline; `None`: there is none.
    ///
    /// # Errors
    /// `TimedOut`: it is zero.
    pub(crate) fn deadline(self) -> Result<Option<D>, WaitError> {
        match self {
            Self::Now => Err(WaitError::TimedOut),
            Self::At(deadline) => Ok(Some(deadline)),
            Self::Never => Ok(None),
        }
    }
}

/// The descriptors of one call, with the events that it asks for and room for the results.
pub(crate) trait PollSet {
    /// Returns into how many parts the descriptors are divided: a few hundred in each, because preemption is off
    /// during a [`poll_part`](Self::poll_part).
    fn parts(&self) -> usize;

    /// Calls `poll` for each open descriptor of a part, and stores the results. (`None`: the descriptor cannot be
    /// polled.) Returns how many are ready, as the system call counts; a descriptor that is not open is ready.
    fn poll_part(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize;
}

/// Polls `set` until a descriptor is ready or `timeout` is over; returns how many are ready.
///
/// # Errors
/// No descriptor was ready at the last poll, and `set` has its results. `EINTR`: a signal came first. `ENOMEM`: no
/// memory to wait with.
pub(crate) fn wait<S: PollThread>(
    thread: &S,
    files: &FdTable,
    timeout: Timeout<S::Deadline>,
    set: &mut impl PollSet,
) -> Result<usize, Errno> {
    let Ok(deadline) = timeout.deadline() else {
        let count = poll_all(files, set);
        return if count == 0 && thread.is_interrupted() { Err(Errno::EINTR) } else { Ok(count) };
    };
    let context = &mut *thread.poll_context();
    if !context.has_slept {
        let count = poll_all(files, set);
        if count > 0 {
            return Ok(count);
        }
    }
    context.epochs.begin();
    let mut passes = 0;
    let attempt = || {
        passes += 1;
        let count = if passes == 1 {
            match poll_and_arm(files, set, context) {
                Ok(count) => count,
                Err(NoMemory) => return Poll::Ready(Err(Errno::ENOMEM)),
            }
        } else {
            context.epochs.rearm();
            poll_all(files, set)
        };
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
    };
    let result = pollee::wait_many(thread, Class::PollSet, deadline, attempt);
    context.end();
    context.has_slept = passes > 1;
    match result {
        Ok(result) => result,
        Err(WaitError::TimedOut) => Ok(0),
        Err(error @ (WaitError::Interrupted | WaitError::NoMemory)) => Err(error.into()),
    }
}

/// Polls all descriptors without registering.
fn poll_all(files: &FdTable, set: &mut impl PollSet) -> usize {
    let mut hits = Hits::default();
    let mut poll = |file: &Arc<OpenFile>, interest| file.poll_cached(interest, &mut hits);
    (0..set.parts()).map(|part| set.poll_part(part, &files.read(), &mut poll)).sum()
}

/// Polls all descriptors, and adds files to the wait until it finds a ready one.
fn poll_and_arm(
    files: &FdTable,
    set: &mut impl PollSet,
    context: &mut PollContext,
) -> Result<usize, NoMemory> {
    let mut context = Some(context);
    let mut result = Ok(());
    let mut hits = Hits::default();
    let mut poll = |file: &Arc<OpenFile>, interest| {
        let events = match &mut context {
            Some(context) if file.is_watchable() => match context.arm(file, interest, &mut hits) {
                Ok(events) => Some(events),
                Err(error) => {
                    result = Err(error);
                    Some(Events::empty())
                }
            },
            _ => file.poll_cached(interest, &mut hits),
        };
        if events.is_none_or(|events| !events.is_empty()) {
            context = None;
        }
        events
    };
    let count = (0..set.parts()).map(|part| set.poll_part(part, &files.read(), &mut poll)).sum();
    result.map(|()| count)
}

impl Deref for WatchedFile {
    type Target = event::Pollable;

    fn deref(&self) -> &event::Pollable {
        self.0.watched()
    }
}
