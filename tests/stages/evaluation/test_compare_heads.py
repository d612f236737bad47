"""The shipped head is scored beside the usual one, on the same clips and draws."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import yaml
from corpus_maker import utterance

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.models.heads import LstmShape, new_head, posteriors, save_head
from fonoteka.phones import LABELS, NUMBER
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import errors
from fonoteka.shards import write_arrays
from stages.evaluation import compare_heads as stage
from stages.evaluation.compare_heads import CompareHeadsParams, run

pytestmark = pytest.mark.torch
PARAMS = CompareHeadsParams(resamples=200, seed=1, digits=4)
SHAPE = LstmShape(inputs=6, outputs=len(LABELS), hidden=4, layers=2, dropout=0.0)


def perfect(phones):
    """Posteriors whose greedy path is these phones."""
    path = [number for phone in phones for number in (NUMBER[phone], 0)]
    return np.log(np.where(np.eye(len(LABELS))[path] > 0, 0.9, 1e-3)).astype(np.float32)


def save_project(folder, speakers=3, empty=False):
    """Write what the stage reads: our head is right but for one phone of the first speaker."""
    torch.manual_seed(0)
    metadata = {"encoder": "wavlm", "valid_per": 0.5}
    save_head(folder / "reference", new_head(SHAPE), SHAPE, metadata)
    utterances = [utterance(f"mine/s{n}", n, phones=("a", "b")) for n in range(speakers)]
    rng = np.random.default_rng(0)
    frames = {u.id: rng.standard_normal((4, 6)).astype(np.float32) for u in utterances}
    shipped = {u.id: perfect(u.phones) for u in utterances} | {
        utterances[0].id: perfect(("a", "d"))
    }
    if empty:
        utterances.append(utterance("mine/s0", 99, phones=()))
    for name, arrays in (("shipped", shipped), ("embeddings", frames)):
        (folder / name).mkdir()
        write_arrays(folder / name, arrays, 2)
    manifest.write(folder / "test.jsonl", utterances)
    names = ("reference", "shipped", "embeddings", "test.jsonl", "out.json")
    return [folder / name for name in names], utterances, frames


def test_both_heads_and_their_difference_are_those_counted_by_hand(tmp_path):
    places, utterances, frames = save_project(tmp_path)
    run(*places, PARAMS)
    report = read_json(tmp_path / "out.json")
    torch.manual_seed(0)
    head = new_head(SHAPE).eval()
    decoded = [[s.symbol for s in greedy(posteriors(head, frames[u.id]))] for u in utterances]
    theirs = errors([u.phones for u in utterances], decoded).rate
    assert report["shipped"]["per"] == round(1 / 6, 4)
    assert report["reference"]["per"] == round(theirs, 4)
    assert report["difference"] == round(1 / 6 - theirs, 4) < 0
    assert report["difference_low"] <= report["difference"] <= report["difference_high"]
    assert (report["speakers"], report["name"], report["encoder"]) == (3, "shipped", "wavlm")
    assert report["shape"]["hidden"] == 4


def test_one_speaker_has_no_interval_and_it_says_so(tmp_path):
    places, _, _ = save_project(tmp_path, speakers=1)
    run(*places, PARAMS)
    report = read_json(tmp_path / "out.json")
    assert report["difference_low"] is report["share_of_draws_better"] is None
    assert report["interval"] == "one speaker: no interval over speakers"


def test_an_utterance_without_phones_is_counted_and_left_out(tmp_path):
    places, _, _ = save_project(tmp_path, empty=True)
    run(*places, PARAMS)
    report = read_json(tmp_path / "out.json")
    assert (report["empty_references"], report["shipped"]["per"]) == (1, round(1 / 6, 4))


def test_an_empty_test_part_is_refused(tmp_path):
    places, _, _ = save_project(tmp_path)
    places[3].write_text("")
    with pytest.raises(ValueError, match=r"test\.jsonl: no utterance to test on"):
        run(*places, PARAMS)


def test_the_command_reads_params_and_paths(tmp_path, monkeypatch):
    places, _, _ = save_project(tmp_path)
    params = {
        "compare_heads": asdict(replace(PARAMS, digits=2)),
        "compute": {"threads": 1, "device": "cpu"},
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["compare_heads", *map(str, places)])
    stage.main()
    assert read_json(places[-1])["shipped"]["per"] == 0.17
