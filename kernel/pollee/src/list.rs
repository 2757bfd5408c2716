//! The list of watchers: two queues of slots, linked by index.
//!
//! Safe Rust has no intrusive lists; links between the slots of one slab are as good: nothing is allocated
//! to insert and nothing dropped to remove, since a watcher is moved in and moved out again.
//!
//! Owns: order, exclusive choice.   Not here: locks and wakes (`watchers`).
//! Invariant: each queue is sorted by ticket; a slot in use is in exactly one queue, a slot not in use in the
//! free list.

use alloc::vec::Vec;

use crate::watch::{Share, Token};
use crate::{Events, Host, Watcher};

/// No slot.
const NIL: u32 = u32::MAX;

/// The slots that the first watcher brings.
const FIRST_CAPACITY: usize = 4;

/// Who watches one file.
pub(crate) struct List<H: Host> {
    slots: Vec<Slot<H>>,
    free: u32,
    /// Woken by every event that meets their interest, the last one first: programs see the order in which an epoll
    /// reports two items that one event makes ready, and Linux has it so (`add_wait_queue`).
    shared: Queue,
    /// Woken one for each event, first come, first served, after the others.
    exclusive: Queue,
    /// The watchers that an event could tell: all but the chosen.
    eligible: usize,
    /// Those of them that are exclusive and tasks: an event that reaches one has found its taker.
    takers: u32,
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
    share: Share,
    /// Chosen for an event since it was put in or armed again: not to be chosen again.
    chosen: bool,
    /// To pass on what it does not use: chosen at any time since it was put in, or [`Share::Relay`].
    owes: bool,
    watcher: Option<Watcher<H>>,
}

/// What a watcher leaves behind.
pub(crate) struct Removed<H: Host> {
    pub(crate) watcher: Watcher<H>,
    pub(crate) interest: Events,
    /// It was chosen, and another exclusive watcher could be.
    pub(crate) owes: bool,
}

/// The position of a walk that is interrupted to deliver, and goes on where it was.
#[derive(Clone, Copy)]
pub(crate) struct Walk {
    hint: Events,
    /// The part of the hint for which an exclusive watcher has still to be told.
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
    /// Told.
    Taken,
    /// Told, but it does not count: an exclusive event goes on to the next.
    Passed,
    /// No room to tell it now; come again.
    Full,
}

impl<H: Host> List<H> {
    pub(crate) const fn new() -> Self {
        let empty = Queue { head: NIL, tail: NIL };
        Self {
            slots: Vec::new(),
            free: NIL,
            shared: empty,
            exclusive: empty,
            eligible: 0,
            takers: 0,
            next_ticket: 0,
        }
    }

    /// Whether there is anybody whom an event could tell.
    pub(crate) const fn has_eligible(&self) -> bool {
        self.eligible > 0
    }

    pub(crate) const fn takers(&self) -> u32 {
        self.takers
    }

    pub(crate) const fn has_room(&self) -> bool {
        self.free != NIL || self.slots.len() < self.slots.capacity()
    }

    /// How many slots to allocate when there is no room.
    pub(crate) fn next_capacity(&self) -> usize {
        (self.slots.capacity() * 2).max(FIRST_CAPACITY)
    }

    /// Moves the slots into `larger`, which was allocated outside the lock, and returns the old ones' room,
    /// to be dropped outside the lock; or `larger` itself if somebody else was quicker.
    #[must_use]
    pub(crate) fn grow(&mut self, mut larger: Vec<Slot<H>>) -> Vec<Slot<H>> {
        if larger.capacity() > self.slots.capacity() {
            larger.append(&mut self.slots);
            core::mem::swap(&mut self.slots, &mut larger);
        }
        larger
    }

    /// Appends a watcher. The caller has seen [`has_room`](Self::has_room) under the same lock.
    pub(crate) fn push(&mut self, watcher: Watcher<H>, interest: Events, share: Share) -> Token {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        let queue = self.queue_of(share);
        let prev = queue.tail;
        let slot = Slot {
            prev,
            next: NIL,
            ticket,
            interest,
            share,
            chosen: false,
            owes: share == Share::Relay,
            watcher: Some(watcher),
        };
        self.takers += u32::from(slot.is_taker());
        self.eligible += 1;
        let index = match self.slots.get_mut(self.free as usize) {
            Some(room) => core::mem::replace(&mut self.free, core::mem::replace(room, slot).next),
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        };
        self.append(index, prev, share);
        Token(index)
    }

    /// Takes a watcher out.
    pub(crate) fn remove(&mut self, token: Token) -> Removed<H> {
        let index = token.0;
        self.unlink(index);
        let slot = &mut self.slots[index as usize];
        self.takers -= u32::from(slot.is_taker());
        let owes = slot.owes;
        let interest = slot.interest;
        let watcher = slot.watcher.take();
        slot.next = self.free;
        self.eligible -= usize::from(!slot.chosen);
        self.free = index;
        Removed {
            // A token is made by `push` and consumed here, so its slot is in use.
            watcher: watcher.expect("the token's slot is in use"),
            interest,
            owes: owes && self.exclusive.head != NIL,
        }
    }

