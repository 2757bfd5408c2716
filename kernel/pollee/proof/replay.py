"""Repeats runs of the source (tests/host/trace.rs) as runs of the model `locked`: after each operation, the word that the source
has, who was woken and who sleeps must be what the model can have.

A line of the trace is an operation of one thread. The model takes its steps one by one, in every way in which it can; the states
that differ from what the source says are left out. A trace on which none is left is no run of the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from locked import HYBRID, STATEFUL, STATELESS, locked
from transition import Event, Model, State, Thread, followers, starts, universe

POLICIES = {policy.name: policy for policy in (HYBRID, STATEFUL, STATELESS)}
Line = dict[str, Any]
# So many states are carried from one operation to the next.
KEPT = 4

# The steps that an operation begins with, and those that may follow.
FIRST = {
    "change": "new: lock",
    "register": "insert: watch",
    "set_interest": "set_interest: watch",
    "unregister": "unlink: unwatch",
    "sleep ends": "sleep ends",
}
REST = ("new: load", "change", "clear_events: ", "notify_events: ", "drop: ", "deliver: ", "update_events: ")


def replay(trace: Path, policy: str) -> tuple[int, list[str]]:
    """Repeats the runs under one policy. Returns how many operations they have, and which are no runs of the model."""
    lines = [json.loads(line) for line in trace.read_text().splitlines()]
    lines = [line for line in lines if line["policy"] == policy]
    if not lines:
        return 0, [f"{trace} has no run under {policy}"]
    complaints = []
    with universe({Thread: 2, Event: 1}):
        model = locked(POLICIES[policy])
        states: list[State] = []
        for nr, line in enumerate(lines, 1):
            if line["operation"] == "start":
                states = [state for state in starts(model) if state.ready("event0") == line["first"]]
            else:
                states = _distinct(after for state in states for after in _operation(model, state, line))
            was_possible = bool(states)
            states = _newest([state for state in states if _agrees(state, line)])
            if was_possible and not states:
                complaints.append(f"{policy}: operation {nr} of the trace is none of the model: {line}")
    return len(lines), complaints


def _newest(states: list[State]) -> list[State]:
    """Those whose threads have seen most in the shortest history. One run suffices, so the others may be left out."""
    return sorted(states, key=lambda s: (s.now, -s.view("thread0") - s.view("thread1")))[:KEPT]


def _distinct(states: Iterator[State]) -> list[State]:
    return list({state.key(): state for state in states}.values())


def _operation(model: Model, state: State, line: Line) -> Iterator[State]:
    """The states to which a thread can bring the model with one operation."""
    actor = f"thread{line['thread']}"
    name = line["operation"]
    if name == "poll":
        beginnings = [step for step in model.steps if step.name in ("poll: events", "update_events: lock")]
    else:
        beginnings = [model.named(FIRST[name])]
    no_step: frozenset[tuple] = frozenset()
    pending = [(after, no_step) for step in beginnings for row, after in followers(step, state)
               if row[0] == actor and (name not in ("register", "set_interest") or row[1]("event0") == line["first"])]
    seen = set()
    while pending:
        now, taken = pending.pop()
        if (now.key(), taken) in seen:
            continue
        seen.add((now.key(), taken))
        if _is_done(now, actor):
            yield now
            continue
        is_due = name == "change" and now.is_loaded(actor) and ("change", actor) not in taken
        for step in model.steps:
            # A change comes once, right after the load.
            if step.name.startswith("change") != is_due or not step.name.startswith(REST):
                continue
            for row, after in followers(step, now):
                if step.name == "change" and (row[1]("event0"), row[2]("event0")) != (line["first"], line["second"]):
                    continue
                # No step of an operation is taken twice, for the same watcher.
                here = (step.name, *(value for value in row if isinstance(value, str)))
                if row[0] == actor and here not in taken:
                    pending.append((after, taken | {here}))


def _is_done(state: State, actor: str) -> bool:
    return not (state.holds(actor) or state.looking(actor) or state.is_walking(actor) or state.hint(actor, "event0"))


def _agrees(state: State, line: Line) -> bool:
    """Whether the model is where the source is. A word without cache has no events."""
    word = (int(state.interests_at(state.now, "event0")) << 16 | int(state.cached_at(state.now)) << 15
            | int(state.events_at(state.now, "event0")))
    threads = ("thread0", "thread1")
    return (word == line["word"] and [state.asleep(t) for t in threads] == line["asleep"]
            and [state.woken(t) for t in threads] == line["woken"])
