//! Reads and writes of a description, at its offset or at a given one.
//!
//! Not here: blocking and `O_NONBLOCK` (`core/syscall`).
//! Lock order: the offset's mutex comes before all other locks, and is taken in task context. Only reads and writes
//! of seekable files hold it, and these never wait for an event.
//! Source: read(2), write(2), lseek(2), pread(2); Linux 6.1 fs/read_write.c.

use core::task::Poll;

use ostd::sync::MutexGuard;
use rules::abi::errno::Errno;
use rules::abi::open::OpenFlags;
use rules::core::seek::{OFFSET_MAX, Whence};

use super::OpenFile;
use crate::machine::memory::transfer::{Sink, Source};

impl OpenFile {
    /// Locks the offset.
    pub(crate) fn offset(&self) -> MutexGuard<'_, u64> {
        self.offset.lock()
    }

    /// Reads at the offset and advances it.
    ///
    /// # Errors
    /// `EBADF`: not opened for reading. Those of `File::read_at`.
    #[inline(always)]
    pub(crate) fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.require_read()?;
        if self.is_seekable { self.read_on(to) } else { self.file().read_at(0, to) }
    }

    fn read_on(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut offset = self.offset.lock();
        self.file().read_at(*offset, to).map_ok(|read| advance(&mut offset, read))
    }

    /// Writes at the offset, or at the end if `status` has `O_APPEND`, and moves the offset past the written bytes.
    /// `status` is the description's own, or replaces it for this one write.
    ///
    /// # Errors
    /// `EBADF`: not opened for writing. Those of `File::write_at`.
    #[inline(always)]
    pub(crate) fn write(&self, from: &mut dyn Source, status: OpenFlags) -> Poll<Result<usize, Errno>> {
        self.require_write()?;
        if self.is_seekable { self.write_on(from, status) } else { self.file().write_at(0, from) }
    }

    fn write_on(&self, from: &mut dyn Source, status: OpenFlags) -> Poll<Result<usize, Errno>> {
        let mut offset = self.offset.lock();
        if status.contains(OpenFlags::APPEND) {
            return self.file().append(from).map_ok(|(at, written)| {
                *offset = at;
                advance(&mut offset, written)
            });
        }
        self.file().write_at(*offset, from).map_ok(|written| advance(&mut offset, written))
    }

    /// Reads at `at`: pread(2).
    ///
    /// # Errors
    /// `ESPIPE`: a stream. `EBADF`: not opened for reading. Those of `File::read_at`.
    pub(crate) fn read_at(&self, at: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.require_seekable()?;
        self.require_read()?;
        self.file().read_at(at, to)
    }

    /// Writes at `at`, or at the end if `status` has `O_APPEND`, as Linux does: pwrite(2).
    ///
    /// # Errors
    /// `ESPIPE`: a stream. `EBADF`: not opened for writing. Those of `File::write_at`.
    pub(crate) fn write_at(
        &self,
        at: u64,
        from: &mut dyn Source,
        status: OpenFlags,
    ) -> Poll<Result<usize, Errno>> {
        self.require_seekable()?;
        self.require_write()?;
        if status.contains(OpenFlags::APPEND) {
            return self.file().append(from).map_ok(|(_, written)| written);
        }
        self.file().write_at(at, from)
    }

    /// Moves the offset and returns it.
    ///
    /// # Errors
    /// Those of `File::seek`.
    pub(crate) fn seek(&self, offset: i64, whence: Whence) -> Result<u64, Errno> {
        let mut current = self.offset.lock();
        *current = self.file().seek(*current, offset, whence)?;
        Ok(*current)
    }
}

fn advance(offset: &mut u64, by: usize) -> usize {
    *offset = offset.saturating_add(by as u64).min(OFFSET_MAX);
    by
}