    /// Makes a watcher the last of its queue, that can be chosen again; returns its interest.
    pub(crate) fn rearm(&mut self, token: &Token) -> Events {
        self.unlink(token.0);
        self.link(token.0);
        let slot = &mut self.slots[token.0 as usize];
        if core::mem::take(&mut slot.chosen) {
            self.eligible += 1;
            self.takers += u32::from(slot.is_taker());
        }
        slot.interest
    }

    /// Replaces a watcher's interest.
    pub(crate) fn set_interest(&mut self, token: &Token, interest: Events) {
        self.slots[token.0 as usize].interest = interest;
    }

    /// The union of the interests of all who are eligible.
    pub(crate) fn interests(&self) -> Events {
        let mut union = Events::empty();
        for queue in [self.shared, self.exclusive] {
            let mut at = queue.head;
            while at != NIL {
                let slot = &self.slots[at as usize];
                if !slot.chosen {
                    union |= slot.interest;
                }
                at = slot.next;
            }
        }
        union
    }

    /// Visits the watchers that `walk` has still to tell; it is done when [`Walk::is_done`] says so.
    pub(crate) fn visit(&mut self, walk: &mut Walk, mut tell: impl FnMut(&Watcher<H>) -> Visit) {
        let end = *walk.end.get_or_insert(self.next_ticket);
        while walk.stage != Stage::Done {
            let at = self.position(walk);
            let Some(slot) = self.slots.get_mut(at as usize).filter(|slot| slot.ticket < end) else {
                walk.next_stage();
                continue;
            };
            let meant = slot.interest & walk.owed;
            if !slot.chosen
                && !meant.is_empty()
                && let Some(watcher) = &slot.watcher
            {
                match tell(watcher) {
                    Visit::Full => return,
                    Visit::Taken if walk.stage == Stage::Exclusive => {
                        // A mark is never used up: it is the queue's own waiters that are.
                        if matches!(watcher, Watcher::Task(_)) {
                            self.takers -= u32::from(slot.is_taker());
                            slot.chosen = true;
                            slot.owes = true;
                            self.eligible -= 1;
                        }
                        walk.settle(meant);
                    }
                    Visit::Taken | Visit::Passed => {}
                }
            }
            walk.last = Some((at, slot.ticket));
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
        while let Some(slot) = self.slots.get(at as usize) {
            if if is_shared { slot.ticket < ticket } else { slot.ticket > ticket } {
                break;
            }
            at = after(slot);
        }
        at
    }

    fn queue_of(&mut self, share: Share) -> &mut Queue {
        match share {
            Share::All => &mut self.shared,
            Share::One | Share::Relay => &mut self.exclusive,
        }
    }

    /// Puts a slot at the end of its queue, with a new ticket.
    fn link(&mut self, index: u32) {
        let share = self.slots[index as usize].share;
        let tail = self.queue_of(share).tail;
        let slot = &mut self.slots[index as usize];
        slot.prev = tail;
        slot.next = NIL;
        slot.ticket = self.next_ticket;
        self.next_ticket += 1;
        self.append(index, tail, share);
    }

    /// Lets the queue end with a slot that comes after `tail`.
    fn append(&mut self, index: u32, tail: u32, share: Share) {
        match self.slots.get_mut(tail as usize) {
            Some(last) => last.next = index,
            None => self.queue_of(share).head = index,
        }
        self.queue_of(share).tail = index;
    }

    fn unlink(&mut self, index: u32) {
        let slot = &self.slots[index as usize];
        let (prev, next, share) = (slot.prev, slot.next, slot.share);
        if prev == NIL {
            self.queue_of(share).head = next;
        } else {
            self.slots[prev as usize].next = next;
        }
        if next == NIL {
            self.queue_of(share).tail = prev;
        } else {
            self.slots[next as usize].prev = prev;
        }
    }
}

impl<H: Host> Slot<H> {
    fn is_taker(&self) -> bool {
        !self.chosen && self.share != Share::All && matches!(self.watcher, Some(Watcher::Task(_)))
    }
}

impl Walk {
    /// The walk of an event: everybody interested, and one exclusive watcher.
    pub(crate) const fn new(hint: Events) -> Self {
        Self { hint, owed: hint, end: None, stage: Stage::Shared, last: None }
    }

    /// A walk that tells one exclusive watcher and nobody else.
    pub(crate) const fn exclusive(hint: Events) -> Self {
        Self { stage: Stage::Exclusive, ..Self::new(hint) }
    }

    pub(crate) const fn hint(&self) -> Events {
        self.hint
    }

    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    /// One exclusive watcher suffices for each event, but the end of a file concerns everybody: each of them
    /// will succeed.
    fn settle(&mut self, told: Events) {
        self.owed -= told - Events::ALWAYS;
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
