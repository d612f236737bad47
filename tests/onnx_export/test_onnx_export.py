"""A file is accepted only if its outputs agree with those of its module."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from clip_maker import noise, save_clips

from fonoteka.models.heads import TdnnShape, new_head
from fonoteka.onnx_export.export import HEAD_AXES, check_parity, evenly_spaced, export, in_batches
from fonoteka.onnx_export.session import open_model
from fonoteka.phones import LABELS

pytestmark = pytest.mark.torch
SHAPE = TdnnShape(inputs=6, outputs=len(LABELS), hidden=4, dilations=(1, 2), dropout=0.0)
METADATA = {"labels": LABELS, "name": "toy", "sample_rate_hz": 16_000}


def head_of(seed=0):
    torch.manual_seed(seed)
    return new_head(SHAPE).eval()


def test_a_changed_weight_is_refused_with_its_error(tmp_path):
    export(head_of(), torch.zeros(2, 9, 6), HEAD_AXES, METADATA, tmp_path / "h.onnx", 17)
    changed = head_of()
    with torch.no_grad():
        changed.output.bias[3] += 0.5
    session = open_model(tmp_path / "h.onnx")
    batch = {"c7": np.zeros((1, 9, 6), dtype=np.float32)}
    assert check_parity(tmp_path, session, head_of(), batch, 1e-4) < 1e-5
    # with about 50 labels of equal probability the changed one moves by almost 0.5
    with pytest.raises(
        ValueError, match=r"c7: max abs error 4\.\d\de-01 against torch; allowed is 0\.0001"
    ):
        check_parity(tmp_path, session, changed, batch, 1e-4)


def fixed_outputs(log_probs):
    """Return a session and a module with given outputs."""
    session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="x")], run=lambda names, batch: [log_probs[None]]
    )
    return session, torch.nn.Identity()


def test_one_more_decoded_symbol_is_refused_for_any_error(tmp_path):
    expected = np.log(np.full((3, len(LABELS)), 1 / len(LABELS), dtype=np.float32))
    actual = expected.copy()
    actual[1, 5] += 1e-5
    with pytest.raises(
        ValueError, match=r"h\.onnx: c: its decoded phones differ from those of torch"
    ):
        check_parity(tmp_path / "h.onnx", *fixed_outputs(actual), {"c": expected[None]}, 1e-4)


def test_posteriors_that_are_nan_are_refused(tmp_path):
    expected = np.zeros((3, len(LABELS)), dtype=np.float32)
    actual = np.full_like(expected, np.nan)
    with pytest.raises(ValueError, match=r"h\.onnx: c: max abs error nan against torch"):
        check_parity(tmp_path / "h.onnx", *fixed_outputs(actual), {"c": expected[None]}, 1e-4)


def test_clips_are_taken_from_the_shortest_to_the_longest(tmp_path):
    utterances = save_clips(tmp_path, {f"c{n}": noise(0.1 * (n + 1)) for n in range(9)})
    assert [u.id for u in evenly_spaced(utterances, 3)] == ["c0", "c4", "c8"]
    assert [u.id for u in evenly_spaced(utterances, 20)] == [f"c{n}" for n in range(9)]


def test_batches_contain_every_clip_once_per_size():
    clips = {f"c{n}": np.full((n + 1, 2), n, dtype=np.float32) for n in range(5)}
    shapes = [batch.shape for batch in in_batches(clips, [1, 2], pad=True).values()]
    assert shapes == [(1, 1, 2), (1, 2, 2), (1, 3, 2), (1, 4, 2), (1, 5, 2),
                      (2, 2, 2), (2, 4, 2)]  # fmt: skip  # the fifth alone is there already
    padded = in_batches(clips, [2], pad=True)["c0 and 1 more"]
    assert padded[:, :, 0].tolist() == [[0, 0], [1, 1]]
    assert in_batches(clips, [2], pad=False)["c2 and 1 more"].shape == (2, 3, 2)
