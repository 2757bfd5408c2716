//! The two ends of a pseudoterminal, which share one `Locked`, as those of a pipe do: a change updates one word under
//! one lock.
//!
//! Both ends can be readable, writable and hung up, which would be the same bits of the word. The slave uses these
//! bits, because it is the terminal. The master uses bits of events that terminals do not have, and this file
//! translates them. Each end sees only its own events.
//!
//! Two words under two locks would not do: the master reads what the slave's line discipline sends, and echo adds to
//! that while the master writes. Bytes would move from one lock to the other, and either overtake each other in
//! between or need both locks at once, but two locks of one rank are never held together.

use alloc::sync::Arc;

use pollee::{Events, Pollable, ReadinessHeader, ReadinessSource};

use super::super::Terminal;
use crate::core::event::Pollux;

/// An end of a pseudoterminal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Side {
    Master,
    Slave,
}

/// An event of an end, and the event that represents it in the word.
type EventPair = (Events, Events);

const SLAVE: [EventPair; 4] = [
    (Events::READABLE, Events::READABLE),
    (Events::WRITABLE, Events::WRITABLE),
    (Events::ERR, Events::ERR),
    (Events::HUP, Events::HUP),
];

const MASTER: [EventPair; 4] = [
    (Events::READABLE, Events::RDBAND),
    (Events::WRITABLE, Events::WRBAND),
    (Events::HUP, Events::MSG),
    (Events::PRI, Events::PRI),
];

impl Side {
    const fn pairs(self) -> [EventPair; 4] {
        match self {
            Self::Master => MASTER,
            Self::Slave => SLAVE,
        }
    }

    /// Returns the word's events that represent `events` of this end.
    pub(in super::super) fn hide(self, events: Events) -> Events {
        let met = self.pairs().into_iter().filter(|(shown, _)| shown.intersects(events));
        met.fold(Events::empty(), |word, (_, hidden)| word | hidden)
    }

    /// Returns the events of this end that `word` represents.
    fn show(self, word: Events) -> Events {
        let met = self.pairs().into_iter().filter(|(_, hidden)| hidden.intersects(word));
        met.fold(Events::empty(), |events, (shown, _)| events | shown)
    }
}

/// One end as a pollable.
pub(super) struct PtyEnd {
    pub(super) terminal: Arc<Terminal>,
    pub(super) side: Side,
}

impl Pollable<Pollux> for PtyEnd {
    fn source(&self) -> &dyn ReadinessSource<Pollux> {
        &self.terminal.state
    }

    fn source_interest(&self, interest: Events) -> Events {
        self.side.hide(interest)
    }

    fn show(&self, events: Events) -> Events {
        self.side.show(events)
    }

    /// Returns the header for the slave, whose events the word holds untranslated; `None` for the master.
    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        let events = Events::READABLE | Events::WRITABLE | Events::ALWAYS;
        (self.side == Side::Slave).then(|| (self.terminal.state.header(), events))
    }
}
