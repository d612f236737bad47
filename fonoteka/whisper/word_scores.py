"""Word and character error rates of transcripts in three spellings.

A text as it is written differs from a transcript in capitals, punctuation, digits and, in Serbian,
in the script: right words count as wrong. So each rate is given in three spellings:

- `as_written`: words between spaces, nothing changed;
- `within_script`: NFC, lower case, without punctuation, the script kept;
- `canonical`: by the text rules of the language: Latin, numbers as words.

Errors are counted by jiwer and kept per speaker, so that intervals are over speakers.
"""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jiwer

from fonoteka.core.errors import UserError
from fonoteka.scoring.error_rate import Errors, bootstrap, paired_bootstrap
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError
from fonoteka.text.transliteration import has_cyrillic, to_latin

SPELLINGS = ("as_written", "within_script", "canonical")
UNITS = ("wer", "cer")
_APOSTROPHES = "'’‘`"  # removed, because a transcript may lack them


@dataclass(frozen=True)
class WordPair:
    """The reference text of a clip and the text that was decoded.

    Attributes:
        reference: as in the corpus.
        hypothesis: as decoded.
        language: of the clip.
        speaker: of the clip.
        redone: whether the text looped, and the clip was decoded again with 30 s of input.
        loops: whether the text loops.
    """

    reference: str
    hypothesis: str
    language: str
    speaker: str
    redone: bool = False
    loops: bool = False


def within_script(text: str) -> str:
    """Return text in NFC and lower case, without punctuation, words separated by one space.

    >>> within_script("O’Neill,  где: „Ђаче“!")
    'oneill где ђаче'
    """
    composed = unicodedata.normalize("NFC", text).lower()
    return " ".join("".join(map(_letter_or_space, composed)).split())


def _letter_or_space(sign: str) -> str:
    if sign in _APOSTROPHES:
        return ""
    return " " if unicodedata.category(sign)[0] in "PSC" else sign


@cache
def canonical(text: str, language: str) -> tuple[str, bool]:
    """Return canonical text, and whether the text rules accepted it.

    A text that they refuse, with letters of another language for example, is only transliterated.

    >>> canonical("Имам 2 пса.", "sr"), canonical("Ovo je 我.", "sr")
    (('imam dva psa', True), ('ovo je 我', False))
    """
    try:
        return normalize(text, language), True
    except SpellingError:
        return within_script(to_latin(text)), False


def spelled(text: str, language: str, spelling: str) -> str:
    """Return a text in one of the `SPELLINGS`."""
    if spelling == "canonical":
        return canonical(text, language)[0]
    return within_script(text) if spelling == "within_script" else text.strip()


def word_errors(references: Sequence[str], hypotheses: Sequence[str], unit: str) -> Errors:
    """Return the errors of texts in words, `wer`, or in characters, `cer`.

    Raises:
        UserError: the lists differ in length, or a reference is empty.

    >>> word_errors(["dobar dan"], ["dobra dan ti"], "wer")
    Errors(substitutions=1, deletions=0, insertions=1, reference=2)
    >>> word_errors(["dan"], [""], "cer")
    Errors(substitutions=0, deletions=3, insertions=0, reference=3)
    """
    if len(references) != len(hypotheses):
        raise UserError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    for number, reference in enumerate(references):
        if not reference.strip():
            raise UserError(f"reference {number} contains no word; its clip cannot be scored")
    if not references:
        return Errors()
    process = jiwer.process_words if unit == "wer" else jiwer.process_characters
    out = process([*references], [*hypotheses])
    total = out.hits + out.substitutions + out.deletions
    return Errors(out.substitutions, out.deletions, out.insertions, total)


