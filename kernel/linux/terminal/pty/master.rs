//! The pty master, the end of a terminal emulator.
//!
//! Closing it hangs up the terminal, as a modem does that loses its carrier.
//! Source: pty(7); Linux 6.1 drivers/tty/pty.c (`pty_close`, `pty_unix98_ioctl`).

use alloc::sync::Arc;
use core::task::Poll;

use pollee::Events;
use rules::abi::errno::Errno;
use rules::linux::abi::termios::{TCFLSH, TIOCGPKT, TIOCGPTLCK, TIOCGPTN, TIOCOUTQ, TIOCPKT, TIOCSPTLCK};
use rules::linux::pty::Line;
use rules::linux::tty::Flush;

use super::super::{TakeStep, Terminal, UNTHROTTLED, ioctl, session, take_all};
use super::end::{PtyEnd, Side};
use super::{PAIRS, Slave};
use crate::core::event;
use crate::core::event::class::Class;
use crate::core::file::traits::{File, WriteExtent};
use crate::linux::fs::devpts;
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};
use crate::machine::memory::user::UserPtr;

/// An open master.
pub(crate) struct Master {
    end: PtyEnd,
    number: u32,
}

impl Master {
    pub(super) const fn new(terminal: Arc<Terminal>, number: u32) -> Self {
        Self { end: PtyEnd { terminal, side: Side::Master }, number }
    }

    /// Returns the pseudoterminal's number.
    pub(crate) const fn number(&self) -> u32 {
        self.number
    }

    /// Returns the terminal, the slave's end.
    pub(crate) const fn terminal(&self) -> &Arc<Terminal> {
        &self.end.terminal
    }

    /// Opens the slave, independently of its name.
    ///
    /// # Errors
    /// `EIO`: the slave is locked.
    pub(crate) fn open_slave(&self) -> Result<Arc<Slave>, Errno> {
        Slave::open(self.terminal())
    }

    fn with_line<R>(&self, change: impl FnOnce(&mut Line) -> R) -> Result<R, Errno> {
        self.terminal().state.lock().line.as_mut().map(change).ok_or(Errno::ENOTTY)
    }

    fn serve(&self, request: u32, argument: usize, space: &AddressSpace) -> Result<(), Errno> {
        let pointer = UserPtr::<u32>::new(space, argument);
        match request {
            TIOCGPTN => pointer.write(&self.number),
            TIOCSPTLCK => {
                let change = if pointer.read()? == 0 { Line::unlock } else { Line::lock };
                self.with_line(change)
            }
            TIOCGPTLCK => pointer.write(&self.with_line(|line| line.is_locked())?.into()),
            TIOCPKT => {
                let change = if pointer.read()? == 0 { Line::end_packets } else { Line::begin_packets };
                self.with_line(change)
            }
            TIOCGPKT => pointer.write(&self.with_line(|line| line.has_packets())?.into()),
            // Everything written is in the slave's queue already.
            TIOCOUTQ => pointer.write(&0),
            TCFLSH => self.flush(Flush::parse(argument)?),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// Discards output of the slave that the master has not read, or input that the line discipline has not taken.
    fn flush(&self, which: Flush) -> Result<(), Errno> {
        let mut state = self.terminal().state.lock();
        if matches!(which, Flush::Input | Flush::Both) {
            state.tty.discard_output();
        }
        if matches!(which, Flush::Output | Flush::Both) {
            state.line.as_mut().ok_or(Errno::ENOTTY)?.flush();
        }
        Ok(())
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        devpts::remove(self.number);
        PAIRS.lock().remove(&self.number);
        let mut state = self.terminal().state.lock();
        if let Some(line) = &mut state.line {
            line.hang_up();
        }
        state.tty.flush(Flush::Input);
        state.tty.discard_output();
        let owner = core::mem::take(&mut state.owner);
        drop(state);
        session::hang_up(owner);
    }
}

impl File for Master {
    fn class(&self) -> Class {
        Class::Pty
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut guard = self.terminal().state.lock();
        let state = &mut *guard;
        let Some(line) = &mut state.line else { return Poll::Ready(Err(Errno::EIO)) };
        let had_news = line.has_news();
        let read = line.read(&mut state.tty, to);
        let is_drained = state.tty.unsent_bytes() <= UNTHROTTLED;
        drop(guard);
        if matches!(read, Poll::Ready(Ok(_))) && is_drained && !had_news {
            self.terminal().state.notify(Events::OUT);
        }
        read
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let written = take_all(from, |from| {
            let mut state = self.terminal().state.lock();
            // The terminal of a master always has a line.
            let Some(line) = &mut state.line else { return TakeStep { count: 0, failed: true } };
            let count = line.take(from);
            let failed = from.remaining() > 0 && line.has_room();
            if count > 0 {
                state.raise(Events::READABLE);
            }
            drop(state);
            self.terminal().deliver();
            TakeStep { count, failed }
        });
        if written.is_ready() {
            self.terminal().state.notify(Side::Master.hide(Events::OUT));
        }
        written
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.end)
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.terminal().state.read().tty.unsent_bytes())
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        match request {
            TIOCGPTN | TIOCSPTLCK | TIOCGPTLCK | TIOCPKT | TIOCGPKT | TIOCOUTQ | TCFLSH => {
                Poll::Ready(self.serve(request, argument, space).map(|()| 0))
            }
            // Settings and window size are shared by both ends.
            _ => ioctl::serve(self.terminal(), request, argument, space),
        }
    }
}
