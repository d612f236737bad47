"""A sweep of real heads: found on validation, compared once on test, reported as it is."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from corpus_maker import utterance
from dvc_yaml import TOP
from model_maker import CTC, toy_clip, toy_corpus

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.scoring.error_rate import Errors
from fonoteka.shards import write_arrays
from fonoteka.sweep.command import SweepOptions, run
from fonoteka.sweep.held_out import difference
from fonoteka.sweep.space import HeldOut

SPACE = Path("space.yaml")
PART = HeldOut("", "", resamples=200, seed=1)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A toy corpus with a test part, whose head learns nothing at today's learning rate."""
    toy_corpus(tmp_path / "data")
    arrays, rows = {}, []
    for seed in range(100, 104):
        phones, frames, _ = toy_clip(seed)
        rows.append(utterance(f"mine/s{seed}", seed, phones=phones, duration_s=len(frames) / 50))
        arrays[rows[-1].id] = frames
    (tmp_path / "data/unseen").mkdir()
    write_arrays(tmp_path / "data/unseen", arrays, 2)
    manifest.write(tmp_path / "data/test.jsonl", rows)
    ctc = asdict(CTC) | {"dilations": [1], "learning_rate": 1e-6, "epochs": 6}
    params = {"compute": {"threads": 1, "device": "cpu"}, "ctc": ctc}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    space = yaml.safe_load((TOP / "configs/sweep.yaml").read_text())
    space |= {
        "keys": {"ctc.learning_rate": {"kind": "float", "low": 0.01, "high": 0.05, "log": True}},
        "fixed": {"ctc.epochs": 5}, "trials": 1,
        "inputs": {
            "embeddings": "data/embeddings", "targets": "data/train.jsonl",
            "valid": "data/valid.jsonl",
        },
        "test": {
            "embeddings": "data/unseen", "utterances": "data/test.jsonl", "resamples": 200,
            "seed": 1,
        },
    }  # fmt: skip
    path = tmp_path / SPACE
    path.write_text(yaml.safe_dump(space))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    return tmp_path


@pytest.mark.torch
def test_a_learning_rate_that_learns_is_found_and_holds_on_test(project):
    run(SPACE, SweepOptions(workers=1))
    report = read_json(project / "reports/bench/sweep/space/report.json")
    assert report["found"]["error"] < report["today"]["error"]
    test = report["test"]
    assert (test["verdict"], test["looks"], test["speakers"]) == ("better", 1, 4)
    assert test["difference"] == pytest.approx(
        test["found"]["per"] - test["today"]["per"], abs=2e-6
    )
    assert test["validation"]["found"] < test["validation"]["today"]
    # The last trainings have the epochs of params.yaml, the trials those of the space.
    work = project / "checkpoints/sweep/space"
    epochs = {
        group: yaml.safe_load((work / group / "params.yaml").read_text())["ctc"]["epochs"]
        for group in ("today/0000", "tpe/0000", "final/today")
    }
    assert epochs == {"today/0000": 5, "tpe/0000": 5, "final/today": 6}
    run(SPACE, SweepOptions(workers=1))
    again = read_json(project / "reports/bench/sweep/space/report.json")
    assert again == report  # the test part is not read a second time


def test_a_gain_that_speakers_do_not_share_is_undecided():
    today = {"a": Errors(substitutions=5, reference=10), "b": Errors(substitutions=1, reference=10)}
    best = {"a": Errors(substitutions=1, reference=10), "b": Errors(substitutions=3, reference=10)}
    report = difference(today, best, PART)
    assert report["difference"] == pytest.approx(-0.1)
    assert report["difference_low"] < 0 < report["difference_high"]
    assert report["verdict"] == "undecided"
    assert difference(today, today | {"b": Errors(reference=10)}, PART)["share_of_draws_better"] < 1


def test_one_speaker_decides_nothing():
    alone = {"a": Errors(substitutions=5, reference=10)}
    report = difference(alone, {"a": Errors(reference=10)}, PART)
    assert (report["verdict"], report["difference_low"]) == ("undecided", None)
    assert report["interval"] == "one speaker: no interval over speakers"
