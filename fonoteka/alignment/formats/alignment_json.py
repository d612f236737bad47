"""The JSON of an aligned text, which has all of it: WhisperX's shape, and the phones of each word.

Source: the result of `whisperx.align`; `duration`, `model`, `spoken`, `phones` and `unexplained`
are additions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from reprlib import repr as short_repr
from sys import float_info
from typing import Any, cast

from fonoteka.alignment.aligned_text import AlignedLine, AlignedPhone, AlignedText, AlignedWord
from fonoteka.alignment.formats.clock import milliseconds
from fonoteka.alignment.formats.phone_times import check_phones
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.phones import LANGUAGES

SCORE_DECIMALS = 4  # a mean over a phone's frames, often fewer than ten, has no more
_LONGEST_S = float_info.max


def alignment_json(text: AlignedText) -> str:
    """Return a text as JSON with sorted keys, times in seconds rounded to 1 ms.

    `start`, `end` and `text` of a segment repeat its words, for programs that show lines alone.

    Raises:
        ValueError: a score is not finite.
    """
    value = {
        "language": text.language,
        "duration": _seconds(text.duration_s),
        "model": text.model,
        "unexplained": _seconds(text.unexplained_s),
        "segments": [_segment(line) for line in text.lines],
    }
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True) + "\n"


def _segment(line: AlignedLine) -> dict[str, Any]:
    return {
        "start": _seconds(line.start_s),
        "end": _seconds(line.end_s),
        "text": line.text,
        "words": [_word(word) for word in line.words],
    }


def _word(word: AlignedWord) -> dict[str, Any]:
    return {
        "word": word.text,
        "start": _seconds(word.start_s),
        "end": _seconds(word.end_s),
        "score": round(word.score, SCORE_DECIMALS),
        "spoken": word.spoken,
        "unexplained": _seconds(word.unexplained_s),
        "phones": [
            {
                "phone": phone.symbol,
                "start": _seconds(phone.start_s),
                "end": _seconds(phone.end_s),
                "score": round(phone.score, SCORE_DECIMALS),
            }
            for phone in word.phones
        ],
    }


def _seconds(time_s: float) -> float:
    return milliseconds(time_s) / 1000


def read_alignment(path: Path) -> AlignedText:
    """Return the text of a JSON file that `alignment_json` made.

    `model`, `spoken`, `phones` and `unexplained` may be missing, as in WhisperX's files. `start`,
    `end` and `text` of a segment are not read, because its words have them.

    Raises:
        UserError: the file is missing or is not JSON, or a value is missing, has another type, is
            out of its range or out of order; the message contains the path and the place.
    """
    record = read_json(path)
    try:
        return _parsed_text(record)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _parsed_text(record: object) -> AlignedText:
    language = _string(record, "", "language")
    if language not in LANGUAGES:
        raise UserError(f"language {language!r} is not one of {', '.join(LANGUAGES)}")
    duration_s = _number(record, "", "duration", _LONGEST_S)
    lines, last_s = [], 0.0
    for place, segment in _items(record, "", "segments"):
        words = []
        for word_place, word in _items(segment, place, "words"):
            words.append(_parsed_word(word, word_place, last_s, duration_s))
            last_s = words[-1].end_s
        if not words:
            raise UserError(f"{place}.words must have at least one word")
        lines.append(AlignedLine(tuple(words)))
    return AlignedText(
        language, duration_s, tuple(lines), _string(record, "", "model", ""),
        _number(record, "", "unexplained", _LONGEST_S, 0),
    )  # fmt: skip


def _parsed_word(record: object, place: str, last_s: float, duration_s: float) -> AlignedWord:
    start_s, end_s = (_number(record, place, key, duration_s) for key in ("start", "end"))
    if not last_s <= start_s <= end_s:
        raise UserError(
            f"{place} lies at {start_s:g} to {end_s:g} s, but the word before ends at {last_s:g} s "
            "and a word cannot end before it starts"
        )
    # A number is at most the duration, so a time beyond the recording is refused with its place.
    word = AlignedWord(
        _string(record, place, "word"),
        start_s,
        end_s,
        _number(record, place, "score", 1),
        tuple(
            AlignedPhone(
                _string(phone, phone_place, "phone"),
                _number(phone, phone_place, "start", duration_s),
                _number(phone, phone_place, "end", duration_s),
                _number(phone, phone_place, "score", 1),
            )
            for phone_place, phone in _items(record, place, "phones", ())
        ),
        _string(record, place, "spoken", ""),
        _number(record, place, "unexplained", _LONGEST_S, 0),
    )
    try:
        check_phones(word)
    except UserError as error:
        raise UserError(f"{place}: {error}") from error
    return word


def _value(record: object, place: str, key: str, default: object) -> tuple[str, object]:
    """Return the place and the value of a key; a default of None means that it is required."""
    if not isinstance(record, dict):
        raise UserError(f"{place or 'the file'} must be an object, got {short_repr(record)}")
    path = f"{place}.{key}".lstrip(".")
    value = record.get(key, default)
    if value is None:
        raise UserError(f"{path} is missing; align the recording again or add it")
    return path, value


def _string(record: object, place: str, key: str, default: str | None = None) -> str:
    path, value = _value(record, place, key, default)
    if not isinstance(value, str):
        raise UserError(f"{path} must be a string, got {short_repr(value)}")
    return value


def _number(
    record: object, place: str, key: str, most: float, default: float | None = None
) -> float:
    path, value = _value(record, place, key, default)
    # A bool is an int for Python; NaN and infinity fail the comparison.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= cast(float, value) <= most:
        bounds = "of at least 0" if most == _LONGEST_S else f"from 0 to {most:g}"
        raise UserError(f"{path} must be a number {bounds}, got {short_repr(value)}")
    return float(cast(float, value))


def _items(
    record: object, place: str, key: str, default: tuple[object, ...] | None = None
) -> Iterable[tuple[str, object]]:
    """Yield the place and the value of each item of a list."""
    path, value = _value(record, place, key, default)
    if not isinstance(value, list | tuple):
        raise UserError(f"{path} must be a list, got {short_repr(value)}")
    return ((f"{path}[{index}]", item) for index, item in enumerate(value))
