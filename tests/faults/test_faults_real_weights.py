"""A fine-tuning of the real whisper-base that is killed ends in the bytes of an undisturbed one.

test_faults_train_whisper.py kills a tiny model more often. Here a checkpoint has 0.4 GB, so a kill
meets the writing of one, and sums of 512 numbers are rounded as in a real run.
"""

from __future__ import annotations

import random
import signal
from dataclasses import replace

import pytest
import torch
from finetune_maker import (
    MASKED,
    RunProcess,
    checkpoint_files,
    killed_in_checkpoint,
    outputs,
    resumed,
    toy_run,
)
from real_whisper import made_whisper

pytestmark = pytest.mark.faults
# Masks, the decoder and the last layer of the encoder: what is frozen needs no gradient, and its
# weights and moments are not in a checkpoint, which would be 1.1 GB.
PARAMS = replace(
    MASKED, frozen=("embeddings",), frozen_layers=5, learning_rate=1e-4, batch=2, valid_clips=2
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The inputs of the stage: base, train.jsonl, valid.jsonl, audio."""
    torch.set_num_threads(1)
    return toy_run(tmp_path_factory.mktemp("data"), 6, 2, made_whisper(tmp_path_factory))


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """The outputs of a run that was left alone, in a process as the others."""
    folder = tmp_path_factory.mktemp("whole")
    done = resumed(data, folder, PARAMS)
    assert done.returncode == 0, done.stderr
    assert "step 6 of 6" in done.stdout
    return outputs(folder)


def test_training_changes_the_real_weights(data, whole):
    base = (data[0] / "model.safetensors").read_bytes()
    assert len(whole["model/model.safetensors"]) == pytest.approx(len(base), rel=0.01)
    assert whole["model/model.safetensors"] != base


@pytest.mark.parametrize("number", sorted(random.Random(11).sample(range(1, 6), 3)))
def test_a_real_run_killed_at_a_random_step_ends_in_the_same_bytes(number, data, whole, tmp_path):
    child = RunProcess(data, tmp_path, PARAMS)
    child.wait_for(f"step {number} of 6")
    child.kill()
    assert child.code == -signal.SIGKILL
    assert not (tmp_path / "model").exists()
    again = resumed(data, tmp_path, PARAMS)
    assert again.returncode == 0, again.stderr
    if number > PARAMS.checkpoint_every:
        assert "continues after step" in again.stdout
    assert outputs(tmp_path) == whole


def test_a_real_run_killed_inside_a_checkpoint_ends_in_the_same_bytes(data, whole, tmp_path):
    child = RunProcess(data, tmp_path, PARAMS, killed_in_checkpoint(2))
    child.wait_for("never printed")
    assert child.code == -signal.SIGKILL
    (part,) = (tmp_path / "checkpoint").glob(".step-000004.*.part")
    assert part.stat().st_size > 50e6
    again = resumed(data, tmp_path, PARAMS)
    assert "continues after step 2 of 6" in again.stdout
    assert outputs(tmp_path) == whole
    assert checkpoint_files(tmp_path) == ["log.jsonl"]
