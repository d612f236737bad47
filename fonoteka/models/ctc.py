"""Shared parts of all trainings: batches by length, CTC loss per phone, learning-rate schedule."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

JITTER = 0.1


def bucket_by_length(
    lengths: Sequence[int], limit: float, rng: np.random.Generator
) -> list[list[int]]:
    """Return all clip indices in batches of similar length, in random order.

    Such batches have little padding. Lengths are changed by up to 10 % before they are sorted, so
    batches differ between epochs.

    Args:
        lengths: lengths of the clips.
        limit: the longest length in a batch times its clips; a longer clip is a batch of one.
        rng: generator of the changes and the order.

    >>> sorted(bucket_by_length([5, 100, 5], 20, np.random.default_rng(1)), key=len)[0]
    [1]
    """
    jittered = np.asarray(lengths) * rng.uniform(1 - JITTER, 1 + JITTER, len(lengths))
    groups: list[list[int]] = [[]]
    longest = 0
    # A stable sort, so that equal lengths have the same order on every machine.
    for i in np.argsort(jittered, kind="stable").tolist():
        longest = max(longest, lengths[i])
        if groups[-1] and longest * (len(groups[-1]) + 1) > limit:
            groups.append([])
            longest = lengths[i]
        groups[-1].append(i)
    return [groups[g] for g in rng.permutation(len(groups))]


def min_ctc_frames(symbols: Sequence[Hashable]) -> int:
    """Return the minimum frames of a CTC path: one per symbol, and a blank between equal ones.

    >>> min_ctc_frames("abba")
    5
    """
    return len(symbols) + sum(a == b for a, b in pairwise(symbols))


def ctc_loss(log_probs: Tensor, targets: Sequence[Tensor], frames: Sequence[int]) -> Tensor:
    """Return the CTC loss per phone.

    A clip with too few frames for its phones, such as a speed-perturbed copy, has an infinite loss;
    it counts as 0.

    Args:
        log_probs: `[B, T, V]`; label 0 is the blank.
        targets: the labels of each clip.
        frames: number of frames per clip; later frames are padding.
    """
    lengths = torch.tensor([len(t) for t in targets])
    total = F.ctc_loss(
        log_probs.transpose(0, 1), torch.cat(list(targets)), torch.tensor(frames), lengths,
        reduction="sum", zero_infinity=True,
    )  # fmt: skip
    return total / lengths.sum()


def lr_at(share: float, warmup: float) -> float:
    """Return the fraction of the maximum learning rate after a share of all updates.

    Linear warm-up, then linear decay to 0.

    >>> lr_at(0.05, 0.1), lr_at(0.1, 0.1), lr_at(1.0, 0.1)
    (0.5, 1.0, 0.0)
    """
    return share / warmup if share < warmup else (1 - share) / (1 - warmup)
