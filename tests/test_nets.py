"""Heads turn embeddings into log posteriors and come back from their files as they were."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from stages.common.nets import CtcShape, MlpShape, load_head, new_head, posteriors, save_head

CTC = CtcShape(inputs=8, outputs=5, hidden=4, layers=2, dropout=0.5)
MLP = MlpShape(inputs=8, outputs=5, hidden=4, window=3, dropout=0.5)
SHAPES = pytest.mark.parametrize("shape", [CTC, MLP], ids=["ctc", "mlp"])


def head_of(shape, seed=0):
    torch.manual_seed(seed)
    return new_head(shape).eval()


def frames(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)


@SHAPES
@pytest.mark.parametrize("count", [1, 2, 50])
def test_each_frame_has_posteriors_that_sum_to_1(shape, count):
    found = posteriors(head_of(shape), frames(count))
    assert found.shape == (count, 5)
    assert np.exp(found).sum(axis=1) == pytest.approx(np.ones(count), abs=1e-5)  # float32


@SHAPES
def test_a_head_comes_back_as_it_was(shape, tmp_path):
    save_head(tmp_path, head_of(shape), shape, {"labels": ["x"]})
    head, facts = load_head(tmp_path)
    assert facts["labels"] == ["x"]
    assert not head.training
    assert np.array_equal(posteriors(head, frames(9)), posteriors(head_of(shape), frames(9)))


def test_equal_heads_are_equal_bytes(tmp_path):
    for name in ("a", "b"):
        save_head(tmp_path / name, head_of(CTC), CTC, {})
    first, second = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("a", "b")]
    assert first == second


def test_the_mlp_hears_the_mean_of_its_window_and_a_segment_as_itself():
    head, clip = head_of(MLP), frames(5)
    whole = posteriors(head, clip)
    # at the ends the window holds two frames
    for at, around in ((0, slice(0, 2)), (2, slice(1, 4)), (4, slice(3, 5))):
        alone = posteriors(head, clip[around].mean(axis=0, keepdims=True))
        assert np.abs(alone - whole[at]).max() < 1e-5  # sums in another order


def test_an_even_window_has_no_middle():
    with pytest.raises(ValueError, match=r"mlp\.window must be odd, found 2"):
        new_head(MlpShape(inputs=8, outputs=5, hidden=4, window=2, dropout=0.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tree"}, "kind 'tree' is neither ctc nor mlp"),
        ({"shape": {"inputs": 8}}, r"model\.json: shape: missing"),
        ({"shape": vars(CTC) | {"hidden": 6}}, r"model\.safetensors: .*size mismatch"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change, message, tmp_path):
    save_head(tmp_path, head_of(CTC), CTC, {})
    facts = json.loads((tmp_path / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(facts))
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_head(tmp_path)


def test_weights_that_are_damaged_or_missing_are_refused(tmp_path):
    save_head(tmp_path, head_of(CTC), CTC, {})
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"model\.safetensors: "):
        load_head(tmp_path)
    weights.unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors: "):
        load_head(tmp_path)
