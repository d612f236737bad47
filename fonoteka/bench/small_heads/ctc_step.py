"""One update of a small head, without the curves and checkpoints of `fonoteka.models.loop`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from fonoteka.models.ctc import ctc_loss


def ctc_step(
    head: nn.Module, optimizer: torch.optim.Optimizer, rate: float, frames: Sequence[Tensor],
    phones: Sequence[Tensor],
) -> None:  # fmt: skip
    """Update the weights by one batch.

    Args:
        head: in training mode.
        optimizer: of its weights.
        rate: learning rate of this update.
        frames: embeddings `[T, D]` of each clip.
        phones: numbers of its phones, as in `fonoteka.phones.NUMBER`.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
    log_probs = head(pad_sequence(list(frames), batch_first=True))
    loss = ctc_loss(log_probs, list(phones), [len(each) for each in frames])
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(head.parameters(), 1.0)
    optimizer.step()
