"""Disjoint sets are the connected components of the graph of their joins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fonoteka.corpus.union_find import UnionFind

NAMES = "abcdefgh"
PAIRS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)))


@given(PAIRS)
def test_sets_are_the_same_in_whatever_order_they_are_joined(pairs):
    forward, backward = UnionFind[str](), UnionFind[str]()
    for name, other in pairs:
        forward.join(name, other)
    for name, other in reversed(pairs):
        backward.join(other, name)
    assert [forward.first(name) for name in NAMES] == [backward.first(name) for name in NAMES]
    assert all(forward.first(name) == forward.first(other) for name, other in pairs)


@given(PAIRS)
def test_a_set_holds_what_can_be_reached_by_joins_and_is_named_by_its_first(pairs):
    sets = UnionFind[str]()
    for name, other in pairs:
        sets.join(name, other)
    for name in NAMES:
        reached, before = {name}, set()
        while reached != before:
            before = set(reached)
            reached |= {end for pair in pairs if before & {*pair} for end in pair}
        assert sets.first(name) == min(reached)
