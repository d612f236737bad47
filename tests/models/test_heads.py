"""Heads map embeddings to log posteriors and are restored from their files."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
import torch

from fonoteka.models.heads import (
    LstmShape,
    MlpShape,
    TdnnLayer,
    TdnnShape,
    load_head,
    new_head,
    posteriors,
    save_head,
)

pytestmark = pytest.mark.torch
TDNN = TdnnShape(inputs=8, outputs=5, hidden=4, dilations=(1, 3), dropout=0.5)
LSTM = LstmShape(inputs=8, outputs=5, hidden=4, layers=2, dropout=0.5)
MLP = MlpShape(inputs=8, outputs=5, hidden=4, window=3, dropout=0.5)
SHAPES = pytest.mark.parametrize("shape", [TDNN, LSTM, MLP], ids=["tdnn", "lstm", "mlp"])


def head_of(shape, seed=0):
    torch.manual_seed(seed)
    return new_head(shape).eval()


def frames(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)


@SHAPES
@pytest.mark.parametrize("count", [1, 2, 50])
def test_each_frame_has_posteriors_that_sum_to_1(shape, count):
    log_probs = posteriors(head_of(shape), frames(count))
    assert log_probs.shape == (count, 5)
    assert np.exp(log_probs).sum(axis=1) == pytest.approx(np.ones(count), abs=1e-5)  # float32


@SHAPES
def test_a_saved_head_is_restored(shape, tmp_path):
    save_head(tmp_path, head_of(shape), shape, {"labels": ["x"]})
    head, metadata = load_head(tmp_path)
    assert metadata["labels"] == ["x"]
    assert not head.training
    assert np.array_equal(posteriors(head, frames(9)), posteriors(head_of(shape), frames(9)))


def test_equal_heads_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        save_head(tmp_path / name, head_of(TDNN), TDNN, {})
    first, second = [(tmp_path / n / "model.safetensors").read_bytes() for n in ("a", "b")]
    assert first == second


def test_the_mlp_uses_the_mean_of_its_window_and_a_segment_unchanged():
    head, clip = head_of(MLP), frames(5)
    whole = posteriors(head, clip)
    # at the ends the window has two frames
    for index, around in ((0, slice(0, 2)), (2, slice(1, 4)), (4, slice(3, 5))):
        alone = posteriors(head, clip[around].mean(axis=0, keepdims=True))
        assert np.abs(alone - whole[index]).max() < 1e-5  # sums in another order


def test_complete_weights_of_another_model_are_refused(tmp_path):
    save_head(tmp_path / "ours", head_of(TDNN), TDNN, {})
    save_head(tmp_path / "other", head_of(TDNN, seed=1), TDNN, {})
    (tmp_path / "other" / "model.safetensors").replace(tmp_path / "ours" / "model.safetensors")
    with pytest.raises(ValueError, match=r"model\.safetensors: its SHA-256 is"):
        load_head(tmp_path / "ours")


def test_unreadable_weights_are_refused_although_their_hash_matches(tmp_path):
    save_head(tmp_path, head_of(TDNN), TDNN, {})
    (tmp_path / "model.safetensors").write_bytes(b"")
    metadata = json.loads((tmp_path / "model.json").read_text())
    metadata["weights_sha256"] = hashlib.sha256(b"").hexdigest()
    (tmp_path / "model.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match=r"model\.safetensors: .*[Hh]eader"):
        load_head(tmp_path)


def test_the_context_of_a_time_delay_network_is_the_sum_of_its_dilations():
    head, clip = head_of(TDNN), frames(20)
    changed = clip.copy()
    changed[10, 0] += 1  # not all of the frame: LayerNorm takes a constant out
    differs = np.flatnonzero(np.abs(posteriors(head, clip) - posteriors(head, changed)).max(1) > 0)
    assert set(differs.tolist()) <= set(range(6, 15))  # dilations 1 and 3: 4 frames to each side
    assert {10} < set(differs.tolist())


def test_a_time_delay_layer_is_a_dilated_convolution():
    layer = TdnnLayer(hidden=4, dilation=3, dropout=0.0)
    clip = torch.randn(2, 9, 4)
    weight = layer.inner.weight.reshape(4, 3, 4).permute(0, 2, 1)
    inner = torch.nn.functional.conv1d(
        clip.transpose(1, 2), weight, layer.inner.bias, padding=3, dilation=3
    ).transpose(1, 2)
    # float32, 12 products per sum
    assert torch.allclose(layer(clip), clip + torch.relu(inner), atol=1e-5)


def test_an_even_window_is_refused():
    with pytest.raises(ValueError, match=r"mlp\.window must be odd, found 2"):
        new_head(MlpShape(inputs=8, outputs=5, hidden=4, window=2, dropout=0.0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "tree"}, "kind 'tree' is not one of"),
        ({"shape": {"inputs": 8}}, r"model\.json: shape: missing"),
        ({"shape": vars(TDNN) | {"hidden": 6}}, r"model\.safetensors: .*size mismatch"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(change, message, tmp_path):
    save_head(tmp_path, head_of(TDNN), TDNN, {})
    metadata = json.loads((tmp_path / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match=f"(?s){message}"):
        load_head(tmp_path)


def test_weights_that_are_damaged_or_missing_are_refused(tmp_path):
    save_head(tmp_path, head_of(TDNN), TDNN, {})
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(ValueError, match=r"model\.safetensors: its SHA-256 is .* dvc checkout"):
        load_head(tmp_path)
    weights.unlink()
    with pytest.raises(ValueError, match=r"model\.safetensors: no such file"):
        load_head(tmp_path)
