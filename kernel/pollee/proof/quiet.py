"""Quiet, as a ranking: a thread that waits for a file that is not ready goes to sleep, and does not spin.

One waiter that polls, tries and sleeps, level-triggered, as poll(2) and a program do; everybody else is the step "change".
locked.py proves what is used of the word: a thread that has been in the owner's lock reads nothing from before that.

The rank is a number that each step of the waiter and each wake lowers. Only a change raises it, by a constant. So after
the last change the waiter takes a bounded number of steps: between two changes it cannot spin.
"""

from __future__ import annotations

from transition import Flag, Index, Model, State, Term, both, either, every, implies, no, same, when


def quiet(fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model("quiet")
    # What the word says at each index, and what is so.
    m.number("now view owed")
    m.condition("ready_at", Index)
    m.condition("ready")
    m.condition("polling trying asleep has_it woken")

    @m.begin(is_ready=Flag)
    def start(s: State, is_ready: Term) -> None:
        s.ready_at[0] = is_ready
        s.ready = is_ready
        s.polling = True

    @m.step("change", is_ready=Flag)
    def _(s: State, is_ready: Term) -> None:
        s.owed = s.owed + when(both(is_ready, no(s.ready)), 1, 0)
        if fault == "LockedNotifyAfterUnlock":
            # The word will follow some time.
            s.ready_at[s.now + 1] = s.ready_at(s.now)
        else:
            s.ready_at[s.now + 1] = is_ready
        s.now = s.now + 1
        s.ready = is_ready

    @m.step("wake")
    def _(s: State) -> None:
        s.require(0 < s.owed)
        s.owed = s.owed - 1
        s.woken = True

    def decide(s: State, is_ready: Term) -> None:
        s.polling = False
        s.trying = is_ready
        s.asleep = no(is_ready)

    @m.step("poll: events", i=Index)
    def _(s: State, i: Term) -> None:
        s.require(s.polling, s.view <= i, i <= s.now)
        s.view = i
        decide(s, s.ready_at(i))

    @m.step("poll: update_events")
    def _(s: State) -> None:
        # Not cached: computed in the owner's lock.
        s.require(s.polling)
        s.view = s.now
        decide(s, s.ready)

    @m.step("try")
    def _(s: State) -> None:
        s.require(s.trying)
        s.view = s.now
        s.trying = False
        s.has_it = s.ready
        s.polling = no(s.ready)

    @m.step("sleep ends")
    def _(s: State) -> None:
        s.require(s.asleep, s.woken)
        s.asleep = False
        s.woken = False
        s.polling = True

    @m.invariant("views")
    def _(s: State) -> Term:
        return both(0 <= s.view, s.view <= s.now, 0 <= s.owed, same(s.ready_at(s.now), s.ready))

    @m.invariant("phases")
    def _(s: State) -> Term:
        phases = [s.polling, s.trying, s.asleep, s.has_it]
        return both(either(*phases), *(
            no(both(one, other)) for nr, one in enumerate(phases) for other in phases[:nr]))

    def is_fresh(s: State) -> Term:
        """Whatever it reads is so."""
        return every(Index, lambda i: implies(both(s.view <= i, i <= s.now), same(s.ready_at(i), s.ready)))

    def rank(s: State) -> Term:
        polling = when(is_fresh(s), when(s.ready, 2, 1), 4)
        trying = when(both(is_fresh(s), s.ready), 1, 3)
        return 6 * s.owed + when(s.woken, 5, 0) + when(s.polling, polling, when(s.trying, trying, 0))

    m.rank = rank
    m.raises = {"change": 10}

    @m.goal("quiet: after a try in vain it polls once, and sleeps")
    def _(s: State) -> Term:
        return implies(both(s.polling, s.view == s.now, no(s.ready)), no(s.ready_at(s.now)))

    return m


if __name__ == "__main__":
    import prove

    prove.show([quiet()])
