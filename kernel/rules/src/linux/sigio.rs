//! Signal-driven I/O: who owns a file, and which signals its events cause.
//!
//! Owns: owners, the reasons of a signal, what each kind of file tells.   Not here: sending (linux/task/signal/sigio).
//! Source: fcntl(2), sigaction(2); Linux 6.1 fs/fcntl.c (`f_setown`, `send_sigio_to_task`), net/socket.c
//! (`sock_wake_async`), fs/pipe.c, drivers/tty/n_tty.c (callers of `kill_fasync`).

use pollee::Events;

use crate::abi::errno::Errno;
use crate::abi::signal::Signal;

/// What an owner's ID is one of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum OwnerKind {
    /// `F_OWNER_TID`: a thread.
    #[default]
    Thread,
    /// `F_OWNER_PID`: a process.
    Process,
    /// `F_OWNER_PGRP`: a process group.
    Group,
}

/// Who gets the signals of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Owner {
    /// What the ID is one of.
    pub kind: OwnerKind,
    /// The ID; 0: nobody gets them.
    pub id: u32,
}

impl Owner {
    /// Parses the argument of `F_SETOWN`: negative for a process group.
    ///
    /// # Errors
    /// `EINVAL`: the group's ID would be no number.
    pub fn from_number(number: i32) -> Result<Self, Errno> {
        match number {
            i32::MIN => Err(Errno::EINVAL),
            ..0 => Ok(Self { kind: OwnerKind::Group, id: number.unsigned_abs() }),
            _ => Ok(Self { kind: OwnerKind::Process, id: number.unsigned_abs() }),
        }
    }

    /// Returns the owner as `F_GETOWN` does: negative for a process group.
    #[must_use]
    pub const fn to_number(self) -> i32 {
        let id = self.id.cast_signed();
        if matches!(self.kind, OwnerKind::Group) { -id } else { id }
    }

    /// Parses a `struct f_owner_ex`.
    ///
    /// # Errors
    /// `EINVAL`: no such kind.
    pub const fn from_words([kind, id]: [u32; 2]) -> Result<Self, Errno> {
        let kind = match kind {
            0 => OwnerKind::Thread,
            1 => OwnerKind::Process,
            2 => OwnerKind::Group,
            _ => return Err(Errno::EINVAL),
        };
        Ok(Self { kind, id })
    }

    /// Returns the `struct f_owner_ex`.
    #[must_use]
    pub const fn to_words(self) -> [u32; 2] {
        [self.kind as u32, self.id]
    }
}

/// Why a file sends a signal: `si_code`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// `POLL_IN`.
    In = 1,
    /// `POLL_OUT`.
    Out = 2,
    /// `POLL_ERR`.
    Err = 4,
    /// `POLL_HUP`.
    Hup = 6,
}

impl Reason {
    /// Returns `si_code` for `signal`: the reason, or `SI_SIGIO` if the signal's own codes would mean something else.
    #[must_use]
    pub fn code(self, signal: Signal) -> i32 {
        const SI_SIGIO: i32 = -5;
        let has_codes =
            [Signal::ILL, Signal::FPE, Signal::SEGV, Signal::BUS, Signal::TRAP, Signal::CHLD, Signal::SYS];
        if has_codes.contains(&signal) { SI_SIGIO } else { self as i32 }
    }

    /// Returns `si_band`: the events.
    #[must_use]
    pub const fn band(self) -> Events {
        match self {
            Self::In => Events::READABLE,
            Self::Out => Events::WRITABLE.union(Events::WRBAND),
            Self::Err => Events::ERR,
            Self::Hup => Events::ALWAYS,
        }
    }
}

/// The kinds of files that send signals.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// An end of a pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal, or the slave of a pseudoterminal.
    Terminal,
    /// The master of a pseudoterminal.
    Master,
}

/// Events of a file, as an observer learns of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Happened {
    /// What happened, whether the file was ready for it before or not.
    pub events: Events,
    /// What the file was not ready for before.
    pub gained: Events,
    /// What it is ready for now.
    pub ready: Events,
}

impl Kind {
    /// Returns the events to observe.
    #[must_use]
    pub const fn interest(self) -> Events {
        match self {
            // MSG stands for a read, which is told even if there was room before.
            Self::Pipe => Events::READABLE.union(Events::WRITABLE).union(Events::ALWAYS).union(Events::MSG),
            Self::Socket => {
                Events::READABLE.union(Events::WRITABLE).union(Events::ALWAYS).union(Events::RDHUP)
            }
            Self::Terminal | Self::Master => Events::READABLE.union(Events::WRITABLE),
        }
    }

