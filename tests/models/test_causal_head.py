"""The head of a stream sees the past only, and its steps give what the whole clip gives."""

from __future__ import annotations

import pytest
import torch

from fonoteka.models.heads import TdnnShape
from fonoteka.models.stream.causal_head import CausalTdnnHead

SHAPE = TdnnShape(inputs=6, outputs=5, hidden=8, dilations=(1, 2), dropout=0.3)


@pytest.fixture(scope="module")
def head():
    torch.manual_seed(3)
    return CausalTdnnHead(SHAPE).eval()


@torch.inference_mode()
def test_no_later_frame_changes_a_frame(head):
    frames = torch.randn(1, 30, 6)
    changed = frames.clone()
    changed[:, 12:] = torch.randn(1, 18, 6)
    before, after = head(frames)[0], head(changed)[0]
    assert torch.equal(before[:12], after[:12])
    assert (before[12:] != after[12:]).any(-1).all()


@torch.inference_mode()
def test_a_frame_sees_two_dilations_of_each_layer(head):
    frames = torch.randn(1, 30, 6)
    changed = frames.clone()
    changed[:, 10] = torch.randn(6)
    differs = (head(frames) != head(changed)).any(-1)[0].nonzero()[:, 0]
    assert (differs.min(), differs.max()) == (10, 10 + head.past)
    assert head.past == 2 * (1 + 2)


@pytest.mark.parametrize("size", [1, 2, 7])
@torch.inference_mode()
def test_steps_of_any_size_give_the_frames_of_the_whole(head, size):
    frames = torch.randn(1, 20, 6)
    state, rows = torch.zeros(1, head.past, head.hidden), []
    for start in range(0, 20, size):
        # Two more frames, which come again in the next step, as the frames of a look-ahead do.
        piece = frames[:, start : start + size + 2]
        final = min(size, 20 - start)
        log_probs, state = head.step(piece, state, final)
        rows.append(log_probs[:, :final])
    assert torch.allclose(torch.cat(rows, 1), head(frames), atol=1e-6)


@torch.inference_mode()
def test_posteriors_sum_to_one(head):
    assert torch.allclose(head(torch.randn(2, 9, 6)).exp().sum(-1), torch.ones(2, 9), atol=1e-6)
