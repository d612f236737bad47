"""Prefix beam search over the frames of a stream.

A phone is committed once all hypotheses of the beam begin with it and its frames have ended, so a
committed phone never changes. That is decided after every frame, and not after every piece, so the
phones of a stream, their times included, are those of the whole recording, wherever it is split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fonoteka.audio.dsp import FRAMES_PER_SECOND
from fonoteka.phones import LABELS
from fonoteka.scoring.decoding import DecodedSegment, check_posteriors
from fonoteka.streaming.greedy_decoder import LONGEST_RUN, Confidence, peak_posterior
from fonoteka.streaming.interfaces import Posteriors, StreamedPhone
from fonoteka.streaming.ngram_table import NgramTable
from fonoteka.streaming.prefix_beam import (
    BeamOptions,
    FrameRanges,
    PhoneHypothesis,
    PrefixBeam,
)

LEAST_LOG_PROB = -1000.0
"""Log posteriors are raised to it: with a probability of 0 no path might be possible."""

MOST_UNCOMMITTED = 64
"""Phones of a hypothesis; `hold_frames` bounds them too, but not while a phone does not end."""


@dataclass(frozen=True)
class _Stream:
    """What is known after some frames of a stream.

    Attributes:
        beam: the hypotheses, the best first.
        now: number of frames.
        after: end of the last committed phone.
        recent: log posteriors of the last frames, `[N, V]`, for the confidence of a phone.
    """

    beam: list[PhoneHypothesis]
    now: int
    after: int
    recent: Posteriors


class BeamDecoder:
    """A `StreamDecoder` of a prefix beam search with a phone n-gram model.

    Args:
        table: the n-gram model over the same labels.
        options: how to search.
        labels: names of the V columns; the first is the blank.
        confidence: of a phone, from the log posteriors of its frames and its label; it does not
            know the n-gram model.
    """

    def __init__(
        self, table: NgramTable, options: BeamOptions, labels: Sequence[str] = LABELS,
        confidence: Confidence = peak_posterior,
    ) -> None:  # fmt: skip
        self._labels = tuple(labels)
        self._confidence = confidence
        self._search = PrefixBeam(table, options)
        self._retained = LONGEST_RUN + options.hold_frames
        self._reset()

    def advance(self, final: Posteriors) -> list[StreamedPhone]:
        """Return the phones that final frames `[N, V]` commit, in order.

        Raises:
            UserError: the shape does not fit the labels, or a value is NaN; the state is unchanged.
        """
        phones, self._stream = self._after(final)
        return phones

    def preview(self, provisional: Posteriors) -> list[StreamedPhone]:
        """Return the phones after the committed ones, if provisional frames `[M, V]` follow.

        Raises:
            UserError: the shape does not fit the labels, or a value is NaN.
        """
        phones, stream = self._after(provisional)
        return phones + self._rest(stream)

    def finish(self) -> list[StreamedPhone]:
        """Return the uncommitted phones of the best hypothesis, and reset the state."""
        phones = self._rest(self._stream)
        self._reset()
        return phones

    def _reset(self) -> None:
        nothing = np.zeros((0, len(self._labels)), dtype=np.float32)
        self._stream = _Stream(self._search.first(), 0, 0, nothing)

    def _after(self, frames: Posteriors) -> tuple[list[StreamedPhone], _Stream]:
        """Return the phones that frames commit, and the stream after them."""
        check_posteriors(frames, self._labels)
        beam, now, after = self._stream.beam, self._stream.now, self._stream.after
        recent = np.concatenate([self._stream.recent, frames])
        first = now - len(self._stream.recent)
        phones: list[StreamedPhone] = []
        for row in np.clip(frames, LEAST_LOG_PROB, 0.0).astype(np.float64).tolist():
            beam = self._search.step(beam, now, row)
            now += 1
            beam = agreed(beam, now, self._search.options.hold_frames)
            if count := shared_and_ended(beam, now):
                ended = placed(beam, count, after, now)
                after = ended[-1][2]
                phones += [self._streamed(phone, now, recent[: now - first]) for phone in ended]
                beam = [hypothesis.trimmed(count) for hypothesis in beam]
        return phones, _Stream(beam, now, after, recent[-self._retained :])

    def _rest(self, stream: _Stream) -> list[StreamedPhone]:
        best = stream.beam[:1]
        phones = placed(best, len(best[0].tail), stream.after, stream.now)
        return [self._streamed(phone, stream.now, stream.recent) for phone in phones]

    def _streamed(self, phone: tuple[int, int, int], now: int, recent: Posteriors) -> StreamedPhone:
        """Return a phone; the recent frames `[N, V]` end before frame `now`."""
        label, start, end = phone
        # However the stream is split, the confidence is that of the same frames: of those that are
        # always kept, and of at least one, should the phone have ended before them.
        first = max(start, now - self._retained)
        frames = recent[len(recent) - (now - first) :][: max(1, end - first)]
        return StreamedPhone(
            symbol=self._labels[label],
            start_s=start / FRAMES_PER_SECOND,
            end_s=end / FRAMES_PER_SECOND,
            confidence=self._confidence(frames[:LONGEST_RUN], label),
        )


def beam_search(
    log_probs: Posteriors, table: NgramTable, options: BeamOptions, labels: Sequence[str] = LABELS
) -> list[DecodedSegment]:
    """Return the phones of a whole recording: those that `BeamDecoder` returns for a stream.

    Args:
        log_probs: log posteriors per frame, `[T, V]`.
        table: the n-gram model over the same labels.
        options: how to search.
        labels: names of the V columns; the first is the blank.

    Raises:
        UserError: the shape does not fit the labels, or a value is NaN.
    """
    decoder = BeamDecoder(table, options, labels, confidence=lambda *_: 0.0)
    return [
        DecodedSegment(
            phone.symbol,
            round(phone.start_s * FRAMES_PER_SECOND),
            round(phone.end_s * FRAMES_PER_SECOND),
        )
        for phone in decoder.preview(log_probs)
    ]


def best_path(hypothesis: PhoneHypothesis, now: int) -> tuple[FrameRanges, bool]:
    """Return the frames of the uncommitted phones before frame `now`, and whether the last ended.

    The path is the better of the two; if they are equal, the one that ends in a blank.
    """
    if hypothesis.blank >= hypothesis.label:
        return hypothesis.blank_frames, True
    return hypothesis.closed(now), False


def agreed(beam: list[PhoneHypothesis], now: int, hold_frames: int) -> list[PhoneHypothesis]:
    """Return the beam without the hypotheses that have disagreed with the best one for too long."""
    best = beam[0]
    ranges, ended = best_path(best, now)
    overdue = bool(ranges) and ranges[0][1] + hold_frames <= now and (ended or len(ranges) > 1)
    if overdue or max(len(hypothesis.tail) for hypothesis in beam) > MOST_UNCOMMITTED:
        return [hypothesis for hypothesis in beam if hypothesis.tail[:1] == best.tail[:1]]
    return beam


def shared_and_ended(beam: Sequence[PhoneHypothesis], now: int) -> int:
    """Return how many of the uncommitted phones all hypotheses share, and have ended.

    It is the best path that decides whether a phone has ended.
    """
    # what the first and the last tuple in order share, all share
    least, greatest = min(h.tail for h in beam), max(h.tail for h in beam)
    shared = 0
    while shared < len(least) and least[shared] == greatest[shared]:
        shared += 1
    ranges, ended = best_path(beam[0], now)
    return min(shared, len(ranges) if ended else max(0, len(ranges) - 1))


def placed(
    beam: Sequence[PhoneHypothesis], count: int, after: int, now: int
) -> list[tuple[int, int, int]]:
    """Return the label and the frames of the first uncommitted phones.

    The frames are those on the best path. If another path was the best when an earlier phone was
    committed, they can overlap that phone, and are moved behind it; and every phone leaves a frame
    to each one that any hypothesis has after it. So phones never overlap, and each has a frame.

    Args:
        beam: the hypotheses, the best first.
        count: number of phones.
        after: end of the last committed phone.
        now: number of frames of the stream.
    """
    ranges, _ = best_path(beam[0], now)
    longest = max(len(h.tail) for h in beam)
    phones = []
    for number, (label, (start, end)) in enumerate(zip(beam[0].tail, ranges, strict=True)):
        if number == count:
            break
        limit = now - (longest - number - 1)
        first = min(max(start, after), limit - 1)
        after = min(max(end, first + 1), limit)
        phones.append((label, first, after))
    return phones