    /// Returns the reasons for which signals are sent, at most two.
    #[must_use]
    pub fn reasons(self, happened: Happened) -> [Option<Reason>; 2] {
        let Happened { events, gained, ready } = happened;
        let input = |is_told: bool| is_told.then_some(Reason::In);
        let output = |is_told: bool| is_told.then_some(Reason::Out);
        match self {
            Self::Pipe => [
                input(events.intersects(Events::READABLE | Events::HUP)),
                output(events.intersects(Events::WRITABLE | Events::ERR | Events::MSG)),
            ],
            Self::Socket => Self::of_socket(happened),
            Self::Terminal => [
                input((events & ready).intersects(Events::READABLE)),
                output((gained & ready).intersects(Events::WRITABLE)),
            ],
            // The master's events have other bits where both ends share a word.
            Self::Master => [
                input(events.intersects(Events::RDBAND) && ready.intersects(Events::READABLE)),
                output(gained.intersects(Events::WRBAND) && ready.intersects(Events::WRITABLE)),
            ],
        }
    }

    fn of_socket(Happened { events, gained, ready }: Happened) -> [Option<Reason>; 2] {
        let changes = Events::READABLE | Events::WRITABLE | Events::ALWAYS | Events::RDHUP;
        if events.contains(changes) && gained & changes != changes {
            // A change of state that the socket's owner made itself wakes everybody, but is not told (`sock_def_wakeup`).
            return [None; 2];
        }
        if (events & ready).contains(Events::ERR) {
            return [Some(Reason::Err), None];
        }
        if gained.contains(Events::HUP) {
            return [Some(Reason::Hup), None];
        }
        let input = events.intersects(Events::READABLE | Events::RDHUP) && ready.intersects(Events::READABLE);
        let output = (gained & ready).intersects(Events::WRITABLE);
        [input.then_some(Reason::In), output.then_some(Reason::Out)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: Kind, events: Events, gained: Events, ready: Events) -> [Option<Reason>; 2] {
        kind.reasons(Happened { events, gained, ready })
    }

    #[test]
    fn a_negative_number_is_a_group() {
        let group = Owner { kind: OwnerKind::Group, id: 7 };
        assert_eq!((Owner::from_number(-7), group.to_number()), (Ok(group), -7));
        let process = Owner { kind: OwnerKind::Process, id: 7 };
        assert_eq!((Owner::from_number(7), process.to_number()), (Ok(process), 7));
        assert_eq!(Owner::from_number(i32::MIN), Err(Errno::EINVAL));
        assert_eq!(Owner::from_number(-i32::MAX).map(Owner::to_number), Ok(-i32::MAX));
    }

    #[test]
    fn an_owner_has_one_of_three_kinds() {
        for words in [[0, 5], [1, 5], [2, 5]] {
            assert_eq!(Owner::from_words(words).map(Owner::to_words), Ok(words));
        }
        assert_eq!(Owner::from_words([3, 5]), Err(Errno::EINVAL));
        assert_eq!(Owner::default().to_words(), [0, 0]);
    }

    #[test]
    fn a_signal_with_codes_of_its_own_says_only_that_it_is_about_a_file() {
        assert_eq!(Reason::In.code(Signal::CHLD), -5);
        assert_eq!(Reason::Hup.code(Signal::IO), 6);
        assert_eq!(Reason::Out.band().bits(), 0x304);
    }

    #[test]
    fn every_transfer_through_a_pipe_is_told() {
        let none = Events::empty();
        assert_eq!(told(Kind::Pipe, Events::READABLE, none, none), [Some(Reason::In), None]);
        assert_eq!(told(Kind::Pipe, Events::MSG, none, none), [None, Some(Reason::Out)]);
        assert_eq!(told(Kind::Pipe, Events::HUP, Events::HUP, Events::HUP), [Some(Reason::In), None]);
        assert_eq!(told(Kind::Pipe, Events::ERR, Events::ERR, Events::ERR), [None, Some(Reason::Out)]);
    }

    #[test]
    fn a_socket_tells_of_its_end_before_all_else() {
        let end = Events::READABLE | Events::WRITABLE | Events::RDHUP | Events::HUP;
        assert_eq!(told(Kind::Socket, end, Events::HUP, end), [Some(Reason::Hup), None]);
        let failed = end | Events::ERR;
        assert_eq!(told(Kind::Socket, failed, failed, failed), [Some(Reason::Err), None]);
    }

    #[test]
    fn a_socket_tells_of_room_only_where_there_was_none() {
        let room = Events::WRITABLE;
        assert_eq!(told(Kind::Socket, room, Events::empty(), room), [None; 2]);
        assert_eq!(told(Kind::Socket, room, room, room), [None, Some(Reason::Out)]);
    }

    #[test]
    fn a_terminal_tells_of_what_can_be_read() {
        let none = Events::empty();
        assert_eq!(told(Kind::Terminal, Events::READABLE, none, none), [None; 2]);
        assert_eq!(told(Kind::Terminal, Events::READABLE, none, Events::READABLE), [Some(Reason::In), None]);
        assert_eq!(told(Kind::Master, Events::RDBAND, none, Events::READABLE), [Some(Reason::In), None]);
    }
}
