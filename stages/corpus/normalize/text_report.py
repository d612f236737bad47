"""What became of a corpus's texts, in numbers: reports/text.json.

Ids are made of the names of files, and what is wrong with a text quotes words of it. Both can be
personal, so they are shown of the clips that may be named, and counted of all. The table of refused
texts, which isn't in git, has all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fonoteka.phones import SOUTH_SLAVIC
from fonoteka.text.language_id import LanguageGuess

EXAMPLES = 3
_SYLLABIC = frozenset("aeiour")


@dataclass(frozen=True)
class Reading:
    """What became of one text.

    Attributes:
        id: of the clip.
        language: by whose rules it was read; empty where it was not even guessed.
        normalized: canonical text; empty where it was refused.
        rules: for each rule that changed something, how often.
        reason: why it was refused; empty where it was not.
        detail: the same in a sentence.
        guess: of its language, where the table does not say it.
    """

    id: str
    language: str
    normalized: str = ""
    rules: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    guess: LanguageGuess | None = None


def report(readings: Sequence[Reading], shown: Collection[str]) -> dict[str, Any]:
    """Return the counts by which the texts of a corpus are judged.

    Examples are of clips in `shown` alone.

    `unvoiced_words` are those of two letters and more that no one can say as they stand (`km`
    without a number): they are kept, for hesitations (`hm`) are such words too.
    """
    ordered = sorted(readings, key=lambda reading: reading.id)
    spelled = [reading for reading in ordered if not reading.reason]
    unvoiced = [reading for reading in spelled if unvoiced_words(reading)]
    return {
        "clips": len(ordered),
        "normalized": len(spelled),
        "normalized_share": _share(len(spelled), len(ordered)),
        "languages": {
            language: _of_language([r for r in ordered if r.language == language])
            for language in sorted({reading.language for reading in ordered} - {""})
        },
        "guessed": _guessed(ordered),
        "annotations_removed": sum(r.rules.get("annotations", 0) for r in spelled),
        "homoglyphs_mended": sum(r.rules.get("homoglyphs", 0) for r in spelled),
        "rules": _rules(spelled),
        "unvoiced_words": {
            "words": sum(len(unvoiced_words(reading)) for reading in unvoiced),
            "examples": [reading.id for reading in unvoiced if reading.id in shown][:EXAMPLES],
        },
        "refused": _refused(ordered, shown),
    }


def unvoiced_words(reading: Reading) -> list[str]:
    """Return words without a vowel or r in Bosnian, Croatian or Serbian text.

    >>> unvoiced_words(Reading("a", "hr", "u km s krka"))
    ['km']
    """
    if reading.language not in SOUTH_SLAVIC:
        return []
    words = reading.normalized.split()
    return [word for word in words if len(word) > 1 and _SYLLABIC.isdisjoint(word)]


def _of_language(readings: Sequence[Reading]) -> dict[str, Any]:
    spelled = sum(not reading.reason for reading in readings)
    return {
        "clips": len(readings),
        "normalized": spelled,
        "normalized_share": _share(spelled, len(readings)),
    }


def _guessed(readings: Sequence[Reading]) -> dict[str, Any]:
    """Return for each language that was guessed how often, and how sure that was."""
    sure: dict[str, list[float]] = {}
    for reading in readings:
        if reading.guess is not None:
            sure.setdefault(reading.guess.language, []).append(reading.guess.confidence)
    return {
        language: {
            "clips": len(values),
            "mean_confidence": round(sum(values) / len(values), 2),
            "least_confidence": min(values),
        }
        for language, values in sorted(sure.items())
    }


def _rules(readings: Sequence[Reading]) -> dict[str, dict[str, int]]:
    times, clips = Counter[str](), Counter[str]()
    for reading in readings:
        times.update(reading.rules)
        clips.update(reading.rules.keys())
    return {name: {"clips": clips[name], "times": times[name]} for name in sorted(times)}


def _refused(readings: Sequence[Reading], shown: Collection[str]) -> dict[str, Any]:
    by_reason: dict[str, list[Reading]] = {}
    for reading in readings:
        if reading.reason:
            by_reason.setdefault(reading.reason, []).append(reading)
    return {
        reason: {
            "clips": len(of),
            "examples": [{"id": r.id, "detail": r.detail} for r in of if r.id in shown][:EXAMPLES],
        }
        for reason, of in sorted(by_reason.items())
    }


def _share(part: int, of: int) -> float:
    return round(part / of, 4) if of else 0.0
