"""Transition systems over any number of threads: written once, proved by z3, and executed.

A model is a set of variables, a start, steps, invariants and goals, all plain Python functions of a state. The same
functions run in two worlds:

* *Proof.* Each variable is a function of z3, of as many threads and events as there may be. `obligations` gives what has
  to be shown: the start has each invariant, each step keeps each, and all together imply the goals.
* *Execution.* A few threads and events, each variable a table. `followers` and `follow` make real runs, which show
  that the model is not empty and that a seeded fault does harm.

So conditions are written with `both`, `either`, `no`, `implies`, `every`, `some` and not with Python's own words, which
cannot be handed to z3.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import z3

# A condition or a number: Python's in an execution, z3's in a proof.
Term = Any


def _symbolic(*terms: Term) -> bool:
    return any(isinstance(term, z3.ExprRef) for term in terms)


def both(*terms: Term) -> Term:
    """All of them hold."""
    if any(term is False for term in terms):
        return False
    rest = [term for term in terms if term is not True]
    return z3.And(*rest) if len(rest) > 1 else (rest[0] if rest else True)


def either(*terms: Term) -> Term:
    """One of them holds, or several."""
    return no(both(*(no(term) for term in terms)))


def no(term: Term) -> Term:
    """It does not hold."""
    if not _symbolic(term):
        return not term
    return term.arg(0) if z3.is_not(term) else z3.Not(term)


def implies(condition: Term, then: Term) -> Term:
    """Where the first holds, the second does."""
    return either(no(condition), then)


def same(one: Term, other: Term) -> Term:
    """Both hold or neither does; or: the numbers are equal."""
    return one == other


def when(condition: Term, then: Term, otherwise: Term) -> Term:
    """The one or the other, as the condition says."""
    if not _symbolic(condition):
        return then if condition else otherwise
    if not _symbolic(then, otherwise) and isinstance(then, bool) and isinstance(otherwise, bool):
        return condition if then and not otherwise else no(condition) if otherwise and not then else then
    return z3.If(condition, then, otherwise)


def later(one: Term, other: Term) -> Term:
    """The greater of two moments."""
    return when(one >= other, one, other)


class Domain:
    """A set of which there may be any number: threads, events, files."""

    def __init__(self, name: str, sort: z3.SortRef | None = None) -> None:
        self.name = name
        self.sort = sort if sort is not None else z3.DeclareSort(name)
        # The few that an execution has; `None` in a proof.
        self.members: list[Any] | None = None

    def constant(self, name: str) -> z3.ExprRef:
        return z3.FreshConst(self.sort, name)


class SetOf:
    """A parameter of a step: any set of a domain."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain


# Any number of threads, and of bits in the word. Each registration has a thread of its own.
Thread = Domain("Thread")
Event = Domain("Event")
# Moments: the place of a value in the history of an atomic variable.
Index = Domain("Index", z3.IntSort())
# A choice that the model leaves open.
Flag = Domain("Flag", z3.BoolSort())


def _quantify(domains: tuple[Domain, ...], body: Callable[..., Term], is_every: bool) -> Term:
    if all(domain.members is not None for domain in domains):
        rows = itertools.product(*(domain.members or [] for domain in domains))
        return all(body(*row) for row in rows) if is_every else any(body(*row) for row in rows)
    names = [domain.constant(domain.name[0].lower()) for domain in domains]
    inner = body(*names)
    if not _symbolic(inner):
        return inner
    return z3.ForAll(names, inner) if is_every else z3.Exists(names, inner)


def every(*arguments: Any) -> Term:
    """`every(Thread, Event, lambda t, e: …)`: for all of them."""
    return _quantify(arguments[:-1], arguments[-1], True)


def some(*arguments: Any) -> Term:
    """`some(Thread, lambda t: …)`: for at least one."""
    return _quantify(arguments[:-1], arguments[-1], False)


class Disabled(Exception):
    """The step cannot be taken in this state."""


