"""The seeded faults: for each of src/fault.rs that concerns a model, a run on which it does harm.

A story is the interleaving as one would draw it in two columns, with the steps by their names. `follow` finds the
parameters. The run breaks the named invariant and violates the named goal; the model without the fault has no such run.
And z3 finds a state in which the named step does not keep the invariant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from handoff import handoff
from lock_free import lock_free
from locked import HYBRID, STATEFUL, STATELESS, locked
from nested import Node, nested
from persistent import File, persistent
from quiet import quiet
from ready_list import Item, ready_list
from transition import Disabled, Domain, Event, Model, Run, State, Thread, follow, keeps, starts, universe, violated


@dataclass(frozen=True)
class Case:
    """A fault, the story, and what it breaks."""

    fault: str
    model: Callable[[str | None], Model]
    story: list[str]
    # The step that breaks the invariant: z3 refutes that it keeps it.
    step: str
    invariant: str
    goal: str
    sizes: dict[Domain, int] = field(default_factory=lambda: {Thread: 2, Event: 1})

    def check(self) -> str | None:
        """Why the fault counts as missed, or `None` if it was caught as expected."""
        with universe(self.sizes):
            faulty = self.model(self.fault)
            run = follow(faulty, self.story, lambda s: self.goal in violated(faulty.goals, s))
            if run is None:
                return f"no run of the story violates {self.goal!r}"
            broken = [name for state in _replay(faulty, run) for name in violated(faulty.invariants, state)]
            if self.invariant not in broken:
                return f"{self.invariant!r} is not broken, but {sorted(set(broken))}"
            right = self.model(None)
            if all(any(step.name == line.partition(" @")[0] for step in right.steps) for line in self.story):
                if follow(right, self.story, lambda s: bool(violated(right.goals, s))):
                    return "the model without the fault has such a run"
        obligation = keeps(faulty, faulty.named(self.step), self.invariant)
        verdict = obligation.prove()
        return None if verdict == "refuted" else f"{obligation.label}: {verdict}"


def _replay(model: Model, run: Run) -> Iterator[State]:
    """The states of a run. What the start leaves open may be anything with which the run is possible."""
    for state in starts(model):
        states = [state]
        try:
            for name, row in run:
                states.append(states[-1].copy())
                model.named(name).body(states[-1], *row)
        except Disabled:
            continue
        yield from states


def _by(thread: int, *names: str) -> list[str]:
    return [f"{name} @thread{thread}" for name in names]


def _change(thread: int) -> list[str]:
    """A change that makes the cache wrong, to the end of its critical section."""
    return _by(thread, "new: lock", "new: load_relaxed", "change", "notify_events: load_relaxed",
               "notify_events: fetch_add", "drop: unlock")


# The goals.
AWAKE = "awake: nobody sleeps who is interested in what is ready"
ONCE = "once: no event is swallowed"
CAUSAL = "causal: a thread polls nothing from before its last critical section"
POLLED = "no event is lost: what is quiet and not queued has been polled since"
BESIDE = "awake: nobody sleeps for good beside an entry"
ABOVE = "awake: a list is ready once anything below it is"
FRESH = "fresh: once each change is notified, what is cached is the readiness"
FILES = "awake: the waiter does not sleep while one of its files is ready"
SEEN = "causal: a thread polls nothing from before a change that it has seen in the lock"

FILL = ["update_events: lock", "update_events: load_relaxed", "update_events: fetch_or", "update_events: unlock"]

CASES = [
    Case("UpdateDropsInterests", lambda f: locked(STATEFUL, f),
         _by(0, "insert: watch") + _change(1)
         + _by(1, "deliver: begin", "deliver: visit", "deliver: wake", "deliver: end")
         + _by(0, "sleep ends") + _change(1) + _by(0, "poll: events") + _change(1),
         "notify_events: fetch_add", "interests are in the word", AWAKE),
    Case("ClearUnconditionally", lambda f: locked(HYBRID, f),
         _by(0, *FILL) + _by(1, "new: lock", "new: load_relaxed", "change", "clear_events: load_relaxed")
         + _by(0, "insert: watch") + _by(1, "clear_events: compare_exchange succeeds", "drop: unlock"),
         "clear_events: compare_exchange succeeds", "cached, while somebody watches", AWAKE),
    Case("LockedLoadForNotify", lambda f: locked(STATEFUL, f),
         _change(1)[:4] + _by(0, "insert: watch") + _change(1)[4:],
         "notify_events: fetch_add", "an unseen rise is owed", AWAKE),
    Case("LockedNotifyAfterUnlock", lambda f: locked(STATEFUL, f),
         _by(1, "new: lock", "new: load_relaxed", "change", "notify_events: load_relaxed",
             "drop: unlock")
         + _by(0, "update_events: lock", "update_events: load_relaxed", "update_events: unlock"),
         "notify_events: load_relaxed", "the cache is exact", CAUSAL),
    Case("WatchAfterCompute", lambda f: locked(STATELESS, f),
         _by(0, "register: look too early")
         + _by(1, "new: lock", "new: load_relaxed", "change", "notify_events: load_relaxed",
               "drop: unlock") + _by(0, "insert: watch"),
         "insert: watch", "a rise is owed", AWAKE),
    Case("WatchAfterCompute", lambda f: locked(STATEFUL, f),
         _by(0, "register: look too early") + _change(1) + _by(0, "insert: watch"),
         "insert: watch", "a sleeper trusts the cache", AWAKE),
    Case("UnwatchOutsideLock", lambda f: locked(STATEFUL, f),
         _by(0, "insert: watch", "unlink: unwatch") + _by(1, "insert: watch") + _by(0, "unlink: unwatch too late")
         + _change(0),
         "unlink: unwatch too late", "interests are in the word", AWAKE),
    Case("NoHandoff", handoff,
         _by(0, "insert", "try: pending") + _by(1, "insert", "try: pending")
         + _by(2, "change", "deliver: begin", "visit: taken", "deliver: wake", "deliver: end")
         + _by(0, "timeout, signal or drop", "remove: unlink"),
         "remove: unlink", "a ready event has a taker", ONCE, {Thread: 3, Event: 1}),
    Case("NoHandoff", handoff,
         _by(0, "insert", "try: pending") + _by(1, "insert", "try: pending")
         + _by(2, "change", "deliver: begin", "visit: taken", "deliver: wake", "deliver: end")
         + _by(0, "sleep ends", "try: ready", "remove: unlink"),
         "remove: unlink", "a ready event has a taker", ONCE, {Thread: 3, Event: 1}),
    Case("NoEpoch", persistent,
         ["begin, rearm: store waits_in", "rearm: fence", "register", "end",
          "begin, rearm: store waits_in", "rearm: fence", "join: store epoch", "join: fence", "look: not ready", "sleep",
          "notify_events", "claim_wake: fence", "claim_wake: load epoch", "claim_wake: compare_exchange fails"],
         "join: store epoch", "a wait is for the files that joined it",
         FILES, {Thread: 1, File: 1}),
    Case("NoFence", persistent,
         ["begin, rearm: store waits_in", "rearm: fence", "register", "end",
          "begin, rearm: store waits_in", "rearm: fence", "join: store epoch",
          "notify_events", "claim_wake: fence", "claim_wake: load epoch", "claim_wake: compare_exchange fails",
          "join: fence", "look: not ready", "sleep"],
         "join: fence", "fences have seen who waits",
         FILES, {Thread: 1, File: 1}),
    Case("DequeueAfterPoll", ready_list,
         _by(0, "open", "register or set_interest", "not ready, or disarmed meanwhile")
         + _by(1, "change", "ReadyListEntry::enqueue", "change") + _by(0, "take: first", "take", "poll")
         + _by(1, "change", "ReadyListEntry::enqueue") + _by(0, "settle: Gone, not ready"),
         "ReadyListEntry::enqueue", "an event is polled for", POLLED,
         {Thread: 2, Item: 1}),
    Case("DequeueAfterPoll", nested,
         ["make a list", "register", "ReadyList::enqueue, if ready", "change", "ReadyListEntry::enqueue, notify", "change",
          "take", "poll: not ready", "change", "ReadyListEntry::enqueue, notify", "settle: Gone"],
         "ReadyListEntry::enqueue, notify", "ready below, queued above", ABOVE,
         {Thread: 1, Node: 2}),
    Case("LockedNotifyAfterUnlock", quiet, ["poll: events", "change", "try"],
         "change", "views", "quiet: after a try in vain it polls once, and sleeps", {}),
    Case("NoHandOn", ready_list,
         _by(2, "open", "register or set_interest", "ReadyList::enqueue, if ready") + _by(0, "take: first", "take")
         + _by(1, "insert", "take: first", "scan ends: nothing")
         + _by(0, "poll", "settle: reported", "scan ends: found"),
         "scan ends: found", "an entry has a taker", BESIDE, {Thread: 3, Item: 1}),
    Case("LoadForNotify", lambda f: lock_free(HYBRID, f),
         _by(1, "change") + _by(0, "insert: watch", "owner.readiness: one part", "update_events")
         + _by(1, "notify_events"),
         "notify_events", "a rise that a sleeper missed is owed", AWAKE),
    Case("LoadForNotify", lambda f: lock_free(STATELESS, f),
         _by(1, "change") + _by(0, "insert: watch", "owner.readiness: one part", "update_events")
         + _by(1, "notify_events"),
         "notify_events", "a rise that a sleeper missed is owed", AWAKE),
    Case("NoVersionCheck", lambda f: lock_free(HYBRID, f),
         _by(0, "poll: load", "owner.readiness: one part") + _by(1, "change", "notify_events") + _by(0, "update_events"),
         "update_events", "the cache is as new as the version", FRESH),
    Case("NotifyBeforeChange", lambda f: lock_free(HYBRID, f),
         _by(1, "notify_events") + _by(0, "insert: watch", "owner.readiness: one part", "update_events")
         + _by(1, "change"),
         "change", "what the word has not released is unnotified", AWAKE),
    Case("NotifyAfterUnlock", lambda f: lock_free(HYBRID, f),
         _by(0, "poll: load", "owner.readiness: one part", "update_events") + _by(1, "lock", "change", "unlock")
         + _by(0, "lock", "unlock"),
         "unlock", "what was notified is not undone",
         SEEN),
]

# No model knows of a place in the list that its holder has forgotten; loom's check "clean" does.
NOT_MODELLED = {"Nothing", "LeakWatcher"}
