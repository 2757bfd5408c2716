"""`ReadyList`: what an epoll instance waits on (src/ready_list).

Any number of items, each with a file of its own; of threads that change the files; and of threads that scan, with and
without a registration. Items are level-triggered, edge-triggered or one-shot, and are armed again with a new interest.
Each operation of the queue is one critical section of the ready lock, which hands views on; a poll of a file reads its
readiness at *any* index from the scanner's view on.

Two things are proved: each event of an armed item is still to be polled for, or has been; and no waiter sleeps
for good beside an entry. For the second the list is a file with exclusive watchers, of which handoff.py has the details.

Assumed: entries are taken in the order of their stamps (`Settle::Front` of two scans at a time could break it; the
kernel holds a lock from taking to settling).
"""

from __future__ import annotations

from transition import (
    Domain, Flag, Index, Model, State, Term, Thread,
    both, either, every, implies, later, no, same, some, when,
)

# The items of one instance, each with its file and its place in the queue.
Item = Domain("Item")


def ready_list(fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model("ready list")

    # The files: readiness for the item's interest at each index of one clock, and the last event.
    m.number("now")
    m.condition("ready_at", Item, Index)
    m.number("event_at", Item)
    # The queue: `Place`, stamps, and the views that the ready lock hands on.
    m.condition("is_open is_queued is_armed is_level is_one_shot", Item)
    m.number("stamp queue_view", Item)
    m.number("next_stamp")
    m.number("view", Thread, Item)
    # Up to which index the item's file has been polled, and the poll settled.
    m.number("settled_at", Item)
    # A notification of an item's file; a modification of the item.
    m.condition("notifies is_arming has_asked", Thread, Item)
    m.number("asked_at", Thread, Item)
    # A notification of the list's own watchers.
    m.condition("hint is_walking", Thread)
    m.condition("to_visit collected", Thread, Thread)
    # A scan.
    m.condition("is_scanning has_found", Thread)
    m.number("start", Thread)
    m.condition("in_flight is_polled", Thread, Item)
    m.number("taken_stamp polled_at", Thread, Item)
    # A waiter with WakeMode::Handoff.
    m.condition("registered is_chosen trying asleep awake leaving handing_on woken", Thread)

    def ready(s: State, k: Term) -> Term:
        return s.ready_at(k, s.now)

    def write(s: State, k: Term, is_ready: Term, is_event: Term) -> None:
        s.event_at[k] = when(is_event, s.now + 1, s.event_at(k))
        s.ready_at[:, s.now + 1] = lambda j: when(j == k, is_ready, s.ready_at(j, s.now))
        s.now = s.now + 1

    def ready_lock(s: State, t: Term) -> None:
        s.view[t, :] = lambda k: later(s.view(t, k), s.queue_view(k))
        s.queue_view[:] = lambda k: s.view(t, k)

    def is_eligible(s: State, w: Term) -> Term:
        return both(s.registered(w), no(s.is_chosen(w)))

    def has_no_hint(s: State, t: Term) -> Term:
        return both(no(s.hint(t)), no(s.is_walking(t)), every(Thread, lambda w: no(s.collected(t, w))))

    def flies_nothing(s: State, t: Term) -> Term:
        return every(Item, lambda k: no(s.in_flight(t, k)))

    def notifies_nothing(s: State, t: Term) -> Term:
        return both(has_no_hint(s, t), every(Item, lambda k: no(either(s.notifies(t, k), s.is_arming(t, k)))))

    def is_idle(s: State, t: Term) -> Term:
        return both(no(s.registered(t)), no(s.is_scanning(t)), no(s.handing_on(t)), flies_nothing(s, t),
                    notifies_nothing(s, t))

    def raise_readable(s: State, t: Term, seen: Term) -> None:
        """Queue changed, Guard::raise: the interest of each watcher that sleeps or has been in the lock is seen."""
        is_watched = some(Thread, lambda w: both(is_eligible(s, w), either(
            s.asleep(w), both(s.trying(w), s.is_scanning(w)))))
        s.hint[t] = either(is_watched, seen)

    def append(s: State, k: Term) -> None:
        s.stamp[k] = when(s.is_queued(k), s.stamp(k), s.next_stamp)
        s.next_stamp = s.next_stamp + 1
        s.is_queued[k] = True

    @m.begin()
    def start(s: State) -> None:
        pass

    # ---- A change of an item's file, and its notification

    @m.step("change", t=Thread, k=Item, is_ready=Flag, is_raised=Flag)
    def _(s: State, t: Term, k: Term, is_ready: Term, is_raised: Term) -> None:
        s.require(is_idle(s, t))
        is_event = either(both(is_ready, no(ready(s, k))), is_raised)
        write(s, k, is_ready, is_event)
        s.view[t, k] = s.now
        s.notifies[t, k] = both(is_event, s.is_open(k))

    @m.step("ReadyListEntry::enqueue", t=Thread, k=Item, seen=Flag)
    def _(s: State, t: Term, k: Term, seen: Term) -> None:
        s.require(s.notifies(t, k), s.is_armed(k))
        s.notifies[t, k] = False
        ready_lock(s, t)
        if fault == "DequeueAfterPoll":
            # Counts as queued while it is in flight: nothing is linked.
            flies = some(Thread, lambda u: s.in_flight(u, k))
            s.stamp[k] = when(either(flies, s.is_queued(k)), s.stamp(k), s.next_stamp)
            s.next_stamp = s.next_stamp + 1
            s.is_queued[k] = either(s.is_queued(k), no(flies))
        else:
            append(s, k)
        raise_readable(s, t, seen)

    @m.step("ReadyListEntry::enqueue: disarmed", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        s.require(s.notifies(t, k), no(s.is_armed(k)))
        s.notifies[t, k] = False
        ready_lock(s, t)

    # ---- epoll_ctl: open and register, or arm and set_interest; then poll; then enqueue what is ready

    @m.step("open", t=Thread, k=Item, is_level=Flag, is_one_shot=Flag)
    def _(s: State, t: Term, k: Term, is_level: Term, is_one_shot: Term) -> None:
        s.require(is_idle(s, t), no(s.is_open(k)))
        ready_lock(s, t)
        s.is_open[k] = True
        s.is_armed[k] = True
        s.is_queued[k] = False
        s.is_level[k] = is_level
        s.is_one_shot[k] = is_one_shot
        s.is_arming[t, k] = True
        s.has_asked[t, k] = False

    @m.step("arm", t=Thread, k=Item, is_level=Flag, is_one_shot=Flag)
    def _(s: State, t: Term, k: Term, is_level: Term, is_one_shot: Term) -> None:
        s.require(is_idle(s, t), s.is_open(k))
        ready_lock(s, t)
        s.is_armed[k] = True
        s.is_level[k] = is_level
        s.is_one_shot[k] = is_one_shot
        s.is_arming[t, k] = True
        s.has_asked[t, k] = False

    @m.step("register or set_interest", t=Thread, k=Item, is_ready=Flag)
    def _(s: State, t: Term, k: Term, is_ready: Term) -> None:
        # Readiness for another interest, read by a read-modify-write of the word.
        s.require(s.is_arming(t, k), no(s.has_asked(t, k)))
        write(s, k, is_ready, both(is_ready, no(ready(s, k))))
        s.view[t, k] = s.now
        s.has_asked[t, k] = True
        s.asked_at[t, k] = s.now

    @m.step("ReadyList::enqueue, if ready", t=Thread, k=Item, seen=Flag)
    def _(s: State, t: Term, k: Term, seen: Term) -> None:
        s.require(s.is_arming(t, k), s.has_asked(t, k), s.ready_at(k, s.asked_at(t, k)), s.is_armed(k))
        s.is_arming[t, k] = False
        ready_lock(s, t)
        raise_readable(s, t, seen)
        s.hint[t] = both(s.hint(t), no(s.is_queued(k)))
        append(s, k)

    @m.step("not ready, or disarmed meanwhile", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        s.require(s.is_arming(t, k), s.has_asked(t, k))
        s.require(either(no(s.ready_at(k, s.asked_at(t, k))), no(s.is_armed(k))))
        s.is_arming[t, k] = False
        s.settled_at[k] = later(s.settled_at(k), s.asked_at(t, k))

    @m.step("close", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        # The registration has ended, and no scan has the entry.
        s.require(is_idle(s, t), s.is_open(k), every(Thread, lambda u: no(
            either(s.notifies(u, k), s.is_arming(u, k), s.in_flight(u, k)))))
        ready_lock(s, t)
        s.is_open[k] = False
        s.is_queued[k] = False

    # ---- Delivery to the list's own watchers

    @m.step("deliver: begin", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.hint(t), no(s.is_walking(t)))
        s.is_walking[t] = True
        s.to_visit[t, :] = lambda w: s.registered(w)

    @m.step("visit: taken", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.is_walking(t), s.hint(t), s.to_visit(t, w), is_eligible(s, w))
        s.hint[t] = False
        s.is_chosen[w] = True
        s.collected[t, w] = True

    @m.step("deliver: wake", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.collected(t, w))
        s.collected[t, w] = False
        s.woken[w] = True

    @m.step("deliver: end", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_walking(t), every(Thread, lambda w: no(s.collected(t, w))))
        s.require(either(no(s.hint(t)), every(Thread, lambda w: no(both(s.to_visit(t, w), is_eligible(s, w))))))
        s.is_walking[t] = False
        s.hint[t] = False
        s.to_visit[t, :] = lambda w: False

    # ---- A scan: take, poll, settle

    @m.step("take: first", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(either(is_idle(s, t), both(either(s.trying(t), s.awake(t)), no(s.is_scanning(t)))))
        ready_lock(s, t)
        s.is_scanning[t] = True
        s.has_found[t] = False
        s.start[t] = s.next_stamp

    @m.step("take", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        s.require(s.is_scanning(t), s.is_queued(k), s.stamp(k) < s.start(t), no(s.in_flight(t, k)))
        ready_lock(s, t)
        s.is_queued[k] = False
        s.in_flight[t, k] = True
        s.is_polled[t, k] = False
        s.taken_stamp[t, k] = s.stamp(k)

    @m.step("poll", t=Thread, k=Item, i=Index)
    def _(s: State, t: Term, k: Term, i: Term) -> None:
        s.require(s.in_flight(t, k), no(s.is_polled(t, k)), s.view(t, k) <= i, i <= s.now)
        s.view[t, k] = i
        s.is_polled[t, k] = True
        s.polled_at[t, k] = i

    def land(s: State, t: Term, k: Term) -> None:
        s.require(s.in_flight(t, k), s.is_polled(t, k))
        s.in_flight[t, k] = False
        ready_lock(s, t)

    @m.step("settle: Gone, not ready", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        s.require(no(s.ready_at(k, s.polled_at(t, k))))
        land(s, t, k)
        s.settled_at[k] = later(s.settled_at(k), s.polled_at(t, k))

    @m.step("settle: reported", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        # Disarmed if it is one-shot, Back if it is level-triggered, Gone if it is edge-triggered.
        s.require(s.ready_at(k, s.polled_at(t, k)))
        land(s, t, k)
        s.has_found[t] = True
        s.settled_at[k] = later(s.settled_at(k), s.polled_at(t, k))
        is_back = both(s.is_level(k), no(s.is_one_shot(k)))
        s.is_armed[k] = both(s.is_armed(k), no(s.is_one_shot(k)))
        s.stamp[k] = when(both(is_back, no(s.is_queued(k))), s.next_stamp, s.stamp(k))
        s.next_stamp = s.next_stamp + 1
        s.is_queued[k] = both(either(s.is_queued(k), is_back), no(s.is_one_shot(k)))

    @m.step("settle: Front", t=Thread, k=Item)
    def _(s: State, t: Term, k: Term) -> None:
        # The program's memory could not be written.
        s.require(s.ready_at(k, s.polled_at(t, k)))
        land(s, t, k)
        s.has_found[t] = True
        s.stamp[k] = s.taken_stamp(t, k)
        s.is_queued[k] = True

    def is_through(s: State, t: Term) -> Term:
        return every(Item, lambda k: no(both(s.is_queued(k), s.stamp(k) < s.start(t))))

    @m.step("scan ends: nothing", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_scanning(t), no(s.has_found(t)), flies_nothing(s, t), is_through(s, t))
        s.is_scanning[t] = False
        s.asleep[t] = s.trying(t)
        s.trying[t] = False

    @m.step("scan ends: found", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_scanning(t), s.has_found(t), flies_nothing(s, t))
        s.is_scanning[t] = False
        s.has_found[t] = False
        s.leaving[t] = s.registered(t)
        s.handing_on[t] = both(no(s.registered(t)), fault != "NoHandOn")
        s.trying[t] = False
        s.awake[t] = False

    # ---- The wait loop, for a watcher of the list with WakeMode::Handoff

    def list_is_empty(s: State) -> Term:
        return both(every(Item, lambda k: no(s.is_queued(k))), every(Thread, Item, lambda t, k: no(s.in_flight(t, k))))

    @m.step("insert", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(is_idle(s, t))
        s.registered[t] = True
        s.is_chosen[t] = False
        # Recheck::Readiness: a list in which nothing is queued needs no scan.
        s.asleep[t] = list_is_empty(s)
        s.trying[t] = no(list_is_empty(s))

    @m.step("sleep ends", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.asleep(t), s.woken(t))
        s.asleep[t] = False
        s.woken[t] = False
        s.awake[t] = True

    @m.step("rearm", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.awake(t), no(s.is_scanning(t)))
        s.to_visit[:, t] = False
        s.is_chosen[t] = False
        s.awake[t] = False
        s.trying[t] = True

    @m.step("timeout, signal or drop", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(either(s.asleep(t), both(either(s.trying(t), s.awake(t)), no(s.is_scanning(t)))))
        s.asleep[t] = False
        s.trying[t] = False
        s.awake[t] = False
        s.leaving[t] = True

    @m.step("remove: unlink", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.leaving(t))
        s.leaving[t] = False
        s.registered[t] = False
        s.is_chosen[t] = False
        s.to_visit[:, t] = False
        s.handing_on[t] = some(Thread, lambda w: s.registered(w))

    @m.step("hand_on", t=Thread, seen=Flag)
    def _(s: State, t: Term, seen: Term) -> None:
        s.require(s.handing_on(t), has_no_hint(s, t))
        s.handing_on[t] = False
        raise_readable(s, t, seen)
        s.hint[t] = both(s.hint(t), no(list_is_empty(s)))

    # ---- Invariants: no event is lost

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(
            0 <= s.now, 0 <= s.next_stamp,
            every(Item, lambda k: both(
                0 <= s.event_at(k), s.event_at(k) <= s.now, 0 <= s.queue_view(k), s.queue_view(k) <= s.now,
                0 <= s.settled_at(k), s.settled_at(k) <= s.now,
                implies(s.is_queued(k), both(s.is_open(k), s.stamp(k) < s.next_stamp)))),
            every(Thread, lambda t: s.start(t) <= s.next_stamp),
            every(Thread, Item, lambda t, k: both(
                0 <= s.view(t, k), s.view(t, k) <= s.now,
                implies(s.in_flight(t, k), s.taken_stamp(t, k) < s.next_stamp),
                implies(both(s.in_flight(t, k), s.is_polled(t, k)), both(
                    0 <= s.polled_at(t, k), s.polled_at(t, k) <= s.view(t, k))),
                implies(both(s.is_arming(t, k), s.has_asked(t, k)), both(
                    0 <= s.asked_at(t, k), s.asked_at(t, k) <= s.view(t, k))))))

    @m.invariant("ready since the last event")
    def _(s: State) -> Term:
        return every(Item, Index, lambda k, i: implies(
            both(ready(s, k), s.event_at(k) <= i, i <= s.now), s.ready_at(k, i)))

    def is_notified(s: State, k: Term) -> Term:
        return some(Thread, lambda t: both(s.notifies(t, k), s.event_at(k) <= s.view(t, k)))

    def is_being_armed(s: State, k: Term) -> Term:
        return some(Thread, lambda t: both(s.is_arming(t, k), either(
            no(s.has_asked(t, k)), s.event_at(k) <= s.asked_at(t, k))))

    @m.invariant("an event is polled for")
    def _(s: State) -> Term:
        def is_polled_for(k: Term) -> Term:
            will_be_seen = lambda t: when(
                s.is_polled(t, k), s.event_at(k) <= s.polled_at(t, k), s.event_at(k) <= s.view(t, k))
            return either(
                both(s.is_queued(k), s.event_at(k) <= s.queue_view(k)),
                is_notified(s, k), is_being_armed(s, k),
                some(Thread, lambda t: both(s.in_flight(t, k), will_be_seen(t))))

        is_due = lambda k: either(s.settled_at(k) < s.event_at(k), both(s.is_level(k), no(s.is_one_shot(k)), ready(s, k)))
        return every(Item, lambda k: implies(both(s.is_open(k), s.is_armed(k), is_due(k)), is_polled_for(k)))

    # ---- Invariants: no waiter is forgotten

    @m.invariant("phases")
    def _(s: State) -> Term:
        def one_phase(t: Term) -> Term:
            phases = [s.trying(t), s.asleep(t), s.awake(t), s.leaving(t)]
            pairs = [no(both(one, other)) for nr, one in enumerate(phases) for other in phases[:nr]]
            return both(same(s.registered(t), either(*phases)), *pairs)

        return every(Thread, lambda t: both(
            one_phase(t),
            implies(s.is_chosen(t), s.registered(t)),
            implies(s.has_found(t), s.is_scanning(t)),
            implies(s.is_scanning(t), both(no(s.asleep(t)), no(s.leaving(t)), no(s.handing_on(t)))),
            implies(s.handing_on(t), no(s.registered(t))),
            implies(either(s.registered(t), s.is_scanning(t), s.handing_on(t)), both(
                no(s.hint(t)), no(s.is_walking(t)))),
            every(Thread, lambda w: both(
                implies(s.to_visit(t, w), both(s.registered(w), s.is_walking(t))),
                implies(s.collected(t, w), s.is_walking(t)))),
            every(Item, lambda k: both(
                implies(s.in_flight(t, k), both(s.is_scanning(t), s.is_open(k))),
                implies(either(s.notifies(t, k), s.is_arming(t, k)), both(
                    s.is_open(k), no(s.registered(t)), no(s.is_scanning(t)), no(s.handing_on(t)), no(s.hint(t)),
                    no(s.is_walking(t)))),
                every(Item, lambda j: implies(
                    both(either(s.notifies(t, k), s.is_arming(t, k)), either(s.notifies(t, j), s.is_arming(t, j))),
                    both(k == j, no(both(s.notifies(t, k), s.is_arming(t, k))))))))))

    @m.invariant("the chosen are woken")
    def _(s: State) -> Term:
        return every(Thread, lambda w: implies(both(either(s.asleep(w), s.trying(w)), s.is_chosen(w)), either(
            s.woken(w), some(Thread, lambda t: s.collected(t, w)))))

    @m.invariant("an entry has a taker")
    def _(s: State) -> Term:
        def is_pending(t: Term, w: Term) -> Term:
            return both(s.hint(t), either(no(s.is_walking(t)), s.to_visit(t, w)))

        def will_take(u: Term, k: Term) -> Term:
            """`u` will take the entry, or hand on. One that is awake will be armed again, and scan again."""
            return either(
                s.has_found(u), s.handing_on(u), s.leaving(u), s.awake(u),
                both(s.is_chosen(u), either(s.asleep(u), s.trying(u))),
                both(s.trying(u), either(no(s.is_scanning(u)), s.stamp(k) < s.start(u))))

        def waits(w: Term, k: Term) -> Term:
            """Asleep, or about to be, without having seen the entry."""
            return both(no(s.is_chosen(w)), either(
                s.asleep(w), both(s.trying(w), s.is_scanning(w), s.start(w) <= s.stamp(k))))

        return every(Thread, Item, lambda w, k: implies(
            both(waits(w, k), s.is_queued(k)),
            some(Thread, lambda t: either(is_pending(t, w), will_take(t, k)))))

    # ---- Goals

    @m.goal("no event is lost: what is quiet and not queued has been polled since")
    def _(s: State) -> Term:
        is_quiet = lambda k: every(Thread, lambda t: no(either(s.notifies(t, k), s.is_arming(t, k), s.in_flight(t, k))))
        return every(Item, lambda k: implies(
            both(s.is_open(k), s.is_armed(k), is_quiet(k), no(s.is_queued(k))),
            both(s.event_at(k) <= s.settled_at(k),
                 implies(both(s.is_level(k), no(s.is_one_shot(k))), no(ready(s, k))))))

    @m.goal("awake: nobody sleeps for good beside an entry")
    def _(s: State) -> Term:
        is_quiet = every(Thread, lambda t: both(
            has_no_hint(s, t), no(s.trying(t)), no(s.awake(t)), no(s.leaving(t)), no(s.is_scanning(t)),
            no(s.handing_on(t)), no(s.woken(t))))
        return implies(is_quiet, every(Thread, Item, lambda w, k: no(both(s.asleep(w), s.is_queued(k)))))

    return m


if __name__ == "__main__":
    import prove

    prove.show([ready_list()])
