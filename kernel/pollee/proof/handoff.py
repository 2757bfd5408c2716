"""Exclusive watchers: one event wakes one of them, and is handed on however it leaves (src/watchers.rs, src/list).

Any number of threads, each of which changes the state, or waits with a mask of events; any number of events and items.
What locked.py proves of the word is taken over: a change sees the interest of each watcher that sleeps, and may miss
one that has still to try. What may be out of date is kept: a thread that polls reads the readiness at *any* index from
its view on; the owner's lock, the list lock and a wake hand views on.

Assumed: a try that finds nothing means that none of the events it waits for is ready. (A write of more than the room
in a pipe is the exception, as on Linux.)
"""

from __future__ import annotations

from transition import (
    Event, Flag, Index, Model, SetOf, State, Term, Thread,
    both, either, every, implies, later, no, same, some,
)


def handoff(fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model("hand-off")

    # Readiness at each index; `now` is the last. The view that the list lock hands on.
    m.number("now list_view")
    m.condition("ready_at", Index, Event)
    m.condition("is_always", Event)
    m.number("view woken_view", Thread)
    # A notification, and whom its walk has still to visit. `chosen_by`: whom it chose for what, for the property Once.
    m.condition("hint", Thread, Event)
    m.condition("is_walking", Thread)
    m.condition("to_visit collected", Thread, Thread)
    m.condition("chosen_by", Thread, Event, Thread)
    # A watcher, as `list::Member` has it, and where its thread is in the loop of src/wait.rs.
    m.condition("registered is_chosen must_hand_off", Thread)
    m.condition("interest", Thread, Event)
    m.condition("trying asleep awake leaving handing_on woken", Thread)

    def ready(s: State, e: Term) -> Term:
        return s.ready_at(s.now, e)

    def is_eligible(s: State, w: Term) -> Term:
        return both(s.registered(w), no(s.is_chosen(w)))

    def has_no_hint(s: State, t: Term) -> Term:
        return both(no(s.is_walking(t)), every(Event, lambda e: no(s.hint(t, e))),
                    every(Thread, lambda w: no(s.collected(t, w))))

    def is_idle(s: State, t: Term) -> Term:
        return both(no(s.registered(t)), no(s.handing_on(t)), has_no_hint(s, t))

    def change_state(s: State, t: Term, after, raised, seen) -> None:
        """A critical section of the owner's lock: notify_events, as locked.py has it."""
        sleeps = lambda e: some(Thread, lambda w: both(s.asleep(w), is_eligible(s, w), s.interest(w, e)))
        s.hint[t, :] = lambda e: both(
            either(both(after(e), no(ready(s, e))), raised(e)), either(sleeps(e), seen(e)))
        s.ready_at[s.now + 1, :] = after
        s.now = s.now + 1
        s.view[t] = s.now

    def list_lock(s: State, t: Term) -> None:
        s.view[t] = later(s.view(t), s.list_view)
        s.list_view = s.view(t)

    @m.begin(after=SetOf(Event), is_always=SetOf(Event))
    def start(s: State, after, is_always) -> None:
        s.ready_at[0, :] = after
        s.is_always[:] = is_always

    @m.step("change", t=Thread, after=SetOf(Event), raised=SetOf(Event), seen=SetOf(Event))
    def _(s: State, t: Term, after, raised, seen) -> None:
        s.require(is_idle(s, t))
        change_state(s, t, after, raised, seen)

    # ---- Watchers::deliver, List::visit

    @m.step("deliver: begin", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(no(s.is_walking(t)), some(Event, lambda e: s.hint(t, e)))
        list_lock(s, t)
        s.is_walking[t] = True
        s.to_visit[t, :] = lambda w: s.registered(w)
        s.chosen_by[t, :, :] = lambda e, w: False

    @m.step("visit: taken", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        # Any of those that are eligible; the source takes the first.
        met = lambda e: both(s.interest(w, e), s.hint(t, e))
        s.require(s.is_walking(t), s.to_visit(t, w), is_eligible(s, w), some(Event, met))
        list_lock(s, t)
        s.to_visit[t, w] = False
        s.is_chosen[w] = True
        s.must_hand_off[w] = True
        s.collected[t, w] = True
        s.chosen_by[t, :, w] = met
        s.hint[t, :] = lambda e: both(s.hint(t, e), either(no(s.interest(w, e)), s.is_always(e)))

    @m.step("deliver: wake", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.collected(t, w))
        s.collected[t, w] = False
        s.woken[w] = True
        s.woken_view[w] = later(s.woken_view(w), s.view(t))

    @m.step("deliver: end", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_walking(t), every(Thread, lambda w: no(s.collected(t, w))))
        s.require(every(Thread, Event, lambda w, e: no(
            both(s.to_visit(t, w), is_eligible(s, w), s.interest(w, e), s.hint(t, e)))))
        list_lock(s, t)
        s.is_walking[t] = False
        s.to_visit[t, :] = lambda w: False
        s.hint[t, :] = lambda e: False

    # ---- src/wait.rs: register, try, sleep, try, rearm, try …

    @m.step("insert", t=Thread, interest=SetOf(Event), is_handoff=Flag)
    def _(s: State, t: Term, interest, is_handoff: Term) -> None:
        s.require(is_idle(s, t))
        list_lock(s, t)
        s.registered[t] = True
        s.interest[t, :] = interest
        s.is_chosen[t] = False
        s.must_hand_off[t] = is_handoff
        s.trying[t] = True

    @m.step("try: pending", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.trying(t), has_no_hint(s, t))
        s.require(every(Event, lambda e: implies(s.interest(t, e), no(ready(s, e)))))
        s.view[t] = s.now
        s.trying[t] = False
        s.asleep[t] = True

    @m.step("sleep ends", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.asleep(t), s.woken(t))
        s.asleep[t] = False
        s.woken[t] = False
        s.awake[t] = True
        s.view[t] = later(s.view(t), s.woken_view(t))

    @m.step("rearm", t=Thread)
    def _(s: State, t: Term) -> None:
        # The try before it found nothing, or is left out. A new ticket: walks under way pass by.
        s.require(s.awake(t), has_no_hint(s, t))
        list_lock(s, t)
        s.to_visit[:, t] = False
        s.is_chosen[t] = False
        s.awake[t] = False
        s.trying[t] = True

    @m.step("try: ready", t=Thread, after=SetOf(Event), raised=SetOf(Event), seen=SetOf(Event))
    def _(s: State, t: Term, after, raised, seen) -> None:
        # It takes any part of what is there, and may make others ready.
        s.require(either(s.trying(t), s.awake(t)), has_no_hint(s, t))
        change_state(s, t, after, raised, seen)
        s.trying[t] = False
        s.awake[t] = False
        s.leaving[t] = True

    @m.step("timeout, signal or drop", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(either(s.asleep(t), s.trying(t), s.awake(t)))
        s.asleep[t] = False
        s.trying[t] = False
        s.awake[t] = False
        s.leaving[t] = True

    @m.step("remove: unlink", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.leaving(t), has_no_hint(s, t))
        list_lock(s, t)
        s.registered[t] = False
        s.leaving[t] = False
        s.is_chosen[t] = False
        s.to_visit[:, t] = False
        s.handing_on[t] = both(fault != "NoHandoff", s.must_hand_off(t), some(Thread, lambda w: s.registered(w)))

    @m.step("remove: poll, hand_on", t=Thread, i=Index)
    def _(s: State, t: Term, i: Term) -> None:
        s.require(s.handing_on(t), s.view(t) <= i, i <= s.now)
        s.view[t] = i
        s.handing_on[t] = False
        s.hint[t, :] = lambda e: both(s.interest(t, e), s.ready_at(i, e))

    # ---- Invariants

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(0 <= s.list_view, s.list_view <= s.now, every(Thread, lambda t: both(
            0 <= s.view(t), s.view(t) <= s.now, 0 <= s.woken_view(t), s.woken_view(t) <= s.now)))

    @m.invariant("phases")
    def _(s: State) -> Term:
        def one_phase(t: Term) -> Term:
            phases = [s.trying(t), s.asleep(t), s.awake(t), s.leaving(t)]
            pairs = [no(both(one, other)) for nr, one in enumerate(phases) for other in phases[:nr]]
            return both(same(s.registered(t), either(*phases)), *pairs)

        return every(Thread, lambda t: both(
            one_phase(t),
            implies(s.is_chosen(t), both(s.registered(t), s.must_hand_off(t))),
            implies(s.handing_on(t), both(no(s.registered(t)), has_no_hint(s, t))),
            implies(either(s.trying(t), s.asleep(t), s.awake(t)), has_no_hint(s, t)),
            implies(s.is_walking(t), s.view(t) <= s.list_view),
            every(Thread, lambda w: both(
                implies(s.to_visit(t, w), both(s.registered(w), s.is_walking(t))),
                implies(s.collected(t, w), s.is_walking(t))))))

    @m.invariant("the chosen are woken")
    def _(s: State) -> Term:
        return every(Thread, lambda w: implies(both(either(s.asleep(w), s.trying(w)), s.is_chosen(w)), either(
            s.woken(w), some(Thread, lambda t: s.collected(t, w)))))

    @m.invariant("a walk is done with what it has settled")
    def _(s: State) -> Term:
        return every(Thread, Event, Thread, lambda t, e, w: implies(
            both(s.is_walking(t), s.chosen_by(t, e, w), no(s.is_always(e))), no(s.hint(t, e))))

    @m.invariant("one taker for each event")
    def _(s: State) -> Term:
        return every(Thread, Event, Thread, Thread, lambda t, e, w, u: implies(
            both(s.chosen_by(t, e, w), s.chosen_by(t, e, u), no(s.is_always(e))), w == u))

    def has_been_ready(s: State, since: Term, e: Term) -> Term:
        return every(Index, lambda i: implies(both(since <= i, i <= s.now), s.ready_at(i, e)))

    def is_pending(s: State, t: Term, w: Term, e: Term) -> Term:
        """`t` has a walk that will come to `w` for `e`."""
        return both(s.hint(t, e), either(no(s.is_walking(t)), s.to_visit(t, w)), has_been_ready(s, s.view(t), e))

    def will_hand_on(s: State, u: Term, e: Term) -> Term:
        """`u` will look for `e`, or hand on what is left of it, and will see it."""
        is_in_motion = either(
            s.is_chosen(u),
            both(s.must_hand_off(u), either(s.trying(u), s.awake(u), s.leaving(u))),
            s.handing_on(u))
        since = later(s.view(u), s.list_view)
        return both(s.interest(u, e), is_in_motion, either(
            has_been_ready(s, s.view(u), e), both(s.registered(u), has_been_ready(s, since, e))))

    @m.invariant("a ready event has a taker")
    def _(s: State) -> Term:
        return every(Thread, Event, lambda w, e: implies(
            both(s.asleep(w), no(s.is_chosen(w)), s.interest(w, e), ready(s, e)),
            some(Thread, lambda t: either(is_pending(s, t, w, e), will_hand_on(s, t, e)))))

    # ---- Goals

    @m.goal("once: no event is swallowed")
    def _(s: State) -> Term:
        # Nobody is under way: all that wait are asleep and not to be woken.
        is_quiet = every(Thread, lambda t: both(
            no(s.trying(t)), no(s.awake(t)), no(s.leaving(t)), no(s.handing_on(t)), no(both(s.asleep(t), s.woken(t))),
            has_no_hint(s, t)))
        return implies(is_quiet, every(Thread, Event, lambda w, e: implies(
            both(s.asleep(w), s.interest(w, e)), no(ready(s, e)))))

    @m.goal("once: an event chooses one, but an end of file all")
    def _(s: State) -> Term:
        return every(Thread, Event, Thread, Thread, lambda t, e, w, u: implies(
            both(s.chosen_by(t, e, w), s.chosen_by(t, e, u), no(s.is_always(e))), w == u))

    return m


if __name__ == "__main__":
    import prove

    prove.show([handoff()])
