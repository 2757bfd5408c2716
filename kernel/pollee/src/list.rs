//! The list of watchers, and the choice which of them an event wakes.
//!
//! An event wakes all shared watchers that are interested, then one exclusive watcher. A watcher is moved in and moved
//! out again, so nothing is allocated to insert and nothing dropped to remove.
//!
//! Owns: order, which watchers are eligible, the choice.   Not here: links (`slots`), locks and wakes (`watchers`).
//! Invariant: each queue is sorted by ticket; a slot in use is in exactly one queue. A token that is not of a slot in
//! use changes nothing.

use crate::slots::{NIL, Queue, Slot, Slots};
use crate::watcher::{Token, WakeMode, Watcher};
use crate::{Events, Host};

/// The watchers of one file; of its users' concern only where a [`Locked`](crate::Locked) is a `static`.
pub struct List<H: Host> {
    pub(crate) slots: Slots<Member<H>>,
    /// [`SHARED`] watchers are woken by every event that meets their interest, the last one first: programs see the order
    /// in which an epoll reports two items that one event makes ready, and Linux has it so (`add_wait_queue`).
    /// [`EXCLUSIVE`] ones are woken one for each event, first come, first served, after the others.
    queues: [Queue; 2],
    /// The watchers that an event could wake: all but the chosen.
    eligible: usize,
    /// Those of them that are exclusive and tasks: an event that reaches one has found its taker.
    exclusive_tasks: u32,
    /// The ticket of the next watcher.
    next_ticket: u64,
}

const SHARED: usize = 0;
const EXCLUSIVE: usize = 1;

/// One watcher, or room for one.
pub(crate) struct Member<H: Host> {
    ticket: u64,
    interest: Events,
    /// Of the watcher that is or was here, to notice a token that is used again.
    generation: u16,
    mode: WakeMode,
    /// Chosen for an event since it was put in or armed again: not to be chosen again.
    is_chosen: bool,
    /// Whether it hands on an event that it does not use: chosen at any time since it was put in, or [`WakeMode::Handoff`].
    must_hand_off: bool,
    watcher: Option<Watcher<H>>,
}

/// What a watcher leaves behind.
pub(crate) struct Removed<H: Host> {
    pub(crate) watcher: Watcher<H>,
    pub(crate) interest: Events,
    /// It was chosen since it was put in or armed again.
    pub(crate) is_chosen: bool,
    /// It was chosen at any time, and another exclusive watcher could be.
    pub(crate) must_hand_off: bool,
}

impl<H: Host> List<H> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Slots::new(),
            queues: [Queue::EMPTY; 2],
            eligible: 0,
            exclusive_tasks: 0,
            next_ticket: 0,
        }
    }

    /// Whether there is any watcher that an event could wake.
    pub(crate) const fn has_eligible(&self) -> bool {
        self.eligible > 0
    }

    pub(crate) const fn exclusive_tasks(&self) -> u32 {
        self.exclusive_tasks
    }

    /// Appends a watcher, to a list with a [free slot](Slots::reserve).
    pub(crate) fn push(&mut self, watcher: Watcher<H>, interest: Events, mode: WakeMode) -> Token {
        let member = Member {
            ticket: self.take_ticket(),
            interest,
            generation: 0,
            mode,
            is_chosen: false,
            must_hand_off: mode == WakeMode::Handoff,
            watcher: Some(watcher),
        };
        self.exclusive_tasks += u32::from(member.is_exclusive_task());
        self.eligible += 1;
        let mut generation = 0;
        let index = self.slots.add(|old| {
            generation = old.map_or(0, |old| old.generation.wrapping_add(1));
            Member { generation, ..member }
        });
        self.slots.push_back(&mut self.queues[queue(mode)], index);
        Token { index, generation }
    }

    /// Takes a watcher out.
    pub(crate) fn remove(&mut self, token: Token) -> Removed<H> {
        let index = self.index_of(&token);
        let member = &mut self.slots[index];
        self.exclusive_tasks -= u32::from(member.is_exclusive_task());
        self.eligible -= usize::from(!member.is_chosen);
        let (mode, interest) = (member.mode, member.interest);
        let (is_chosen, must_hand_off) = (member.is_chosen, member.must_hand_off);
        let watcher = member.watcher.take();
        self.slots.unlink(&mut self.queues[queue(mode)], index);
        self.slots.free(index);
        Removed {
            watcher: watcher.expect("the slot is in use"),
            interest,
            is_chosen,
            must_hand_off: must_hand_off && self.queues[EXCLUSIVE].head != NIL,
        }
    }

    /// Makes a watcher the last of its queue, that can be chosen again; returns its interest.
    pub(crate) fn rearm(&mut self, token: &Token) -> Events {
        let index = self.index_of(token);
        let ticket = self.take_ticket();
        let member = &mut self.slots[index];
        member.ticket = ticket;
        if core::mem::take(&mut member.is_chosen) {
            self.eligible += 1;
            self.exclusive_tasks += u32::from(member.is_exclusive_task());
        }
        let (mode, interest) = (member.mode, member.interest);
        self.slots.unlink(&mut self.queues[queue(mode)], index);
        self.slots.push_back(&mut self.queues[queue(mode)], index);
        interest
    }

    /// Replaces a watcher's interest.
    pub(crate) fn set_interest(&mut self, token: &Token, interest: Events) {
        let index = self.index_of(token);
        self.slots[index].interest = interest;
    }

    /// The union of the interests of all that are eligible.
    pub(crate) fn interests(&self) -> Events {
        let mut union = Events::empty();
        for queue in self.queues {
            let mut at = queue.head;
            while let Some(slot) = self.slots.slot(at) {
                if !slot.value.is_chosen {
                    union |= slot.value.interest;
                }
                at = slot.next;
            }
        }
        union
    }

    /// The slot of a token, which must be in use by the watcher that got it.
    fn index_of(&self, token: &Token) -> u32 {
        let member = self.slots.slot(token.index).map(|slot| &slot.value);
        let is_current = member.is_some_and(|m| m.watcher.is_some() && m.generation == token.generation);
        assert!(is_current, "a token was used twice, or with another file");
        token.index
    }

    fn take_ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket - 1
    }
}

