//! The list of watchers: two queues of slots, linked by index.
//!
//! Safe Rust has no intrusive lists; links between the slots of one slab are as good: nothing is allocated
//! to insert and nothing dropped to remove, since a watcher is moved in and moved out again.
//!
//! Owns: slots, order, which watchers are eligible, which of them an event wakes: all shared watchers, then one
//! exclusive watcher.   Not here: locks and wakes (`watchers`).
//! Invariant: each queue is sorted by ticket; a slot in use is in exactly one queue, a slot not in use in the
//! free list. A token that is not of a slot in use changes nothing.

use alloc::vec::Vec;

use crate::watcher::{Token, WakeMode, Watcher};
use crate::{Events, Host};

/// No slot.
const NIL: u32 = u32::MAX;

/// The slots that the first watcher brings.
const FIRST_CAPACITY: usize = 4;

/// The watchers of one file; of its users' concern only where a [`Locked`](crate::Locked) is a `static`.
pub struct List<H: Host> {
    slots: Vec<Slot<H>>,
    free: u32,
    /// Woken by every event that meets their interest, the last one first: programs see the order in which an epoll
    /// reports two items that one event makes ready, and Linux has it so (`add_wait_queue`).
    shared: Queue,
    /// Woken one for each event, first come, first served, after the others.
    exclusive: Queue,
    /// The watchers that an event could wake: all but the chosen.
    eligible: usize,
    /// Those of them that are exclusive and tasks: an event that reaches one has found its taker.
    exclusive_tasks: u32,
    /// The ticket of the next watcher.
    next_ticket: u64,
}

#[derive(Clone, Copy)]
struct Queue {
    head: u32,
    tail: u32,
}

/// One watcher, or room for one.
pub(crate) struct Slot<H: Host> {
    prev: u32,
    next: u32,
    ticket: u64,
    interest: Events,
    /// Of the watcher that is or was here, to notice a token that is used again.
    generation: u16,
    mode: WakeMode,
    /// Chosen for an event since it was put in or armed again: not to be chosen again.
    is_chosen: bool,
    /// To hand on what it does not use: chosen at any time since it was put in, or [`WakeMode::Handoff`].
    must_hand_off: bool,
    watcher: Option<Watcher<H>>,
}

/// What a watcher leaves behind.
pub(crate) struct Removed<H: Host> {
    pub(crate) watcher: Watcher<H>,
    pub(crate) interest: Events,
    /// It was chosen, and another exclusive watcher could be.
    pub(crate) must_hand_off: bool,
}

