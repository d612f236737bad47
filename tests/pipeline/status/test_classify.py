"""What is decided of a stage from what dvc knows of it, without dvc."""

from __future__ import annotations

from pathlib import Path

from fonoteka.pipeline.status.classify import State, decide
from fonoteka.pipeline.status.inspect import Facts, Gone, Look


def test_clips_are_those_that_the_last_audit_counted():
    report = {"files": 9, "accepted": 8, "parts": {"test": {"utterances": 3}}}
    stages = (
        Facts("inventory", reads=("data/raw",)),
        Facts("dedupe", reads=("data/corpus/inventory.csv", "data/raw")),
        Facts("embed", reads=("data/audio", "data/splits/test.jsonl")),
        Facts("train", reads=("data/splits/train.jsonl",)),
        Facts("compare", reads=("reports/corpus.json",)),
    )
    rows = decide(Look(Path(), stages, ""), report, {})
    assert [row.clips for row in rows] == [9, 9, 3, None, None]
    assert [row.clips for row in decide(Look(Path(), stages, ""), {}, {})] == [None] * 5


def test_many_lost_outputs_are_counted_and_a_few_are_named():
    gone = tuple(Gone(f"{n}.bin", 10, here=False, cached=False, in_git=False) for n in range(5))
    (row,) = decide(Look(Path(), (Facts("a", gone=gone),), "store"), {}, {})
    assert (row.state, row.size) == (State.NOT_PULLED, 50)
    assert row.why[0].startswith("0.bin, 1.bin, 2.bin and 2 more: dvc pull")
