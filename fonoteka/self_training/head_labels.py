"""Phones that a trained head predicts for clips without a transcript, from stored embeddings.

The score of a clip is the smallest posterior among the peaks of its phones: the label is right only
if its weakest phone is. A clip without a phone has the score 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import greedy
from fonoteka.self_training.threshold import ConfidenceThreshold, choose_threshold

ORIGIN = "pseudo"
"""First word of the source of a clip whose transcript was predicted by a model."""


@dataclass(frozen=True)
class PhoneLabel:
    """The phones that a model predicts for one clip.

    Attributes:
        phones: of the best path.
        score: the smallest peak posterior of a phone, 0 to 1.
    """

    phones: tuple[str, ...]
    score: float


@dataclass(frozen=True)
class PseudoLabels:
    """The clips that are kept, and why the others are not.

    Attributes:
        retained: utterances with predicted phones, without times; `source` begins with `ORIGIN`.
        confidences: expected probability that the label is right, one per kept clip.
        left_out: number of clips by reason.
        threshold: by which they were kept.
        expected_precision: mean calibrated confidence of the kept clips.
    """

    retained: tuple[Utterance, ...]
    confidences: tuple[float, ...]
    left_out: Mapping[str, int]
    threshold: ConfidenceThreshold
    expected_precision: float


def predicted(log_probs: NDArray[np.float32], labels: Sequence[str] = LABELS) -> PhoneLabel:
    """Return the phones of one clip and their score.

    Args:
        log_probs: log posteriors `[T, V]`.
        labels: names of the V columns; the first is the blank.

    >>> peaks = np.log(np.array([[.1, .9], [.9, .1], [.4, .6]], dtype="f4"))
    >>> predicted(peaks, ["", "a"])
    PhoneLabel(phones=('a', 'a'), score=0.6)
    """
    segments = greedy(log_probs, labels)
    peaks = [float(np.exp(log_probs[s.start : s.end].max())) for s in segments]
    score = round(min(1.0, min(peaks)), 6) if peaks else 0.0
    return PhoneLabel(tuple(s.symbol for s in segments), score)


def pseudo_labels(
    head: Any,
    valid: Sequence[Utterance],
    untranscribed: Sequence[Utterance],
    arrays: Mapping[str, NDArray[np.float32]],
    precision: float,
) -> PseudoLabels:
    """Return the clips whose predicted phones are expected to be right.

    Args:
        head: a trained head in eval mode.
        valid: labelled clips of other speakers, by which the threshold is chosen.
        untranscribed: clips to label; their own phones are not read.
        arrays: embeddings `[T, D]` by id, of both.
        precision: wanted share of clips with all phones right.

    Raises:
        UserError: a part is empty, a speaker is in both, or no threshold has that precision.
    """
    from fonoteka.models.heads import posteriors

    if not valid or not untranscribed:
        raise UserError(
            f"{len(valid)} labelled and {len(untranscribed)} untranscribed clips; give some of each"
        )
    if shared := sorted({u.speaker for u in valid} & {u.speaker for u in untranscribed}):
        raise UserError(f"speaker {shared[0]!r} has labelled and untranscribed clips; move them")
    # A label is right if the whole clip is: one wrong phone teaches a wrong path through CTC.
    answers = [predicted(posteriors(head, arrays[u.id])) for u in valid]
    correct = [a.phones == u.phones for a, u in zip(answers, valid, strict=True)]
    threshold = choose_threshold([a.score for a in answers], correct, precision)
    labels = [predicted(posteriors(head, arrays[u.id])) for u in untranscribed]
    confidences = threshold.confidence([label.score for label in labels]).tolist()
    retained: list[Utterance] = []
    confident: list[float] = []
    left_out: Counter[str] = Counter()
    for utterance, label, confidence in zip(untranscribed, labels, confidences, strict=True):
        if not label.phones:
            left_out["no phone"] += 1
        elif label.score < threshold.score:
            left_out["below the threshold"] += 1
        else:
            retained.append(_labelled(utterance, label))
            confident.append(confidence)
    expected = float(np.mean(confident)) if retained else 0.0
    return PseudoLabels(tuple(retained), tuple(confident), dict(left_out), threshold, expected)


def _labelled(utterance: Utterance, label: PhoneLabel) -> Utterance:
    """Return an utterance with predicted phones; the text is not known, so it is empty.

    The terms of the recording stay: `source` alone states the origin, and is a corpus of its own
    for `ctc.repeat`, which can weigh labelled clips more.
    """
    return replace(
        utterance, text="", normalized="", phones=label.phones, phone_times_s=None,
        source=f"{ORIGIN}-{utterance.source}",
    )  # fmt: skip
