"""What every training here shares: like-length batches, the CTC loss a phone, the rate's course."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

JITTER = 0.1


def like_length(lengths: Sequence[int], limit: float, rng: np.random.Generator) -> list[list[int]]:
    """Return all clip numbers in batches of like length, in random order.

    Little of such a batch is padding. Lengths are blurred by up to 10 % before they are sorted, so
    that each epoch puts other clips together.

    Args:
        lengths: of the clips.
        limit: longest length in a batch times its clips; one clip that is longer stands alone.
        rng: of the blur and the order.

    >>> sorted(like_length([5, 100, 5], 20, np.random.default_rng(1)), key=len)[0]
    [1]
    """
    blurred = np.asarray(lengths) * rng.uniform(1 - JITTER, 1 + JITTER, len(lengths))
    groups: list[list[int]] = [[]]
    longest = 0
    for i in np.argsort(blurred, kind="stable").tolist():
        longest = max(longest, lengths[i])
        if groups[-1] and longest * (len(groups[-1]) + 1) > limit:
            groups.append([])
            longest = lengths[i]
        groups[-1].append(i)
    return [groups[g] for g in rng.permutation(len(groups))]


def fewest_frames(symbols: Sequence[Hashable]) -> int:
    """Return the frames that a CTC path of these symbols needs: one each, a blank between equals.

    >>> fewest_frames("abba")
    5
    """
    return len(symbols) + sum(a == b for a, b in pairwise(symbols))


def ctc_loss(log_probs: Tensor, targets: Sequence[Tensor], frames: Sequence[int]) -> Tensor:
    """Return the CTC loss a phone.

    A clip with too few frames for its phones, as a copy that was sped up can have, has an infinite
    loss; it is taken as 0.

    Args:
        log_probs: `[B, T, V]`; label 0 is the blank.
        targets: the labels of each clip.
        frames: of each clip; those after them are padding.
    """
    lengths = torch.tensor([len(t) for t in targets])
    total = F.ctc_loss(
        log_probs.transpose(0, 1), torch.cat(list(targets)), torch.tensor(frames), lengths,
        reduction="sum", zero_infinity=True,
    )  # fmt: skip
    return total / lengths.sum()


def rate_at(share: float, warmup: float) -> float:
    """Return the share of the highest learning rate after a share of all updates.

    A straight rise, then a straight fall to 0.

    >>> rate_at(0.05, 0.1), rate_at(0.1, 0.1), rate_at(1.0, 0.1)
    (0.5, 1.0, 0.0)
    """
    return share / warmup if share < warmup else (1 - share) / (1 - warmup)
