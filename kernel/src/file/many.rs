//! Waiting for any of many descriptors: what select(2) and poll(2) have in common.
//!
//! Owns: the passes over the descriptors.   Not here: the arrays and sets of the program (`syscall`), the loop
//! (`event::wait`).
//!
//! The first pass registers nothing: mostly something is ready, or nobody wants to wait. Only before a sleep a
//! second pass registers, and stops registering at the first descriptor that is ready by then. Descriptors are
//! looked up again in each pass, as on Linux: one that is closed meanwhile is noticed at the next wake.
//!
//! Files are asked under the shared lock of the table and borrow from it, without a reference count; only those
//! that are registered are counted, for they must outlive a close(2) by another thread.

use alloc::sync::Arc;
use core::ops::Deref;
use core::task::Poll;

use model::abi::errno::Errno;
use model::fd;
use pollee::{Events, NoMemory};

use super::description::OpenFile;
use super::table::FdTable;
use crate::event::class::Hits;
use crate::event::wait::{self, Sleep, Stop};
use crate::event::{self, Poller};

/// A thread's registrations with files.
pub(crate) type FilePoller = Poller<WatchedFile>;

/// An open file description that can be watched.
pub(crate) struct WatchedFile(Arc<OpenFile>);

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

/// A question about many descriptors, with room for the answers.
pub(crate) trait Question {
    /// The parts into which [`ask`](Self::ask) divides the descriptors: a few hundred in each, because preemption is
    /// off while one is asked.
    fn parts(&self) -> usize;

    /// Asks `look` what of some events is ready on each open descriptor of a part, and notes the answers. (`None`
    /// is the answer of one that is not open for such questions.) Returns how many are ready, by its own way of
    /// counting; those that are not open are.
    fn ask(
        &mut self,
        part: usize,
        table: &fd::FdTable<Arc<OpenFile>>,
        look: &mut impl FnMut(&Arc<OpenFile>, Events) -> Option<Events>,
    ) -> usize;
}

/// Asks until something is ready.
///
/// # Errors
/// The question has noted the last answers, that nothing is ready. `EINTR`: a signal came first. `ENOMEM`: no
/// memory to wait with.
pub(crate) fn wait<S: Sleep>(
    thread: &S,
    files: &FdTable,
    timeout: Timeout<S::Deadline>,
    question: &mut impl Question,
) -> Result<usize, Errno> {
    let count = ask(files, question);
    let deadline = match timeout {
        _ if count > 0 => return Ok(count),
        Timeout::Now if thread.is_interrupted() => return Err(Errno::EINTR),
        Timeout::Now => return Ok(0),
        Timeout::At(deadline) => Some(deadline),
        Timeout::Never => None,
    };
    let mut poller = Some(FilePoller::new(thread.task()));
    let mut registered = None;
    let attempt = || {
        let count = match poller.take() {
            Some(poller) => match ask_and_register(files, question, registered.insert(poller)) {
                Ok(count) => count,
                Err(NoMemory) => return Poll::Ready(Err(Errno::ENOMEM)),
            },
            None => ask(files, question),
        };
        if count > 0 { Poll::Ready(Ok(count)) } else { Poll::Pending }
    };
    match wait::many(thread, deadline, attempt) {
        Ok(result) => result,
        Err(Stop::TimedOut) => Ok(0),
        Err(stop @ (Stop::Interrupted | Stop::NoMemory)) => Err(stop.into()),
    }
}

/// One pass that only looks.
fn ask(files: &FdTable, question: &mut impl Question) -> usize {
    let mut hits = Hits::default();
    let mut look = |file: &Arc<OpenFile>, interest| file.glance(interest, &mut hits);
    (0..question.parts()).map(|part| question.ask(part, &files.read(), &mut look)).sum()
}

/// One pass that registers until it finds something ready.
fn ask_and_register(
    files: &FdTable,
    question: &mut impl Question,
    poller: &mut FilePoller,
) -> Result<usize, NoMemory> {
    let mut poller = Some(poller);
    let mut result = Ok(());
    let mut look = |file: &Arc<OpenFile>, interest| {
        let events = match &mut poller {
            Some(poller) if file.is_watchable() => match poller.watch(WatchedFile(file.clone()), interest) {
                Ok(events) => Some(events),
                Err(error) => {
                    result = Err(error);
                    Some(Events::empty())
                }
            },
            _ => file.poll(interest),
        };
        if events.is_none_or(|events| !events.is_empty()) {
            poller = None;
        }
        events
    };
    let count = (0..question.parts()).map(|part| question.ask(part, &files.read(), &mut look)).sum();
    result.map(|()| count)
}

impl Deref for WatchedFile {
    type Target = event::Watch;

    fn deref(&self) -> &event::Watch {
        #[expect(clippy::expect_used, reason = "made of files that have it, and what a file has it keeps")]
        self.0.file().watch().expect("a file that can be watched")
    }
}
