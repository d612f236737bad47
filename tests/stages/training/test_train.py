"""Both kinds of head learn, repeat, stop in time, and survive a kill."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
import yaml
from model_maker import CTC, MLP, KilledError, killed_at, toy_corpus
from stage_logs import events, log_lines, logged

from fonoteka import manifest
from fonoteka.core.files import read_json
from fonoteka.models import loop
from fonoteka.models.checkpoint import Checkpoint
from fonoteka.models.heads import load_head, posteriors
from fonoteka.models.loop import TrainingProgress, fit
from fonoteka.phones import LABELS
from fonoteka.shards import open_arrays
from stages.training.train import stage
from stages.training.train.stage import Validation, run
from stages.training.train.tasks import NUMBER, CtcParams, CtcTask

pytestmark = pytest.mark.torch
SHORT = {"epochs": 3, "dropout": 0.2}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Embeddings, train.jsonl, valid.jsonl and segments.parquet of the toy problem."""
    return toy_corpus(tmp_path_factory.mktemp("toy"), train=48)


def trained(toy, folder, params, checkpoint="checkpoint"):
    embeddings, train, valid, segments = toy
    targets = train if isinstance(params, CtcParams) else segments
    name = "wav2vec2_ctc" if isinstance(params, CtcParams) else "mlp"
    places = (folder / "model", folder / "curves", folder / checkpoint)
    run(name, embeddings, targets, valid, *places, params)
    return folder / "model"


def test_a_ctc_head_learns_phones_of_one_direction_each(toy, tmp_path):
    metadata = read_json(trained(toy, tmp_path, CTC) / "model.json")
    assert metadata["valid_per"] < 0.1
    assert (metadata["kind"], metadata["labels"]) == ("tdnn", list(LABELS))
    rows = (tmp_path / "curves" / "valid_per.tsv").read_text().splitlines()
    assert rows[0] == "step\tvalid_per"
    assert [row.split("\t")[0] for row in rows[1:]] == list("01234567")


def test_an_mlp_head_learns_segments_of_one_direction_each(toy, tmp_path):
    head, metadata = load_head(trained(toy, tmp_path, MLP))
    assert metadata["kind"] == "mlp"
    hits = []
    for u in manifest.read(toy[2]):  # unseen voices
        frames = open_arrays(toy[0], [u.id])[u.id]
        for phone, (start, end) in zip(u.phones, u.phone_times_s, strict=True):
            mean = frames[round(50 * start) : round(50 * end)].mean(axis=0, keepdims=True)
            hits.append(LABELS[posteriors(head, mean)[0].argmax()] == phone)
    assert np.mean(hits) > 0.95


@pytest.mark.parametrize("params", [CTC, MLP], ids=["ctc", "mlp"])
def test_two_runs_are_equal_byte_for_byte(params, toy, tmp_path):
    params = replace(params, **SHORT)
    first, second = (trained(toy, tmp_path / name, params) for name in "ab")
    for file in ("model.safetensors", "model.json"):
        assert (first / file).read_bytes() == (second / file).read_bytes()
    other = trained(toy, tmp_path / "c", replace(params, seed=2))
    assert (other / file).read_bytes() != (first / file).read_bytes()


@pytest.mark.parametrize("params", [CTC, MLP], ids=["ctc", "mlp"])
@pytest.mark.parametrize("kill", [1, 2, 3])
def test_a_run_that_was_killed_ends_in_the_same_bytes(params, kill, toy, tmp_path, monkeypatch):
    params = replace(params, **SHORT)
    whole = trained(toy, tmp_path / "whole", params)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_epoch", killed_at(kill, loop.run_epoch))
        with pytest.raises(KilledError, match="killed"):
            trained(toy, tmp_path / "out", params)
    assert (tmp_path / "out" / "checkpoint").exists() == (kill > 1)
    resumed = trained(toy, tmp_path / "out", params)
    for file in ("model.safetensors", "model.json"):
        assert (whole / file).read_bytes() == (resumed / file).read_bytes()
    curves = [sorted((tmp_path / n / "curves").iterdir()) for n in ("whole", "out")]
    assert [p.read_bytes() for p in curves[0]] == [p.read_bytes() for p in curves[1]]
    assert not (tmp_path / "out" / "checkpoint").exists()


