"""None of the models is empty: each has runs in which threads sleep and are woken, and each step of each is taken.

An invariant that cannot be broken because nothing ever happens would prove nothing. So a few threads execute the model at
random, until everything has been seen. All invariants and goals are checked on the way.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from models import MODELS
from nested import Node
from persistent import File
from ready_list import Item
from transition import Domain, Event, State, Thread, both, followers, no, some, starts, universe, violated

Sizes = dict[Domain, int]


@dataclass(frozen=True)
class Witness:
    """Something that can happen."""

    what: str
    found: Callable[[State], bool]


def is_woken(s: State) -> bool:
    return some(Thread, lambda t: both(s.asleep(t), s.woken(t)))


def reads_an_old_value(s: State) -> bool:
    return some(Thread, lambda t: both(s.view(t) < s.now, s.cached_at(s.view(t)), some(
        Event, lambda e: no(s.events_at(s.view(t), e) == s.ready(e)))))


def hands_on(s: State) -> bool:
    return some(Thread, Event, lambda t, e: both(no(s.registered(t)), s.must_hand_off(t), s.hint(t, e)))


def is_armed_again(s: State) -> bool:
    return some(Item, lambda k: both(s.is_one_shot(k), s.settled_at(k) > 1, s.is_armed(k), s.is_queued(k)))


def comes_up_two_levels(s: State) -> bool:
    return some(Node, Node, Node, lambda o, n, k: both(s.is_queued(o, n), s.is_queued(n, k), s.file_ready(k)))


SLEEPS_AND_IS_WOKEN = Witness("a watcher sleeps and is woken", is_woken)

WITNESSES: dict[str, list[Witness]] = {
    "locked hybrid": [SLEEPS_AND_IS_WOKEN, Witness("a thread still reads an old value", reads_an_old_value)],
    "locked stateful": [SLEEPS_AND_IS_WOKEN, Witness("a thread still reads an old value", reads_an_old_value)],
    "locked stateless": [SLEEPS_AND_IS_WOKEN],
    "hand-off": [SLEEPS_AND_IS_WOKEN, Witness("a leaving watcher hands an event on", hands_on)],
    "persistent": [
        Witness("the second wait sleeps and is woken", lambda s: both(s.epoch == 2, s.asleep, s.woken))],
    "ready list": [
        SLEEPS_AND_IS_WOKEN, Witness("a one-shot item is reported, armed again and queued again", is_armed_again)],
    "nested": [Witness("an event has come up two levels", comes_up_two_levels)],
    "quiet": [Witness("the waiter has waited for two changes, and has it", lambda s: both(s.has_it, s.now == 2))],
    "lock-free hybrid": [SLEEPS_AND_IS_WOKEN],
    "lock-free stateless": [SLEEPS_AND_IS_WOKEN],
}

TWO: dict[Domain, int] = {Thread: 2, Event: 1}
# How many there are in the runs.
SIZES: dict[str, dict[Domain, int]] = {name: TWO for name in MODELS} | {
    "hand-off": {Thread: 3, Event: 1},
    "persistent": {Thread: 2, File: 2},
    "ready list": {Thread: 2, Item: 1},
    "nested": {Thread: 1, Node: 3},
}
WALKS = 200
STEPS = 50


def check(name: str) -> list[str]:
    """What does not happen in random runs of a model, of what should, and what is broken in them.

    The runs go towards steps that were rare so far, and end when all has been seen.
    """
    model = MODELS[name]()
    taken = {step.name: 0 for step in model.steps}
    unseen = list(WITNESSES[name])
    with universe(SIZES[name]):
        first = list(starts(model))
        for walk in range(WALKS):
            chance = random.Random(walk)
            state = chance.choice(first)
            for _ in range(STEPS):
                broken = violated(model.invariants + model.goals, state)
                if broken:
                    return [f"{name}: a run breaks {broken[0]!r}"]
                unseen = [witness for witness in unseen if not witness.found(state)]
                # Mostly a rare step; sometimes any, or a run would never get far.
                order = sorted(model.steps, key=lambda step: (taken[step.name] * chance.random(), step.name))
                moves = next(filter(None, ([(step.name, after) for _, after in followers(step, state)] for step in order)), [])
                if not moves:
                    break
                name_of_step, state = chance.choice(moves)
                taken[name_of_step] += 1
            if not unseen and all(taken.values()):
                return []
    return [f"{name}: no run in which {witness.what}" for witness in unseen] + [
        f"{name}: no run takes the step {step!r}" for step, count in taken.items() if count == 0]
