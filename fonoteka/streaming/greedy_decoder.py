"""The best path of a stream: each frame's best label, repeats merged, blanks removed.

A phone is a run of frames with the same best label. It is committed as soon as its run has ended,
which the next final frame decides, so a committed phone never changes and the phones of a stream
are those of the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import check_posteriors
from fonoteka.streaming.interfaces import Posteriors, StreamedPhone

Confidence = Callable[[Posteriors, int], float]
"""Maps log posteriors of a phone's frames `[N, V]`, N >= 1, and its label to 0 to 1."""

BLANK_LABEL = 0
LONGEST_RUN = 500
"""Frames of a run that its confidence is computed from, 10 s: the memory of a stream is bounded."""


def peak_posterior(log_probs: Posteriors, label: int) -> float:
    """Return the highest posterior of a label over frames `[N, V]`.

    It is not calibrated: the phones that have 0.9 are not right in 90 % of the cases.

    >>> round(peak_posterior(np.log(np.array([[.4, .6], [.1, .9]], dtype="f4")), 1), 6)
    0.9
    """
    return min(1.0, float(np.exp(log_probs[:, label].max())))


@dataclass(frozen=True)
class _Run:
    """Frames with the same best label, the last of which may not have come yet.

    Attributes:
        label: the best label of each frame.
        start: number of the first frame in the stream.
        length: number of frames.
        log_probs: the first frames, `[min(length, LONGEST_RUN), V]`; none of a blank.
    """

    label: int
    start: int
    length: int
    log_probs: Posteriors

    def extended(self, frames: Posteriors) -> _Run:
        """Return the run with more frames `[N, V]`."""
        room = LONGEST_RUN - len(self.log_probs) if self.label != BLANK_LABEL else 0
        joined = np.concatenate([self.log_probs, frames[:room]])
        return _Run(self.label, self.start, self.length + len(frames), joined)


class GreedyDecoder:
    """A `StreamDecoder` of the best path.

    Args:
        labels: names of the V columns; the first is the blank.
        confidence: of a phone, from the log posteriors of its frames and its label.

    >>> best = np.log(np.array([[.9, .1], [.2, .8], [.2, .8], [.9, .1], [.2, .8]], dtype="f4"))
    >>> decoder = GreedyDecoder(["", "a"])
    >>> decoder.advance(best[:2]), len(decoder.preview(best[2:3]))
    ([], 1)
    >>> [(p.symbol, p.start_s, p.end_s) for p in decoder.advance(best[2:])]
    [('a', 0.02, 0.06)]
    >>> [(p.symbol, p.start_s, p.end_s) for p in decoder.finish()]
    [('a', 0.08, 0.1)]
    """

    def __init__(
        self, labels: Sequence[str] = LABELS, confidence: Confidence = peak_posterior
    ) -> None:
        self._labels = tuple(labels)
        self._confidence = confidence
        self._reset()

    def advance(self, final: Posteriors) -> list[StreamedPhone]:
        """Return the phones whose runs final frames `[N, V]` end, in order.

        Raises:
            UserError: the shape does not fit the labels, or a value is NaN; the state is unchanged.
        """
        *ended, self._run = self._runs_after(final)
        return self._phones(ended)

    def preview(self, provisional: Posteriors) -> list[StreamedPhone]:
        """Return the phones after the committed ones, if provisional frames `[M, V]` follow.

        Raises:
            UserError: the shape does not fit the labels, or a value is NaN.
        """
        return self._phones(self._runs_after(provisional))

    def finish(self) -> list[StreamedPhone]:
        """Return the phone whose run the end of the stream ends, if any, and reset the state."""
        last = self._phones([self._run])
        self._reset()
        return last

    def _reset(self) -> None:
        nothing = np.zeros((0, len(self._labels)), dtype=np.float32)
        self._run = _Run(BLANK_LABEL, 0, 0, nothing)

    def _runs_after(self, frames: Posteriors) -> list[_Run]:
        """Return the open run, extended by frames, and the runs that begin in the frames."""
        check_posteriors(frames, self._labels)
        best = frames.argmax(axis=1)
        begins = np.flatnonzero(np.diff(best, prepend=self._run.label))
        continued, *pieces = np.split(frames, begins)
        runs = [self._run.extended(continued)]
        first = self._run.start + self._run.length
        nothing = frames[:0]
        for begin, piece in zip(begins.tolist(), pieces, strict=True):
            runs.append(_Run(int(best[begin]), first + begin, 0, nothing).extended(piece))
        return runs

    def _phones(self, runs: Sequence[_Run]) -> list[StreamedPhone]:
        return [
            StreamedPhone(
                symbol=self._labels[run.label],
                start_s=run.start / FRAMES_PER_SECOND,
                end_s=(run.start + run.length) / FRAMES_PER_SECOND,
                confidence=self._confidence(run.log_probs, run.label),
            )
            for run in runs
            if run.label != BLANK_LABEL
        ]
