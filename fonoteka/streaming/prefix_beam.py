"""One step of a prefix beam search with a phone n-gram model.

A hypothesis is a sequence of phones. Its score is the log probability of its best path through the
frames, plus the weighted log probability of its phones in the n-gram model, plus a constant per
phone.

The search is our own because that of flashlight-text, which the tests compare it with, does not
have what a stream needs: its state cannot be copied, so a preview would change it, and it has no
score per phone.

Source: Hannun et al. 2014, "First-pass large vocabulary continuous speech recognition using
bi-directional recurrent DNNs", algorithm 1, with the best path, as Collobert et al. 2016,
"Wav2Letter", instead of the sum of all paths, because a path also has the times of the phones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

import numpy as np

from fonoteka.core.errors import UserError
from fonoteka.streaming.ngram_table import NgramTable

IMPOSSIBLE = -math.inf

FrameRanges = tuple[tuple[int, int], ...]
"""The frames `[start, end)` of each of some phones."""


@dataclass(frozen=True)
class BeamOptions:
    """How a beam is searched.

    Attributes:
        width: the most hypotheses that are kept.
        lm_weight: of the n-gram model's log probabilities; 0 or more.
        insertion: added to the score per phone; above 0 the result is longer.
        threshold: a hypothesis is dropped if its score is this far below the best one's, in nats.
        hold_frames: the hypotheses without the first uncommitted phone of the best one are dropped
            so many frames after the end of this phone. It bounds memory and the time to a commit.
    """

    width: int
    lm_weight: float
    insertion: float
    threshold: float
    hold_frames: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.hold_frames < 1:
            raise UserError(f"a beam needs a width and hold_frames of at least 1, found {self}")
        if not (0 <= self.lm_weight < math.inf and abs(self.insertion) < 99 and self.threshold > 0):
            raise UserError(
                "a beam needs an lm_weight of 0 or more, an insertion between -99 and 99 and a "
                f"threshold above 0, found {self}"
            )


@dataclass(slots=True)
class PhoneHypothesis:
    """A sequence of phones and its two best paths: one ends in a blank, one in the last phone.

    Attributes:
        tail: labels of the uncommitted phones; all hypotheses have the same committed ones.
        last: label of the last phone, committed or not; 0 if there is none.
        state: of the n-gram model after the phones.
        lm: weighted score of the n-gram model and the insertions.
        score: of the better path and `lm` together.
        blank: log probability of the path that ends in a blank, or `IMPOSSIBLE`.
        blank_frames: of the phones in `tail` on that path.
        label: log probability of the path that ends in the last phone, or `IMPOSSIBLE`.
        label_frames: of the phones in `tail` on that path, without the last one, whose run is open.
        label_start: first frame of that run.
    """

    tail: tuple[int, ...]
    last: int
    state: int
    lm: float
    score: float
    blank: float
    blank_frames: FrameRanges
    label: float
    label_frames: FrameRanges
    label_start: int

    def to_blank(self, now: int) -> tuple[float, FrameRanges]:
        """Return the path that a blank in frame `now` continues: the better of the two."""
        if self.blank >= self.label:
            return self.blank, self.blank_frames
        return self.label, self.closed(now)

    def closed(self, now: int) -> FrameRanges:
        """Return the frames of the path to the last phone if its run ends before frame `now`."""
        # the run of a committed last phone is of no interest any more
        return (*self.label_frames, (self.label_start, now)) if self.tail else ()

    def trimmed(self, count: int) -> PhoneHypothesis:
        """Return the hypothesis with its first `count` uncommitted phones committed."""
        return replace(
            self, tail=self.tail[count:], blank_frames=self.blank_frames[count:],
            label_frames=self.label_frames[count:],
        )  # fmt: skip


class PrefixBeam:
    """The search; it holds no state of a stream.

    Args:
        table: the n-gram model over the labels of the frames.
        options: how to search.
    """

    def __init__(self, table: NgramTable, options: BeamOptions) -> None:
        gains = options.lm_weight * table.log_probs + options.insertion
        self.options = options
        self._begin = table.begin
        self._most_gain = float(gains[:, 1:].max(initial=IMPOSSIBLE))
        # An element of a memoryview is a Python number, and faster than one of an array.
        self._gains = np.ascontiguousarray(gains).data
        self._following = np.ascontiguousarray(table.following).data

    def first(self) -> list[PhoneHypothesis]:
        """Return the beam before the first frame: no phone."""
        return [PhoneHypothesis((), 0, self._begin, 0.0, 0.0, 0.0, (), IMPOSSIBLE, (), 0)]

    def step(
        self, beam: Sequence[PhoneHypothesis], now: int, row: Sequence[float]
    ) -> list[PhoneHypothesis]:
        """Return the beam after one more frame, the best hypothesis first.

        Args:
            beam: the hypotheses before, the best first.
            now: number of the frame in the stream.
            row: finite log posteriors of the V labels in the frame.
        """
        unchanged = {old.tail: _without_phone(old, now, row) for old in beam}
        floor = max(new.score for new in unchanged.values()) - self.options.threshold
        longer = self._longer(beam, now, row, unchanged, floor)
        ranked: list[tuple[float, PhoneHypothesis | _Longer]]
        ranked = [(new.score, new) for new in unchanged.values()]
        ranked += [(new[0], new) for new in longer]
        # Stable: of equal scores the hypothesis without a new phone is first.
        ranked.sort(key=itemgetter(0), reverse=True)
        floor = ranked[0][0] - self.options.threshold
        return [
            new if isinstance(new, PhoneHypothesis) else self._with_phone(new, now)
            for score, new in ranked[: self.options.width]
            if score >= floor
        ]

    def _longer(
        self, beam: Sequence[PhoneHypothesis], now: int, row: Sequence[float],
        unchanged: dict[tuple[int, ...], PhoneHypothesis], floor: float,
    ) -> list[_Longer]:  # fmt: skip
        """Return the hypotheses with one more phone; update the path of one in `unchanged`."""
        # No label can raise a path by more than its own score and the best gain of the n-gram, so
        # the labels below this score are not tried.
        lowest = floor - self._most_gain
        least = lowest - beam[0].score
        labels = [(x, label) for label, x in enumerate(row) if x >= least and label]
        labels.sort(reverse=True)
        longer: list[_Longer] = []
        for old in beam:
            lm, tail, gains = old.lm, old.tail, old.state
            reach = old.blank if old.blank >= old.label else old.label
            for log_prob, label in labels:
                if reach + log_prob + lm < lowest:
                    break
                # The same label twice needs a blank between: without it the path is `unchanged`.
                path = (old.blank if label == old.last else reach) + log_prob
                longer_lm = lm + self._gains[gains, label]
                if path + longer_lm < floor:
                    continue
                # Two paths to the same phones are one hypothesis; the better path gives the times.
                existing = unchanged.get((*tail, label))
                if existing is None:
                    longer.append((path + longer_lm, path, longer_lm, label, old))
                elif path > existing.label:
                    existing.label, existing.label_start = path, now
                    existing.label_frames = _frames_before(old, label, now)
                    existing.score = max(existing.score, path + longer_lm)
        return longer

    def _with_phone(self, longer: _Longer, now: int) -> PhoneHypothesis:
        score, path, lm, label, old = longer
        return PhoneHypothesis(
            (*old.tail, label), label, self._following[old.state, label], lm, score,
            IMPOSSIBLE, (), path, _frames_before(old, label, now), now,
        )  # fmt: skip


_Longer = tuple[float, float, float, int, PhoneHypothesis]
"""A hypothesis with one more phone: score, path, `lm`, the phone's label, the hypothesis before."""


def _frames_before(old: PhoneHypothesis, label: int, now: int) -> FrameRanges:
    """Return the frames of the phones before a phone that begins in frame `now`."""
    # the same phone again is a new phone only after a blank
    return old.blank_frames if label == old.last else old.to_blank(now)[1]


def _without_phone(old: PhoneHypothesis, now: int, row: Sequence[float]) -> PhoneHypothesis:
    """Return a hypothesis after a frame of a blank or of its last phone."""
    path, frames = old.to_blank(now)
    blank = path + row[0]
    label = old.label + row[old.last] if old.last else IMPOSSIBLE
    return PhoneHypothesis(
        old.tail, old.last, old.state, old.lm, (blank if blank >= label else label) + old.lm,
        blank, frames, label, old.label_frames, old.label_start,
    )  # fmt: skip
