"""Recognise the phones of a recording in turns, as `fonoteka transcribe --phones` does.

The windows are those of the command, so that both give the same phones. A pass over a window cannot
be interrupted: 30 s take 1.15 processor seconds with the encoder of whisper-base, on an AMD EPYC.
Windows of 15 s would halve the turns, but 4 s of each are computed twice, 36 % more work in place
of 15 %, and the phones of long recordings would differ from those of the command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from fonoteka.audio.dsp import FRAME_HOP, FRAMES_PER_SECOND
from fonoteka.scoring.decoding import greedy
from fonoteka.service.interfaces import Segment, Unit
from fonoteka.service.work.compute.sample_file import SampleFile
from fonoteka.service.work.compute.turns import JobResult, Turns
from fonoteka.streaming.greedy_decoder import peak_posterior
from fonoteka.transcribe import PhoneModel, Posteriors, longest_input_s, posteriors, seam, windows

PAUSE_S = 0.6
"""A longer pause between two phones ends a segment, as it ends a line of a subtitle."""

LONGEST_S = 15.0
"""A longer segment is ended at a phone, so that a listener does not wait for its text."""


def recognise_phones(audio: SampleFile, model: PhoneModel, turns: Turns) -> JobResult:
    """Emit the phones of a recording, a segment per part between pauses.

    The confidence of a phone is its highest posterior, which is not calibrated.
    """
    waiting: list[Unit] = []
    for unit in _phones(posterior_pieces(audio, model, turns), model.labels):
        if waiting and _ends_before(unit, waiting):
            turns.emit(_segment(waiting))
            waiting = []
        waiting.append(unit)
    if waiting:
        turns.emit(_segment(waiting))
    return JobResult(language="")


def posterior_pieces(audio: SampleFile, model: PhoneModel, turns: Turns) -> Iterator[Posteriors]:
    """Yield log posteriors `[F, V]`; joined, they are those of `fonoteka.transcribe.posteriors`.

    Only two windows are in memory.

    Raises:
        UserError: a sample is not finite, or the model fails.
    """
    longest_s = longest_input_s(model.session)
    starts, size = windows(audio.size, longest_s)
    earlier, earlier_start, begin = np.zeros((0, len(model.labels)), np.float32), 0, 0
    for start in starts:
        end = audio.size if start == starts[-1] else start + size
        later = posteriors(model.session, audio.read(start, end), longest_s)
        if start:
            shared = len(earlier) - (start - earlier_start) // FRAME_HOP
            cut = seam(earlier[-shared:], later[:shared])
            yield earlier[begin : len(earlier) - shared + cut]
            begin = cut
        earlier, earlier_start = later, start
        turns.reach(start / FRAME_HOP / FRAMES_PER_SECOND)
        turns.pause()
    yield earlier[begin:]


def _phones(pieces: Iterator[Posteriors], labels: Sequence[str]) -> Iterator[Unit]:
    """Yield the phones of all pieces; those that two pieces share are joined."""
    held, after = None, 0  # the last phone, and the frame after the last piece
    for piece in pieces:
        for decoded in greedy(piece, list(labels)):
            confidence = peak_posterior(
                piece[decoded.start : decoded.end], labels.index(decoded.symbol)
            )
            start_s, end_s = (
                (after + frame) / FRAMES_PER_SECOND for frame in (decoded.start, decoded.end)
            )
            unit = Unit(decoded.symbol, start_s, end_s, round(confidence, 4))
            if held and not decoded.start and held.end_s == start_s and held.text == unit.text:
                best = max(held.confidence or 0.0, unit.confidence or 0.0)
                held = replace(held, end_s=end_s, confidence=best)
                continue
            if held:
                yield held
            held = unit
        after += len(piece)
    if held:
        yield held


def _ends_before(unit: Unit, waiting: Sequence[Unit]) -> bool:
    pause_s = round(unit.start_s - waiting[-1].end_s, 2)  # whole frames of 20 ms
    return pause_s > PAUSE_S or unit.end_s - waiting[0].start_s > LONGEST_S


def _segment(units: Sequence[Unit]) -> Segment:
    text = " ".join(unit.text for unit in units)
    return Segment(text, units[0].start_s, units[-1].end_s, units=tuple(units))
