"""Values in two splits are found by their content, in the manifest and in the inventory."""

from __future__ import annotations

import pytest
from corpus_maker import utterance

from fonoteka.text.transliteration import name_key
from stages.corpus.audit.leakage import KINDS, Leak, find_leaks, flatten, shared_values


def parts_of(*rows):
    """Return splits with one utterance each: train, valid, test."""
    return {part: [row] for part, row in zip(("train", "valid", "test"), rows, strict=False)}


def test_parts_that_share_nothing_have_no_leak():
    rows = (utterance(f"c/{name}", session=f"c/{name}") for name in "abc")
    result = find_leaks(parts_of(*rows), {})
    assert set(result) == set(KINDS)
    assert not list(flatten(result))


def test_unknown_values_are_not_shared():
    rows = [utterance(f"c/{name}") for name in "abc"]
    assert not list(flatten(find_leaks(parts_of(*rows), {row.id: {"session": ""} for row in rows})))


def test_values_in_two_parts_are_found_with_all_their_clips():
    occurrences = [
        ("x", "train", "2"),
        ("y", "train", "3"),
        ("x", "test", "4"),
        ("x", "train", "1"),
    ]
    assert shared_values("speaker", occurrences) == [
        Leak("speaker", "x", {"train": ("1", "2"), "test": ("4",)})
    ]  # fmt: skip


def test_a_value_in_three_parts_is_one_leak():
    (leak,) = shared_values(
        "sentence", [("zero", part, part) for part in ("train", "valid", "test")]
    )
    assert str(leak) == (
        "sentence 'zero' is in train (train) and in valid (valid) and in test (test)"
    )


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("c/Ana", "c/ana ", True),
        ("c/ćiro", "c/c\u0301iro", True),
        ("c/Ana  M", "c / ana\tm", True),
        ("c/STRASSE", "c/straße", True),
        ("c/s1 1", "c/s11", False),
        ("c/ana", "d/ana", False),
        ("c/cana", "c/ćana", False),
    ],
)
def test_names_that_differ_in_typing_only_are_equal(first, second, same):
    assert (name_key(first) == name_key(second)) == same


@pytest.mark.parametrize("kind", ["speaker", "session"])
def test_a_value_that_only_the_inventory_has_is_a_leak(kind):
    rows = utterance("c/a", session="c/x"), utterance("c/b", session="c/y"), utterance("c/c")
    inventory = {rows[0].id: {kind: "c/Who"}, rows[1].id: {kind: "c/who"}}
    (leak,) = flatten(find_leaks(parts_of(*rows), inventory))
    clips = {"train": (rows[0].id,), "valid": (rows[1].id,)}
    assert (leak.kind, leak.value, leak.clips) == (kind, "c/who", clips)


def test_a_copy_of_a_copy_has_the_first_recording_as_ancestor():
    child, grandchild = utterance("c/b", parent="a"), utterance("c/c", parent="b")
    result = find_leaks(parts_of(child, grandchild), {"b": {"parent": "a"}, "a": {"parent": ""}})
    assert [leak.value for leak in result["parent"]] == ["a"]


def test_an_only_copy_whose_parent_is_in_no_part_is_not_a_leak():
    rows = utterance("c/a", parent="gone"), utterance("c/b"), utterance("c/c")
    assert not list(flatten(find_leaks(parts_of(*rows), {})))


def test_a_circle_of_parents_ends():
    rows = [utterance(f"c/{name}") for name in "abc"]
    circle = {rows[n].id: {"parent": rows[(n + 1) % 3].id} for n in range(3)}
    (leak,) = find_leaks(parts_of(*rows), circle)["parent"]
    assert leak.clips == {part: (row.id,) for part, (row,) in parts_of(*rows).items()}
