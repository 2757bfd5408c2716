"""Registrations that persist: a thread waits again and again for any number of files (src/persistent.rs).

One waiter, for what threads have of this they do not share; any number of files, of changers, and of waits. `ready_at` is
whether the file is ready for the registration's interest; locked.py has the events.

Everything is relaxed but the fences. A thread has a view of each variable: of each file's word, of each registration's
`epoch`, of `waits_in`; it loads any value from its view on. A fence joins the thread's views with those of all fences
before it. What the locks order in the source beyond this is not used.
"""

from __future__ import annotations

from transition import (
    Domain, Flag, Index, Model, State, Term, Thread,
    both, either, every, implies, later, no, some, when,
)

# The files, each with the waiter's registration.
File = Domain("File")


def persistent(fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model("persistent", clocks=("now", "stores", "epoch"))

    # The file's word: readiness at each index. `now` is one clock for the changes of all files.
    m.number("now")
    m.condition("ready_at", File, Index)
    # `epoch` of the registration: its values only grow, so a value is its own index.
    m.number("registration_epoch", File)
    # `waits_in`: its value at each index, and the last index; one more each time it is stored.
    m.number("waits_in", Index)
    m.number("stores")
    # The waiter.
    m.number("epoch armed_at")
    m.condition("is_waiting must_fence asleep woken")
    m.condition("registered kept fenced looked", File)
    m.number("waiter_view woken_view looked_at", File)
    # A changer and its claim.
    m.condition("notifies fenced_for loaded_for", Thread, File)
    m.number("loaded", Thread, File)
    m.condition("collected", Thread)
    m.number("view view_of_epoch", Thread, File)
    m.number("view_of_waits_in", Thread)
    # What the fences have joined.
    m.number("fence_view fence_view_of_epoch", File)
    m.number("fence_view_of_waits_in")

    def ready(s: State, f: Term) -> Term:
        return s.ready_at(f, s.now)

    def write(s: State, f: Term, is_ready: Term) -> None:
        """Each file has a value at each moment of the clock; one of them changes."""
        s.ready_at[:, s.now + 1] = lambda g: when(g == f, is_ready, s.ready_at(g, s.now))
        s.now = s.now + 1

    def store_waits_in(s: State, value: Term) -> None:
        s.waits_in[s.stores + 1] = value
        s.stores = s.stores + 1

    @m.begin()
    def start(s: State) -> None:
        pass

    # ---- The waiter

    @m.step("begin, rearm: store waits_in")
    def _(s: State) -> None:
        s.require(no(s.is_waiting))
        s.epoch = s.epoch + 1
        s.is_waiting = True
        store_waits_in(s, s.epoch)
        s.armed_at = s.stores
        s.must_fence = True
        s.kept[:] = lambda f: False
        s.fenced[:] = lambda f: False
        s.looked[:] = lambda f: False

    def waiter_fence(s: State) -> None:
        s.waiter_view[:] = lambda f: later(s.waiter_view(f), s.fence_view(f))
        s.fence_view[:] = lambda f: later(s.waiter_view(f), s.fence_view(f))
        s.fence_view_of_epoch[:] = lambda f: s.registration_epoch(f)
        s.fence_view_of_waits_in = s.stores

    @m.step("rearm: fence")
    def _(s: State) -> None:
        s.require(s.must_fence)
        waiter_fence(s)
        s.must_fence = False

    @m.step("register", f=File)
    def _(s: State, f: Term) -> None:
        # A new registration, with the present epoch, and a read-modify-write of the word in the list lock.
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep), no(s.registered(f)))
        s.registered[f] = True
        s.registration_epoch[f] = s.epoch
        s.view_of_epoch[:, f] = s.epoch
        s.fence_view_of_epoch[f] = s.epoch
        s.waiter_view[f] = s.now
        s.looked_at[f] = s.now
        s.kept[f] = True
        s.fenced[f] = True
        s.looked[f] = no(ready(s, f))

    @m.step("join: store epoch", f=File)
    def _(s: State, f: Term) -> None:
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep), s.registered(f), no(s.kept(f)))
        if fault != "NoEpoch":
            s.registration_epoch[f] = s.epoch
        s.kept[f] = True

    @m.step("join: set_interest", f=File, is_ready=Flag)
    def _(s: State, f: Term, is_ready: Term) -> None:
        # Readiness for another interest; a read-modify-write of the word.
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep), s.registered(f), s.kept(f), no(s.fenced(f)))
        write(s, f, is_ready)
        s.waiter_view[f] = s.now

    @m.step("join: fence", f=File)
    def _(s: State, f: Term) -> None:
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep), s.kept(f), no(s.fenced(f)))
        if fault != "NoFence":
            waiter_fence(s)
        s.fenced[f] = True

    @m.step("look: not ready", f=File, i=Index)
    def _(s: State, f: Term, i: Term) -> None:
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep), s.kept(f), s.fenced(f))
        s.require(s.waiter_view(f) <= i, i <= s.now, no(s.ready_at(f, i)))
        s.waiter_view[f] = i
        s.looked_at[f] = i
        s.looked[f] = True

    @m.step("sleep")
    def _(s: State) -> None:
        s.require(s.is_waiting, no(s.must_fence), no(s.asleep))
        s.require(every(File, lambda f: implies(s.kept(f), both(s.fenced(f), s.looked(f)))))
        s.asleep = True

    @m.step("sleep ends, rearm: store waits_in")
    def _(s: State) -> None:
        s.require(s.asleep, s.woken)
        s.asleep = False
        s.woken = False
        s.waiter_view[:] = lambda f: later(s.waiter_view(f), s.woken_view(f))
        store_waits_in(s, s.epoch)
        s.armed_at = s.stores
        s.must_fence = True
        s.looked[:] = lambda f: False

    @m.step("end")
    def _(s: State) -> None:
        # Something was ready, or the time is up, or there is a signal.
        s.require(s.is_waiting, no(s.must_fence))
        store_waits_in(s, 0)
        s.is_waiting = False
        s.asleep = False

    @m.step("unregister", f=File)
    def _(s: State, f: Term) -> None:
        s.require(no(s.is_waiting))
        s.registered[f] = False

    # ---- A changer: the change, then PersistentRegistration::claim_wake under the file's list lock, then the wake

    def is_idle(s: State, t: Term) -> Term:
        return both(no(s.collected(t)), every(File, lambda f: no(
            either(s.notifies(t, f), s.fenced_for(t, f), s.loaded_for(t, f)))))

    @m.step("notify_events", t=Thread, f=File, is_ready=Flag, is_raised=Flag)
    def _(s: State, t: Term, f: Term, is_ready: Term, is_raised: Term) -> None:
        s.require(is_idle(s, t))
        s.notifies[t, f] = either(both(is_ready, no(ready(s, f))), is_raised)
        write(s, f, is_ready)
        s.view[t, f] = s.now

    @m.step("visit: not registered", t=Thread, f=File)
    def _(s: State, t: Term, f: Term) -> None:
        s.require(s.notifies(t, f), no(s.registered(f)))
        s.notifies[t, f] = False

    @m.step("claim_wake: fence", t=Thread, f=File)
    def _(s: State, t: Term, f: Term) -> None:
        s.require(s.notifies(t, f))
        s.notifies[t, f] = False
        s.fenced_for[t, f] = True
        s.view[t, :] = lambda g: later(s.view(t, g), s.fence_view(g))
        s.fence_view[:] = lambda g: s.view(t, g)
        s.view_of_epoch[t, :] = lambda g: later(s.view_of_epoch(t, g), s.fence_view_of_epoch(g))
        s.fence_view_of_epoch[:] = lambda g: s.view_of_epoch(t, g)
        s.view_of_waits_in[t] = later(s.view_of_waits_in(t), s.fence_view_of_waits_in)
        s.fence_view_of_waits_in = s.view_of_waits_in(t)

    @m.step("claim_wake: load epoch", t=Thread, f=File, i=Index)
    def _(s: State, t: Term, f: Term, i: Term) -> None:
        s.require(s.fenced_for(t, f), s.view_of_epoch(t, f) <= i, i <= s.registration_epoch(f))
        s.fenced_for[t, f] = False
        s.loaded_for[t, f] = True
        s.loaded[t, f] = i
        s.view_of_epoch[t, f] = i

    @m.step("claim_wake: compare_exchange succeeds", t=Thread, f=File)
    def _(s: State, t: Term, f: Term) -> None:
        s.require(s.loaded_for(t, f), s.waits_in(s.stores) == s.loaded(t, f), 0 < s.loaded(t, f))
        s.loaded_for[t, f] = False
        store_waits_in(s, 0)
        s.view_of_waits_in[t] = s.stores
        s.collected[t] = True

    @m.step("claim_wake: compare_exchange fails", t=Thread, f=File, i=Index)
    def _(s: State, t: Term, f: Term, i: Term) -> None:
        s.require(s.loaded_for(t, f), s.view_of_waits_in(t) <= i, i <= s.stores)
        s.require(no(s.waits_in(i) == s.loaded(t, f)))
        s.loaded_for[t, f] = False
        s.view_of_waits_in[t] = i

    @m.step("deliver: wake", t=Thread)
    def _(s: State, t: Term) -> None:
        s.require(s.collected(t))
        s.collected[t] = False
        s.woken = True
        s.woken_view[:] = lambda f: later(s.woken_view(f), s.view(t, f))

    # ---- Invariants

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(
            0 <= s.now, 0 <= s.epoch, 0 <= s.fence_view_of_waits_in, s.fence_view_of_waits_in <= s.stores,
            0 <= s.armed_at, s.armed_at <= s.stores,
            every(File, lambda f: both(
                0 <= s.waiter_view(f), s.waiter_view(f) <= s.now, 0 <= s.woken_view(f), s.woken_view(f) <= s.now,
                0 <= s.fence_view(f), s.fence_view(f) <= s.now, s.registration_epoch(f) <= s.epoch,
                s.fence_view_of_epoch(f) <= s.registration_epoch(f),
                implies(both(s.is_waiting, s.kept(f)), s.registered(f)),
                implies(s.looked(f), s.looked_at(f) <= s.waiter_view(f)),
                implies(s.registered(f), 0 < s.registration_epoch(f)))),
            every(Thread, lambda t: both(
                0 <= s.view_of_waits_in(t), s.view_of_waits_in(t) <= s.stores)),
            every(Thread, File, lambda t, f: both(
                0 <= s.view(t, f), s.view(t, f) <= s.now, s.view_of_epoch(t, f) <= s.registration_epoch(f),
                implies(s.loaded_for(t, f), both(s.loaded(t, f) <= s.view_of_epoch(t, f))),
                implies(either(s.fenced_for(t, f), s.loaded_for(t, f)), s.view(t, f) <= s.fence_view(f)))))

    @m.invariant("a wait is for the files that joined it")
    def _(s: State) -> Term:
        return both(
            implies(s.is_waiting, 0 < s.epoch), implies(s.asleep, both(s.is_waiting, no(s.must_fence))),
            implies(s.must_fence, s.is_waiting),
            every(File, lambda f: implies(s.is_waiting, both(
                implies(s.fenced(f), s.kept(f)),
                implies(s.kept(f), s.registration_epoch(f) == s.epoch),
                implies(both(s.registered(f), no(s.kept(f))), s.registration_epoch(f) < s.epoch)))))

    def is_claimed(s: State) -> Term:
        """The wait is used up: the wake is on its way, or there."""
        return either(s.woken, some(Thread, lambda t: s.collected(t)))

    def will_fence(s: State) -> Term:
        """The waiter will fence before it looks again."""
        return either(s.must_fence, is_claimed(s))

    @m.invariant("waits_in is the epoch until it is claimed")
    def _(s: State) -> Term:
        return implies(s.is_waiting, every(Index, lambda i: implies(
            both(s.armed_at <= i, i <= s.stores),
            either(s.waits_in(i) == s.epoch, both(s.waits_in(i) == 0, s.waits_in(s.stores) == 0, is_claimed(s))))))

    @m.invariant("fences have seen who waits")
    def _(s: State) -> Term:
        return implies(both(s.is_waiting, no(s.must_fence)), both(
            s.armed_at <= s.fence_view_of_waits_in,
            every(File, lambda f: implies(both(s.kept(f), s.fenced(f)), s.fence_view_of_epoch(f) == s.epoch))))

    @m.invariant("the asleep have looked")
    def _(s: State) -> Term:
        return both(
            implies(s.asleep, every(File, lambda f: implies(s.kept(f), both(s.fenced(f), s.looked(f))))),
            implies(s.must_fence, every(File, lambda f: no(s.looked(f)))),
            every(File, lambda f: implies(both(s.is_waiting, s.looked(f)), both(
                s.kept(f), s.fenced(f), 0 <= s.looked_at(f), no(s.ready_at(f, s.looked_at(f)))))))

    def is_unseen(s: State, f: Term, since: Term, i: Term) -> Term:
        """The waiter has read at index i that the file is not ready, or still may, and it is ready by now."""
        return both(s.registered(f), since <= i, i <= s.now, no(s.ready_at(f, i)), ready(s, f))

    @m.invariant("before the fence, a rise is carried by its changer")
    def _(s: State) -> Term:
        return every(File, Index, lambda f, i: implies(is_unseen(s, f, s.waiter_view(f), i), either(
            i < s.fence_view(f),
            some(Thread, lambda t: both(s.notifies(t, f), i < s.view(t, f))))))

    @m.invariant("an unseen rise is owed")
    def _(s: State) -> Term:
        def claims(t: Term, f: Term) -> Term:
            return both(s.armed_at <= s.view_of_waits_in(t), either(
                both(s.fenced_for(t, f), s.view_of_epoch(t, f) == s.epoch),
                both(s.loaded_for(t, f), s.loaded(t, f) == s.epoch)))

        def since(f: Term) -> Term:
            return when(s.looked(f), s.looked_at(f), s.waiter_view(f))

        return every(File, Index, lambda f, i: implies(
            both(s.is_waiting, s.fenced(f), is_unseen(s, f, since(f), i)), either(
                both(s.woken, i < s.woken_view(f)),
                both(will_fence(s), i < s.fence_view(f)),
                some(Thread, lambda t: both(i < s.view(t, f), either(s.notifies(t, f), claims(t, f)))))))

    # ---- Goals

    @m.goal("awake: the waiter does not sleep while one of its files is ready")
    def _(s: State) -> Term:
        is_quiet = every(Thread, lambda t: is_idle(s, t))
        return implies(both(is_quiet, s.asleep, no(s.woken)), every(File, lambda f: implies(
            s.kept(f), no(ready(s, f)))))

    @m.goal("a file that is left out of a wait does not end it")
    def _(s: State) -> Term:
        return every(Thread, File, lambda t, f: implies(
            both(s.is_waiting, s.registered(f), s.loaded_for(t, f), s.loaded(t, f) == s.epoch), s.kept(f)))

    return m


if __name__ == "__main__":
    import prove

    prove.show([persistent()])
