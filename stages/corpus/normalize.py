"""Give each clip one spelling and one phone sequence.

    python -m stages.corpus.normalize data/corpus/accepted.csv data/raw \
        data/corpus/transcripts.jsonl data/corpus/refused.csv

Reads   accepted.csv; data/raw/NAME/phones.jsonl where a corpus has one
Writes  transcripts.jsonl: a manifest; refused.csv: texts that can't be spelled, with the reason
Params  normalize

A text that can't be spelled is refused and never repaired: a model trained on a guess learns it.
A few are ordinary. Many are a wrong language or encoding, so above a fraction the stage fails.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stages.common.cli import stage
from stages.common.corpora import ACCEPTED_COLUMNS, REFUSED_COLUMNS, TimedPhones, read_phones
from stages.common.manifest import Utterance, write
from stages.common.params import load
from stages.common.phones import LANGUAGES
from stages.common.tables import Row, read_table, write_table
from stages.common.text import normalize, phones_of


@dataclass(frozen=True)
class NormalizeParams:
    """Section `normalize`.

    Attributes:
        max_refused_fraction: of all clips, 0 to 1; more refused texts than this are an error.
    """

    max_refused_fraction: float

    def __post_init__(self) -> None:
        """Refuse what is no fraction."""
        if not 0 <= self.max_refused_fraction <= 1:
            raise ValueError(
                f"normalize.max_refused_fraction must be in 0 to 1, "
                f"found {self.max_refused_fraction}"
            )


@dataclass(frozen=True)
class Refusal:
    """Why a text can't be spelled: a class to count by, and the details."""

    reason: str
    detail: str


def spell(text: str, language: str) -> tuple[str, tuple[str, ...]] | Refusal:
    """Return the canonical text and its phones, or why there are none.

    A reason is one of: digits, character, no word, no phones.

    >>> spell("Dobar dan!", "hr")[0]
    'dobar dan'
    >>> spell("u 9 sati", "hr").reason
    'digits'
    """
    try:
        normalized = normalize(text, language)
    except ValueError as error:
        if any(character.isnumeric() for character in text):
            return Refusal("digits", f"write numbers as words; {error}")
        wordless = not any(character.isalpha() for character in text)
        return Refusal("no word" if wordless else "character", str(error))
    try:
        phones = phones_of(normalized, language)
    except ValueError as error:
        return Refusal("no phones", str(error))
    return (normalized, phones) if phones else Refusal("no phones", f"nothing to say in {text!r}")


def times_of(
    timed: TimedPhones | None, phones: tuple[str, ...], duration_s: float
) -> tuple[tuple[float, float], ...] | None:
    """Return the corpus's phone times, within the clip, if it heard exactly the phones we expect.

    Times of other phones are of no use: which of ours they belong to would be a guess.
    """
    if timed is None or timed.phones != phones:
        return None
    return tuple((_within(a, duration_s), _within(b, duration_s)) for a, b in timed.times_s)


def _within(seconds: float, duration_s: float) -> float:
    return round(min(max(seconds, 0.0), duration_s), 6)


def utterance_of(
    row: Row, normalized: str, phones: tuple[str, ...], timed: TimedPhones | None
) -> Utterance:
    """Return a row of accepted.csv as an utterance."""
    duration_s = float(row["duration_s"])
    return Utterance(
        id=row["id"],
        audio=row["path"],
        speaker=row["speaker"],
        language=row["language"],
        text=row["text"],
        normalized=normalized,
        phones=phones,
        duration_s=duration_s,
        source=row["corpus"],
        licence=row["licence"],
        synthetic=row["synthetic"] == "true",
        phone_times_s=times_of(timed, phones, duration_s),
        session=row["session"] or None,
        parent=row["parent"] or None,
        group=row["group"] or None,
        sex=row["sex"] or None,
    )


def run(
    accepted: Path, raw: Path, transcripts: Path, refused: Path, params: NormalizeParams
) -> None:
    """Write the manifest of what can be spelled and the table of what can't.

    Raises:
        ValueError: a language is unknown, or too many texts are refused.
    """
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    timed = {name: read_phones(raw / name) for name in sorted({row["corpus"] for row in rows})}
    good: list[Utterance] = []
    bad: list[Row] = []
    unlike = 0
    for row in rows:
        if row["language"] not in LANGUAGES:
            raise ValueError(
                f"{accepted}: {row['path']}: language {row['language']!r} is unknown; "
                f"expected one of {list(LANGUAGES)}"
            )
        spelled = spell(row["text"], row["language"])
        if isinstance(spelled, Refusal):
            bad.append(row | {"reason": spelled.reason, "detail": spelled.detail})
            continue
        known = timed[row["corpus"]].get(row["path"].removeprefix(row["corpus"] + "/"))
        good.append(utterance_of(row, *spelled, known))
        unlike += known is not None and good[-1].phone_times_s is None
    _check_refused(bad, len(rows), params)
    write(transcripts, good)
    bad.sort(key=lambda row: row["id"])
    kept = [{name: row[name] for name in REFUSED_COLUMNS} for row in bad]
    write_table(refused, REFUSED_COLUMNS, kept)
    _say(good, bad, unlike)


def _check_refused(bad: list[Row], total: int, params: NormalizeParams) -> None:
    if len(bad) < total and len(bad) <= params.max_refused_fraction * total:
        return
    first = "; ".join(f"{row['path']} ({row['reason']}: {row['detail']})" for row in bad[:3])
    raise ValueError(
        f"{len(bad)} of {total} texts can't be spelled, more than "
        f"normalize.max_refused_fraction {params.max_refused_fraction:g} of params.yaml allows; "
        f"correct them in metadata.csv: {first}"
    )


def _say(good: list[Utterance], bad: list[Row], unlike: int) -> None:
    reasons = dict(sorted(Counter(row["reason"] for row in bad).items()))
    with_times = sum(utterance.phone_times_s is not None for utterance in good)
    print(
        f"normalize: {len(good)} spelled, {len(bad)} refused: {reasons or 'none'}; "
        f"{with_times} with phone times, {unlike} without because the corpus heard other phones"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "raw", "transcripts", "refused"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    params = load("normalize", NormalizeParams)
    run(given.accepted, given.raw, given.transcripts, given.refused, params)


if __name__ == "__main__":
    stage(main)