@dataclass(frozen=True)
class Variable:
    """One variable of a model: a condition or a number for each combination of its domains."""

    name: str
    domains: tuple[Domain, ...]
    is_number: bool

    @property
    def default(self) -> Any:
        return 0 if self.is_number else False

    def symbol(self) -> Any:
        sort = z3.IntSort() if self.is_number else z3.BoolSort()
        if not self.domains:
            return z3.Const(self.name, sort)
        return z3.Function(self.name, *(domain.sort for domain in self.domains), sort)


class Relation:
    """A variable with arguments, as a step sees it: `s.view(t)`, `s.view[t] = 3`, `s.interest[t, :] = lambda e: …`."""

    def __init__(self, state: State, variable: Variable) -> None:
        self._state = state
        self._variable = variable

    def __call__(self, *arguments: Any) -> Term:
        value = self._state.values[self._variable.name]
        return value.get(arguments, self._variable.default) if isinstance(value, dict) else value(*arguments)

    def __setitem__(self, key: Any, value: Any) -> None:
        key = key if isinstance(key, tuple) else (key,)
        is_open = [isinstance(part, slice) for part in key]
        before = self._state.values[self._variable.name]
        if isinstance(before, dict):
            self._state.values[self._variable.name] = self._table(before, key, is_open, value)
            return
        # The right side is evaluated now, on the state before the assignment.
        names = [domain.constant("x") for domain in self._variable.domains]
        filled = [name for name, free in zip(names, is_open) if free]
        after = value(*filled) if callable(value) and not _symbolic(value) else value
        hit = both(*(name == part for name, part, free in zip(names, key, is_open) if not free))
        body = when(hit, after, before(*names))

        def lookup(*arguments: Any) -> Term:
            if not _symbolic(body):
                return body
            return z3.substitute(body, *((n, _lift(a, n)) for n, a in zip(names, arguments)))

        self._state.values[self._variable.name] = lookup

    def _table(self, before: dict, key: tuple, is_open: list[bool], value: Any) -> dict:
        after = dict(before)
        choices = [
            (domain.members or []) if free else [part]
            for domain, part, free in zip(self._variable.domains, key, is_open)
        ]
        for row in itertools.product(*choices):
            new = value(*(part for part, free in zip(row, is_open) if free)) if callable(value) else value
            if new == self._variable.default:
                after.pop(row, None)
            else:
                after[row] = new
        return after


def _lift(argument: Any, like: z3.ExprRef) -> z3.ExprRef:
    return argument if _symbolic(argument) else z3.IntVal(argument) if like.sort() == z3.IntSort() else argument


class State:
    """The variables of a model at one moment; a step changes them in place."""

    def __init__(self, model: Model, values: dict[str, Any]) -> None:
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "variables", model.variables)
        object.__setattr__(self, "values", values)
        # What has to hold for the step to be possible, in a proof.
        object.__setattr__(self, "required", [])

    def __getattr__(self, name: str) -> Any:
        variable = self.variables.get(name)
        if variable is None:
            raise AttributeError(name)
        return Relation(self, variable) if variable.domains else self.values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.variables and not self.variables[name].domains, name
        self.values[name] = value

    def require(self, *conditions: Term) -> None:
        """The step can be taken only where all of these hold."""
        for condition in conditions:
            if condition is False:
                raise Disabled
            if condition is not True:
                self.required.append(condition)

    def copy(self) -> State:
        return State(self.model, dict(self.values))

    def key(self) -> tuple:
        return tuple(
            frozenset(value.items()) if isinstance(value, dict) else value for value in self.values.values()
        )


@dataclass(frozen=True)
class Step:
    """What one thread does at one moment, with a parameter for each choice."""

    name: str
    parameters: dict[str, Domain | SetOf]
    body: Callable[..., None]


