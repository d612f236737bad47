"""Count the normalised, guessed and refused texts of a corpus, for reports/text.json.

Ids contain file names, and the detail of a refusal quotes words of the text. Both can be personal.
So they are listed for the clips that may be named, and counted for all clips. The table of refused
texts, which is not in git, lists all of them.
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
class TextResult:
    """The normalisation of one text.

    Attributes:
        id: of the clip.
        language: the language whose rules were used; empty if it is unknown.
        normalized: canonical text; empty for a refused text.
        rules: for each rule that changed the text, how often it did.
        reason: the reason of the refusal; empty for a text that was not refused.
        detail: the reason as a sentence.
        guess: the guessed language, if the table does not give one.
    """

    id: str
    language: str
    normalized: str = ""
    rules: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    guess: LanguageGuess | None = None


def report(results: Sequence[TextResult], shown_ids: Collection[str]) -> dict[str, Any]:
    """Return the counts of a corpus's texts, with examples of clips in `shown_ids` only.

    `unvoiced_words` are words of two or more letters without a vowel or r, such as `km` without a
    number. They are not refused, because hesitations (`hm`) are such words too.
    """
    # Sorted by id, so that the examples do not depend on the order of the table.
    ordered = sorted(results, key=lambda result: result.id)
    spelled = [result for result in ordered if not result.reason]
    unvoiced = [result for result in spelled if unvoiced_words(result)]
    return {
        "clips": len(ordered),
        "normalized": len(spelled),
        "normalized_share": _share(len(spelled), len(ordered)),
        "languages": {
            language: _language_counts([r for r in ordered if r.language == language])
            for language in sorted({result.language for result in ordered} - {""})
        },
        "guessed": _guess_counts(ordered),
        "annotations_removed": sum(r.rules.get("annotations", 0) for r in spelled),
        "homoglyphs_mended": sum(r.rules.get("homoglyphs", 0) for r in spelled),
        "rules": _rule_counts(spelled),
        "unvoiced_words": {
            "words": sum(len(unvoiced_words(result)) for result in unvoiced),
            "examples": [result.id for result in unvoiced if result.id in shown_ids][:EXAMPLES],
        },
        "refused": _refusals(ordered, shown_ids),
    }


def unvoiced_words(result: TextResult) -> list[str]:
    """Return words without a vowel or r in Bosnian, Croatian or Serbian text.

    >>> unvoiced_words(TextResult("a", "hr", "u km s krka"))
    ['km']
    """
    if result.language not in SOUTH_SLAVIC:
        return []
    words = result.normalized.split()
    return [word for word in words if len(word) > 1 and _SYLLABIC.isdisjoint(word)]


def _language_counts(results: Sequence[TextResult]) -> dict[str, Any]:
    spelled = sum(not result.reason for result in results)
    return {
        "clips": len(results),
        "normalized": spelled,
        "normalized_share": _share(spelled, len(results)),
    }


def _guess_counts(results: Sequence[TextResult]) -> dict[str, Any]:
    """Return the number and the confidence of the guesses, by language."""
    confidences: dict[str, list[float]] = {}
    for result in results:
        if result.guess is not None:
            confidences.setdefault(result.guess.language, []).append(result.guess.confidence)
    return {
        language: {
            "clips": len(values),
            "mean_confidence": round(sum(values) / len(values), 2),
            "least_confidence": min(values),
        }
        for language, values in sorted(confidences.items())
    }


def _rule_counts(results: Sequence[TextResult]) -> dict[str, dict[str, int]]:
    times, clips = Counter[str](), Counter[str]()
    for result in results:
        times.update(result.rules)
        clips.update(result.rules.keys())
    return {name: {"clips": clips[name], "times": times[name]} for name in sorted(times)}


def _refusals(results: Sequence[TextResult], shown_ids: Collection[str]) -> dict[str, Any]:
    by_reason: dict[str, list[TextResult]] = {}
    for result in results:
        if result.reason:
            by_reason.setdefault(result.reason, []).append(result)
    return {
        reason: {
            "clips": len(refused),
            "examples": [{"id": r.id, "detail": r.detail} for r in refused if r.id in shown_ids][
                :EXAMPLES
            ],
        }
        for reason, refused in sorted(by_reason.items())
    }


def _share(part: int, total: int) -> float:
    return round(part / total, 4) if total else 0.0
