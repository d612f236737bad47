"""A fine-tuning that is killed anywhere ends in the bytes of one that was left alone."""

from __future__ import annotations

import json
import random
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from finetune_maker import (
    MASKED,
    PARAMS,
    RunProcess,
    checkpoint_files,
    killed_in_checkpoint,
    outputs,
    resumed,
    toy_run,
    trained,
)

from fonoteka.models import step_checkpoints

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The inputs of the stage: base, train.jsonl, valid.jsonl, audio."""
    torch.set_num_threads(1)
    return toy_run(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def whole(toy, tmp_path_factory):
    """The outputs of a run that was left alone."""
    folder = tmp_path_factory.mktemp("whole")
    trained(toy, folder, MASKED)
    return outputs(folder)


@pytest.mark.parametrize("number", random.Random(7).sample(range(1, 6), 3))
def test_a_run_killed_at_a_random_step_ends_in_the_same_bytes(number, toy, whole, tmp_path):
    child = RunProcess(toy, tmp_path)
    child.wait_for(f"step {number} of 6")
    child.kill()
    assert child.code == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    if number > PARAMS.checkpoint_every:
        assert "continues after step" in again.stdout
        assert "step 1 of 6" not in again.stdout
    assert outputs(tmp_path) == whole
    rows = (tmp_path / "checkpoint/log.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("checkpoint", [1, 2, 3])
def test_a_run_killed_inside_the_writing_of_any_checkpoint_ends_in_the_same_bytes(
    checkpoint, toy, whole, tmp_path
):
    child = RunProcess(toy, tmp_path, prepare=killed_in_checkpoint(checkpoint))
    child.wait_for("never printed")
    assert child.code == -signal.SIGKILL
    files = checkpoint_files(tmp_path)
    assert [name.endswith(".part") for name in files].count(True) == 1
    assert [name.startswith("step-") for name in files].count(True) == checkpoint - 1
    again = resumed(toy, tmp_path)
    assert again.returncode == 0, again.stderr
    assert ("continues after step" in again.stdout) == (checkpoint > 1)
    assert outputs(tmp_path) == whole
    assert checkpoint_files(tmp_path) == ["log.jsonl"]


def test_a_run_that_is_killed_again_and_again_ends_in_the_same_bytes(toy, whole, tmp_path):
    for number in (3, 4, 5):
        child = RunProcess(toy, tmp_path)
        child.wait_for(f"step {number} of 6")
        child.kill()
    assert resumed(toy, tmp_path).returncode == 0
    assert outputs(tmp_path) == whole


def test_a_killed_run_of_other_parameters_is_not_continued(toy, whole, tmp_path):
    child = RunProcess(toy, tmp_path, replace(MASKED, seed=2))
    child.wait_for("step 5 of 6")
    child.kill()
    again = resumed(toy, tmp_path)
    assert "ignored, because it is of other data, parameters or code" in again.stdout
    assert "step 1 of 6" in again.stdout
    assert outputs(tmp_path) == whole


def other_data(toy, folder, _monkeypatch):
    """Return inputs with one other text; the clips are the same."""
    lines = toy[1].read_text(encoding="utf-8").splitlines()
    first = json.loads(lines[0])
    train = folder / "train.jsonl"
    train.write_text("\n".join([json.dumps(first | {"text": "ne"}), *lines[1:]]) + "\n")
    return [toy[0], train, *toy[2:]]


def other_code(toy, folder, monkeypatch):
    """Let a module of the project have another source."""
    source = folder / "extra.py"
    source.write_text("changed = True\n")
    module = ModuleType("fonoteka.extra")
    module.__file__ = str(source)
    monkeypatch.setitem(sys.modules, "fonoteka.extra", module)
    return toy


@pytest.mark.parametrize("change", [other_data, other_code])
def test_a_checkpoint_of_other_data_or_code_is_not_continued(change, toy, tmp_path, monkeypatch):
    child = RunProcess(toy, tmp_path)
    child.wait_for("step 5 of 6")
    child.kill()
    changed = change(toy, tmp_path, monkeypatch)
    again = resumed(changed, tmp_path)
    assert again.returncode == 0, again.stderr
    assert "ignored, because it is of other data, parameters or code" in again.stdout
    assert "step 1 of 6" in again.stdout
    trained(changed, tmp_path / "alone", MASKED)
    assert outputs(tmp_path) == outputs(tmp_path / "alone")


@pytest.mark.parametrize("mode", ["decoder", "lora"])
def test_the_other_modes_resume_too_and_compute_no_state_twice(mode, toy, tmp_path):
    params = replace(PARAMS, trainable=mode)
    trained(toy, tmp_path / "whole", params)
    child = RunProcess(toy, tmp_path, params)
    child.wait_for("step 3 of 6")
    child.kill()
    states = {p: p.stat().st_mtime_ns for p in (tmp_path / "checkpoint").glob("states/*")}
    assert bool(states) == (mode == "decoder")
    child = RunProcess(toy, tmp_path, params)
    child.wait_for("step 4 of 6")
    assert {p: p.stat().st_mtime_ns for p in states if p.exists()} in (states, {})
    child.wait_for("never printed")
    assert child.code == 0
    assert outputs(tmp_path) == outputs(tmp_path / "whole")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence_and_room_is_all_that_is_needed(
    toy, whole, tmp_path, monkeypatch
):
    write = step_checkpoints.write_tensors

    def full(path, *rest):
        write(Path("/dev/full") if "000004" in path.name else path, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(step_checkpoints, "write_tensors", full)
        with pytest.raises(ValueError, match="No space left on device for a checkpoint of"):
            trained(toy, tmp_path, MASKED)
    assert checkpoint_files(tmp_path) == ["log.jsonl", "step-000002.safetensors"]
    again = resumed(toy, tmp_path)
    assert "continues after step 2 of 6" in again.stdout
    assert outputs(tmp_path) == whole
