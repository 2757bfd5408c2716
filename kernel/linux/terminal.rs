//! Terminals as files: a line discipline under a lock, connected to a wire or to a pty master.
//!
//! Owns: the line discipline's state.   Not here: its rules (rules::linux::tty), the hardware (`linux/serial`), job
//! control (`terminal/control`), the ends of a pseudoterminal (`terminal/pty`).
//! Invariant: bytes that a write has taken are sent once and in order, as long as the wire works.
//! Locks: the state (rank 3), then a wire's own, which is never held for longer than a few port accesses.
//! Source: ioctl_tty(2), termios(3).

pub(crate) mod control;
mod ioctl;
pub(crate) mod pty;
pub(crate) mod session;

use alloc::sync::Arc;
use core::task::Poll;
use core::time::Duration;

use pollee::{Events, Readiness};
use rules::abi::errno::Errno;
use rules::linux::abi::device::DeviceNumber;
use rules::linux::abi::termios::{InputModes, LocalModes, Special, Termios, WindowSize};
use rules::linux::pty::{Line, Packet};
use rules::linux::tty::{Flush, Tty, TtySignal};

use self::control::{RestrictedUse, TerminalOwner};
use self::pty::{Side, Slave};
use crate::core::event::class::Class;
use crate::core::event::{self, Locked};
use crate::core::file::description::OpenFile;
use crate::core::file::traits::{File, WaitPolicy, WriteExtent};
use crate::machine::memory::space::AddressSpace;
use crate::machine::memory::transfer::{Sink, Source};

/// The hardware that a terminal sends to and receives from.
pub(crate) trait Wire: Send + Sync {
    /// Sends as many of `bytes` as it can without waiting. After a short count it must call [`Terminal::serve`] once
    /// it can send more.
    fn send(&self, bytes: &[u8]) -> usize;

    /// Returns whether everything that was sent has left.
    fn is_idle(&self) -> bool;

    /// Returns the next byte that was received, if any.
    fn receive(&self) -> Option<u8>;
}

/// A terminal.
pub(crate) struct Terminal {
    state: Locked<TerminalState>,
    /// `None` for a pseudoterminal.
    wire: Option<&'static dyn Wire>,
    device: DeviceNumber,
}

/// A read that leaves at most so many bytes tells the other end of room: `TTY_THRESHOLD_UNTHROTTLE`.
const UNTHROTTLED: usize = 128;

/// The state that the lock guards.
struct TerminalState {
    tty: Tty,
    owner: TerminalOwner,
    /// Set while input waits in the wire because the line discipline has no room.
    is_throttled: bool,
    /// The connection to the master of a pseudoterminal.
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
    /// Makes a terminal with Linux's initial settings.
    pub(crate) fn new(wire: &'static dyn Wire, device: DeviceNumber) -> Self {
        let state = TerminalState {
            tty: Tty::default(),
            owner: TerminalOwner::default(),
            is_throttled: false,
            line: None,
        };
        Self { state: Locked::new(Class::Console, state), wire: Some(wire), device }
    }

    /// Makes the terminal of a pseudoterminal.
    fn pseudo(device: DeviceNumber) -> Self {
        let line = Some(Line::default());
        let state =
            TerminalState { tty: Tty::pseudo(), owner: TerminalOwner::default(), is_throttled: false, line };
        Self { state: Locked::new(Class::Pty, state), wire: None, device }
    }

    /// Returns its device number, whatever node it was opened through.
    pub(crate) const fn device(&self) -> DeviceNumber {
        self.device
    }

    /// Opens it again, as `/dev/tty` does.
    ///
    /// # Errors
    /// `EIO`: the slave is locked, or its master is closed.
    pub(crate) fn open(self: &Arc<Self>) -> Result<Arc<dyn File>, Errno> {
        if self.wire.is_some() { Ok(self.clone()) } else { Ok(Slave::open(self)?) }
    }

    /// Returns whether its master is closed.
    pub(crate) fn is_hung_up(&self) -> bool {
        self.state.read().line.as_ref().is_some_and(Line::is_hung_up)
    }

    /// Moves bytes that the master wrote into the line discipline, as far as there is room.
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

    /// Reads a line, or the available bytes: see [`Tty::read`].
    fn read(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.read_with(|tty| tty.read(to))
    }

    fn read_with(
        &self,
        read: impl FnOnce(&mut Tty) -> Poll<Result<usize, Errno>>,
    ) -> Poll<Result<usize, Errno>> {
        let mut state = self.state.lock();
        let read = read(&mut state.tty);
        let resumes = state.is_throttled && state.tty.has_room();
        let is_drained = state.tty.readable_bytes() <= UNTHROTTLED;
        drop(state);
        if self.wire.is_none() {
            self.deliver();
            if matches!(read, Poll::Ready(Ok(_))) && is_drained {
                self.state.notify(Side::Master.hide(Events::OUT));
            }
        } else if resumes {
            self.serve();
        }
        read
    }

    /// Returns how long a read waits that is not for lines.
    pub(crate) fn patience(&self) -> Option<Patience> {
        let state = self.state.read();
        let tty = &state.tty;
        let time = Duration::from_millis(100) * u32::from(tty.patience());
        (!tty.is_canonical()).then(|| Patience { minimum: tty.minimum(), time, unread: tty.readable_bytes() })
    }

