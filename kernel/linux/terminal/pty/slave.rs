//! The pty slave: a terminal until its master is closed.
//!
//! Afterwards it behaves like a terminal that hung up on Linux: reads return the end of file, everything else fails
//! with `EIO`. A read that sleeps at that moment returns the end of file as well, where Linux may also return `EIO`.

use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;

use super::super::Terminal;
use super::end::{PtyEnd, Side};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

/// An open slave.
pub(crate) struct Slave {
    end: PtyEnd,
}

impl Slave {
    /// Opens the slave.
    ///
    /// # Errors
    /// `EIO`: it is locked, its master is closed, or the terminal is not a pseudoterminal.
    pub(crate) fn open(terminal: &Arc<Terminal>) -> Result<Arc<Self>, Errno> {
        terminal.state.lock().line.as_mut().ok_or(Errno::EIO)?.open_slave()?;
        Ok(Arc::new(Self { end: PtyEnd { terminal: terminal.clone(), side: Side::Slave } }))
    }

    /// Returns the terminal.
    pub(crate) const fn terminal(&self) -> &Arc<Terminal> {
        &self.end.terminal
    }
}

impl Drop for Slave {
    fn drop(&mut self) {
        if let Some(line) = &mut self.terminal().state.lock().line {
            line.close_slave();
        }
    }
}

impl File for Slave {
    fn class(&self) -> Class {
        Class::Pty
    }

    fn read_at(&self, offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if self.terminal().is_hung_up() {
            return Poll::Ready(Ok(0));
        }
        self.terminal().read_at(offset, to)
    }

    fn write_at(&self, offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        if self.terminal().is_hung_up() {
            return Poll::Ready(Err(Errno::EIO));
        }
        self.terminal().write_at(offset, from)
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.end)
    }

    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        self.terminal().wait_policy(waits_for)
    }

    fn bytes_readable(&self, offset: u64) -> Result<usize, Errno> {
        if self.terminal().is_hung_up() { Err(Errno::EIO) } else { self.terminal().bytes_readable(offset) }
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        if self.terminal().is_hung_up() {
            return Poll::Ready(Err(Errno::EIO));
        }
        self.terminal().ioctl(request, argument, space)
    }
}