impl<H: Host> List<H> {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        let empty = Queue { head: NIL, tail: NIL };
        Self {
            slots: Vec::new(),
            free: NIL,
            shared: empty,
            exclusive: empty,
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

    pub(crate) const fn has_room(&self) -> bool {
        self.free != NIL || self.slots.len() < self.slots.capacity()
    }

    /// How many slots to allocate when there is no room.
    pub(crate) fn next_capacity(&self) -> usize {
        (self.slots.capacity() * 2).max(FIRST_CAPACITY)
    }

    /// Moves the slots into `larger`, which was allocated outside the lock, and returns the old ones' room,
    /// to be dropped outside the lock; or `larger` itself if another thread was quicker.
    #[must_use]
    pub(crate) fn grow(&mut self, mut larger: Vec<Slot<H>>) -> Vec<Slot<H>> {
        if larger.capacity() > self.slots.capacity() {
            larger.append(&mut self.slots);
            core::mem::swap(&mut self.slots, &mut larger);
        }
        larger
    }

    /// Appends a watcher. The caller has seen [`has_room`](Self::has_room) under the same lock.
    pub(crate) fn push(&mut self, watcher: Watcher<H>, interest: Events, mode: WakeMode) -> Token {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let prev = self.queue_of(mode).tail;
        let mut slot = Slot {
            prev,
            next: NIL,
            ticket,
            interest,
            generation: 0,
            mode,
            is_chosen: false,
            must_hand_off: mode == WakeMode::Handoff,
            watcher: Some(watcher),
        };
        self.exclusive_tasks += u32::from(slot.is_exclusive_task());
        self.eligible += 1;
        let mut generation = 0;
        let index = match self.slots.get_mut(self.free as usize) {
            Some(room) => {
                generation = room.generation.wrapping_add(1);
                slot.generation = generation;
                core::mem::replace(&mut self.free, core::mem::replace(room, slot).next)
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.append(index, prev, mode);
        Token { index, generation }
    }

    /// Takes a watcher out.
    pub(crate) fn remove(&mut self, token: Token) -> Removed<H> {
        let index = self.index_of(&token);
        self.unlink(index);
        let slot = &mut self.slots[index as usize];
        self.exclusive_tasks -= u32::from(slot.is_exclusive_task());
        self.eligible -= usize::from(!slot.is_chosen);
        let must_hand_off = slot.must_hand_off;
        let interest = slot.interest;
        let watcher = slot.watcher.take();
        slot.next = self.free;
        self.free = index;
        Removed {
            watcher: watcher.expect("the slot is in use"),
            interest,
            must_hand_off: must_hand_off && self.exclusive.head != NIL,
        }
    }

    /// Makes a watcher the last of its queue, that can be chosen again; returns its interest.
    pub(crate) fn rearm(&mut self, token: &Token) -> Events {
        let index = self.index_of(token);
        self.unlink(index);
        self.link(index);
        let slot = &mut self.slots[index as usize];
        if core::mem::take(&mut slot.is_chosen) {
            self.eligible += 1;
            self.exclusive_tasks += u32::from(slot.is_exclusive_task());
        }
        slot.interest
    }

    /// Replaces a watcher's interest.
    pub(crate) fn set_interest(&mut self, token: &Token, interest: Events) {
        let index = self.index_of(token);
        self.slots[index as usize].interest = interest;
    }

    /// The union of the interests of all that are eligible.
    pub(crate) fn interests(&self) -> Events {
        let mut union = Events::empty();
        for queue in [self.shared, self.exclusive] {
            let mut at = queue.head;
            while at != NIL {
                let slot = &self.slots[at as usize];
                if !slot.is_chosen {
                    union |= slot.interest;
                }
                at = slot.next;
            }
        }
        union
    }

    /// The slot of a token, which must be in use by the watcher that got it.
    fn index_of(&self, token: &Token) -> u32 {
        let slot = self.slots.get(token.index as usize);
        let is_current = slot.is_some_and(|s| s.watcher.is_some() && s.generation == token.generation);
        assert!(is_current, "a token was used twice, or with another file");
        token.index
    }

    fn queue_of(&mut self, mode: WakeMode) -> &mut Queue {
        match mode {
            WakeMode::All => &mut self.shared,
            WakeMode::Exclusive | WakeMode::Handoff => &mut self.exclusive,
        }
    }

    /// Puts a slot at the end of its queue, with a new ticket.
    fn link(&mut self, index: u32) {
        let mode = self.slots[index as usize].mode;
        let tail = self.queue_of(mode).tail;
        let slot = &mut self.slots[index as usize];
        slot.prev = tail;
        slot.next = NIL;
        slot.ticket = self.next_ticket;
        self.next_ticket += 1;
        self.append(index, tail, mode);
    }

    /// Lets the queue end with a slot that comes after `tail`.
    fn append(&mut self, index: u32, tail: u32, mode: WakeMode) {
        match self.slots.get_mut(tail as usize) {
            Some(last) => last.next = index,
            None => self.queue_of(mode).head = index,
        }
        self.queue_of(mode).tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        let (prev, next, mode) = (slot.prev, slot.next, slot.mode);
        if prev == NIL {
            self.queue_of(mode).head = next;
        } else {
            self.slots[prev as usize].next = next;
        }
        if next == NIL {
            self.queue_of(mode).tail = prev;
        } else {
            self.slots[next as usize].prev = prev;
        }
    }
}

impl<H: Host> Default for List<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H: Host> Slot<H> {
    /// Whether it is an exclusive task that can be chosen.
    fn is_exclusive_task(&self) -> bool {
        !self.is_chosen && self.mode != WakeMode::All && matches!(self.watcher, Some(Watcher::Task(_)))
    }
}

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