def errors_by_speaker(pairs: Iterable[WordPair], spelling: str, unit: str) -> dict[str, Errors]:
    """Return the errors of each speaker, sorted by name.

    Raises:
        UserError: a reference is empty in this spelling.
    """
    texts: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for pair in pairs:
        for side, text in zip(texts[pair.speaker], (pair.reference, pair.hypothesis), strict=True):
            side.append(spelled(text, pair.language, spelling))
    return {speaker: word_errors(*texts[speaker], unit) for speaker in sorted(texts)}


def script_of(text: str) -> str:
    """Return the script of a text: latin, cyrillic, mixed, or other if it has neither.

    >>> [script_of(text) for text in ("dan", "дан", "дан day", "12")]
    ['latin', 'cyrillic', 'mixed', 'other']
    """
    latin = any("LATIN" in unicodedata.name(sign, "") for sign in text if sign.isalpha())
    if has_cyrillic(text):
        return "mixed" if latin else "cyrillic"
    return "latin" if latin else "other"


def rate(errors: Mapping[str, Errors], resamples: int, seed: int) -> dict[str, Any]:
    """Return an error rate with its interval over speakers."""
    total = sum(errors.values(), Errors())
    pairs = [(own.wrong, own.reference) for own in errors.values()]
    interval = bootstrap(pairs, resamples, seed)
    return {"rate": total.rate, "low": interval.low, "high": interval.high}


def summary(pairs: Sequence[WordPair], resamples: int, seed: int) -> dict[str, Any]:
    """Return rates in all spellings, shares of scripts and digits, and counts of failures.

    Args:
        pairs: of at least one clip.
        resamples: draws of the speakers for an interval.
        seed: of the draws.
    """
    texts = [pair.hypothesis for pair in pairs]
    spoken = [pair for pair in pairs if within_script(pair.hypothesis)]
    refused = sum(not canonical(pair.hypothesis, pair.language)[1] for pair in spoken)
    words = errors_by_speaker(pairs, "canonical", "wer").values()
    return {
        "clips": len(pairs), "speakers": len({pair.speaker for pair in pairs}),
        "words": sum(own.reference for own in words),
        **{
            unit: {
                spelling: rate(errors_by_speaker(pairs, spelling, unit), resamples, seed)
                for spelling in SPELLINGS
            }
            for unit in UNITS
        },
        "scripts": _shares(map(script_of, texts), ("latin", "cyrillic", "mixed", "other")),
        "clips_with_digits": share(texts, lambda text: any(map(str.isdigit, text))),
        "empty_hypotheses": len(pairs) - len(spoken),
        "refused_by_text_rules": refused,
        "loops": sum(pair.loops for pair in pairs),
        "redone_with_30_s": sum(pair.redone for pair in pairs),
    }  # fmt: skip


def by_language(pairs: Sequence[WordPair]) -> dict[str, list[WordPair]]:
    """Return the pairs of each language, sorted by its code."""
    languages = sorted({pair.language for pair in pairs})
    return {code: [pair for pair in pairs if pair.language == code] for code in languages}


def difference(
    ours: Sequence[WordPair], theirs: Sequence[WordPair], spelling: str, unit: str,
    resamples: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    """Return the error rate of ours minus that of theirs, with its interval over speakers.

    Raises:
        UserError: the clips differ.
    """
    sides = [errors_by_speaker(pairs, spelling, unit) for pairs in (ours, theirs)]
    interval, better = paired_bootstrap(sides[0], sides[1], resamples, seed)
    rates = [sum(side.values(), Errors()).rate for side in sides]
    return {
        "difference": rates[0] - rates[1], "low": interval.low, "high": interval.high,
        "better_draws": better,
    }  # fmt: skip


def share(values: Sequence[Any], holds: Callable[[Any], bool]) -> float:
    """Return the share of values for which `holds` returns True; 0 without values."""
    return sum(map(holds, values)) / len(values) if values else 0.0


def _shares(values: Iterable[str], names: Sequence[str]) -> dict[str, float]:
    counts = Counter(values)
    total = sum(counts.values())
    return {name: counts[name] / total for name in names}
