//! A terminal as a file: the line discipline behind a lock, with a wire or a master behind it.
//!
//! Owns: the line discipline's state.   Not here: its rules (rules::linux::tty), the hardware (`linux/serial`), who is in
//! the foreground (`terminal/control`), what a pseudo-terminal's ends are (`terminal/pty`).
//! Invariant: bytes that a write has taken are sent in order, once, as long as the wire works.
//! Locks: the state (rank 3), then a wire's own, which is never held for longer than a few port accesses.
//! Source: ioctl_tty(2), termios(3).

pub(crate) mod control;
mod ioctl;
pub(crate) mod pty;
pub(crate) mod session;

use alloc::sync::Arc;
use core::task::Poll;

use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::abi::termios::{InputModes, LocalModes, Special, Termios, WindowSize};
use rules::linux::pty::{Line, Packet};
use rules::linux::tty::{Flush, Tty, TtySignal};

use self::control::{TerminalOwner, Use};
use self::pty::{Side, Slave};
use crate::core::event::class::Class;
use crate::core::event::{self, Locked};
use crate::core::file::traits::{File, WriteExtent};
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

/// Where a terminal's bytes go to and come from.
pub(crate) trait Wire: Send + Sync {
    /// Sends as many of `bytes` as it takes without waiting; fewer than all (0 at last) only if
    /// [`Terminal::serve`] will be called when it takes more.
    fn send(&self, bytes: &[u8]) -> usize;

    /// Whether everything that was sent has left.
    fn is_idle(&self) -> bool;

    /// The next byte that came in, if any.
    fn receive(&self) -> Option<u8>;
}

/// A terminal.
pub(crate) struct Terminal {
    state: Locked<TerminalState>,
    /// `None` if it is a pseudo-terminal.
    wire: Option<&'static dyn Wire>,
    device: DeviceNumber,
}

/// What the lock guards.
struct TerminalState {
    tty: Tty,
    owner: TerminalOwner,
    /// Input waits in the wire because the line discipline has no room.
    is_throttled: bool,
    /// What a pseudo-terminal has in place of a wire.
    line: Option<Line>,
}

impl Readiness for TerminalState {
    fn readiness(&self) -> Events {
        let mut events = Events::empty();
        events.set(Events::READABLE, self.tty.is_readable());
        events.set(Events::WRITABLE, self.tty.is_writable());
        let Some(line) = &self.line else { return events };
        if line.is_hung_up() {
            return Events::READABLE | Events::WRITABLE | Events::ERR | Events::HUP;
        }
        let mut master = Events::empty();
        master.set(Events::READABLE, line.has_news() || !self.tty.to_send().is_empty());
        master.set(Events::WRITABLE, line.has_room());
        master.set(Events::PRI, line.has_news());
        master.set(Events::HUP, line.is_left());
        events | Side::Master.hide(master)
    }
}

impl Terminal {
    /// A terminal with Linux's initial settings.
    pub(crate) fn new(wire: &'static dyn Wire, device: DeviceNumber) -> Self {
        let state = TerminalState {
            tty: Tty::default(),
            owner: TerminalOwner::default(),
            is_throttled: false,
            line: None,
        };
        Self { state: Locked::new(Class::Console, state), wire: Some(wire), device }
    }

    /// The terminal of a pair.
    fn pseudo(device: DeviceNumber) -> Self {
        let line = Some(Line::default());
        let state =
            TerminalState { tty: Tty::pseudo(), owner: TerminalOwner::default(), is_throttled: false, line };
        Self { state: Locked::new(Class::Pty, state), wire: None, device }
    }

    /// The device that it is, whatever it was opened as.
    pub(crate) const fn device(&self) -> DeviceNumber {
        self.device
    }

