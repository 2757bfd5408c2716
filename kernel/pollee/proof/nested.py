"""Ready lists in ready lists, to any depth: an epoll instance that watches epoll instances (src/ready_list).

Any number of nodes: files, and lists that watch files and lists; any number of threads. A list is ready while something in
it is queued or in flight. A notification of a node enqueues its entry in each list that watches it, and goes on
with the watchers of that list. The claim is about one edge, from a list to what it watches, so it holds for a chain of any
length: what is ready is queued in the list above, and that makes the list above ready.

ready_list.py has one list in detail: views, edges, one-shot. Here items are level-triggered and polls exact.
"""

from __future__ import annotations

from transition import Domain, Flag, Model, State, Term, Thread, both, either, every, implies, no, some, when

# Files and lists.
Node = Domain("Node")


def nested(fault: str | None = None) -> Model:
    """The model, with a fault of src/fault.rs in it if one is named."""
    m = Model("nested", clocks=())
    m.condition("is_list file_ready", Node)
    m.number("level", Node)
    # `watches(o, n)`: the list o has an entry for the node n.
    m.condition("watches is_queued", Node, Node)
    m.condition("is_arming in_flight is_vain", Thread, Node, Node)
    # `to_visit(t, n, o)`: t has notified n, and has still to enqueue its entry in o.
    m.condition("to_visit", Thread, Node, Node)

    def is_empty(s: State, n: Term) -> Term:
        return both(every(Node, lambda k: no(s.is_queued(n, k))),
                    every(Thread, Node, lambda t, k: no(s.in_flight(t, n, k))))

    def ready(s: State, n: Term) -> Term:
        return when(s.is_list(n), no(is_empty(s, n)), s.file_ready(n))

    def notify(s: State, t: Term, n: Term, is_event: Term) -> None:
        s.to_visit[t, n, :] = lambda o: either(s.to_visit(t, n, o), both(is_event, s.watches(o, n)))

    @m.begin()
    def start(s: State) -> None:
        pass

    @m.step("make a list", n=Node, k=Node)
    def _(s: State, n: Term, k: Term) -> None:
        # One level above any other node.
        s.require(no(s.is_list(n)), no(s.file_ready(n)), every(Node, lambda o: no(s.watches(o, n))))
        s.is_list[n] = True
        s.level[n] = s.level(k) + 1

    @m.step("change", t=Thread, n=Node, is_ready=Flag)
    def _(s: State, t: Term, n: Term, is_ready: Term) -> None:
        s.require(no(s.is_list(n)))
        notify(s, t, n, both(is_ready, no(s.file_ready(n))))
        s.file_ready[n] = is_ready

    @m.step("ReadyListEntry::enqueue, notify", t=Thread, n=Node, o=Node)
    def _(s: State, t: Term, n: Term, o: Term) -> None:
        s.require(s.to_visit(t, n, o))
        s.to_visit[t, n, o] = False
        if fault == "DequeueAfterPoll":
            flies = some(Thread, lambda u: s.in_flight(u, o, n))
            s.is_queued[o, n] = either(s.is_queued(o, n), no(flies))
        else:
            s.is_queued[o, n] = True
        notify(s, t, o, True)

    @m.step("register", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        # A list watches nothing that watches it: epoll_ctl refuses a circle.
        s.require(s.is_list(o), no(s.watches(o, n)), s.level(n) < s.level(o))
        s.watches[o, n] = True
        s.is_arming[t, o, n] = True

    @m.step("raise a list", n=Node)
    def _(s: State, n: Term) -> None:
        # A level is what the proof needs: that there is no circle.
        s.require(every(Node, lambda o: implies(s.watches(o, n), s.level(n) + 1 < s.level(o))))
        s.level[n] = s.level(n) + 1

    @m.step("ReadyList::enqueue, if ready", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        s.require(s.is_arming(t, o, n))
        s.is_arming[t, o, n] = False
        is_ready = ready(s, n)
        s.is_queued[o, n] = either(s.is_queued(o, n), is_ready)
        notify(s, t, o, is_ready)

    @m.step("take", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        s.require(s.is_queued(o, n), no(s.in_flight(t, o, n)))
        s.is_queued[o, n] = False
        s.in_flight[t, o, n] = True
        s.is_vain[t, o, n] = False

    @m.step("poll: not ready", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        # Of a list: its own entries have been taken and polled, and are gone.
        s.require(s.in_flight(t, o, n), no(ready(s, n)))
        s.is_vain[t, o, n] = True

    @m.step("settle: Gone", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        s.require(s.in_flight(t, o, n), s.is_vain(t, o, n))
        s.in_flight[t, o, n] = False

    @m.step("settle: Back or Front", t=Thread, o=Node, n=Node)
    def _(s: State, t: Term, o: Term, n: Term) -> None:
        s.require(s.in_flight(t, o, n))
        s.in_flight[t, o, n] = False
        s.is_queued[o, n] = True

    @m.step("unregister", o=Node, n=Node)
    def _(s: State, o: Term, n: Term) -> None:
        s.require(s.watches(o, n), every(Thread, lambda t: no(
            either(s.is_arming(t, o, n), s.in_flight(t, o, n), s.to_visit(t, n, o)))))
        s.watches[o, n] = False
        s.is_queued[o, n] = False

    @m.invariant("what is queued is watched")
    def _(s: State) -> Term:
        return both(
            every(Node, Node, lambda o, n: both(
                implies(s.watches(o, n), both(s.is_list(o), s.level(n) < s.level(o))),
                implies(s.is_queued(o, n), s.watches(o, n)))),
            every(Thread, Node, Node, lambda t, o, n: implies(
                either(s.is_arming(t, o, n), s.in_flight(t, o, n), s.to_visit(t, n, o)), s.watches(o, n))))

    @m.invariant("ready below, queued above")
    def _(s: State) -> Term:
        return every(Node, Node, lambda o, n: implies(both(s.watches(o, n), ready(s, n)), either(
            s.is_queued(o, n),
            some(Thread, lambda t: either(
                s.to_visit(t, n, o), s.is_arming(t, o, n),
                both(s.in_flight(t, o, n), no(s.is_vain(t, o, n))))))))

    @m.goal("awake: a list is ready once anything below it is")
    def _(s: State) -> Term:
        is_quiet = every(Thread, Node, Node, lambda t, o, n: no(
            either(s.to_visit(t, n, o), s.is_arming(t, o, n), s.in_flight(t, o, n))))
        return implies(is_quiet, every(Node, Node, lambda o, n: implies(
            both(s.watches(o, n), ready(s, n)), ready(s, o))))

    @m.goal("a notification goes up: it ends")
    def _(s: State) -> Term:
        return every(Thread, Node, Node, lambda t, n, o: implies(s.to_visit(t, n, o), s.level(n) < s.level(o)))

    return m


if __name__ == "__main__":
    import prove

    prove.show([nested()])