@dataclass
class Model:
    """A transition system with what is claimed of it."""

    name: str
    # The variables up to which moments are numbered.
    clocks: tuple[str, ...] = ("now",)
    variables: dict[str, Variable] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    start: Step | None = None
    invariants: list[tuple[str, Callable[[State], Term]]] = field(default_factory=list)
    goals: list[tuple[str, Callable[[State], Term]]] = field(default_factory=list)
    # A number that every step lowers, but for those that are named, which raise it by so much at the most.
    rank: Callable[[State], Term] | None = None
    raises: dict[str, int] = field(default_factory=dict)

    def condition(self, names: str, *domains: Domain) -> None:
        """Declares variables that hold or do not, at first not."""
        self.variables |= {name: Variable(name, domains, False) for name in names.split()}

    def number(self, names: str, *domains: Domain) -> None:
        """Declares variables that are moments, at first 0."""
        self.variables |= {name: Variable(name, domains, True) for name in names.split()}

    def begin(self, **parameters: Domain | SetOf) -> Callable:
        """Decorates the function that makes the first state out of one in which nothing holds."""

        def decorate(body: Callable[..., None]) -> Callable[..., None]:
            self.start = Step("start", parameters, body)
            return body

        return decorate

    def step(self, name: str, **parameters: Domain | SetOf) -> Callable:
        """Decorates the function of a step."""

        def decorate(body: Callable[..., None]) -> Callable[..., None]:
            assert all(step.name != name for step in self.steps), name
            self.steps.append(Step(name, parameters, body))
            return body

        return decorate

    def invariant(self, name: str) -> Callable:
        """Decorates a condition that holds at every moment."""

        def decorate(body: Callable[[State], Term]) -> Callable[[State], Term]:
            self.invariants.append((name, body))
            return body

        return decorate

    def goal(self, name: str) -> Callable:
        """Decorates what the invariants are for."""

        def decorate(body: Callable[[State], Term]) -> Callable[[State], Term]:
            self.goals.append((name, body))
            return body

        return decorate

    def named(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


# ---- Proof


# What a search may spend before it starts anew, in z3's units, some million a second. A limit in seconds would make the
# verdict depend on what else the machine does.
LIMIT = 4_000_000
SEARCHES = 12


def decide(terms: list[Term]) -> str:
    """`refuted` if all terms can hold at once, `proved` if they cannot, `unknown` if no search came to an end.

    Nearly every search ends within a second, but a few among a thousand lose their way. Another seed leads elsewhere.
    """
    for seed in range(SEARCHES):
        solver = z3.Solver()
        solver.set(random_seed=seed, rlimit=LIMIT)
        solver.add(*terms)
        verdict = solver.check()
        if verdict != z3.unknown:
            return "proved" if verdict == z3.unsat else "refuted"
    return "unknown"


@dataclass(frozen=True)
class Obligation:
    """Something z3 has to show: the assumptions imply the conclusion."""

    label: str
    assumptions: list[Term]
    conclusion: Term

    def prove(self) -> str:
        """`proved`, `refuted` or `unknown`."""
        if self.conclusion is True or any(a is False for a in self.assumptions):
            return "proved"
        return decide([a for a in self.assumptions if a is not True] + [no(self.conclusion)])


def _parameters(step: Step) -> list[Any]:
    values = []
    for name, domain in step.parameters.items():
        if isinstance(domain, SetOf):
            values.append(z3.Function(z3.FreshConst(z3.BoolSort(), name).decl().name(), domain.domain.sort, z3.BoolSort()))
        else:
            values.append(domain.constant(name))
    return values


def _any_state(model: Model) -> tuple[State, list[Term]]:
    """A state of which nothing is known but that the invariants hold."""
    now = State(model, {name: variable.symbol() for name, variable in model.variables.items()})
    return now, [claim(now) for _, claim in model.invariants]


def keeps(model: Model, step: Step, invariant: str) -> Obligation:
    """One of the `obligations`: that this step keeps this invariant."""
    now, held = _any_state(model)
    after = now.copy()
    step.body(after, *_parameters(step))
    return Obligation(f"{step.name} keeps {invariant}", held + after.required, dict(model.invariants)[invariant](after))


def obligations(model: Model) -> Iterator[Obligation]:
    """All that has to be shown: start, each step with each invariant, goals."""
    empty: dict[str, Any] = {}
    for name, variable in model.variables.items():
        default = variable.default
        empty[name] = (lambda *_, d=default: d) if variable.domains else default
    first = State(model, empty)
    assert model.start is not None
    model.start.body(first, *_parameters(model.start))
    for name, claim in model.invariants:
        yield Obligation(f"start ⇒ {name}", first.required, claim(first))

    now, held = _any_state(model)
    for step in model.steps:
        after = now.copy()
        step.body(after, *_parameters(step))
        for name, claim in model.invariants:
            yield Obligation(f"{step.name} keeps {name}", held + after.required, claim(after))
        if model.rank:
            most = model.rank(now) + model.raises.get(step.name, -1)
            yield Obligation(f"{step.name} ranks", held + after.required, model.rank(after) <= most)
    if model.rank:
        yield Obligation("the rank is no less than 0", held, 0 <= model.rank(now))
    for name, claim in model.goals:
        yield Obligation(f"invariants ⇒ {name}", held, claim(now))


# ---- Execution


@contextmanager
def universe(sizes: dict[Domain, int]) -> Iterator[None]:
    """Inside, there are so many of each domain: `t0`, `t1`, …"""
    for domain, size in sizes.items():
        domain.members = [f"{domain.name.lower()}{nr}" for nr in range(size)]
    Flag.members = [False, True]
    try:
        yield
    finally:
        for domain in [*sizes, Flag, Index]:
            domain.members = None


def _choices(domain: Domain | SetOf) -> Iterable[Any]:
    if isinstance(domain, SetOf):
        members = domain.domain.members or []
        rows = itertools.product([False, True], repeat=len(members))
        return [Subset(dict(zip(members, row))) for row in rows]
    return domain.members or []


class Subset:
    """A set as a function."""

    def __init__(self, table: dict[Any, bool]) -> None:
        self._table = table

    def __call__(self, member: Any) -> bool:
        return self._table[member]

    def __repr__(self) -> str:
        return "{" + ",".join(str(member) for member, held in self._table.items() if held) + "}"


def _look_at(state: State) -> None:
    """Lets `Index` range over the moments that there have been in this state."""
    Index.members = list(range(max((state.values[clock] for clock in state.model.clocks), default=0) + 1))


def starts(model: Model) -> Iterator[State]:
    """The first states."""
    assert model.start is not None
    for row in itertools.product(*map(_choices, model.start.parameters.values())):
        state = State(
            model, {n: ({} if v.domains else v.default) for n, v in model.variables.items()}
        )
        _look_at(state)
        try:
            model.start.body(state, *row)
        except Disabled:
            continue
        yield state


def followers(step: Step, state: State) -> Iterator[tuple[tuple, State]]:
    """The states that a step leads to, each with the parameters."""
    _look_at(state)
    for row in itertools.product(*map(_choices, step.parameters.values())):
        after = state.copy()
        try:
            step.body(after, *row)
        except Disabled:
            continue
        yield row, after


def violated(claims: list[tuple[str, Callable[[State], Term]]], state: State) -> list[str]:
    """The names of those that do not hold in this state."""
    _look_at(state)
    return [name for name, claim in claims if not claim(state)]


Run = list[tuple[str, tuple]]


def _run(history: tuple | None) -> Run:
    run: Run = []
    while history is not None:
        history, name, row = history
        run.append((name, row))
    return run[::-1]


def follow(model: Model, story: list[str], found: Callable[[State], bool]) -> Run | None:
    """A run of these steps in this order, with any parameters, to a state with `found`.

    A line of the story is a step's name, or the name and a thread as in `lock @thread1`.
    """
    def search(state: State, nr: int, history: tuple | None) -> Run | None:
        if nr == len(story):
            _look_at(state)
            return _run(history) if found(state) else None
        name, _, actor = story[nr].partition(" @")
        step = model.named(name)
        tried = set()
        for row, after in followers(step, state):
            if actor and row[0] != actor:
                continue
            key = after.key()
            if key in tried:
                continue
            tried.add(key)
            if run := search(after, nr + 1, (history, step.name, row)):
                return run
        return None

    for state in starts(model):
        if run := search(state, 0, None):
            return run
    return None
