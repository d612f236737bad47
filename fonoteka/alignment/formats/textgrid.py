"""Praat's TextGrid with a tier of words and a tier of phones.

Source: "TextGrid file formats" in Praat's manual; the long text format. The names of the tiers are
those of the Montreal Forced Aligner, and the importer of corpora reads them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.formats.clock import milliseconds
from fonoteka.core.errors import UserError


class TierInterval(NamedTuple):
    """A labelled part of a recording, in microseconds; pauses have the label ""."""

    start_us: int
    end_us: int
    label: str


def textgrid(text: AlignedText) -> str:
    """Return a text as a TextGrid whose tiers cover the whole recording.

    An interval of 0 s is invalid: praatio, for example, refuses the file. A word or phone that
    takes 0 ms is therefore 1 µs long, and moves its neighbours by as much if they touch it.

    Raises:
        UserError: the recording is too short to have intervals.
    """
    end_us = milliseconds(text.duration_s) * 1000
    words = [_interval(word.start_s, word.end_s, word.text) for word in text.words]
    phones = [
        _interval(phone.start_s, phone.end_s, phone.symbol)
        for word in text.words
        for phone in word.phones
    ]
    # Each interval takes at least 1 µs, and a tier without words is one interval.
    if end_us < max(1, len(words), len(phones)):
        raise UserError(
            f"a recording of {text.duration_s:g} s is too short for a TextGrid, whose intervals "
            "must be longer than 0 s; choose another format"
        )
    head = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_seconds(end_us)}",
        "tiers? <exists>",
        "size = 2",
        "item []:",
    ]
    tiers = (("words", words), ("phones", phones))
    body = [
        line
        for number, (name, intervals) in enumerate(tiers, 1)
        for line in _tier_lines(number, name, covering(intervals, end_us), end_us)
    ]
    return "\n".join(head + body) + "\n"


def covering(intervals: Iterable[TierInterval], end_us: int) -> list[TierInterval]:
    """Return intervals that cover a recording without a gap, each at least 1 µs long.

    Args:
        intervals: in order and without overlap; there are at most `end_us` of them.
        end_us: duration of the recording.

    >>> intervals = covering([TierInterval(2, 2, "a"), TierInterval(2, 5, "b")], 6)
    >>> [tuple(interval) for interval in intervals]
    [(0, 2, ''), (2, 3, 'a'), (3, 5, 'b'), (5, 6, '')]
    """
    longer: list[TierInterval] = []
    last_us = 0
    for start_us, stop_us, label in intervals:
        start_us = max(start_us, last_us)
        last_us = max(stop_us, start_us + 1)
        longer.append(TierInterval(start_us, last_us, label))
    covered: list[TierInterval] = []  # from the last to the first
    next_us = end_us
    for start_us, stop_us, label in reversed(longer):
        stop_us = min(stop_us, next_us)  # at the end of the recording there is room before it alone
        if stop_us < next_us:
            covered.append(TierInterval(stop_us, next_us, ""))
        next_us = min(start_us, stop_us - 1)
        covered.append(TierInterval(next_us, stop_us, label))
    if next_us > 0:
        covered.append(TierInterval(0, next_us, ""))
    return covered[::-1]


def _interval(start_s: float, end_s: float, label: str) -> TierInterval:
    return TierInterval(milliseconds(start_s) * 1000, milliseconds(end_s) * 1000, label)


def _tier_lines(
    number: int, name: str, intervals: list[TierInterval], end_us: int
) -> Iterator[str]:
    yield f"    item [{number}]:"
    yield '        class = "IntervalTier"'
    yield f'        name = "{name}"'
    yield "        xmin = 0"
    yield f"        xmax = {_seconds(end_us)}"
    yield f"        intervals: size = {len(intervals)}"
    for position, (start_us, stop_us, label) in enumerate(intervals, 1):
        quoted = label.replace('"', '""')
        yield f"        intervals [{position}]:"
        yield f"            xmin = {_seconds(start_us)}"
        yield f"            xmax = {_seconds(stop_us)}"
        yield f'            text = "{quoted}"'


def _seconds(time_us: int) -> str:
    return f"{time_us / 1e6:.6f}".rstrip("0").rstrip(".")
