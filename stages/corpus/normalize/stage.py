"""Give each clip one spelling and one phone sequence.

    python -m stages.corpus.normalize data/corpus/accepted.csv data/corpus/phones.jsonl \
        data/corpus/transcripts.jsonl data/corpus/refused.csv data/corpus/norm reports/text.json

Reads   accepted.csv; phones.jsonl: the phone times that corpora know
Writes  transcripts.jsonl: canonical text and phones per clip; refused.csv: texts that cannot be
        spelled, with the reason;
        norm/: index.csv and, on request, each canonical text as NAME/path/clip.norm.txt;
        text.json: what fired, what was guessed, what was refused
Params  normalize, privacy

A text that can't be spelled is refused and never repaired: a model trained on a guess learns it.
A few are ordinary. Many are a wrong language or encoding, so above a fraction the stage fails.
Where the table gives no language (empty, or `auto`), it is guessed, and a guess that isn't sure is
refused as well or taken for the language that the parameters name.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.corpus.corpus import (
    ACCEPTED_COLUMNS,
    REFUSED_COLUMNS,
    TimedPhones,
    read_phone_times,
)
from fonoteka.manifest import Transcript, write_transcripts
from fonoteka.phones import LANGUAGES
from fonoteka.pseudonyms import PrivacyParams
from fonoteka.tables import Row, read_table, write_table
from fonoteka.text.language_id import LanguageGuess, identify_language
from fonoteka.text.normalizer import explain, phones_of
from fonoteka.text.rule import SpellingError
from stages.corpus.normalize.text_report import Reading, report

REFUSE, GUESSED = "refuse", ("", "auto")
INDEX, INDEX_COLUMNS = "index.csv", ("id", "path", "sidecar")


@dataclass(frozen=True)
class NormalizeParams:
    """Section `normalize`.

    Attributes:
        max_refused_fraction: of all clips, 0 to 1; more refused texts than this are an error.
        min_language_confidence: of a guessed language, 0 to 1; below it the guess is not sure.
        unsure_language: what happens then: `refuse`, or the language that is taken instead.
        sidecars: whether each canonical text is written to a file of its own as well.
    """

    max_refused_fraction: float
    min_language_confidence: float
    unsure_language: str
    sidecars: bool

    def __post_init__(self) -> None:
        """Refuse what is no fraction and no language."""
        for name in ("max_refused_fraction", "min_language_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"normalize.{name} must be in 0 to 1, found {getattr(self, name)}")
        if self.unsure_language not in (REFUSE, *LANGUAGES):
            raise UserError(
                f"normalize.unsure_language must be {REFUSE} or one of {list(LANGUAGES)}, "
                f"found {self.unsure_language!r}"
            )


@dataclass(frozen=True)
class Outputs:
    """Where the stage writes, see above."""

    transcripts: Path
    refused: Path
    norm: Path
    report: Path


def read_text(
    id_: str, text: str, language: str, params: NormalizeParams
) -> tuple[Reading, tuple[str, ...]]:
    """Return what became of a text, and its phones; none where it is refused.

    A reason is one of: language, character, mixed script, number, roman numeral, no word, no
    phones.

    >>> unsure = NormalizeParams(0.05, 0.9, "refuse", False)
    >>> read_text("a", "U 9 sati!", "hr", unsure)[0].normalized
    'u devet sati'
    >>> read_text("a", "Где је млеко?", "", unsure)[0].language
    'sr'
    """
    found: LanguageGuess | None = None
    if language in GUESSED:
        found = identify_language(text)
        language = _believed(found, params)
        if not language:
            detail = (
                f"the language is not given, and {found.language} is a guess of confidence "
                f"{found.confidence}; give it in metadata.csv or as normalize.unsure_language"
            )
            return Reading(id_, "", reason="language", detail=detail, guess=found), ()
    try:
        normalized = explain(text, language)
    except SpellingError as error:
        return Reading(id_, language, reason=error.reason, detail=str(error), guess=found), ()
    try:
        phones, detail = phones_of(normalized.text, language), f"nothing to say in {text!r}"
    except ValueError as error:
        phones, detail = (), str(error)
    if not phones:
        return Reading(id_, language, reason="no phones", detail=detail, guess=found), ()
    return Reading(id_, language, normalized.text, normalized.rules, guess=found), phones


def _believed(found: LanguageGuess, params: NormalizeParams) -> str:
    if found.confidence >= params.min_language_confidence:
        return found.language
    return "" if params.unsure_language == REFUSE else params.unsure_language


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


def run(
    accepted: Path, phones: Path, to: Outputs, params: NormalizeParams, privacy: PrivacyParams
) -> None:
    """Write the transcripts of what can be spelled, the table of what cannot, and the report.

    Raises:
        ValueError: a language is unknown, or too many texts are refused.
    """
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    timed = read_phone_times(phones)
    good: list[Transcript] = []
    readings: list[Reading] = []
    unlike = 0
    for row in rows:
        if row["language"] not in (*LANGUAGES, *GUESSED):
            raise UserError(
                f"{accepted}: {row['path']}: language {row['language']!r} is unknown; "
                f"expected one of {list(LANGUAGES)}, or nothing where it shall be guessed"
            )
        reading, symbols = read_text(row["id"], row["text"], row["language"], params)
        readings.append(reading)
        if reading.reason:
            continue
        known = timed.get(row["id"])
        times = times_of(known, symbols, float(row["duration_s"]))
        good.append(Transcript(row["id"], reading.language, reading.normalized, symbols, times))
        unlike += known is not None and times is None
    paths = {row["id"]: row["path"] for row in rows}
    bad = _refused_rows(readings, paths)
    _check_refused(bad, len(rows), params)
    write_transcripts(to.transcripts, good)
    write_table(to.refused, REFUSED_COLUMNS, bad)
    write_sidecars(to.norm, good if params.sidecars else [], paths)
    shown = {row["id"] for row in rows if privacy.name_people or row["synthetic"] == "true"}
    write_json(to.report, report(readings, shown))
    _say(good, bad, unlike)


def _refused_rows(readings: Sequence[Reading], paths: dict[str, str]) -> list[Row]:
    return [
        {"id": r.id, "path": paths[r.id], "reason": r.reason, "detail": r.detail}
        for r in sorted(readings, key=lambda reading: reading.id)
        if r.reason
    ]


def write_sidecars(
    folder: Path, transcripts: Sequence[Transcript], paths: Mapping[str, str]
) -> None:
    """Write each canonical text beside no recording but in a tree like that of the recordings.

    `mine/a.wav` becomes `mine/a.norm.txt`, or `mine/a.wav.norm.txt` where a clip of another format
    has the same name. Raw data is never changed, so the files lie in a folder of their own;
    index.csv says which belongs to which clip and is there even where no sidecar was asked for.
    """
    stems = Counter(PurePosixPath(paths[row.id]).with_suffix("") for row in transcripts)
    rows = []
    with atomic_folder(folder) as part:
        for transcript in sorted(transcripts, key=lambda transcript: transcript.id):
            path = PurePosixPath(paths[transcript.id])
            stem = path.with_suffix("") if stems[path.with_suffix("")] == 1 else path
            name = f"{stem}.norm.txt"
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_text(transcript.normalized + "\n", encoding="utf-8", newline="\n")
            rows.append({"id": transcript.id, "path": paths[transcript.id], "sidecar": name})
        write_table(part / INDEX, INDEX_COLUMNS, rows)


def _check_refused(bad: list[Row], total: int, params: NormalizeParams) -> None:
    if len(bad) < total and len(bad) <= params.max_refused_fraction * total:
        return
    first = "; ".join(f"{row['path']} ({row['reason']}: {row['detail']})" for row in bad[:3])
    raise UserError(
        f"{len(bad)} of {total} texts can't be spelled, more than "
        f"normalize.max_refused_fraction {params.max_refused_fraction:g} of params.yaml allows; "
        f"correct them in metadata.csv: {first}"
    )


def _say(good: list[Transcript], bad: list[Row], unlike: int) -> None:
    reasons = dict(sorted(Counter(row["reason"] for row in bad).items()))
    with_times = sum(transcript.phone_times_s is not None for transcript in good)
    print(
        f"normalize: {len(good)} spelled, {len(bad)} refused: {reasons or 'none'}; "
        f"{with_times} with phone times, {unlike} without because the corpus heard other phones"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "phones", "transcripts", "refused", "norm", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    params = load("normalize", NormalizeParams)
    to = Outputs(args.transcripts, args.refused, args.norm, args.report)
    run(args.accepted, args.phones, to, params, load("privacy", PrivacyParams))