    /// Reads what there is, however few bytes VMIN asks for more.
    pub(crate) fn read_at_once(&self, to: &mut dyn Sink) -> Poll<Result<usize, Errno>> {
        self.read_with(|tty| tty.read_at_once(to))
    }

    /// Queues bytes for output until all are queued or the queue is full; `Pending` if none could be queued.
    fn write(&self, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        let written = take_all(from, |from| {
            let mut state = self.state.lock();
            let count = state.tty.write(from);
            let failed = from.remaining() > 0 && state.tty.is_writable();
            state.send(self.wire);
            if count > 0 {
                state.raise(Side::Master.hide(Events::READABLE));
            }
            TakeStep { count, failed }
        });
        if written.is_ready() {
            // Each write is an edge for the end that wrote (`tty_write_unlock`).
            self.state.notify(Events::OUT);
        }
        written
    }

    /// Moves bytes from and to the wire. A task calls it when the wire reports a change.
    pub(crate) fn serve(&self) {
        /// Bytes that are moved under one lock.
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
                // A wait in tcdrain(3) needs more than room for writing.
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

    /// Returns the settings: TCGETS.
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

    /// Returns the window size: TIOCGWINSZ.
    pub(crate) fn window(&self) -> WindowSize {
        self.state.read().tty.window
    }

    /// Sets the window size: TIOCSWINSZ.
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

    /// Discards queued bytes: TCFLSH.
    pub(crate) fn flush(&self, which: Flush) {
        let mut state = self.state.lock();
        state.tty.flush(which);
        if let Some(line) = &mut state.line {
            line.tell_flush(which);
        }
        drop(state);
        self.serve();
    }

    /// Returns the number of bytes that are not sent yet: TIOCOUTQ.
    ///
    /// Bytes that a slave wrote count as sent, because the master has them.
    pub(crate) fn unsent_bytes(&self) -> u32 {
        if self.wire.is_none() {
            return 0;
        }
        self.state.read().tty.unsent_bytes() as u32
    }

    /// Returns `Pending` until all output has left: TCSBRK with an argument. Progress is reported as `WRITABLE`.
    pub(crate) fn drain(&self) -> Poll<()> {
        let Some(wire) = self.wire else { return Poll::Ready(()) };
        let mut state = self.state.lock();
        state.send(Some(wire));
        if state.tty.unsent_bytes() == 0 && wire.is_idle() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl TerminalState {
    /// Moves output to the wire until one of them cannot go on; returns whether any byte was moved.
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

/// How long a read waits that is not for lines: VMIN and VTIME.
pub(crate) struct Patience {
    /// The fewest bytes.
    pub(crate) minimum: usize,
    /// The longest wait for the next byte; 0 is no limit, or no wait if `minimum` is 0.
    pub(crate) time: Duration,
    /// The bytes that are there.
    pub(crate) unread: usize,
}

impl Patience {
    /// Returns how a blocked read waits for its first byte.
    fn wait_policy(this: Option<&Self>, waits_for: Events) -> WaitPolicy {
        let has_limit = |this: &&Self| waits_for == Events::READABLE && this.minimum == 0;
        WaitPolicy { limit: this.filter(has_limit).map(|this| this.time), ..WaitPolicy::default() }
    }
}

/// Returns the terminal behind a description, if it is one: not a master.
pub(crate) fn of(file: &OpenFile) -> Option<&Terminal> {
    file.downcast::<Terminal>().or_else(|| file.downcast::<Slave>().map(|slave| &**slave.terminal()))
}

/// The result of one step of [`take_all`].
struct TakeStep {
    /// Bytes that were taken.
    count: usize,
    /// Whether copying failed although there was room.
    failed: bool,
}

/// Calls `step` until all bytes are taken or there is no room; `Pending` if none was taken for lack of room. Each step
/// takes at most a queueful, because preemption is off while it holds the lock.
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

/// Returns whether Ctrl-S and Ctrl-Q stop and start the output, as packet mode reports it.
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
        self.admit(RestrictedUse::Read)?;
        self.read(to)
    }

    fn write_at(&self, _offset: u64, from: &mut dyn Source) -> Poll<Result<usize, Errno>> {
        if self.state.read().tty.settings().local_modes().contains(LocalModes::TOSTOP) {
            self.admit(RestrictedUse::Change)?;
        }
        self.write(from)
    }

    fn write_extent(&self) -> WriteExtent {
        WriteExtent::All
    }

    fn pollable(&self) -> Option<&event::Pollable> {
        Some(&self.state)
    }

    fn wait_policy(&self, waits_for: Events) -> WaitPolicy {
        Patience::wait_policy(self.patience().as_ref(), waits_for)
    }

    fn bytes_readable(&self, _offset: u64) -> Result<usize, Errno> {
        Ok(self.state.read().tty.readable_bytes())
    }

    fn ioctl(&self, request: u32, argument: usize, space: &AddressSpace) -> Poll<Result<usize, Errno>> {
        ioctl::serve(self, request, argument, space)
    }
}
