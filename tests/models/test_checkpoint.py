"""A killed training resumes with the same result, or starts again."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from fonoteka.models.checkpoint import Checkpoint, fingerprint

pytestmark = pytest.mark.torch


def small_model(seed):
    torch.manual_seed(seed)
    module = nn.Linear(3, 2)
    return module, torch.optim.AdamW(module.parameters(), lr=0.1)


def learn(module, optimizer, steps):
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.zero_grad()
        module(torch.randn(4, 3)).square().mean().backward()
        optimizer.step()


def saved(folder, mark="m", notes=7):
    module, optimizer = small_model(0)
    learn(module, optimizer, 3)
    Checkpoint(folder, mark).save(module, optimizer, notes)
    return module, optimizer


def same(first, second):
    return all(
        torch.equal(a, b)
        for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


def test_a_restored_training_continues_like_the_saved_one(tmp_path):
    module, optimizer = saved(tmp_path, notes={"epoch": 3, "best": float("inf")})
    other, its_optimizer = small_model(1)
    notes = Checkpoint(tmp_path, "m").restore(other, its_optimizer)
    assert notes == {"epoch": 3, "best": float("inf")}
    for m, o in ((module, optimizer), (other, its_optimizer)):
        learn(m, o, 2)
    assert same(module, other)


def test_a_checkpoint_with_another_mark_is_ignored(tmp_path):
    saved(tmp_path, mark="other")
    module, optimizer = small_model(1)
    assert Checkpoint(tmp_path, "m").restore(module, optimizer) is None
    assert same(module, small_model(1)[0])


@pytest.mark.parametrize("size", [0, 9, -1])
def test_a_truncated_checkpoint_is_ignored(size, tmp_path):
    saved(tmp_path)
    checkpoint = Checkpoint(tmp_path, "m")
    checkpoint.path.write_bytes(checkpoint.path.read_bytes()[:size])
    module, optimizer = small_model(1)
    assert checkpoint.restore(module, optimizer) is None
    assert same(module, small_model(1)[0])


def test_without_a_checkpoint_there_is_nothing_to_restore(tmp_path):
    assert Checkpoint(tmp_path / "none", "m").restore(*small_model(0)) is None


def test_a_cleared_checkpoint_leaves_no_folder(tmp_path):
    saved(tmp_path / "c")
    Checkpoint(tmp_path / "c", "m").clear()
    assert not (tmp_path / "c").exists()


def test_saving_replaces_the_file_atomically_and_leaves_no_other_file(tmp_path):
    saved(tmp_path, notes=1)
    saved(tmp_path, notes=2)
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
    assert Checkpoint(tmp_path, "m").restore(*small_model(1)) == 2


def test_the_fingerprint_follows_values_and_the_source_in_use(monkeypatch, tmp_path):
    before = fingerprint({"rate": 0.1})
    assert before == fingerprint({"rate": 0.1}) != fingerprint({"rate": 0.2})
    source = tmp_path / "extra.py"
    module = ModuleType("fonoteka.extra")
    module.__file__ = str(source)
    monkeypatch.setitem(sys.modules, "fonoteka.extra", module)
    marks = {before}
    for text in ("a = 1", "a = 2"):
        source.write_text(text)
        marks.add(fingerprint({"rate": 0.1}))
    assert len(marks) == 3
