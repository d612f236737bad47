"""Each stage's entry comes from the side of a merge that was built with the merged files."""

from __future__ import annotations

from fonoteka.pipeline.merge.merge_entries import MergeSide, choose_entries


def entry(deps=(), outs=()):
    return {
        "cmd": "x",
        "deps": [{"path": path, "md5": value} for path, value in dict(deps).items()],
        "outs": [{"path": path, "md5": value} for path, value in dict(outs).items()],
    }


def test_what_reads_a_folder_with_outputs_stands_with_the_side_that_made_them():
    ours = {"make": entry(outs={"raw/a": "1"}), "list": entry({"raw": "r1"}, {"list": "l1"})}
    theirs = {"make": entry(outs={"raw/a": "2"}), "list": entry({"raw": "r2"}, {"list": "l2"})}
    sides = (MergeSide(ours, frozenset({"list"})), MergeSide(theirs, frozenset({"make", "list"})))
    choices = choose_entries(sides, ["list", "make"])
    assert {name: (c.fresh, c.sides) for name, c in choices.items()} == {
        "make": (True, {1}),
        "list": (True, {1}),
    }


def test_what_reads_a_stage_that_has_to_run_does_not_stand():
    both = {"make": entry(outs={"a": "1"}), "read": entry({"a": "1"}, {"b": "2"})}
    choices = choose_entries(
        (MergeSide(both, frozenset({"read"})), MergeSide({}, frozenset())), ["make", "read"]
    )
    assert not choices["make"].fresh
    assert not choices["read"].fresh
