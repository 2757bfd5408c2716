"""The arithmetic of the word (src/word.rs, src/lock_free.rs): 64 bits, against what the models say that it does.

The models have a cache, a set of events, a set of interests and a version. These lemmas say that each operation of the
source changes exactly these, on every value of the word.
"""

from __future__ import annotations

from z3 import And, BitVec, BitVecVal, BoolRef, Implies, LShR, Not

from transition import decide

CACHED = BitVecVal(1 << 15, 64)
EVENTS = BitVecVal((1 << 14) - 1, 64)
INTERESTS_SHIFT = 16
SPARE_SHIFT = INTERESTS_SHIFT + 14
VERSION_ONE = BitVecVal(1 << SPARE_SHIFT, 64)


def events(word):
    return word & EVENTS


def is_cached(word) -> BoolRef:
    return (word & CACHED) != 0


def interests(word):
    return LShR(word, INTERESTS_SHIFT) & EVENTS


def version(word):
    return LShR(word, SPARE_SHIFT)


def lemmas() -> list[tuple[str, BoolRef]]:
    """Each with the operation that it is about."""
    word, after, interest = BitVec("word", 64), BitVec("after", 64), BitVec("interest", 64)
    # `Events` has 14 bits; a word never has bit 14, and no events without the cache.
    is_events = And(after == events(after), interest == events(interest))
    is_word = And((word & (1 << 14)) == 0, Implies(Not(is_cached(word)), events(word) == 0))
    given = And(is_events, is_word)

    def is_valid(new) -> BoolRef:
        return And((new & (1 << 14)) == 0, Implies(Not(is_cached(new)), events(new) == 0))

    def claim(new, cached, new_events, new_interests, new_version) -> BoolRef:
        return Implies(given, And(is_valid(new), is_cached(new) == cached, events(new) == new_events,
                                  interests(new) == new_interests, version(new) == new_version))

    shifted = interest << INTERESTS_SHIFT
    cleared = word & ~(CACHED | EVENTS)
    updated = cleared | CACHED | after
    return [
        ("update_events: fetch_or", Implies(Not(is_cached(word)), claim(
            word | CACHED | after, True, after, interests(word), version(word)))),
        ("notify_events: fetch_add", Implies(is_cached(word), claim(
            word + (after - events(word)), True, after, interests(word), version(word)))),
        ("clear_events: fetch_and", claim(cleared, False, BitVecVal(0, 64), interests(word), version(word))),
        ("watch: fetch_or", claim(
            word | shifted, is_cached(word), events(word), interests(word) | interest, version(word))),
        ("unwatch: fetch_and", claim(
            word & ~shifted, is_cached(word), events(word), interests(word) & ~interest, version(word))),
        ("fence_and_load: fetch_or", claim(
            word | 0, is_cached(word), events(word), interests(word), version(word))),
        ("lock-free update_events: rewrite", claim(updated, True, after, interests(word), version(word))),
        ("lock-free change: rewrite", claim(
            cleared + VERSION_ONE, False, BitVecVal(0, 64), interests(word), (version(word) + 1) & ((1 << 34) - 1))),
    ]


def prove(lemma: BoolRef) -> str:
    """`proved`, `refuted` or `unknown`."""
    return decide([Not(lemma)])
