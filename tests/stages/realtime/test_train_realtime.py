"""The small models learn from streams in pieces, repeat, and survive a kill."""

from __future__ import annotations

import shutil
import sys
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from model_maker import KilledError, killed_at
from stream_maker import HOP_S, PARAMS, toy_frames, toy_rows, toy_streams

from fonoteka.core.files import read_json
from fonoteka.models import loop
from fonoteka.models.store import load_stack
from fonoteka.realtime.frame_labels import TASKS
from stages.realtime.train_realtime import realtime_task, stage
from stages.realtime.train_realtime.realtime_task import (
    PADDING,
    RealtimeTask,
    SmallParams,
    TrainingStream,
    Validator,
    read_streams,
)
from stages.realtime.train_realtime.stage import run

pytestmark = pytest.mark.torch
SHORT = replace(PARAMS, epochs=3, dropout=0.2)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return toy_streams(tmp_path_factory.mktemp("toy") / "streams")


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Fewer streams, for tests of a run's bytes and not of what it learns."""
    return toy_streams(tmp_path_factory.mktemp("few") / "streams", train=4, valid=2, test=0)


@pytest.fixture(scope="module")
def whole(few, tmp_path_factory):
    """The folder of a run over them that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    trained(few, folder)
    return folder


def trained(toy, folder, name="phone", params=SHORT):
    places = [toy / "streams", toy / "times.parquet", toy / "frontend.json"]
    run(name, *places, folder / "model", folder / "curves", folder / "checkpoint", params)
    return folder / "model"


def task_of(streams, name="phone", **more):
    return RealtimeTask(streams, name, replace(PARAMS, **more), HOP_S)


def stream_of(seed, words=4):
    rows = toy_rows(seed, words)
    return TrainingStream(toy_frames(rows, seed), rows)


@pytest.mark.parametrize("name", ["onset", "phone", "speech"])
def test_pieces_lose_what_the_whole_loses(name):
    streams = {"a": stream_of(1)}
    hops = len(streams["a"].frames) // 4 * 4
    streams["a"] = replace(streams["a"], frames=streams["a"].frames[:hops])
    parts, whole = (task_of(streams, name, bptt_hops=n) for n in (hops // 4, hops))
    torch.manual_seed(1)
    model = parts.new().eval()
    values = [parts.loss(model, piece).item() for piece in parts.batches(1)]
    (piece,) = whole.batches(1)
    assert len(values) == 4
    assert np.mean(values) == pytest.approx(whole.loss(model, piece).item(), rel=1e-5)


def test_a_gradient_goes_back_one_piece_and_the_state_continues():
    task = task_of({"a": stream_of(1)}, bptt_hops=50)
    torch.manual_seed(1)
    model = task.new().eval()
    first, second, *_ = task.batches(1)
    task.loss(model, first)
    states = [part.clone() for part in first.state[0]]
    assert first.state is second.state
    assert not any(part.requires_grad for part in states)
    task.loss(model, second).backward()
    values = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    logits, _ = model.logits(second.frames, states)
    torch.nn.functional.cross_entropy(logits[0], second.labels[0]).backward()
    for gradient, parameter in zip(values, model.parameters(), strict=True):
        assert torch.equal(gradient, parameter.grad)
    assert any(bool(part.any()) for part in states)


def test_padding_after_the_end_of_a_stream_is_not_learned():
    for name in ("phone", "voicing"):
        task = task_of({"long": stream_of(1, 5), "short": stream_of(2, 2)}, name, batch_hops=10_000)
        torch.manual_seed(1)
        model = task.new().eval()
        lost = []
        for filler in (0.0, 9.0):
            pieces = list(task.batches(1))
            for piece in pieces:
                piece.frames[piece.labels == PADDING] = filler
            lost.append([task.loss(model, piece).item() for piece in pieces])
        assert any((piece.labels == PADDING).any() for piece in pieces)
        assert lost[0] == lost[1]


def test_pieces_of_a_stream_are_in_order_and_complete():
    streams = {key: stream_of(seed) for seed, key in enumerate("abc")}
    task = task_of(streams, batch_hops=1)
    joined, box = [], None
    for piece in task.batches(3):
        if piece.state is not box:
            joined.append([])
            box = piece.state
        joined[-1].append(piece.frames[0].numpy())
    values = sorted(np.concatenate(parts).tobytes() for parts in joined)
    assert values == sorted(stream.frames.tobytes() for stream in streams.values())


@pytest.mark.parametrize("delay", [0, 2])
def test_a_label_is_as_late_as_the_answer_may_be(delay):
    small = SmallParams(delay, 0, 4)
    task = task_of({"a": stream_of(1)}, "speech", models=dict.fromkeys(TASKS, small))
    frames, (labels,) = task.padded([0])
    true = TASKS["speech"].labels(toy_rows(1), frames.shape[1], HOP_S)
    assert labels.tolist() == [0] * delay + true[: len(true) - delay].tolist()


@pytest.mark.parametrize(("name", "error"), [("onset", 0.15), ("phone", 0.1), ("speech", 0.03)])
def test_a_small_model_learns_phones_of_one_direction_each(name, error, toy, tmp_path):
    params = replace(PARAMS, epochs=6)  # more do not lower an error: 0.134, 0 and 0 after four
    metadata = read_json(trained(toy, tmp_path, name, params) / "model.json")
    assert metadata["valid_error"] < error
    assert metadata["labels"] == list(TASKS[name].names)
    assert (metadata["name"], metadata["delay_hops"]) == (name, 1)
    rows = (tmp_path / "curves" / "valid_error.tsv").read_text().splitlines()
    assert len(rows) == 1 + params.epochs


def test_two_runs_are_equal_byte_for_byte(few, whole, tmp_path):
    again = trained(few, tmp_path / "again")
    for file in ("model.safetensors", "model.json"):
        assert (whole / "model" / file).read_bytes() == (again / file).read_bytes()
    other = trained(few, tmp_path / "other", params=replace(SHORT, seed=2))
    assert (other / file).read_bytes() != (again / file).read_bytes()


@pytest.mark.parametrize("kill", [1, 2, 3])
def test_a_run_that_was_killed_ends_in_the_same_bytes(kill, few, whole, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(loop, "run_epoch", killed_at(kill, loop.run_epoch))
        with pytest.raises(KilledError, match="killed"):
            trained(few, tmp_path)
    assert (tmp_path / "checkpoint").exists() == (kill > 1)
    resumed = trained(few, tmp_path)
    for file in ("model.safetensors", "model.json"):
        assert (whole / "model" / file).read_bytes() == (resumed / file).read_bytes()
    curves = [sorted((folder / "curves").iterdir()) for folder in (whole, tmp_path)]
    assert [p.read_bytes() for p in curves[0]] == [p.read_bytes() for p in curves[1]]
    assert not (tmp_path / "checkpoint").exists()


def test_the_threshold_is_the_best_of_the_model_as_it_will_run(few, tmp_path):
    params = replace(PARAMS, epochs=4, dropout=0.5)  # dropped values would move the outputs
    model, metadata = load_stack(trained(few, tmp_path, "onset", params))
    valid = read_streams(few / "streams", few / "times.parquet", "valid")
    validator = Validator(valid, "onset", 1, HOP_S)
    assert metadata["threshold"] == validator.threshold(model)
    assert metadata["valid_error"] == pytest.approx(validator.error(model), abs=1e-6)


@pytest.mark.parametrize("name", ["onset", "phone", "speech"])
def test_validation_side_by_side_scores_what_each_stream_alone_does(name, monkeypatch):
    streams = {str(words): stream_of(words, words) for words in (2, 7, 3, 5)}
    assert len({len(stream.frames) for stream in streams.values()}) == 4
    task, validator = task_of(streams, name), Validator(streams, name, 1, HOP_S)
    torch.manual_seed(1)
    model = task.new().eval()
    together = validator.scores(model)
    for size in (1, 3):
        monkeypatch.setattr(realtime_task, "STREAMS_AT_ONCE", size)
        assert validator.scores(model) == pytest.approx(together)


class Fixed(torch.nn.Module):
    """A model with a fixed output per hop."""

    def __init__(self, outputs):
        super().__init__()
        self.outputs = torch.tensor(outputs, dtype=torch.float32)[None, :, None]

    def forward(self, frames):
        return self.outputs[:, : frames.shape[1]], ()


def test_the_lowest_of_the_best_thresholds_is_taken():
    rows = [("a", 0.10, 0.15), ("d", 0.20, 0.25)]
    outputs = np.full(40, 0.05)
    outputs[[11, 21, 31]] = [0.9, 0.95, 0.35]  # the last is not an onset
    validator = Validator(
        {"a": TrainingStream(np.zeros((40, 8), np.float32), rows)}, "onset", 1, HOP_S
    )
    assert validator.threshold(Fixed(outputs)) == 0.4
    assert validator.error(Fixed(outputs)) == 0


def test_a_part_without_a_stream_is_one_clear_sentence(toy, tmp_path):
    shutil.copytree(toy, tmp_path / "toy")
    table = pd.read_parquet(toy / "times.parquet")
    table[table["part"] != "valid"].to_parquet(tmp_path / "toy" / "times.parquet", index=False)
    message = "no stream of the part valid; run the stage realtime_features"
    with pytest.raises(ValueError, match=message):
        trained(tmp_path / "toy", tmp_path)


def test_a_model_without_parameters_is_named(toy, tmp_path):
    few = {"speech": SmallParams(1, 0, 4)}
    with pytest.raises(ValueError, match=r"train_realtime.models must be .*, found \['speech'\]"):
        trained(toy, tmp_path, "phone", replace(SHORT, models=few))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"delay": -1}, "found -1, 4 and 4"),
        ({"convolution": -4}, "found 1, -4 and 4"),
        ({"gru": 0}, "found 1, 4 and 0"),
    ],
)
def test_sizes_that_make_no_model_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        SmallParams(**({"delay": 1, "convolution": 4, "gru": 4} | change))


@pytest.mark.parametrize("change", [{"bptt_hops": 0}, {"kernel": 0}])
def test_pieces_and_kernels_of_nothing_are_refused(change):
    with pytest.raises(ValueError, match="bptt_hops and kernel must be at least 1"):
        replace(PARAMS, **change)


def test_a_damaged_model_is_one_clear_sentence(whole, tmp_path):
    folder = shutil.copytree(whole / "model", tmp_path / "model")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(ValueError, match=r"its SHA-256 is .* but model.json names"):
        load_stack(folder)
    weights.unlink()
    with pytest.raises(ValueError, match="no such file; run dvc checkout"):
        load_stack(folder)
    (folder / "model.json").write_text("{}")
    with pytest.raises(ValueError, match=r"model.json: shape: missing"):
        load_stack(folder)


def test_the_command_reads_its_section_and_its_paths(few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = asdict(replace(SHORT, epochs=1))
    params = {"train_realtime": section, "compute": {"threads": 1, "device": "cpu"}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    places = [str(few / name) for name in ("streams", "times.parquet", "frontend.json")]
    words = ["speech", *places, "out", "curves", "--checkpoint", "checkpoint"]
    monkeypatch.setattr(sys, "argv", ["train_realtime", *words])
    stage.main()
    assert read_json(tmp_path / "out" / "model.json")["name"] == "speech"
