//! The walk of one event through the list: all shared watchers, then one exclusive watcher.
//!
//! Owns: whom an event wakes.   Not here: the list's order (`list`), waking (`watchers`).

use super::{List, NIL, Slot};
use crate::watcher::Watcher;
use crate::{Events, Host};

/// The position of a walk, which stops to deliver and goes on where it was.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// The part of the hint for which an exclusive watcher has still to be woken.
    owed: Events,
    /// Watchers from this ticket on came after the walk began: without this end, exclusive watchers that
    /// register again and again would keep the notifier for ever.
    end: Option<u64>,
    stage: Stage,
    /// The last slot that was visited in this stage, and the ticket it had.
    last: Option<(u32, u64)>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Stage {
    Shared,
    Exclusive,
    Done,
}

/// What the visitor of a walk did with a watcher.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Visit {
    /// Notified.
    Taken,
    /// Notified, but it does not count: an exclusive event goes on to the next.
    Passed,
    /// No room to notify it now; come again.
    Full,
}

impl Walk {
    /// The walk of an event: all that are interested, and one exclusive watcher.
    pub(crate) const fn new(hint: Events) -> Self {
        Self { owed: hint, end: None, stage: Stage::Shared, last: None }
    }

    /// A walk that wakes one exclusive watcher and no other.
    pub(crate) const fn exclusive(hint: Events) -> Self {
        Self { stage: Stage::Exclusive, ..Self::new(hint) }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// Whether it is in the last stage, in which it wakes exclusive watchers only.
    pub(crate) fn is_exclusive(&self) -> bool {
        self.stage == Stage::Exclusive
    }

    /// One exclusive watcher suffices for each event, but the end of a file concerns all of them: each will succeed.
    fn settle(&mut self, met: Events) {
        self.owed -= met - Events::ALWAYS;
        if self.owed.is_empty() {
            self.stage = Stage::Done;
        }
    }

    fn next_stage(&mut self) {
        self.last = None;
        self.stage = match self.stage {
            Stage::Shared => Stage::Exclusive,
            Stage::Exclusive | Stage::Done => Stage::Done,
        };
    }
}

impl<H: Host> List<H> {
    /// Visits the watchers that `walk` has still to notify; it is done when [`Walk::is_done`] says so.
    pub(crate) fn visit(&mut self, walk: &mut Walk, mut notify: impl FnMut(&Watcher<H>) -> Visit) {
        let end = *walk.end.get_or_insert(self.next_ticket);
        while walk.stage != Stage::Done {
            let stage = walk.stage;
            let mut at = self.position(walk);
            while walk.stage == stage {
                let Some(slot) = self.slots.get_mut(at as usize).filter(|slot| slot.ticket < end) else {
                    walk.next_stage();
                    break;
                };
                let met = slot.interest & walk.owed;
                if !slot.is_chosen
                    && !met.is_empty()
                    && let Some(watcher) = &slot.watcher
                {
                    match notify(watcher) {
                        Visit::Full => return,
                        Visit::Taken if stage == Stage::Exclusive => {
                            // An entry of a ready list is never used up: the tasks that wait on that list are.
                            if matches!(watcher, Watcher::Task(_)) {
                                self.exclusive_tasks -= u32::from(slot.is_exclusive_task());
                                slot.is_chosen = true;
                                slot.must_hand_off = true;
                                self.eligible -= 1;
                            }
                            walk.settle(met);
                        }
                        Visit::Taken | Visit::Passed => {}
                    }
                }
                walk.last = Some((at, slot.ticket));
                at = if stage == Stage::Shared { slot.prev } else { slot.next };
            }
        }
    }

    /// The slot after the last one visited, found again if that one has moved.
    fn position(&self, walk: &Walk) -> u32 {
        let is_shared = walk.stage == Stage::Shared;
        let first = if is_shared { self.shared.tail } else { self.exclusive.head };
        let Some((last, ticket)) = walk.last else {
            return first;
        };
        let after = |slot: &Slot<H>| if is_shared { slot.prev } else { slot.next };
        let slot = &self.slots[last as usize];
        if slot.ticket == ticket && slot.watcher.is_some() {
            return after(slot);
        }
        let mut at = first;
        while at != NIL {
            let slot = &self.slots[at as usize];
            if if is_shared { slot.ticket < ticket } else { slot.ticket > ticket } {
                break;
            }
            at = after(slot);
        }
        at
    }
}
