"""`lock_free::Pollee`: the readiness word with a version, for state that is atomic or under several locks (src/lock_free.rs).

Any number of threads, each of which changes the state, polls, and has one registration at a time; any number of events,
each a part of the state of its own. State and word are two histories. The state is relaxed: a computation reads each part
at *any* index from the thread's view on. The word's read-modify-writes release the thread's view of the state to those
that acquire the word later, as AcqRel and Acquire have it; these orderings are needed here.

Some changes are made under a lock of the owner's, which hands both views on; that is for Causal alone.

Assumed: the version does not wrap during one computation (2³⁴ changes); changes of one part of the state are ordered.
"""

from __future__ import annotations

from locked import HYBRID, Policy
from transition import (
    Event, Index, Model, SetOf, State, Term, Thread,
    both, either, every, implies, later, no, same, some, when,
)


def lock_free(policy: Policy = HYBRID, fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model(f"lock-free {policy.name}", clocks=("now", "last"))

    # The state: each part of it at each index of one clock.
    m.number("now")
    m.condition("ready_at", Event, Index)
    # The word: at each index what is cached (and from which index of the state), interests, version; and the view of
    # the state that it hands on, and that it handed on when the version began.
    m.number("last")
    m.condition("cached_at", Index)
    m.condition("events_at interests_at", Index, Event)
    m.number("version_at", Index)
    m.number("source_at released_at base_at", Index, Event)
    # A thread: its views of word and state; a change that is not yet notified.
    m.number("view", Thread)
    m.number("state_view changed_at", Thread, Event)
    m.condition("is_changed", Thread)
    m.condition("risen", Thread, Event)
    # The owner's lock, the last changes made under it, and what a thread has seen there.
    m.condition("holds", Thread)
    m.number("lock_view")
    m.number("lock_state_view lock_change", Event)
    m.number("observed", Thread, Event)
    # A notification.
    m.condition("hint", Thread, Event)
    m.condition("is_walking", Thread)
    m.condition("to_visit collected", Thread, Thread)
    # A computation.
    m.condition("computing", Thread)
    m.number("loaded_version loaded_at", Thread)
    m.condition("has_read result", Thread, Event)
    m.number("result_source", Thread, Event)
    # A watcher.
    m.condition("registered asleep woken", Thread)
    m.condition("interest", Thread, Event)
    m.number("registered_at woken_view", Thread)
    m.number("woken_state_view slept_on", Thread, Event)
    if fault == "NotifyBeforeChange":
        m.condition("is_early", Thread)

    def ready(s: State, e: Term) -> Term:
        return s.ready_at(e, s.now)

    def cached(s: State) -> Term:
        return s.cached_at(s.last)

    def append(s: State, t: Term, cached: Term, interests, is_change: bool = False, fill: bool = False) -> None:
        """A read-modify-write of the word by `t`, AcqRel."""
        last = s.last
        s.state_view[t, :] = lambda e: later(s.state_view(t, e), s.released_at(last, e))
        s.events_at[last + 1, :] = lambda e: both(cached, s.result(t, e) if fill else s.events_at(last, e))
        s.source_at[last + 1, :] = lambda e: s.result_source(t, e) if fill else s.source_at(last, e)
        s.cached_at[last + 1] = cached
        s.interests_at[last + 1, :] = interests
        s.version_at[last + 1] = s.version_at(last) + (1 if is_change and policy.caches else 0)
        s.released_at[last + 1, :] = lambda e: s.state_view(t, e)
        s.base_at[last + 1, :] = lambda e: s.state_view(t, e) if is_change else s.base_at(last, e)
        s.last = last + 1
        s.view[t] = s.last

    def load(s: State, t: Term, j: Term) -> None:
        """An acquire load of the word by `t` gives the value at `j`."""
        s.require(s.view(t) <= j, j <= s.last)
        s.view[t] = j
        s.state_view[t, :] = lambda e: later(s.state_view(t, e), s.released_at(j, e))

    def is_idle(s: State, t: Term) -> Term:
        is_early = s.is_early(t) if fault == "NotifyBeforeChange" else False
        return both(no(s.is_changed(t)), no(s.computing(t)), no(s.asleep(t)), no(s.is_walking(t)), no(is_early),
                    every(Event, lambda e: no(s.hint(t, e))), every(Thread, lambda w: no(s.collected(t, w))))

    def decide(s: State, t: Term, events, source) -> None:
        s.asleep[t] = both(s.registered(t), every(Event, lambda e: implies(s.interest(t, e), no(events(e)))))
        s.slept_on[t, :] = source

    @m.begin(after=SetOf(Event))
    def start(s: State, after) -> None:
        s.ready_at[:, 0] = after

    # ---- A change, and its notification before the lock is released

    @m.step("lock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(is_idle(s, t), every(Thread, lambda u: no(s.holds(u))))
        s.holds[t] = True
        s.view[t] = later(s.view(t), s.lock_view)
        s.state_view[t, :] = lambda e: later(s.state_view(t, e), s.lock_state_view(e))
        s.observed[t, :] = lambda e: s.lock_change(e)

    @m.step("change", t=Thread, after=SetOf(Event))
    def _(s: State, t: Term, after) -> None:
        s.require(either(is_idle(s, t), s.is_early(t) if fault == "NotifyBeforeChange" else False))
        is_written = lambda e: no(same(after(e), ready(s, e)))
        s.state_view[t, :] = lambda e: when(is_written(e), s.now + 1, s.state_view(t, e))
        s.changed_at[t, :] = lambda e: when(is_written(e), s.now + 1, s.changed_at(t, e))
        s.lock_change[:] = lambda e: when(both(s.holds(t), is_written(e)), s.now + 1, s.lock_change(e))
        s.observed[t, :] = lambda e: when(both(s.holds(t), is_written(e)), s.now + 1, s.observed(t, e))
        s.risen[t, :] = lambda e: both(after(e), no(ready(s, e)))
        if fault == "NotifyBeforeChange":
            s.require(s.is_early(t), every(Event, lambda e: implies(s.risen(t, e), True)))
            s.is_early[t] = False
        else:
            s.is_changed[t] = True
        s.ready_at[:, s.now + 1] = after
        s.now = s.now + 1

    @m.step("notify_events", t=Thread, j=Index, hint=SetOf(Event))
    def _(s: State, t: Term, j: Term, hint) -> None:
        # The hint covers what the change made ready.
        s.require(every(Event, lambda e: implies(s.risen(t, e), hint(e))))
        if fault == "NotifyBeforeChange":
            s.require(is_idle(s, t))
            s.is_early[t] = True
        else:
            s.require(s.is_changed(t))
        s.is_changed[t] = False
        if fault == "LoadForNotify":
            s.require(s.view(t) <= j, j <= s.last)
            s.hint[t, :] = lambda e: both(hint(e), s.interests_at(j, e))
            if not policy.caches:
                return
        else:
            s.require(j == s.last)
            s.hint[t, :] = lambda e: both(hint(e), s.interests_at(j, e))
        if policy.caches:
            append(s, t, False, lambda e: s.interests_at(s.last, e), is_change=True)
        else:
            # fence_and_load
            append(s, t, cached(s), lambda e: s.interests_at(s.last, e), is_change=True)

    @m.step("clear_events", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_changed(t), every(Event, lambda e: no(s.risen(t, e))))
        s.is_changed[t] = False
        if policy.caches:
            append(s, t, False, lambda e: s.interests_at(s.last, e), is_change=True)

    @m.step("unlock", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.holds(t), no(s.computing(t)))
        if fault != "NotifyAfterUnlock":
            s.require(no(s.is_changed(t)))
        s.holds[t] = False
        s.lock_view = s.view(t)
        s.lock_state_view[:] = lambda e: s.state_view(t, e)

    # ---- Delivery, as in locked.py

    @m.step("deliver: begin", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(no(s.is_walking(t)), no(s.holds(t)), some(Event, lambda e: s.hint(t, e)))
        s.is_walking[t] = True
        s.to_visit[t, :] = lambda w: s.registered(w)

    @m.step("deliver: visit", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.is_walking(t), s.to_visit(t, w))
        s.to_visit[t, w] = False
        s.collected[t, w] = some(Event, lambda e: both(s.interest(w, e), s.hint(t, e)))

    @m.step("deliver: forget_old_interests", t=Thread, old=SetOf(Event))
    def _(s: State, t: Term, old) -> None:
        s.require(s.is_walking(t))
        s.require(every(Thread, Event, lambda w, e: implies(both(s.registered(w), s.interest(w, e)), no(old(e)))))
        append(s, t, cached(s), lambda e: both(s.interests_at(s.last, e), no(old(e))))

    @m.step("deliver: wake", t=Thread, w=Thread)
    def _(s: State, t: Term, w: Term) -> None:
        s.require(s.collected(t, w))
        s.collected[t, w] = False
        s.woken[w] = True
        s.woken_view[w] = later(s.woken_view(w), s.view(t))
        s.woken_state_view[w, :] = lambda e: later(s.woken_state_view(w, e), s.state_view(t, e))

    @m.step("deliver: end", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.is_walking(t), every(Thread, lambda w: both(no(s.to_visit(t, w)), no(s.collected(t, w)))))
        s.is_walking[t] = False
        s.hint[t, :] = lambda e: False

    # ---- A poll: Pollee::resolve

    def resolve(s: State, t: Term, j: Term) -> None:
        is_hit = both(policy.caches, s.cached_at(j))
        s.computing[t] = no(is_hit)
        s.loaded_version[t] = s.version_at(j)
        s.loaded_at[t] = j
        s.has_read[t, :] = lambda e: False
        decide(s, t, lambda e: s.events_at(j, e), lambda e: s.source_at(j, e))
        s.asleep[t] = both(is_hit, s.asleep(t))

    @m.step("poll: load", t=Thread, j=Index)
    def _(s: State, t: Term, j: Term) -> None:
        s.require(is_idle(s, t), no(s.holds(t)))
        load(s, t, j)
        resolve(s, t, j)

    @m.step("owner.readiness: one part", t=Thread, e=Event, i=Index)
    def _(s: State, t: Term, e: Term, i: Term) -> None:
        s.require(s.computing(t), no(s.has_read(t, e)), s.state_view(t, e) <= i, i <= s.now)
        s.has_read[t, e] = True
        s.result[t, e] = s.ready_at(e, i)
        s.result_source[t, e] = i
        s.state_view[t, e] = i

    @m.step("update_events", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.computing(t), every(Event, lambda e: s.has_read(t, e)))
        s.computing[t] = False
        decide(s, t, lambda e: s.result(t, e), lambda e: s.result_source(t, e))
        if policy.caches:
            # Refused: nothing is written, and this is one more read-modify-write.
            if fault != "NoVersionCheck":
                s.require(s.version_at(s.last) == s.loaded_version(t))
            append(s, t, True, lambda e: s.interests_at(s.last, e), fill=True)

    if policy.caches:
        @m.step("update_events: refused", t=Thread)
        def _(s: State, t: Term) -> None:
            s.require(s.computing(t), every(Event, lambda e: s.has_read(t, e)))
            s.require(no(s.version_at(s.last) == s.loaded_version(t)))
            s.computing[t] = False
            decide(s, t, lambda e: s.result(t, e), lambda e: s.result_source(t, e))

    # ---- A watcher

    def watch(s: State, t: Term, interest) -> None:
        append(s, t, cached(s), lambda e: either(s.interests_at(s.last, e), interest(e)))
        s.interest[t, :] = interest
        s.registered_at[t] = s.last
        resolve(s, t, s.last)

    @m.step("insert: watch", t=Thread, interest=SetOf(Event))
    def _(s: State, t: Term, interest) -> None:
        s.require(is_idle(s, t), no(s.holds(t)), no(s.registered(t)))
        s.registered[t] = True
        watch(s, t, interest)

    @m.step("set_interest: watch", t=Thread, interest=SetOf(Event))
    def _(s: State, t: Term, interest) -> None:
        s.require(is_idle(s, t), no(s.holds(t)), s.registered(t))
        watch(s, t, interest)

    @m.step("rearm: watch", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(is_idle(s, t), no(s.holds(t)), s.registered(t))
        s.to_visit[:, t] = False
        watch(s, t, lambda e: s.interest(t, e))

    @m.step("sleep ends", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.asleep(t), s.woken(t))
        s.asleep[t] = False
        s.woken[t] = False
        s.view[t] = later(s.view(t), s.woken_view(t))
        s.state_view[t, :] = lambda e: later(s.state_view(t, e), s.woken_state_view(t, e))

    @m.step("unlink: unwatch", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.registered(t), either(is_idle(s, t), s.asleep(t)))
        s.registered[t] = False
        s.asleep[t] = False
        s.to_visit[:, t] = False
        is_last = every(Thread, lambda w: no(s.registered(w)))
        append(s, t, cached(s), lambda e: both(s.interests_at(s.last, e), no(is_last)))

    # ---- Invariants

    def is_between(low: Term, i: Term, high: Term) -> Term:
        return both(low <= i, i <= high)

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(
            0 <= s.now, is_between(0, s.lock_view, s.last),
            every(Event, lambda e: both(is_between(0, s.lock_state_view(e), s.now), is_between(0, s.lock_change(e), s.now))),
            every(Index, Event, lambda j, e: implies(is_between(0, j, s.last), both(
                is_between(s.base_at(j, e), s.released_at(j, e), s.now), 0 <= s.base_at(j, e),
                implies(s.cached_at(j), is_between(0, s.source_at(j, e), s.now))))),
            every(Thread, lambda t: both(
                is_between(0, s.view(t), s.last), is_between(0, s.woken_view(t), s.last),
                implies(s.registered(t), is_between(0, s.registered_at(t), s.view(t))),
                implies(s.computing(t), is_between(0, s.loaded_at(t), s.view(t))))),
            every(Thread, Event, lambda t, e: both(
                is_between(0, s.state_view(t, e), s.now), is_between(0, s.woken_state_view(t, e), s.now),
                is_between(0, s.changed_at(t, e), s.state_view(t, e)), is_between(0, s.observed(t, e), s.now),
                implies(both(s.computing(t), s.has_read(t, e)), is_between(0, s.result_source(t, e), s.now)))))

    @m.invariant("phases")
    def _(s: State) -> Term:
        return both(
            every(Thread, Thread, lambda t, u: implies(both(s.holds(t), s.holds(u)), t == u)),
            every(Thread, lambda t: both(
                implies(s.asleep(t), s.registered(t)),
                implies(either(s.asleep(t), s.computing(t)), both(
                    no(s.holds(t)), no(s.is_changed(t)), no(s.is_walking(t)), no(both(s.asleep(t), s.computing(t))))),
                implies(s.is_walking(t), no(s.is_changed(t))),
                every(Event, lambda e: implies(s.hint(t, e), both(
                    no(s.asleep(t)), no(s.computing(t)), no(s.is_changed(t))))),
                every(Thread, lambda w: both(
                    implies(s.to_visit(t, w), both(s.registered(w), s.is_walking(t), no(s.collected(t, w)))),
                    implies(s.collected(t, w), s.is_walking(t)))))))

    @m.invariant("versions grow")
    def _(s: State) -> Term:
        return every(Index, Index, lambda i, j: implies(both(0 <= i, i <= j, j <= s.last), both(
            s.version_at(i) <= s.version_at(j),
            every(Event, lambda e: s.base_at(i, e) <= s.base_at(j, e)),
            implies(both(policy.caches, s.version_at(i) == s.version_at(j)),
                    every(Event, lambda e: s.base_at(i, e) == s.base_at(j, e))))))

    @m.invariant("a computation is as new as the version it began at")
    def _(s: State) -> Term:
        return every(Thread, Event, lambda t, e: implies(s.computing(t), both(
            s.loaded_version(t) == s.version_at(s.loaded_at(t)),
            s.base_at(s.loaded_at(t), e) <= s.state_view(t, e),
            implies(both(s.registered(t)), s.registered_at(t) <= s.loaded_at(t)),
            implies(s.has_read(t, e), both(
                s.base_at(s.loaded_at(t), e) <= s.result_source(t, e), s.result_source(t, e) <= s.state_view(t, e),
                same(s.result(t, e), s.ready_at(e, s.result_source(t, e))))))))

    @m.invariant("the cache is as new as the version")
    def _(s: State) -> Term:
        return every(Index, Event, lambda j, e: implies(
            both(is_between(0, j, s.last), s.cached_at(j)), s.base_at(j, e) <= s.source_at(j, e)))

    @m.invariant("the cache is what was ready at its source")
    def _(s: State) -> Term:
        return both(
            implies(not policy.caches, every(Index, lambda j: implies(is_between(0, j, s.last), no(s.cached_at(j))))),
            every(Index, Event, lambda j, e: implies(
                both(is_between(0, j, s.last), s.cached_at(j)),
                same(s.events_at(j, e), s.ready_at(e, s.source_at(j, e))))))

    def is_unnotified(s: State, e: Term, i: Term) -> Term:
        """A thread has changed e after index i, and not notified yet."""
        return some(Thread, lambda t: both(
            s.is_changed(t), i < s.changed_at(t, e), implies(ready(s, e), s.risen(t, e))))

    @m.invariant("what the word has not released is unnotified")
    def _(s: State) -> Term:
        is_rise = lambda e: True if policy.caches else ready(s, e)
        return every(Event, Index, lambda e, i: implies(
            both(is_between(s.base_at(s.last, e), i, s.now), no(same(s.ready_at(e, i), ready(s, e))), is_rise(e)),
            is_unnotified(s, e, i)))

    @m.invariant("interests are in the word")
    def _(s: State) -> Term:
        return every(Thread, Event, Index, lambda w, e, j: implies(
            both(s.registered(w), s.interest(w, e), is_between(s.registered_at(w), j, s.last)),
            s.interests_at(j, e)))

    def is_pending(s: State, t: Term, w: Term, e: Term) -> Term:
        return either(both(s.hint(t, e), either(no(s.is_walking(t)), s.to_visit(t, w))), s.collected(t, w))

    def is_missed(s: State, w: Term, e: Term, i: Term) -> Term:
        return both(s.registered(w), s.interest(w, e), 0 <= i, i <= s.now, no(s.ready_at(e, i)), ready(s, e))

    @m.invariant("a rise that may still be computed away is owed")
    def _(s: State) -> Term:
        return every(Thread, Event, Index, lambda w, e, i: implies(
            both(is_missed(s, w, e, i), either(
                s.state_view(w, e) <= i,
                both(s.computing(w), s.has_read(w, e), s.result_source(w, e) == i))),
            either(is_unnotified(s, e, i), both(s.woken(w), i < s.woken_state_view(w, e)),
                   some(Thread, lambda t: both(is_pending(s, t, w, e), i < s.state_view(t, e))))))

    @m.invariant("a rise that the cache may still hide is owed")
    def _(s: State) -> Term:
        return every(Thread, Event, Index, lambda w, e, j: implies(
            both(is_between(s.view(w), j, s.last), s.cached_at(j), is_missed(s, w, e, s.source_at(j, e))),
            either(is_unnotified(s, e, s.source_at(j, e)), both(s.woken(w), j < s.woken_view(w)),
                   some(Thread, lambda t: both(is_pending(s, t, w, e), j < s.view(t))))))

    @m.invariant("a rise that a sleeper missed is owed")
    def _(s: State) -> Term:
        return every(Thread, Event, lambda w, e: implies(both(s.asleep(w), s.interest(w, e)), both(
            is_between(0, s.slept_on(w, e), s.now), no(s.ready_at(e, s.slept_on(w, e))),
            implies(ready(s, e), either(
                is_unnotified(s, e, s.slept_on(w, e)), s.woken(w),
                some(Thread, lambda t: is_pending(s, t, w, e)))))))

    if policy.caches:
        @m.invariant("what was notified is not undone")
        def _(s: State) -> Term:
            return both(
                every(Thread, Event, lambda t, e: implies(
                    no(s.is_changed(t)), s.changed_at(t, e) <= s.base_at(s.view(t), e))),
                every(Event, lambda e: either(
                    s.lock_change(e) <= s.base_at(s.lock_view, e), some(Thread, lambda t: s.holds(t)))),
                every(Thread, Event, lambda t, e: implies(
                    s.holds(t), both(s.lock_change(e) == s.observed(t, e), either(
                        s.lock_change(e) <= s.base_at(s.view(t), e),
                        both(s.is_changed(t), s.lock_change(e) <= s.state_view(t, e)))))),
                every(Thread, Event, lambda t, e: implies(
                    no(s.holds(t)), s.observed(t, e) <= s.base_at(s.view(t), e))))

    # ---- Goals

    @m.goal("awake: nobody sleeps who is interested in what is ready")
    def _(s: State) -> Term:
        is_quiet = every(Thread, lambda t: both(
            no(s.is_changed(t)), every(Event, lambda e: no(s.hint(t, e))), every(Thread, lambda w: no(s.collected(t, w)))))
        return implies(is_quiet, every(Thread, Event, lambda w, e: implies(
            both(s.asleep(w), no(s.woken(w)), s.interest(w, e)), no(ready(s, e)))))

    @m.goal("fresh: once each change is notified, what is cached is the readiness")
    def _(s: State) -> Term:
        return implies(both(every(Thread, lambda t: no(s.is_changed(t))), cached(s)), every(Event, lambda e: same(
            s.events_at(s.last, e), ready(s, e))))

    @m.goal("fresh: a thread polls nothing from before a change that it has notified")
    def _(s: State) -> Term:
        return every(Thread, Index, Event, lambda t, j, e: implies(
            both(no(s.is_changed(t)), is_between(s.view(t), j, s.last), s.cached_at(j)),
            s.changed_at(t, e) <= s.source_at(j, e)))

    @m.goal("causal: a thread polls nothing from before a change that it has seen in the lock")
    def _(s: State) -> Term:
        return every(Thread, Index, Event, lambda t, j, e: implies(
            both(no(s.holds(t)), is_between(s.view(t), j, s.last), s.cached_at(j)),
            s.observed(t, e) <= s.source_at(j, e)))

    return m


if __name__ == "__main__":
    import prove
    from locked import STATEFUL, STATELESS

    prove.show([lock_free(HYBRID), lock_free(STATELESS)])
