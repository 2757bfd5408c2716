//! Both ends of a pair share one `Locked`, as a pipe's do, so that a change updates one word under one lock.
//!
//! Both can be readable, writable and hung up, which in one word would be the same events. The slave has them as they
//! are, because it is the terminal; the master's lie in the word as events that terminals do not have, and are
//! translated at this border. An end hears of its own events alone.
//!
//! Two words under two locks would not do: what the master can read is what the slave's line discipline has to send, and
//! echo adds to that while the master writes. Bytes would pass from one lock to the other, and either overtake each
//! other in between or need both at once, where no two locks of one rank are held together.

use alloc::sync::Arc;

use pollee::{Events, Pollable, ReadinessHeader, ReadinessSource};

use super::super::Terminal;
use crate::core::event::Pollux;

/// Which end of a pair.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Side {
    Master,
    Slave,
}

/// What an end shows, and what stands for it in the word.
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

    /// What stands in the word for any of `events`.
    pub(in super::super) fn hide(self, events: Events) -> Events {
        let met = self.pairs().into_iter().filter(|(shown, _)| shown.intersects(events));
        met.fold(Events::empty(), |word, (_, hidden)| word | hidden)
    }

    /// What this end shows of `word`.
    fn show(self, word: Events) -> Events {
        let met = self.pairs().into_iter().filter(|(_, hidden)| hidden.intersects(word));
        met.fold(Events::empty(), |events, (shown, _)| events | shown)
    }
}

/// One end, as others watch it.
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

    /// The slave's events are in the word as it shows them.
    fn header(&self) -> Option<(&ReadinessHeader<Pollux>, Events)> {
        let events = Events::READABLE | Events::WRITABLE | Events::ALWAYS;
        (self.side == Side::Slave).then(|| (self.terminal.state.header(), events))
    }
}
