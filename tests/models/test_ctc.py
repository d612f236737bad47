"""Batches by length, the CTC loss and the learning-rate schedule."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fonoteka.models.ctc import bucket_by_length, ctc_loss, lr_at

pytestmark = pytest.mark.torch
LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=60)


@given(LENGTHS, st.integers(0, 5))
def test_every_clip_is_in_one_batch_and_no_batch_is_too_long(lengths, seed):
    batches = bucket_by_length(lengths, 600, np.random.default_rng(seed))
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) * max(lengths[i] for i in batch) <= 600


def test_clips_of_similar_length_are_in_one_batch():
    lengths = [10, 100] * 8
    for batch in bucket_by_length(lengths, 400, np.random.default_rng(1)):
        assert len({lengths[i] for i in batch}) == 1


def test_the_loss_per_phone_equals_that_of_torch_clip_by_clip():
    torch.manual_seed(1)
    log_probs = torch.randn(2, 9, 5).log_softmax(-1)
    targets = [torch.tensor([1, 2, 2]), torch.tensor([4])]
    alone = [
        torch.nn.functional.ctc_loss(
            log_probs[i, :size], target, torch.tensor(size), torch.tensor(len(target)),
            reduction="sum",
        )
        for i, (size, target) in enumerate(zip((9, 6), targets, strict=True))
    ]  # fmt: skip
    assert ctc_loss(log_probs, targets, [9, 6]).item() == pytest.approx(sum(alone).item() / 4)


def test_a_clip_with_too_few_frames_has_no_loss():
    log_probs = torch.zeros(1, 2, 5).log_softmax(-1)
    assert ctc_loss(log_probs, [torch.tensor([1, 2, 3])], [2]).item() == 0


def test_the_learning_rate_rises_and_falls_linearly():
    rates = [lr_at(step / 10, 0.2) for step in range(11)]
    assert rates == pytest.approx([0, 0.5, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0])
