"""The phone of each frame of a clip with phone times, and the loss of a head that predicts it.

CTC decides the order of phones only: a head on an encoder that was trained without phone times
predicts a phone in a frame up to 100 ms beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.manifest import Utterance
from fonoteka.phones import NUMBER

UNKNOWN = -100
"""The label of a frame that no loss counts, as in `torch.nn.functional.cross_entropy`."""


def frame_labels(utterance: Utterance, count: int) -> NDArray[np.int64]:
    """Return the label of the phone in each of `count` frames, 0 between phones.

    All are `UNKNOWN` if the utterance has no phone times.
    """
    if utterance.phone_times_s is None:
        return np.full(count, UNKNOWN, dtype=np.int64)
    labels = np.zeros(count, dtype=np.int64)
    for phone, (start, end) in zip(utterance.phones, utterance.phone_times_s, strict=True):
        first, after = round(start * FRAMES_PER_SECOND), round(end * FRAMES_PER_SECOND)
        labels[first : max(after, first + 1)] = NUMBER[phone]
    return labels


def spoken_frames(labels: Sequence[Tensor]) -> int:
    """Return the number of frames that `phone_loss` counts.

    >>> spoken_frames([torch.tensor([1, 0, UNKNOWN]), torch.tensor([2])])
    2
    """
    return sum(int((frames > 0).sum()) for frames in labels)


def phone_loss(log_probs: Tensor, labels: Sequence[Tensor]) -> Tensor:
    """Return the cross entropy of the phones in all frames that have one; 0 if none has.

    The blank is left out of the probabilities: in which frame of a phone a head predicts the phone,
    and in which the blank, is left to the CTC loss.

    Args:
        log_probs: `[B, T, V]`; label 0 is the blank.
        labels: of each clip `[T]`: a phone's number, or 0 or `UNKNOWN` for frames without a phone.

    >>> log_probs = torch.log(torch.tensor([[[0.8, 0.15, 0.05], [0.8, 0.1, 0.1]]]))
    >>> round(float(torch.exp(-phone_loss(log_probs, [torch.tensor([1, 0])]))), 2)
    0.75
    """
    targets = nn.utils.rnn.pad_sequence(list(labels), batch_first=True, padding_value=UNKNOWN)
    spoken = targets > 0
    if not spoken.any():
        return torch.zeros((), dtype=log_probs.dtype)
    scores = log_probs[:, : targets.shape[1]][spoken][:, 1:]
    return F.cross_entropy(scores, targets[spoken] - 1)
