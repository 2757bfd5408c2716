"""The models by their names, in the order in which to read them."""

from __future__ import annotations

from collections.abc import Callable

from handoff import handoff
from lock_free import lock_free
from locked import HYBRID, STATEFUL, STATELESS, locked
from nested import nested
from persistent import persistent
from quiet import quiet
from ready_list import ready_list
from transition import Model

MODELS: dict[str, Callable[[], Model]] = {
    "locked hybrid": lambda: locked(HYBRID),
    "locked stateful": lambda: locked(STATEFUL),
    "locked stateless": lambda: locked(STATELESS),
    "hand-off": handoff,
    "persistent": persistent,
    "ready list": ready_list,
    "nested": nested,
    "quiet": quiet,
    "lock-free hybrid": lambda: lock_free(HYBRID),
    "lock-free stateless": lambda: lock_free(STATELESS),
}
