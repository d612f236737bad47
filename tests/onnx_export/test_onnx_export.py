"""A file is shipped when it says what its module says, and no less."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from clip_maker import noise, save_clips

from fonoteka.models.heads import TdnnShape, new_head
from fonoteka.onnx_export.export import HEAD_AXES, export, in_batches, prove, spread
from fonoteka.onnx_export.session import open_model
from fonoteka.phones import LABELS

pytestmark = pytest.mark.torch
SHAPE = TdnnShape(inputs=6, outputs=len(LABELS), hidden=4, dilations=(1, 2), dropout=0.0)
FACTS = {"labels": LABELS, "name": "toy", "sample_rate_hz": 16_000}


def head_of(seed=0):
    torch.manual_seed(seed)
    return new_head(SHAPE).eval()


def test_a_changed_weight_is_refused_with_its_error(tmp_path):
    export(head_of(), torch.zeros(2, 9, 6), HEAD_AXES, FACTS, tmp_path / "h.onnx", 17)
    changed = head_of()
    with torch.no_grad():
        changed.output.bias[3] += 0.5
    session = open_model(tmp_path / "h.onnx")
    batch = {"c7": np.zeros((1, 9, 6), dtype=np.float32)}
    assert prove(tmp_path, session, head_of(), batch, 1e-4) < 1e-5
    # with some 50 labels of like chance the changed one moves by nearly all of 0.5
    with pytest.raises(ValueError, match=r"c7: off by 4\.\d\de-01 from torch; allowed is 0\.0001"):
        prove(tmp_path, session, changed, batch, 1e-4)


def said_by(log_probs):
    """A session and a module that say something of their own."""
    session = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="x")], run=lambda names, batch: [log_probs[None]]
    )
    return session, torch.nn.Identity()


def test_one_decoded_symbol_more_is_refused_however_small_the_error(tmp_path):
    theirs = np.log(np.full((3, len(LABELS)), 1 / len(LABELS), dtype=np.float32))
    ours = theirs.copy()
    ours[1, 5] += 1e-5
    with pytest.raises(ValueError, match=r"h\.onnx: c: decodes differently than torch"):
        prove(tmp_path / "h.onnx", *said_by(ours), {"c": theirs[None]}, 1e-4)


def test_posteriors_that_are_no_numbers_are_refused(tmp_path):
    theirs = np.zeros((3, len(LABELS)), dtype=np.float32)
    ours = np.full_like(theirs, np.nan)
    with pytest.raises(ValueError, match=r"h\.onnx: c: off by nan from torch"):
        prove(tmp_path / "h.onnx", *said_by(ours), {"c": theirs[None]}, 1e-4)


def test_clips_are_taken_from_the_shortest_to_the_longest(tmp_path):
    told = save_clips(tmp_path, {f"c{n}": noise(0.1 * (n + 1)) for n in range(9)})
    assert [u.id for u in spread(told, 3)] == ["c0", "c4", "c8"]
    assert [u.id for u in spread(told, 20)] == [f"c{n}" for n in range(9)]


def test_batches_hold_every_clip_once_for_each_size():
    clips = {f"c{n}": np.full((n + 1, 2), n, dtype=np.float32) for n in range(5)}
    shapes = [batch.shape for batch in in_batches(clips, [1, 2], pad=True).values()]
    assert shapes == [(1, 1, 2), (1, 2, 2), (1, 3, 2), (1, 4, 2), (1, 5, 2),
                      (2, 2, 2), (2, 4, 2)]  # fmt: skip  # the fifth alone is there already
    padded = in_batches(clips, [2], pad=True)["c0 and 1 more"]
    assert padded[:, :, 0].tolist() == [[0, 0], [1, 1]]
    assert in_batches(clips, [2], pad=False)["c2 and 1 more"].shape == (2, 3, 2)