    /// Opens it once more, as `/dev/tty` does.
    ///
    /// # Errors
    /// `EIO`: a slave that is locked, or whose master is gone.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Arc<dyn File>, Errno> {
        if self.wire.is_some() { Ok(self.clone()) } else { Ok(Slave::open(self)?) }
    }

    /// Whether its master is gone.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.state.read().line.as_ref().is_some_and(Line::is_hung_up)
    }

    /// Moves what the master wrote to where there is room now.
    fn deliver(&self) {
        loop {
            let mut guard = self.state.lock();
            let state = &mut *guard;
            let Some(line) = &mut state.line else { return };
            let signal = line.deliver(&mut state.tty);
            let foreground = state.owner.foreground;
            drop(guard);
            match signal {
                Some(signal) => control::signal(foreground, signal),
                None => return,
            }
        }
    }

    /// Reads a line, or what there is: see [`Tty::read`].
    fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        let mut state = self.state.lock();
        let read = state.tty.read(to);
        let resumes = state.is_throttled && state.tty.has_room();
        drop(state);
        if self.wire.is_none() {
            self.deliver();
        } else if resumes {
            self.serve();
        }
        read
    }

    /// Takes bytes to send until all are taken or the queue is full; `Pending` if it took none for that.
    fn write(&self, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        take_all(from, |from| {
            let mut state = self.state.lock();
            let count = state.tty.write(from);
            let failed = from.remaining() > 0 && state.tty.is_writable();
            state.send(self.wire);
            if count > 0 {
                state.raise(Side::Master.hide(Events::READABLE));
            }
            TakeStep { count, failed }
        })
    }

    /// Moves what the wire has and what it takes. A task calls it when the wire says that something changed.
    pub(crate) fn serve(&self) {
        /// Bytes taken under one lock.
        const BATCH: usize = 64;
        let Some(wire) = self.wire else { return self.deliver() };
        loop {
            let mut state = self.state.lock();
            let mut signal = None;
            let mut received = 0;
            while received < BATCH && signal.is_none() && state.tty.has_room() {
                let Some(byte) = wire.receive() else {
                    break;
                };
                signal = state.tty.receive(byte);
                received += 1;
            }
            state.is_throttled = !state.tty.has_room();
            if received > 0 {
                state.raise(Events::READABLE);
            }
            if state.send(Some(wire)) {
                // tcdrain(3) waits for more than room.
                state.raise(Events::WRITABLE);
            }
            let foreground = state.owner.foreground;
            drop(state);
            if let Some(signal) = signal {
                control::signal(foreground, signal);
            }
            if received < BATCH && signal.is_none() {
                return;
            }
        }
    }

    /// The settings: TCGETS.
    pub(crate) fn settings(&self) -> Termios {
        *self.state.read().tty.settings()
    }

    /// Changes the settings: TCSETS.
    pub(crate) fn set(&self, settings: Termios) {
        let mut guard = self.state.lock();
        let state = &mut *guard;
        let had_stop = has_usual_stop(state.tty.settings());
        state.tty.set(settings);
        if let Some(line) = &mut state.line
            && had_stop != has_usual_stop(&settings)
        {
            line.tell(if had_stop { Packet::NO_STOP } else { Packet::DO_STOP });
        }
        guard.send(self.wire);
    }

    /// The window's size: TIOCGWINSZ.
    pub(crate) fn window(&self) -> WindowSize {
        self.state.read().tty.window
    }

    /// Changes the window's size: TIOCSWINSZ.
    pub(crate) fn set_window(&self, window: WindowSize) {
        let mut state = self.state.lock();
        let is_new = state.tty.window != window;
        state.tty.window = window;
        let foreground = state.owner.foreground;
        drop(state);
        if is_new {
            control::signal(foreground, TtySignal::WindowChange);
        }
    }

    /// Forgets what waits: TCFLSH.
    pub(crate) fn flush(&self, which: Flush) {
        let mut state = self.state.lock();
        state.tty.flush(which);
        if let Some(line) = &mut state.line {
            line.tell_flush(which);
        }
        drop(state);
        self.serve();
    }

    /// How many bytes are to be sent: TIOCOUTQ.
    ///
    /// What a slave wrote is sent: the master has it.
    pub(crate) fn unsent_bytes(&self) -> u32 {
        if self.wire.is_none() {
            return 0;
        }
        self.state.read().tty.unsent_bytes() as u32
    }

    /// `Pending` until everything written has left: TCSBRK with an argument. Progress is reported as `WRITABLE`.
    pub(crate) fn drain(&self) -> Poll<()> {
        let Some(wire) = self.wire else { return Poll::Ready(()) };
        let mut state = self.state.lock();
        state.send(Some(wire));
        if state.tty.unsent_bytes() == 0 && wire.is_idle() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl TerminalState {
    /// Hands output to the wire until either has no more; returns whether any went.
    fn send(&mut self, wire: Option<&dyn Wire>) -> bool {
        let mut any = false;
        let Some(wire) = wire else { return any };
        while !self.tty.to_send().is_empty() {
            let sent = wire.send(self.tty.to_send());
            self.tty.sent(sent);
            if sent == 0 {
                break;
            }
            any = true;
        }
        any
    }
}

/// What one step of [`take_all`] has done.
struct TakeStep {
    /// Bytes.
    count: usize,
    /// There was room for more, and they could not be copied.
    failed: bool,
}

/// Lets `step` take a queue's worth at a time, as preemption is off while it holds the lock, until all bytes are taken
/// or there is no more room; `Pending` if it took none for that.
fn take_all(
    from: &mut dyn Source,
    mut step: impl FnMut(&mut dyn Source) -> TakeStep,
) -> Poll<Result<usize, Errno>> {
    if from.remaining() == 0 {
        return Poll::Ready(Ok(0));
    }
    let mut done = 0;
    loop {
        let TakeStep { count, failed } = step(from);
        done += count;
        if from.remaining() == 0 || count == 0 || failed {
            return match done {
                0 if failed => Poll::Ready(Err(Errno::EFAULT)),
                0 => Poll::Pending,
                _ => Poll::Ready(Ok(done)),
            };
        }
    }
}

/// Whether Ctrl-S and Ctrl-Q stop and start the output, as far as a master wants to know.
fn has_usual_stop(settings: &Termios) -> bool {
    settings.input_modes().contains(InputModes::IXON)
        && settings.special(Special::Stop) == 0x13
        && settings.special(Special::Start) == 0x11
}

impl File for Terminal {
    fn class(&self) -> Class {
        self.state.header().class()
    }

    fn read_at(&self, _offset: u64, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.admit(Use::Read)?;
        self.read(to)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        if self.state.read().tty.settings().local_modes().contains(LocalModes::TOSTOP) {
            self.admit(Use::Change)?;
        }
        self.write(from)
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.state)
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.state.read().tty.readable_bytes())
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        ioctl::serve(self, request, argument, space)
    }
}
