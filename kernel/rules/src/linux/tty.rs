//! The line discipline, between the wire and a program's read(2) and write(2).
//!
//! Owns: the settings, the input that waits for a reader, the line being edited, the output that waits for the
//! wire.   Not here: the wire, sleeping, sending signals, sessions and their foreground groups.
//! Invariant: with `ICANON` the sum of `lines` is the length of `ready`; without it both other queues are empty.
//! Missing: REPRINT, parity marks.
//! Source: termios(3); Linux 6.1 drivers/tty/n_tty.c.

mod input;
mod output;
#[cfg(test)]
mod tests;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::task::Poll;

use crate::abi::errno::Errno;
use crate::linux::abi::termios::{LocalModes, Special, Termios, WindowSize};
use crate::machine::transfer::Sink;

/// A terminal's state.
#[derive(Debug)]
pub struct Tty {
    settings: Termios,
    /// What TIOCGWINSZ tells.
    pub window: WindowSize,
    /// What a reader can have; with `ICANON`, complete lines only.
    ready: VecDeque<u8>,
    /// How long the lines in `ready` are. A line that EOF ended may have no byte at all.
    lines: VecDeque<usize>,
    /// The line that is being typed.
    editing: Vec<u8>,
    /// LNEXT was typed: the next byte means nothing but itself.
    is_literal: bool,
    /// STOP was typed: nothing is sent until START.
    is_stopped: bool,
    output: VecDeque<u8>,
    /// What is in `output` is with a master, who could have read it: a flush comes too late.
    is_pseudo: bool,
    column: usize,
}

/// How many bytes of input wait for a reader: Linux's `N_TTY_BUF_SIZE`.
pub const INPUT_MAX: usize = 4096;
/// How many bytes of output wait for the wire.
pub const OUTPUT_MAX: usize = 4096;

/// What a special character asks of the foreground processes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TtySignal {
    /// `SIGINT`.
    Interrupt,
    /// `SIGQUIT`.
    Quit,
    /// `SIGTSTP`.
    Suspend,
    /// `SIGWINCH`: no character, but the window has another size.
    WindowChange,
}

/// Which queue tcflush(3) empties.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flush {
    /// What came in.
    Input,
    /// What is to go out.
    Output,
    /// Both.
    Both,
}

impl Flush {
    /// Reads the argument of TCFLSH.
    ///
    /// # Errors
    /// `EINVAL`: no such queue.
    pub const fn parse(argument: usize) -> Result<Self, Errno> {
        match argument {
            0 => Ok(Self::Input),
            1 => Ok(Self::Output),
            2 => Ok(Self::Both),
            _ => Err(Errno::EINVAL),
        }
    }
}

impl Default for Tty {
    fn default() -> Self {
        Self {
            settings: Termios::INITIAL,
            window: WindowSize::default(),
            ready: VecDeque::with_capacity(INPUT_MAX),
            lines: VecDeque::new(),
            editing: Vec::new(),
            is_literal: false,
            is_stopped: false,
            output: VecDeque::with_capacity(OUTPUT_MAX),
            is_pseudo: false,
            column: 0,
        }
    }
}

impl Tty {
    /// Returns the line discipline of a slave, whose output only its master reads.
    #[must_use]
    pub fn pseudo() -> Self {
        Self { is_pseudo: true, ..Self::default() }
    }