impl<H: Host> Default for List<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Host> Member<H> {
    /// Whether it is an exclusive task that can be chosen.
    fn is_exclusive_task(&self) -> bool {
        !self.is_chosen && self.mode != WakeMode::All && matches!(self.watcher, Some(Watcher::Task(_)))
    }
}

/// The queue of watchers with this mode.
const fn queue(mode: WakeMode) -> usize {
    match mode {
        WakeMode::All => SHARED,
        WakeMode::Exclusive | WakeMode::Handoff => EXCLUSIVE,
    }
}

/// The position of a walk, which stops to deliver and goes on where it was.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    /// The part of the hint for which an exclusive watcher has still to be woken.
    owed: Events,
    /// Watchers from this ticket on came after the walk began: without this end, exclusive watchers that
    /// register again and again would never let the notifier go.
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

    /// One exclusive watcher suffices for each event, whichever of its two names it waits for, but the end of a file
    /// concerns all of them: each will succeed.
    fn settle(&mut self, met: Events) {
        let whole = [Events::READABLE, Events::WRITABLE].into_iter().filter(|event| event.intersects(met));
        self.owed -= whole.fold(met - Events::ALWAYS, Events::union);
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
    pub(crate) fn visit(&mut self, walk: &mut Walk, mut notify: impl FnMut(&Watcher<H>, Events) -> Visit) {
        let end = *walk.end.get_or_insert(self.next_ticket);
        while walk.stage != Stage::Done {
            let stage = walk.stage;
            let mut at = self.position(walk);
            while walk.stage == stage {
                let Some(slot) = self.slots.slot_mut(at).filter(|slot| slot.value.ticket < end) else {
                    walk.next_stage();
                    break;
                };
                let member = &mut slot.value;
                let met = member.interest & walk.owed;
                if !member.is_chosen
                    && !met.is_empty()
                    && let Some(watcher) = &member.watcher
                {
                    match notify(watcher, met) {
                        Visit::Full => return,
                        Visit::Taken if stage == Stage::Exclusive => {
                            // An entry of a ready list is never used up: the tasks that wait on that list are.
                            if matches!(watcher, Watcher::Task(_)) {
                                self.exclusive_tasks -= u32::from(member.is_exclusive_task());
                                member.is_chosen = true;
                                member.must_hand_off = true;
                                self.eligible -= 1;
                            }
                            walk.settle(met);
                        }
                        Visit::Taken | Visit::Passed => {}
                    }
                }
                walk.last = Some((at, member.ticket));
                at = if stage == Stage::Shared { slot.prev } else { slot.next };
            }
        }
    }

    /// The slot after the last one visited, found again if that one has moved.
    fn position(&self, walk: &Walk) -> u32 {
        let is_shared = walk.stage == Stage::Shared;
        let first = if is_shared { self.queues[SHARED].tail } else { self.queues[EXCLUSIVE].head };
        let Some((last, ticket)) = walk.last else {
            return first;
        };
        let after = |slot: &Slot<Member<H>>| if is_shared { slot.prev } else { slot.next };
        let known =
            self.slots.slot(last).filter(|slot| slot.value.ticket == ticket && slot.value.watcher.is_some());
        if let Some(slot) = known {
            return after(slot);
        }
        let mut at = first;
        while let Some(slot) = self.slots.slot(at) {
            if if is_shared { slot.value.ticket < ticket } else { slot.value.ticket > ticket } {
                break;
            }
            at = after(slot);
        }
        at
    }
}
