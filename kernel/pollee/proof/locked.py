"""`Locked`: the readiness word under an owner's lock, with watchers that are all woken (src/locked, src/word.rs).

Any number of threads, each of which changes the state, polls, and has one registration at a time; any number of events.
The three policies are two constants.

The word is relaxed. Its history is kept: what was cached, and the interests, at each index of its modification order.
A load by a thread gives the value at *any* index from the thread's view on; a read-modify-write appends to the end. A
lock hands the view of its last holder on, and so does a wake. This is all that the memory does for the proof: the
orderings that the source writes on the word (Acquire, AcqRel) are not used.

Not here: exclusive watchers (handoff.py), versions (lock_free.py), registrations that persist (persistent.py).
"""

from __future__ import annotations

from dataclasses import dataclass

from transition import (
    Event, Index, Model, SetOf, State, Term, Thread,
    both, either, every, implies, later, no, same, some, when,
)


@dataclass(frozen=True)
class Policy:
    """src/policy.rs"""

    name: str
    caches: bool
    is_eager: bool


HYBRID = Policy("hybrid", caches=True, is_eager=False)
STATEFUL = Policy("stateful", caches=True, is_eager=True)
STATELESS = Policy("stateless", caches=False, is_eager=False)


def locked(policy: Policy = HYBRID, fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model(f"locked {policy.name}")

    # The word: `now` is the last index of its history.
    m.number("now")
    m.condition("cached_at", Index)
    m.condition("events_at interests_at", Index, Event)
    # The state behind the owner's lock, as far as it matters: its readiness. The view that the lock hands on.
    m.condition("ready", Event)
    m.number("owner_view")
    # A thread: the index before which it reads no more; where it is in a critical section of the owner's lock.
    m.number("view", Thread)
    m.condition("holds is_guard", Thread)
    m.condition("is_loaded before_known is_filling is_clearing has_tried_clear is_wrong", Thread)
    m.condition("is_published", Thread)
    m.condition("before raised seen", Thread, Event)
    # A notification: the hint, who of the list is still to be visited, who was collected and is still to be woken.
    m.condition("hint", Thread, Event)
    m.condition("is_walking", Thread)
    m.condition("to_visit collected", Thread, Thread)
    # A watcher: when it registered (or set its interest); whether it has still to compute, has still to try, or has
    # found nothing and sleeps; the wake that sticks, and the view that comes with it.
    m.condition("registered looking trying asleep woken", Thread)
    m.condition("interest", Thread, Event)
    m.number("registered_at woken_view", Thread)
    # For the property Causal alone: the end of each thread's last critical section, and what was ready then.
    m.number("section_end", Thread)
    m.condition("section_ready", Thread, Event)
    if fault == "LockedNotifyAfterUnlock":
        m.condition("is_late", Thread)
        m.condition("late", Thread, Event)
    if fault == "UnwatchOutsideLock":
        m.condition("unwatches_late", Thread)

    # ---- What the steps are made of

    def append(s: State, t: Term, cached: Term, events, interests) -> None:
        """A read-modify-write of the word by `t`."""
        s.cached_at[s.now + 1] = cached
        s.events_at[s.now + 1, :] = events
        s.interests_at[s.now + 1, :] = interests
        s.now = s.now + 1
        s.view[t] = s.now

    def cached(s: State) -> Term:
        return s.cached_at(s.now)

    def events(s: State, e: Term) -> Term:
        return s.events_at(s.now, e)

    def interests(s: State, e: Term) -> Term:
        return s.interests_at(s.now, e)

    def load(s: State, t: Term, i: Term) -> None:
        """A load of the word by `t` gives the value at `i`."""
        s.require(s.view(t) <= i, i <= s.now)
        s.view[t] = i

    def is_idle(s: State, t: Term) -> Term:
        """Between two operations."""
        is_late = (s.is_late(t) if fault == "LockedNotifyAfterUnlock" else
                   s.unwatches_late(t) if fault == "UnwatchOutsideLock" else False)
        return both(no(s.holds(t)), no(s.asleep(t)), no(s.looking(t)), no(s.trying(t)), no(s.is_walking(t)), no(is_late),
                    every(Event, lambda e: no(s.hint(t, e))), every(Thread, lambda w: no(s.collected(t, w))))

    def is_free(s: State) -> Term:
        return every(Thread, lambda t: no(s.holds(t)))

    def lock(s: State, t: Term, is_guard: bool) -> None:
        s.require(is_free(s))
        s.holds[t] = True
        s.is_guard[t] = is_guard
        s.view[t] = later(s.view(t), s.owner_view)
        s.is_loaded[t] = False
        s.is_filling[t] = False
        s.is_clearing[t] = False
        s.has_tried_clear[t] = False
        s.is_wrong[t] = False
        s.is_published[t] = False

    def unlock(s: State, t: Term) -> None:
        s.holds[t] = False
        s.owner_view = s.view(t)
        s.section_end[t] = s.now + 1
        s.section_ready[t, :] = lambda e: s.ready(e)

    def finds_nothing(s: State, t: Term, ready) -> Term:
        return both(s.registered(t), every(Event, lambda e: implies(s.interest(t, e), no(ready(e)))))

    def decide(s: State, t: Term, ready) -> None:
        """A watcher that finds nothing goes to sleep; one that finds something is left awake."""
        s.looking[t] = False
        s.asleep[t] = finds_nothing(s, t, ready)

    @m.begin(ready=SetOf(Event))
    def start(s: State, ready) -> None:
        s.ready[:] = ready
        if policy.is_eager:
            s.cached_at[0] = True
            s.events_at[0, :] = ready

    # ---- A change: Guard::new, the change, Guard::notify_events, the end of Guard::drop

    def is_changing(s: State, t: Term) -> Term:
        return both(s.holds(t), s.is_guard(t), s.is_loaded(t), no(s.is_filling(t)), no(s.is_clearing(t)),
                    no(s.is_wrong(t)), no(s.is_published(t)))

    @m.step("new: lock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(either(is_idle(s, t), both(s.trying(t), no(s.holds(t)))))
        lock(s, t, is_guard=True)

    @m.step("new: load_relaxed", t=Thread, i=Index)
    def _(s: State, t: Term, i: Term) -> None:
        s.require(s.holds(t), s.is_guard(t), no(s.is_loaded(t)))
        load(s, t, i)
        s.is_loaded[t] = True
        s.before_known[t] = either(s.cached_at(i), some(Event, lambda e: s.interests_at(i, e)))
        s.before[t, :] = lambda e: when(s.cached_at(i), s.events_at(i, e), s.ready(e))

    @m.step("change", t=Thread, ready=SetOf(Event), raised=SetOf(Event))
    def _(s: State, t: Term, ready, raised) -> None:
        s.require(is_changing(s, t), no(s.has_tried_clear(t)))
        s.ready[:] = ready
        s.raised[t, :] = raised

    if policy.caches:
        @m.step("guard's update_events: load_relaxed", t=Thread, i=Index)
        def _(s: State, t: Term, i: Term) -> None:
            s.require(is_changing(s, t), no(s.has_tried_clear(t)))
            load(s, t, i)
            s.before[t, :] = lambda e: when(s.before_known(t), s.before(t, e), s.ready(e))
            s.before_known[t] = True
            s.is_filling[t] = no(s.cached_at(i))

    if policy.caches and not policy.is_eager:
        @m.step("guard's update_events: fetch_or", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.holds(t), s.is_guard(t), s.is_filling(t))
            s.is_filling[t] = False
            append(s, t, True, lambda e: either(events(s, e), s.before(t, e)), lambda e: interests(s, e))

    def may_clear(s: State, t: Term) -> Term:
        return both(not policy.is_eager, s.before_known(t),
                    some(Event, lambda e: both(s.raised(t, e), no(s.before(t, e)))))

    if not policy.is_eager:
        @m.step("clear_events: load_relaxed", t=Thread, i=Index)
        def _(s: State, t: Term, i: Term) -> None:
            s.require(is_changing(s, t), may_clear(s, t), no(s.has_tried_clear(t)))
            load(s, t, i)
            s.has_tried_clear[t] = True
            s.is_clearing[t] = every(Event, lambda e: no(s.interests_at(i, e)))

        @m.step("clear_events: compare_exchange succeeds", t=Thread)
        def _(s: State, t: Term) -> None:
            # The cache is as it was loaded: only the holder of the lock changes it ("the lock settles the cache").
            s.require(s.holds(t), s.is_guard(t), s.is_clearing(t))
            if fault != "ClearUnconditionally":
                s.require(every(Event, lambda e: no(interests(s, e))))
            append(s, t, False, lambda e: False, lambda e: interests(s, e))
            s.is_clearing[t] = False
            s.is_published[t] = True

        if fault != "ClearUnconditionally":
            @m.step("clear_events: compare_exchange fails", t=Thread)
            def _(s: State, t: Term) -> None:
                s.require(s.holds(t), s.is_guard(t), s.is_clearing(t))
                s.is_clearing[t] = False

    def happened(s: State, t: Term, e: Term) -> Term:
        return either(both(s.ready(e), no(s.before(t, e))), s.raised(t, e))

    @m.step("notify_events: load_relaxed", t=Thread, i=Index)
    def _(s: State, t: Term, i: Term) -> None:
        s.require(is_changing(s, t), implies(may_clear(s, t), s.has_tried_clear(t)))
        load(s, t, i)
        is_changed = some(Event, lambda e: no(same(s.before(t, e), s.ready(e))))
        is_wrong = both(s.before_known(t), s.cached_at(i), is_changed)
        if fault == "LockedNotifyAfterUnlock":
            s.is_late[t] = both(s.before_known(t), is_changed)
            s.late[t, :] = lambda e: s.ready(e)
            is_wrong = False
        s.is_wrong[t] = is_wrong
        s.seen[t, :] = lambda e: s.interests_at(i, e)
        s.is_published[t] = no(is_wrong)
        s.hint[t, :] = lambda e: both(
            s.before_known(t), no(is_wrong), happened(s, t, e), s.interests_at(i, e))

    if policy.caches:
        @m.step("notify_events: fetch_add", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.holds(t), s.is_guard(t), s.is_wrong(t))
            loses = fault == "UpdateDropsInterests"
            trusts_load = fault == "LockedLoadForNotify"
            s.hint[t, :] = lambda e: both(happened(s, t, e), s.seen(t, e) if trusts_load else interests(s, e))
            append(s, t, True, lambda e: s.ready(e), lambda e: False if loses else interests(s, e))
            s.is_wrong[t] = False
            s.is_published[t] = True

    @m.step("drop: unlock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.holds(t), s.is_guard(t), s.is_published(t))
        unlock(s, t)
        # The try of a watcher that was woken and armed again (wait.rs): one that finds nothing changes nothing.
        s.asleep[t] = both(s.trying(t), every(Event, lambda e: no(s.hint(t, e))), finds_nothing(s, t, s.ready))
        s.trying[t] = False

    if fault == "LockedNotifyAfterUnlock":
        @m.step("notify_events: too late", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.is_late(t), no(s.holds(t)))
            s.is_late[t] = False
            s.hint[t, :] = lambda e: either(s.hint(t, e), both(cached(s), s.late(t, e), interests(s, e)))
            append(s, t, cached(s), lambda e: both(cached(s), s.late(t, e)), lambda e: interests(s, e))

    # ---- Delivery: Notification::drop, Watchers::deliver

    @m.step("deliver: begin", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(no(s.holds(t)), no(s.is_walking(t)), some(Event, lambda e: s.hint(t, e)))
        s.is_walking[t] = True
        s.to_visit[t, :] = lambda w: s.registered(w)

    @m.step("deliver: visit", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.is_walking(t), s.to_visit(t, w))
        s.to_visit[t, w] = False
        s.collected[t, w] = some(Event, lambda e: both(s.interest(w, e), s.hint(t, e)))

    @m.step("deliver: forget_old_interests", t=Thread, i=Index, old=SetOf(Event))
    def _(s: State, t: Term, i: Term, old) -> None:
        # In the source only where nobody was met; here at any time. Old is what nobody in the list is interested in.
        s.require(s.is_walking(t))
        s.require(every(Thread, Event, lambda w, e: implies(both(s.registered(w), s.interest(w, e)), no(old(e)))))
        load(s, t, i)
        append(s, t, cached(s), lambda e: events(s, e), lambda e: both(interests(s, e), no(old(e))))

    @m.step("deliver: wake", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.collected(t, w), no(s.holds(t)))
        s.collected[t, w] = False
        s.woken[w] = True
        s.woken_view[w] = later(s.woken_view(w), s.view(t))

    @m.step("deliver: end", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_walking(t), every(Thread, lambda w: both(no(s.to_visit(t, w)), no(s.collected(t, w)))))
        s.is_walking[t] = False
        s.hint[t, :] = lambda e: False

    # ---- A poll: Locked::poll, Locked::update_events

    if policy.caches:
        @m.step("poll: events", t=Thread, i=Index)
        def _(s: State, t: Term, i: Term) -> None:
            s.require(is_idle(s, t))
            load(s, t, i)
            s.require(s.cached_at(i))
            decide(s, t, lambda e: s.events_at(i, e))

    @m.step("update_events: lock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(either(is_idle(s, t), both(s.looking(t), no(s.holds(t)))))
        lock(s, t, is_guard=False)
        if not policy.caches:
            s.is_published[t] = True

    if policy.caches:
        @m.step("update_events: load_relaxed", t=Thread, i=Index)
        def _(s: State, t: Term, i: Term) -> None:
            s.require(s.holds(t), no(s.is_guard(t)), no(s.is_published(t)), no(s.is_wrong(t)))
            load(s, t, i)
            s.is_published[t] = s.cached_at(i)
            s.is_wrong[t] = no(s.cached_at(i))

    if policy.caches and not policy.is_eager:
        @m.step("update_events: fetch_or", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.holds(t), no(s.is_guard(t)), s.is_wrong(t))
            s.is_wrong[t] = False
            s.is_published[t] = True
            loses = fault == "UpdateDropsInterests"
            append(s, t, True, lambda e: either(events(s, e), s.ready(e)), lambda e: False if loses else interests(s, e))

    @m.step("update_events: unlock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.holds(t), no(s.is_guard(t)), s.is_published(t))
        unlock(s, t)
        decide(s, t, s.ready)

    # ---- A watcher: Watchers::{insert, set_interest, rearm, unlink}, each one critical section of the list lock

    def watch(s: State, t: Term, interest) -> None:
        """ReadinessWord::watch: adds an interest, and gives the word as it was."""
        append(s, t, cached(s), lambda e: events(s, e), lambda e: either(interests(s, e), interest(e)))
        s.interest[t, :] = interest
        s.registered_at[t] = s.now

    def resolve(s: State, t: Term) -> None:
        """Locked::resolve: readiness is in the word, or the watcher has still to compute it."""
        is_hit = both(policy.caches, cached(s))
        nothing = every(Event, lambda e: implies(s.interest(t, e), no(events(s, e))))
        s.looking[t] = no(is_hit)
        s.asleep[t] = both(is_hit, nothing)

    if fault == "WatchAfterCompute":
        m.condition("has_looked", Thread)

        @m.step("register: look too early", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(is_idle(s, t), no(s.registered(t)), is_free(s))
            s.require(every(Event, lambda e: no(s.ready(e))))
            s.has_looked[t] = True

    @m.step("insert: watch", t=Thread, interest=SetOf(Event))
    def _(s: State, t: Term, interest) -> None:
        s.require(is_idle(s, t), no(s.registered(t)))
        s.registered[t] = True
        watch(s, t, interest)
        if fault == "WatchAfterCompute":
            s.require(s.has_looked(t))
            s.has_looked[t] = False
            s.asleep[t] = True
        else:
            resolve(s, t)

    @m.step("set_interest: watch", t=Thread, interest=SetOf(Event))
    def _(s: State, t: Term, interest) -> None:
        s.require(is_idle(s, t), s.registered(t))
        watch(s, t, interest)
        resolve(s, t)

    @m.step("rearm: watch", t=Thread)
    def _(s: State, t: Term) -> None:
        # The watcher gets a new ticket, so walks that are under way pass it by. A try follows.
        s.require(is_idle(s, t), s.registered(t))
        s.to_visit[:, t] = False
        watch(s, t, lambda e: s.interest(t, e))
        s.trying[t] = True

    @m.step("sleep ends", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.asleep(t), s.woken(t))
        s.asleep[t] = False
        s.woken[t] = False
        s.view[t] = later(s.view(t), s.woken_view(t))

    @m.step("unlink: unwatch", t=Thread)
    def _(s: State, t: Term) -> None:
        # By success, timeout, signal or drop: at any time but within an operation.
        s.require(s.registered(t), either(is_idle(s, t), s.asleep(t)))
        s.registered[t] = False
        s.asleep[t] = False
        s.to_visit[:, t] = False
        is_last = every(Thread, lambda w: no(s.registered(w)))
        if fault == "UnwatchOutsideLock":
            s.unwatches_late[t] = is_last
        else:
            # Where it is not the last one the value stays, and this is one more read-modify-write.
            append(s, t, cached(s), lambda e: events(s, e), lambda e: both(interests(s, e), no(is_last)))

    if fault == "UnwatchOutsideLock":
        @m.step("unlink: unwatch too late", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.unwatches_late(t))
            s.unwatches_late[t] = False
            append(s, t, cached(s), lambda e: events(s, e), lambda e: False)

    # ---- Invariants

    def is_between(low: Term, i: Term, high: Term) -> Term:
        return both(low <= i, i <= high)

    def is_as_now(s: State, i: Term) -> Term:
        return both(same(s.cached_at(i), cached(s)),
                    every(Event, lambda e: same(s.events_at(i, e), events(s, e))))

    def is_unpublished(s: State, t: Term) -> Term:
        """In a guard that has looked at the word and not yet made it right."""
        return both(s.holds(t), s.is_guard(t), s.is_loaded(t), no(s.is_published(t)))

    def is_pending(s: State, t: Term, w: Term, e: Term) -> Term:
        """`t` is about to wake `w` for `e`."""
        return either(both(s.hint(t, e), either(no(s.is_walking(t)), s.to_visit(t, w))), s.collected(t, w))

    @m.invariant("one holder")
    def _(s: State) -> Term:
        return every(Thread, Thread, lambda t, u: implies(both(s.holds(t), s.holds(u)), t == u))

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(
            is_between(0, s.owner_view, s.now),
            every(Thread, lambda t: both(
                is_between(0, s.view(t), s.now), is_between(0, s.woken_view(t), s.now),
                is_between(0, s.registered_at(t), s.now), is_between(0, s.section_end(t), s.now + 1),
                implies(s.holds(t), s.owner_view <= s.view(t)),
                implies(s.registered(t), s.registered_at(t) <= s.view(t)))))

    @m.invariant("phases of a thread")
    def _(s: State) -> Term:
        return every(Thread, lambda t: both(
            implies(s.asleep(t), both(s.registered(t), no(s.holds(t)), no(s.looking(t)), no(s.trying(t)))),
            implies(s.looking(t), both(s.registered(t), no(s.trying(t)), no(both(s.holds(t), s.is_guard(t))))),
            implies(s.trying(t), both(s.registered(t), no(both(s.holds(t), no(s.is_guard(t)))))),
            implies(s.is_walking(t), both(no(s.holds(t)), no(s.asleep(t)), no(s.looking(t)), no(s.trying(t)))),
            every(Event, lambda e: implies(s.hint(t, e), both(
                no(s.asleep(t)), no(s.looking(t)), implies(s.trying(t), s.holds(t)),
                implies(s.holds(t), both(s.is_guard(t), s.is_published(t)))))),
            every(Thread, lambda w: both(
                implies(s.to_visit(t, w), both(s.registered(w), s.is_walking(t), no(s.collected(t, w)))),
                implies(s.collected(t, w), s.is_walking(t))))))

    @m.invariant("phases of a critical section")
    def _(s: State) -> Term:
        return every(Thread, lambda t: implies(s.holds(t), when(
            s.is_guard(t),
            both(implies(either(s.is_wrong(t), s.is_published(t), s.is_clearing(t)), s.is_loaded(t)),
                 implies(s.is_filling(t), both(
                     s.is_loaded(t), no(s.is_clearing(t)), no(s.is_wrong(t)), no(s.is_published(t)),
                     s.before_known(t), no(cached(s)), policy.caches)),
                 implies(s.is_clearing(t), both(no(s.is_wrong(t)), no(s.is_published(t)), s.before_known(t))),
                 implies(s.is_wrong(t), both(no(s.is_published(t)), s.before_known(t), cached(s)))),
            when(policy.caches,
                 both(implies(s.is_published(t), s.cached_at(s.view(t))),
                      implies(s.is_wrong(t), both(no(s.is_published(t)), no(cached(s))))),
                 both(s.is_published(t), no(s.is_wrong(t)))))))

    @m.invariant("the lock settles the cache")
    def _(s: State) -> Term:
        # Whoever holds the lock, or takes it next, reads the events as they are now.
        return both(
            every(Index, lambda i: implies(both(is_free(s), is_between(s.owner_view, i, s.now)), is_as_now(s, i))),
            every(Index, Thread, lambda i, t: implies(
                both(s.holds(t), is_between(s.view(t), i, s.now)), is_as_now(s, i))))

    @m.invariant("the cache is exact")
    def _(s: State) -> Term:
        is_exact = every(Event, lambda e: same(events(s, e), s.ready(e)))
        return implies(cached(s), both(
            either(is_exact, some(Thread, lambda t: is_unpublished(s, t))),
            every(Thread, lambda t: implies(is_unpublished(s, t), both(
                s.before_known(t), every(Event, lambda e: same(events(s, e), s.before(t, e))))))))

    @m.invariant("not cached, no events")
    def _(s: State) -> Term:
        return every(Index, Event, lambda i, e: implies(
            both(is_between(0, i, s.now), s.events_at(i, e)), s.cached_at(i)))

    @m.invariant("cached, while somebody watches")
    def _(s: State) -> Term:
        if not policy.caches:
            return every(Index, lambda i: implies(is_between(0, i, s.now), no(s.cached_at(i))))
        if policy.is_eager:
            return every(Index, lambda i: implies(is_between(0, i, s.now), s.cached_at(i)))
        # Only a word without interests is cleared.
        return every(Thread, Event, Index, Index, lambda w, e, i, j: implies(
            both(s.registered(w), s.interest(w, e), is_between(s.registered_at(w), i, j), j <= s.now, s.cached_at(i)),
            s.cached_at(j)))

    @m.invariant("interests are in the word")
    def _(s: State) -> Term:
        return every(Thread, Event, Index, lambda w, e, i: implies(
            both(s.registered(w), s.interest(w, e), is_between(s.registered_at(w), i, s.now)),
            s.interests_at(i, e)))

    @m.invariant("a section is seen")
    def _(s: State) -> Term:
        return every(Thread, Index, Event, lambda t, i, e: implies(
            both(is_between(s.view(t), i, s.section_end(t) - 1), s.cached_at(i)),
            same(s.events_at(i, e), s.section_ready(t, e))))

    if policy.caches:
        @m.invariant("a sleeper trusts the cache")
        def _(s: State) -> Term:
            return every(Thread, lambda w: both(
                implies(both(s.registered(w), no(s.looking(w)), some(Event, lambda e: s.interest(w, e))),
                        s.cached_at(s.view(w))),
                implies(s.asleep(w), every(Event, lambda e: implies(
                    s.interest(w, e), no(s.events_at(s.view(w), e)))))))

        @m.invariant("an unseen rise is owed")
        def _(s: State) -> Term:
            # If the watcher may still read at index i that e is not ready, and it is ready by now, a wake is on its way.
            return every(Thread, Event, Index, lambda w, e, i: implies(
                both(s.registered(w), s.interest(w, e), s.registered_at(w) <= i, is_between(s.view(w), i, s.now),
                     s.cached_at(i), no(s.events_at(i, e)), events(s, e)),
                either(both(s.woken(w), i < s.woken_view(w)),
                       some(Thread, lambda t: both(is_pending(s, t, w, e), i < s.view(t))))))
    else:
        def is_owed(s: State, w: Term, e: Term) -> Term:
            return either(s.woken(w), some(Thread, lambda t: is_pending(s, t, w, e)))

        @m.invariant("a sleeper has been in the lock")
        def _(s: State) -> Term:
            return every(Thread, lambda w: implies(s.asleep(w), both(
                s.registered_at(w) <= s.owner_view,
                every(Thread, lambda t: implies(both(is_unpublished(s, t),
                    some(Event, lambda e: s.interest(w, e))), s.before_known(t))))))

        @m.invariant("a rise is owed")
        def _(s: State) -> Term:
            is_open = lambda t: is_unpublished(s, t)
            return every(Thread, Event, lambda w, e: implies(both(s.asleep(w), s.interest(w, e)), both(
                implies(both(s.ready(e), no(some(Thread, is_open))), is_owed(s, w, e)),
                every(Thread, lambda t: implies(both(is_open(t), s.before(t, e)), is_owed(s, w, e))))))

    # ---- Goals

    @m.goal("awake: nobody sleeps who is interested in what is ready")
    def _(s: State) -> Term:
        is_quiet = both(is_free(s), every(Thread, Event, lambda t, e: no(s.hint(t, e))),
                        every(Thread, Thread, lambda t, w: no(s.collected(t, w))))
        return implies(is_quiet, every(Thread, Event, lambda w, e: implies(
            both(s.asleep(w), no(s.woken(w)), s.interest(w, e)), no(s.ready(e)))))

    @m.goal("fresh: whenever the lock is free, what is cached is the readiness")
    def _(s: State) -> Term:
        return implies(both(is_free(s), cached(s)), every(Event, lambda e: same(events(s, e), s.ready(e))))

    @m.goal("causal: a thread polls nothing from before its last critical section")
    def _(s: State) -> Term:
        return every(Thread, Index, Event, lambda t, i, e: implies(
            both(is_between(s.view(t), i, s.section_end(t) - 1), s.cached_at(i)),
            same(s.events_at(i, e), s.section_ready(t, e))))

    @m.goal("the difference is added to the events before")
    def _(s: State) -> Term:
        return every(Thread, Event, lambda t, e: implies(
            both(s.holds(t), s.is_guard(t), s.is_wrong(t)), both(cached(s), same(events(s, e), s.before(t, e)))))

    @m.goal("the debug assertion of update_events holds")
    def _(s: State) -> Term:
        return every(Thread, Index, Event, lambda t, i, e: implies(
            both(s.holds(t), no(s.is_guard(t)), is_between(s.view(t), i, s.now), s.cached_at(i)),
            same(s.events_at(i, e), s.ready(e))))

    return m


if __name__ == "__main__":
    import prove

    prove.show([locked(HYBRID), locked(STATEFUL), locked(STATELESS)])
