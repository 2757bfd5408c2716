//! Waiting for any of many descriptors: what select(2) and poll(2) have in common.
//!
//! Owns: the passes over the descriptors.   Not here: the arrays and sets of the program (`syscall`), the loop
//! (`pollee::wait_many`).
//!
//! The first pass registers nothing: mostly something is ready, or nobody wants to wait. Only before a sleep a
//! second pass makes the files part of the wait, and stops doing so at the first descriptor that is ready by then.
//! Descriptors are looked up again in each pass, as on Linux: one that is closed meanwhile is noticed at the next wake.
//!
//! A file that is part of a wait stays registered for the next one ([`pollee::PersistentRegistration`]), until it is
//! closed: programs wait for the same files again and again. Where that registration is another thread's, a thread
//! registers for the one wait.
//!
//! Files are asked under the shared lock of the table and borrow from it, without a reference count; only those
//! that are waited for are counted, for they must outlive a close(2) by another thread.
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

use super::description::OpenFile;
use super::table::FdTable;
use crate::core::event::class::{Class, Hits};
use crate::core::event::{self, Poller, Pollux};
use crate::machine::memory::layout::PAGE_SIZE;

/// A thread that can wait for many files.
pub(crate) trait PollThread: Sleep<Pollux> {
    /// What it waits with; nobody else asks for it.
    fn poll_context(&self) -> RefMut<'_, PollContext>;
}

/// What a thread waits for many files with; kept from one wait to the next.
pub(crate) struct PollContext {
    epochs: event::WaitEpochs,
    /// Files of the present wait, which stay open for as long as it lasts.
    armed: Vec<Arc<OpenFile>>,
    /// Registrations with files whose persistent registration is another thread's.
    poller: Poller<WatchedFile>,
    /// Whether the last wait came to a sleep. If so, this one probably will: it begins with the second pass.
    has_slept: bool,
}

/// Room that is kept for the next wait.
const FEW: usize = PAGE_SIZE / size_of::<Arc<OpenFile>>();

/// An open file description that can be watched.
struct WatchedFile(Arc<OpenFile>);

impl PollContext {
    /// For `task`.
    pub(crate) fn new(task: &event::Task) -> Self {
        Self {
            epochs: event::WaitEpochs::new(task.clone()),
            armed: Vec::new(),
            poller: Poller::new(task.clone()),
            has_slept: false,
        }
    }

    /// Makes `file` part of the wait and then polls it.
    // Called for each of thousands of files, from poll and from select.
    #[inline(always)]
    fn arm(&mut self, file: &Arc<OpenFile>, interest: Events, hits: &mut Hits) -> Result<Events, NoMemory> {
        if self.armed.len() == self.armed.capacity() {
            self.armed.try_reserve(1).map_err(|_| NoMemory)?;
        }
        match file.arm(&self.epochs, interest, hits)? {
            Some(ready) => {
                self.armed.push(file.clone());
                Ok(ready)
            }
            None => self.register_once(file, interest),
        }
    }

    /// Registers for this one wait, where the persistent registration is another thread's.
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

/// A question about many descriptors, with room for the answers.
pub(crate) trait PollSet {
    /// The parts into which [`poll_part`](Self::poll_part) divides the descriptors: a few hundred in each, because preemption is
    /// off while one is asked.
    fn parts(&self) -> usize;

    /// Asks `look` what of some events is ready on each open descriptor of a part, and notes the answers. (`None`
    /// is the answer of one that is not open for such questions.) Returns how many are ready, by its own way of
    /// counting; those that are not open are.
    fn poll_part(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        poll: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize;
}

/// Asks until something is ready.
///
/// # Errors
/// The question has noted the last answers, that nothing is ready. `EINTR`: a signal came first. `ENOMEM`: no
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

/// One pass that only polls.
fn poll_all(files: &FdTable, set: &mut impl PollSet) -> usize {
    let mut hits = Hits::default();
    let mut poll = |file: &Arc<OpenFile>, interest| file.poll_cached(interest, &mut hits);
    (0..set.parts()).map(|part| set.poll_part(part, &files.read(), &mut poll)).sum()
}

/// One pass that makes files part of the wait until it finds something ready.
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