    /// Returns the settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Termios {
        &self.settings
    }

    /// Puts `settings` in force. Input that was typed already stays readable.
    pub fn set(&mut self, settings: Termios) {
        let was_canonical = self.is_canonical();
        self.settings = settings;
        if was_canonical && !self.is_canonical() {
            self.ready.extend(self.editing.drain(..));
            self.lines.clear();
        }
        if !was_canonical && self.is_canonical() && !self.ready.is_empty() {
            self.lines.push_back(self.ready.len());
        }
        self.is_literal = false;
        if !self.settings.input_modes().contains(crate::linux::abi::termios::InputModes::IXON) {
            self.is_stopped = false;
        }
    }

    /// Hands input to `to`: with `ICANON` at most one line, 0 bytes at the end of the file; else what there is.
    ///
    /// `Pending` until there is a line, or as many bytes as VMIN says, or one byte if only VTIME is set.
    ///
    /// # Errors
    /// `EFAULT`: not one byte could be put; it can still be read. `EAGAIN`: there are fewer bytes than VMIN says, and
    /// VTIME says how long the caller waits for each of the others, before it calls
    /// [`read_at_once`](Self::read_at_once).
    pub fn read(&mut self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() > 0 && !self.is_canonical() {
            let (minimum, patience) = (self.minimum(), self.patience());
            match self.ready.len() {
                0 if minimum == 0 && patience == 0 => return Poll::Ready(Ok(0)),
                0 => return Poll::Pending,
                there if there >= minimum.min(to.remaining()) => {}
                _ if patience > 0 => return Poll::Ready(Err(Errno::EAGAIN)),
                _ => return Poll::Pending,
            }
        }
        self.read_at_once(to)
    }

    /// Reads as [`read`](Self::read) does, but what there is, however few bytes that are; `Pending` if there is nothing.
    ///
    /// # Errors
    /// `EFAULT`: not one byte could be put; it can still be read.
    pub fn read_at_once(&mut self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        if to.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        let available = match self.lines.front() {
            Some(&length) if self.is_canonical() => length,
            None if !self.is_canonical() && !self.ready.is_empty() => self.ready.len(),
            _ => return Poll::Pending,
        };
        let wanted = available.min(to.remaining());
        let put = self.hand_out(wanted, to);
        if put < wanted && put == 0 {
            return Poll::Ready(Err(Errno::EFAULT));
        }
        if let Some(line) = self.lines.front_mut() {
            *line -= put;
            if *line == 0 {
                self.lines.pop_front();
            }
        }
        Poll::Ready(Ok(put))
    }

    /// Returns whether a read would not be `Pending`, whatever its length.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        if self.is_canonical() {
            return !self.lines.is_empty();
        }
        let minimum = usize::from(self.settings.special(Special::Minimum)).max(1);
        self.ready.len() >= minimum || self.is_ready_in_time()
    }

    /// Returns how many bytes could be read: FIONREAD.
    #[must_use]
    pub fn readable_bytes(&self) -> usize {
        self.ready.len()
    }

    /// Returns whether STOP is in force.
    #[must_use]
    pub const fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Returns whether the queues outlive a special character that sends a signal.
    #[must_use]
    pub const fn keeps_input_at_signals(&self) -> bool {
        self.has(LocalModes::NOFLSH)
    }

    /// Forgets what waits in a queue.
    pub fn flush(&mut self, which: Flush) {
        if matches!(which, Flush::Input | Flush::Both) {
            self.ready.clear();
            self.lines.clear();
            self.editing.clear();
            self.is_literal = false;
        }
        if matches!(which, Flush::Output | Flush::Both) && !self.is_pseudo {
            self.output.clear();
        }
    }

    /// Drops the output that was not sent.
    pub fn discard_output(&mut self) {
        self.output.clear();
    }

    fn hand_out(&mut self, wanted: usize, to: &mut dyn Sink) -> usize {
        let mut put = 0;
        while put < wanted {
            let (front, _) = self.ready.as_slices();
            let part = front.len().min(wanted - put);
            let moved = to.put(&front[..part]);
            self.ready.drain(..moved);
            put += moved;
            if moved < part {
                break;
            }
        }
        put
    }

    /// With VTIME set one byte is enough for poll(2), as its timer would run out at last.
    fn is_ready_in_time(&self) -> bool {
        self.patience() > 0 && !self.ready.is_empty()
    }

    /// Returns how many bytes a read waits for without `ICANON`: VMIN. 0: for one, and no longer than VTIME says.
    #[must_use]
    pub fn minimum(&self) -> usize {
        self.settings.special(Special::Minimum).into()
    }

    /// Returns how many tenths of a second a read waits for a byte without `ICANON`: VTIME.
    #[must_use]
    pub fn patience(&self) -> u8 {
        self.settings.special(Special::Time)
    }

    /// Returns whether reads are lines: `ICANON`.
    #[must_use]
    pub const fn is_canonical(&self) -> bool {
        self.has(LocalModes::ICANON)
    }

    const fn has(&self, mode: LocalModes) -> bool {
        self.settings.local_modes().contains(mode)
    }
}
