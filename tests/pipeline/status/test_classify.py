"""Stages are classified from the results of an inspection, without dvc."""

from __future__ import annotations

from pathlib import Path

from fonoteka.pipeline.status.classify import StageState, classify
from fonoteka.pipeline.status.inspect import MissingOutput, PipelineInspection, StageInspection


def test_clips_are_those_that_the_last_audit_counted():
    report = {"files": 9, "accepted": 8, "parts": {"test": {"utterances": 3}}}
    stages = (
        StageInspection("inventory", reads=("data/raw",)),
        StageInspection("dedupe", reads=("data/corpus/inventory.csv", "data/raw")),
        StageInspection("embed", reads=("data/audio", "data/splits/test.jsonl")),
        StageInspection("train", reads=("data/splits/train.jsonl",)),
        StageInspection("compare", reads=("reports/corpus.json",)),
    )
    rows = classify(PipelineInspection(Path(), stages, ""), report, {})
    assert [row.clips for row in rows] == [9, 9, 3, None, None]
    assert [row.clips for row in classify(PipelineInspection(Path(), stages, ""), {}, {})] == [
        None
    ] * 5


def test_many_lost_outputs_are_counted_and_a_few_are_named():
    missing = tuple(
        MissingOutput(f"{n}.bin", 10, in_workspace=False, cached=False, in_git=False)
        for n in range(5)
    )
    (row,) = classify(
        PipelineInspection(Path(), (StageInspection("a", missing=missing),), "store"), {}, {}
    )
    assert (row.state, row.size) == (StageState.NOT_PULLED, 50)
    assert row.reasons[0].startswith("0.bin, 1.bin, 2.bin and 2 more: fetch it with dvc pull")
