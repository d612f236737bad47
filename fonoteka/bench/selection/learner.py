"""A small CTC head that is trained from the start on the clips transcribed so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from fonoteka.bench.selection.clips import LabelledClip
from fonoteka.bench.small_heads.ctc_step import ctc_step
from fonoteka.models.ctc import bucket_by_length, lr_at
from fonoteka.models.heads import TdnnShape, new_head
from fonoteka.phones import LABELS, NUMBER
from fonoteka.scoring.decoding import greedy
from fonoteka.scoring.error_rate import Errors, aligned, errors_by
from fonoteka.selection.uncertainty import MEASURE, expected_error, measures_of, phone_profile
from fonoteka.streaming.confidence import ConfidenceCalibration, fit_calibration


@dataclass(frozen=True)
class LearnerParams:
    """How a head is trained; the same for all strategies.

    Attributes:
        hidden: width.
        updates: of the weights; more clips are not trained longer.
        frames: in a batch.
        lr: highest learning rate.
    """

    hidden: int = 64
    updates: int = 300
    frames: float = 800.0
    lr: float = 3e-3


class Learner:
    """A head and what it makes of clips."""

    def __init__(self, clips: Sequence[LabelledClip], params: LearnerParams, seed: int) -> None:
        """Train a head on transcribed clips; equal arguments give equal weights."""
        torch.manual_seed(seed)
        shape = TdnnShape(clips[0].embeddings.shape[1], len(LABELS), params.hidden, (1, 2), 0.1)
        self.head = _trained(new_head(shape), clips, params, np.random.default_rng(seed))
        self.calibration: ConfidenceCalibration | None = None

    @torch.inference_mode()
    def posteriors(self, clips: Sequence[LabelledClip]) -> list[NDArray[np.float32]]:
        """Return the log posteriors `[T, V]` of clips, in order."""
        return [self.head(torch.from_numpy(c.embeddings)[None])[0].numpy() for c in clips]

    def error_rates(self, clips: Sequence[LabelledClip]) -> tuple[float, dict[str, float]]:
        """Return the phone error rate of clips, and that of each language."""
        decoded = [[s.symbol for s in greedy(each)] for each in self.posteriors(clips)]
        by_language = errors_by([c.language for c in clips], [c.phones for c in clips], decoded)
        total = sum(by_language.values(), Errors())
        return total.rate, {language: e.rate for language, e in by_language.items()}

    def calibrate(self, clips: Sequence[LabelledClip]) -> None:
        """Fit the calibration of the confidence to clips that were not trained on."""
        values: list[float] = []
        right: list[bool] = []
        for clip, log_probs in zip(clips, self.posteriors(clips), strict=True):
            segments = greedy(log_probs)
            values += measures_of(log_probs, segments)
            pairs = aligned(clip.phones, [s.symbol for s in segments])
            right += [a == b for a, b in pairs if b is not None]
        if values:
            self.calibration = fit_calibration(values, right, MEASURE, "logistic")

    def uncertainty(
        self, clips: Sequence[LabelledClip]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the expected errors `[N]` and the profiles `[N, V - 1]` of clips.

        A clip in which no phone is decoded is as uncertain as can be: all clips are speech.
        """
        values, profiles = [], []
        for log_probs in self.posteriors(clips):
            measures = measures_of(log_probs, greedy(log_probs))
            values.append(expected_error(measures, self.calibration) if measures else 1.0)
            profiles.append(phone_profile(log_probs))
        return np.array(values), np.array(profiles)


def _trained(
    head: nn.Module, clips: Sequence[LabelledClip], params: LearnerParams, rng: np.random.Generator
) -> nn.Module:
    targets = [torch.tensor([NUMBER[phone] for phone in clip.phones]) for clip in clips]
    frames = [torch.from_numpy(clip.embeddings) for clip in clips]
    lengths = [len(each) for each in frames]
    optimiser = torch.optim.AdamW(head.parameters(), lr=params.lr, weight_decay=0.01)
    batches: list[list[int]] = []
    head.train()
    for update in range(params.updates):
        batches = batches or bucket_by_length(lengths, params.frames, rng)
        batch = batches.pop()
        rate = params.lr * lr_at((update + 1) / params.updates, 0.1)
        ctc_step(head, optimiser, rate, [frames[i] for i in batch], [targets[i] for i in batch])
    return head.eval()
