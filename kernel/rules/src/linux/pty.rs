//! The connection between the two ends of a pseudo-terminal, in the place of a serial port's wire.
//!
//! Owns: bytes of the master that the line discipline has no room for yet, the counts of open ends, packet mode.
//! Not here: the line discipline (`tty`), which keeps what the slave wrote until the master reads it.
//! Invariant: a byte that the master wrote is in `arriving` or was given to the line discipline, in order.
//! Source: pty(7), ioctl_tty(2); Linux 6.1 drivers/tty/pty.c.

#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use core::task::Poll;

use bitflags::bitflags;

use crate::abi::errno::Errno;
use crate::linux::tty::{Flush, Tty, TtySignal};
use crate::machine::transfer::{Sink, Source};

/// How many bytes wait for the line discipline: the limit that Linux's `pty_common_install` sets.
pub const ARRIVING_MAX: usize = 8192;

bitflags! {
    /// What a master in packet mode is told of besides data.
    #[derive(Clone, Copy, Debug, Eq, PartialEq)]
    pub struct Packet: u8 {
        /// The slave's input was flushed.
        const FLUSH_READ = 1;
        /// The slave's output was flushed.
        const FLUSH_WRITE = 2;
        /// Output has stopped.
        const STOP = 4;
        /// Output goes on.
        const START = 8;
        /// STOP and START mean nothing now.
        const NO_STOP = 16;
        /// STOP and START are Ctrl-S and Ctrl-Q now.
        const DO_STOP = 32;
    }
}

/// The state of a pair.
#[derive(Debug)]
pub struct Line {
    arriving: VecDeque<u8>,
    slaves: u32,
    /// The slave was open and no longer is.
    is_left: bool,
    is_locked: bool,
    is_hung_up: bool,
    /// What is still to be told; `None` without packet mode.
    packets: Option<Packet>,
}

impl Default for Line {
    /// A pair whose master is open, and whose slave is locked.
    fn default() -> Self {
        Self {
            arriving: VecDeque::new(),
            slaves: 0,
            is_left: false,
            is_locked: true,
            is_hung_up: false,
            packets: None,
        }
    }
}

impl Line {
    /// Opens the slave once more.
    ///
    /// # Errors
    /// `EIO`: it is locked, or the master is gone.
    pub fn open_slave(&mut self) -> Result<(), Errno> {
        if self.is_locked || self.is_hung_up {
            return Err(Errno::EIO);
        }
        self.slaves += 1;
        self.is_left = false;
        Ok(())
    }

    /// Closes one opening of the slave.
    pub fn close_slave(&mut self) {
        self.slaves -= 1;
        self.is_left = self.slaves == 0;
    }

    /// The master is closed.
    pub fn hang_up(&mut self) {
        self.is_hung_up = true;
        self.arriving = VecDeque::new();
    }

    /// Returns whether the master is gone.
    #[must_use]
    pub const fn is_hung_up(&self) -> bool {
        self.is_hung_up
    }

    /// Returns whether the slave was open and no longer is.
    #[must_use]
    pub const fn is_left(&self) -> bool {
        self.is_left
    }

    /// Locks the slave against open(2): TIOCSPTLCK.
    pub const fn lock(&mut self) {
        self.is_locked = true;
    }

    /// Unlocks the slave: unlockpt(3).
    pub const fn unlock(&mut self) {
        self.is_locked = false;
    }

    /// Returns whether the slave is locked.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Begins packet mode, with nothing to tell: TIOCPKT.
    pub const fn begin_packets(&mut self) {
        if self.packets.is_none() {
            self.packets = Some(Packet::empty());
        }
    }

    /// Ends packet mode.
    pub const fn end_packets(&mut self) {
        self.packets = None;
    }

    /// Returns whether reads are packets.
    #[must_use]
    pub const fn has_packets(&self) -> bool {
        self.packets.is_some()
    }

    /// Returns whether a master in packet mode has something to be told of besides data.
    #[must_use]
    pub fn has_news(&self) -> bool {
        self.packets.is_some_and(|packets| !packets.is_empty())
    }

    /// Tells a master in packet mode of `news`, which takes back what it contradicts.
    pub fn tell(&mut self, news: Packet) {
        let opposites = [(Packet::STOP, Packet::START), (Packet::NO_STOP, Packet::DO_STOP)];
        let Some(packets) = &mut self.packets else { return };
        for (one, other) in opposites {
            if news.intersects(one | other) {
                packets.remove(one | other);
            }
        }
        packets.insert(news);
    }

    /// Tells a master in packet mode what was flushed.
    pub fn tell_flush(&mut self, which: Flush) {
        self.tell(match which {
            Flush::Input => Packet::FLUSH_READ,
            Flush::Output => Packet::FLUSH_WRITE,
            Flush::Both => Packet::FLUSH_READ | Packet::FLUSH_WRITE,
        });
    }

    /// Takes what the master writes and returns how many bytes; fewer than there are when there is no room or (with
    /// bytes remaining and room left) when they cannot be taken.
    pub fn take(&mut self, from: &mut dyn Source) -> usize {
        let mut chunk = [0; 128];
        let mut done = 0;
        while from.remaining() > 0 && self.has_room() {
            let wanted = from.remaining().min(ARRIVING_MAX - self.arriving.len()).min(chunk.len());
            let taken = from.take(&mut chunk[..wanted]);
            self.arriving.extend(&chunk[..taken]);
            done += taken;
            if taken < wanted {
                break;
            }
        }
        done
    }

    /// Returns whether the master can write a byte.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.arriving.len() < ARRIVING_MAX
    }

    /// Forgets what the line discipline has not taken.
    pub fn flush(&mut self) {
        self.arriving.clear();
    }

    /// Gives `tty` what it has room for, up to a byte that asks for a signal: then there may be more.
    pub fn deliver(&mut self, tty: &mut Tty) -> Option<TtySignal> {
        while tty.has_room() {
            let byte = self.arriving.pop_front()?;
            let was_stopped = tty.is_stopped();
            let signal = tty.receive(byte);
            if was_stopped != tty.is_stopped() {
                self.tell(if was_stopped { Packet::START } else { Packet::STOP });
            }
            if signal.is_some() {
                if !tty.keeps_input_at_signals() {
                    self.tell_flush(Flush::Both);
                }
                return signal;
            }
        }
        None
    }

    /// Hands the master what the slave wrote; in packet mode after a byte 0, or instead of it the news.
    ///
    /// # Errors
    /// `EIO`: everything was read and the slave is closed. `EFAULT`: not one byte could be put; it can still be read.
    pub fn read(&mut self, tty: &mut Tty, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        let has_news = self.has_news();
        if !has_news && tty.to_send().is_empty() {
            return if self.is_left { Poll::Ready(Err(Errno::EIO)) } else { Poll::Pending };
        }
        let mut done = 0;
        if let Some(news) = &mut self.packets {
            done = to.put(&[news.bits()]);
            if done == 0 {
                return Poll::Ready(Err(Errno::EFAULT));
            }
            *news = Packet::empty();
        }
        while !has_news && !tty.to_send().is_empty() && to.remaining() > 0 {
            let wanted = tty.to_send().len().min(to.remaining());
            let put = to.put(&tty.to_send()[..wanted]);
            tty.sent(put);
            done += put;
            if put < wanted {
                break;
            }
        }
        Poll::Ready(if done == 0 { Err(Errno::EFAULT) } else { Ok(done) })
    }
}
