"""The segments of an answer as an aligned text, which the writers of subtitles need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from fonoteka.alignment.aligned_text import (
    AlignedLine,
    AlignedPhone,
    AlignedText,
    AlignedWord,
    broken_into_lines,
)
from fonoteka.alignment.formats.options import SubtitleOptions
from fonoteka.alignment.formats.writers import render
from fonoteka.service.interfaces import Segment, Unit

SUBTITLES = ("srt", "vtt")
_NO_SCORE = 1.0  # of words without a confidence; only alignments show scores, and theirs have one


def aligned_text(
    segments: Iterable[Segment], language: str, duration_s: float, model: str = ""
) -> AlignedText:
    """Return segments as lines; a segment without units is one word, one without text is not shown.

    Times are computed by several models in turn, so the last digit of one may lie before the one
    before, or beyond the recording: they are moved to the nearest time that is allowed.

    Args:
        segments: in order.
        language: code, or empty for phones.
        duration_s: of the recording.
        model: name of the model that placed the words.
    """
    lines, last_s = [], 0.0
    for segment in segments:
        if not segment.text.strip():
            continue
        units = segment.units or (Unit(segment.text.strip(), segment.start_s, segment.end_s),)
        words = tuple(_words(units, segment.phones, last_s, duration_s))
        last_s = words[-1].end_s
        lines.append(AlignedLine(words))
    return AlignedText(language, duration_s, tuple(lines), model)


def subtitles(
    segments: Sequence[Segment], format_name: str, language: str, duration_s: float
) -> str:
    """Return segments as `srt` or `vtt`, with cues of at most 42 letters if units have times.

    A cue is plain text, as of OpenAI's API, without the times of its words.
    """
    text = broken_into_lines(aligned_text(segments, language, duration_s))
    cues = tuple(
        AlignedLine((AlignedWord(line.text, line.start_s, line.end_s, _NO_SCORE),))
        for line in text.lines
    )
    return render(replace(text, lines=cues), format_name, "", SubtitleOptions(vtt_style=False))


def _words(
    units: Sequence[Unit], phones: Sequence[Unit], last_s: float, duration_s: float
) -> Iterator[AlignedWord]:
    position = 0
    for index, unit in enumerate(units):
        start_s = min(max(unit.start_s, last_s), duration_s)
        last_s = min(max(unit.end_s, start_s), duration_s)
        # A phone belongs to the word that contains its middle; the last word takes the rest.
        first = position
        while position < len(phones) and _middle_s(phones[position]) < last_s:
            position += 1
        if index == len(units) - 1:
            position = len(phones)
        inside = tuple(_phones(phones[first:position], start_s, last_s))
        score = _NO_SCORE if unit.confidence is None else unit.confidence
        yield AlignedWord(unit.text, start_s, last_s, score, inside)


def _phones(phones: Iterable[Unit], last_s: float, end_s: float) -> Iterator[AlignedPhone]:
    for phone in phones:
        start_s = min(max(phone.start_s, last_s), end_s)
        last_s = min(max(phone.end_s, start_s), end_s)
        score = _NO_SCORE if phone.confidence is None else phone.confidence
        yield AlignedPhone(phone.text, start_s, last_s, score)


def _middle_s(unit: Unit) -> float:
    return (unit.start_s + unit.end_s) / 2
