//! What splice(2) does with the two ends of a pipe, under the pipe's lock.
//!
//! No two pipes are locked together: what was taken from one is held by no pipe for a moment, and there is room for it
//! in the other, because that was looked up before. A pipe that fills up in between has more slots than its capacity for
//! a while.
//! Why: decision 0130.

use core::task::Poll;
use core::time::Duration;

use ostd::mm::{Infallible, VmReader, VmWriter};
use pollee::Events;
use rules::abi::errno::Errno;
use rules::core::pipe::End;
use rules::linux::splice::{Parcel, ParcelSink, ParcelSource};

use super::{Context, OpenPipe, SpliceFlags};
use crate::core::file::poll_set::Timeout;
use crate::core::object::pipe::PipeEnd;
use crate::core::object::pipe::pool::PagePool;
use crate::core::syscall::blocking::Blocking;
use crate::machine::memory::transfer::{Sink, Source};

/// Returns how long a pipe is waited for.
pub(super) fn patience(flags: SpliceFlags) -> Timeout<Duration> {
    if flags.contains(SpliceFlags::NONBLOCK) { Timeout::Now } else { Timeout::Never }
}

impl OpenPipe<'_> {
    /// Waits until there is something to take; `false` at the end of the file.
    ///
    /// # Errors
    /// `EAGAIN`: it would block, and may not. `EINTR`, `ENOMEM`.
    pub(super) fn wait_for_bytes(self, cx: &Context<'_>, flags: SpliceFlags) -> Result<bool, Errno> {
        let call = Blocking::new(cx, self.file, Events::READABLE).timeout(patience(flags));
        call.run(|| self.end.has_bytes().map(Ok))
    }

    /// Waits until a slot is free.
    ///
    /// # Errors
    /// `EPIPE`: no reader is left. `EAGAIN`: it would block, and may not. `EINTR`, `ENOMEM`.
    pub(super) fn wait_for_room(self, cx: &Context<'_>, flags: SpliceFlags) -> Result<(), Errno> {
        let call = Blocking::new(cx, self.file, Events::WRITABLE).timeout(patience(flags));
        call.run(|| match self.end.room() {
            Ok(0) => Poll::Pending,
            room => Poll::Ready(room.map(drop)),
        })
    }
}

impl PipeEnd {
    /// Returns whether there are bytes; `false` at the end of the file.
    pub(super) fn has_bytes(&self) -> Poll<bool> {
        let state = self.pipe.state.read();
        match state.is_empty() {
            true if state.is_closed(End::Writer) => Poll::Ready(false),
            true => Poll::Pending,
            false => Poll::Ready(true),
        }
    }

    /// Returns how many slots are free.
    ///
    /// # Errors
    /// `EPIPE`: no reader is left.
    pub(super) fn room(&self) -> Result<usize, Errno> {
        let state = self.pipe.state.read();
        if state.is_closed(End::Reader) { Err(Errno::EPIPE) } else { Ok(state.free_slots()) }
    }

    /// Takes the first `len` bytes, at most `most` slots; none if there are none.
    ///
    /// # Errors
    /// `ENOMEM`: nothing was taken.
    pub(super) fn take(&self, len: usize, most: usize) -> Result<Parcel, Errno> {
        let mut state = self.pipe.state.lock();
        let parcel = state.take_parcel(len, most, &mut PagePool);
        if parcel.as_ref().is_ok_and(|parcel| !parcel.is_empty()) {
            state.raise(Events::WRITABLE);
        }
        parcel
    }

    /// Puts the bytes of `parcel` that were not written back to the front.
    pub(super) fn give_back(&self, parcel: Parcel, written: usize) {
        let mut parcel = parcel;
        parcel.consume(written, &mut PagePool);
        if !parcel.is_empty() {
            self.pipe.state.lock().give_back(parcel);
        }
    }

    /// Puts a parcel into the pipe, and returns how many bytes it had.
    ///
    /// # Errors
    /// `EPIPE`: no reader is left. `ENOMEM`. The bytes are lost, as if the last reader had left with them unread.
    pub(super) fn put(&self, parcel: Parcel) -> Result<usize, Errno> {
        let mut state = self.pipe.state.lock();
        let put = state.put_parcel(parcel, &mut PagePool);
        if matches!(put, Ok(1..)) {
            state.raise(Events::READABLE);
        }
        drop(state);
        put.map_err(|(error, parcel)| {
            parcel.free(&mut PagePool);
            error
        })
    }
}

impl Source for ParcelSource<'_> {
    fn take_into(&mut self, space: &mut VmWriter<'_, Infallible>) -> usize {
        let mut done = 0;
        while space.avail() > 0 && !self.bytes().is_empty() {
            let part = space.write(&mut VmReader::from(self.bytes()));
            self.advance(part);
            done += part;
        }
        done
    }
}

impl Sink for ParcelSink<'_> {
    fn put_from(&mut self, from: &mut VmReader<'_, Infallible>) -> usize {
        let mut done = 0;
        while from.remain() > 0 {
            let part = from.read(&mut VmWriter::from(self.space()));
            if part == 0 {
                break;
            }
            self.grow(part);
            done += part;
        }
        done
    }
}