def test_a_killed_run_of_other_params_is_not_continued(toy, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_epoch", killed_at(2, loop.run_epoch))
        with pytest.raises(KilledError, match="killed"):
            trained(toy, tmp_path, replace(CTC, seed=5, **SHORT))
    epochs = []
    run_epoch = loop.run_epoch
    monkeypatch.setattr(loop, "run_epoch", lambda *a: epochs.append(a[3]) or run_epoch(*a))
    trained(toy, tmp_path, replace(CTC, **SHORT))
    assert epochs == [0, 1, 2]


class ScriptedValidation:
    """A validation with given error rates, which stores its calls."""

    def __init__(self, *rates):
        self.rates, self.heads = iter(rates), []

    def per(self, head):
        self.heads.append({k: v.clone() for k, v in head.state_dict().items()})
        return next(self.rates)


def test_a_log_changes_no_byte_of_a_head_and_has_each_step_and_epoch(toy, tmp_path):
    params = replace(CTC, **SHORT)
    quiet = trained(toy, tmp_path / "quiet", params)
    with logged(tmp_path / "logs"):
        out = trained(toy, tmp_path / "out", params)
    for file in ("model.safetensors", "model.json"):
        assert (quiet / file).read_bytes() == (out / file).read_bytes()
    lines = log_lines(tmp_path / "logs", "toy")
    steps, epochs = events(lines, "step"), events(lines, "valid")
    assert [line["step"] for line in steps] == [*range(1, len(steps) + 1)]
    assert [line["epoch"] for line in epochs] == [*range(1, params.epochs + 1)]
    assert {line["epoch"] for line in steps} == {line["epoch"] for line in epochs}
    assert min(line["loss"] for line in steps) > 0
    assert all(line["valid_per"] >= 0 for line in epochs)


def test_training_stops_after_its_patience_and_keeps_the_best_epoch(toy, tmp_path):
    validation = ScriptedValidation(0.9, 0.5, 0.5, 0.7, 0.1)
    task = CtcTask(toy[0], toy[1], replace(CTC, patience=2))
    head, progress = fit(task, validation.per, "per", task.params, Checkpoint(tmp_path, "m"))
    assert (progress.best_epoch, progress.epoch, progress.best) == (2, 4, 0.5)
    assert [h["valid_per"] for h in progress.history] == [0.9, 0.5, 0.5, 0.7]
    for name, value in head.state_dict().items():
        assert torch.equal(value, validation.heads[1][name])
    assert not torch.equal(validation.heads[1]["output.bias"], validation.heads[3]["output.bias"])


def test_a_run_that_was_killed_at_its_end_trains_no_more(toy, tmp_path):
    task = CtcTask(toy[0], toy[1], replace(CTC, epochs=1))
    keep = Checkpoint(tmp_path, "m")
    first, _ = fit(task, ScriptedValidation(0.5).per, "per", task.params, keep)
    again, progress = fit(task, ScriptedValidation().per, "per", task.params, keep)
    assert isinstance(progress, TrainingProgress)
    assert torch.equal(first.output.weight, again.output.weight)


@pytest.mark.parametrize("name", ["train", "valid"])
def test_an_empty_part_is_one_clear_sentence(name, toy, tmp_path):
    embeddings, train, valid, segments = toy
    empty = tmp_path / f"{name}.jsonl"
    empty.write_text("")
    parts = {"train": train, "valid": valid} | {name: empty}
    with pytest.raises(ValueError, match=rf"{name}\.jsonl: no utterance to (train|validate) on"):
        trained((embeddings, parts["train"], parts["valid"], segments), tmp_path, CTC)
    assert not (tmp_path / "model").exists()


def test_validation_counts_errors_as_the_scorer_does(toy):
    class Says(torch.nn.Module):
        def forward(self, x):
            out = torch.full((1, x.shape[1], len(LABELS)), -9.0)
            out[:, :, NUMBER["a"]] = 0.0
            return out

    validation = Validation(toy[2], toy[0])
    decoded = [u.phones for u in validation.utterances]
    # one `a` for five phones: all but one `a` are wrong, four of them deleted
    wrong = sum(len(phones) - ("a" in phones) for phones in decoded)
    assert validation.per(Says()) == wrong / sum(map(len, decoded))


def test_the_reference_is_an_lstm_of_its_own_size_and_length(toy, tmp_path, monkeypatch):
    size = {"epochs": 2, "hidden": 6, "layers": 2, "dropout": 0.1}
    sections = {"ctc": asdict(CTC), "reference": size, "compute": {"threads": 1, "device": "cpu"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(sections))
    monkeypatch.chdir(tmp_path)
    line = [*toy[:3], "out", "curves", "--head", "reference", "--checkpoint", "c"]
    monkeypatch.setattr(sys, "argv", ["train", "reference", *map(str, line)])
    stage.main()
    metadata = read_json(tmp_path / "out" / "model.json")
    assert (metadata["kind"], metadata["shape"]["hidden"], metadata["shape"]["layers"]) == (
        "lstm",
        6,
        2,
    )
    assert len((tmp_path / "curves" / "valid_per.tsv").read_text().splitlines()) == 1 + 2


@pytest.mark.parametrize("name", ["mlp", "wavlm_ctc"])
def test_the_command_reads_its_section_and_its_paths(name, toy, tmp_path, monkeypatch):
    embeddings, train, valid, segments = toy
    sections = {"ctc": asdict(replace(CTC, epochs=1)), "mlp": asdict(replace(MLP, epochs=1))}
    text = yaml.safe_dump(sections | {"compute": {"threads": 1, "device": "cpu"}})
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    targets = segments if name == "mlp" else train
    head = "mlp" if name == "mlp" else "ctc"
    line = [embeddings, targets, valid, "out", "curves", "--head", head, "--checkpoint", "c"]
    monkeypatch.setattr(sys, "argv", ["train", name, *map(str, line)])
    stage.main()
    assert read_json(tmp_path / "out" / "model.json")["name"] == name
