"""A checkpoint is whole or missing, and one that does not fit is ignored with a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from fonoteka.models import step_checkpoints
from fonoteka.models.step_checkpoints import StepCheckpoints, TrainingState, write_tensors

TENSORS = {
    "a": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "turned": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "brain": torch.tensor([3.0], dtype=torch.bfloat16),
    "count": torch.tensor(7),
    "empty": torch.zeros(0, 4),
}


def state(number):
    return TrainingState({"w": torch.full((3,), float(number))}, {"step": number, "best": 0.1})


def saved(folder, *steps, mark="m"):
    checkpoints = StepCheckpoints(folder, mark)
    for step in steps:
        checkpoints.save(step, state(step))
    return checkpoints


def test_the_file_is_one_of_safetensors(tmp_path):
    path = tmp_path / "t.safetensors"
    write_tensors(path, TENSORS, {"key": "value č"})
    loaded = load_file(path)
    assert {*loaded} == {*TENSORS}
    for name, tensor in TENSORS.items():
        assert torch.equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype
    with safe_open(path, framework="pt") as file:
        assert file.metadata() == {"key": "value č"}


def test_the_last_two_files_are_kept(tmp_path):
    checkpoints = saved(tmp_path, 2, 4, 10, 1000)
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith("part")] == []
    assert [p.stem for p in checkpoints.paths()] == ["step-000010", "step-001000"]
    restored = checkpoints.restore()
    assert restored.notes == {"step": 1000, "best": 0.1}
    assert restored.tensors["w"].tolist() == [1000.0] * 3


@pytest.mark.parametrize("size", [0, 9, -1])
def test_after_a_damaged_file_the_one_before_it_is_used(size, tmp_path, capsys):
    checkpoints = saved(tmp_path, 2, 4)
    last = checkpoints.paths()[-1]
    last.write_bytes(last.read_bytes()[:size])
    assert checkpoints.restore().notes["step"] == 2
    assert capsys.readouterr().out == f"{last}: ignored, because it is damaged\n"


def test_a_checkpoint_of_something_else_is_ignored_with_a_line(tmp_path, capsys):
    path = saved(tmp_path, 2, mark="other").paths()[0]
    assert StepCheckpoints(tmp_path, "m").restore() is None
    line = f"{path}: ignored, because it is of other data, parameters or code\n"
    assert capsys.readouterr().out == line


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert StepCheckpoints(tmp_path / "none", "m").restore() is None


def test_clearing_leaves_other_files(tmp_path):
    checkpoints = saved(tmp_path, 2, 4)
    (tmp_path / "log.jsonl").write_text("{}\n")
    checkpoints.clear()
    assert [p.name for p in tmp_path.iterdir()] == ["log.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_sentence_and_leaves_the_earlier_checkpoint(tmp_path, monkeypatch):
    checkpoints = saved(tmp_path, 2)
    write = step_checkpoints.write_tensors
    with monkeypatch.context() as patch:
        patch.setattr(
            step_checkpoints, "write_tensors", lambda _, *rest: write(Path("/dev/full"), *rest)
        )
        with pytest.raises(ValueError, match="No space left on device for a checkpoint of 0 MiB"):
            checkpoints.save(4, state(4))
    assert [p.name for p in tmp_path.iterdir()] == ["step-000002.safetensors"]
    assert checkpoints.restore().notes["step"] == 2
