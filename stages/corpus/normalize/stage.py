"""Normalise the text of each clip and find its phones.

    python -m stages.corpus.normalize data/corpus/accepted.csv data/corpus/phones.jsonl \
        data/corpus/transcripts.jsonl data/corpus/refused.csv data/corpus/norm reports/text.json

Reads   accepted.csv; phones.jsonl: the phone times that corpora have
Writes  transcripts.jsonl: canonical text and phones per clip; refused.csv: texts that cannot be
        spelled, with the reason;
        norm/: index.csv and, on request, each canonical text as NAME/path/clip.norm.txt;
        text.json: counts of rules that changed a text, of guessed languages and of refused texts
Params  normalize, privacy

A text that cannot be spelled is refused and never repaired, because a model would learn the guess.
A few such texts are normal. Many mean a wrong language or encoding, so above a fraction the stage
fails. A language that is missing in the table (empty, or `auto`) is guessed. A guess of low
confidence is refused too, or replaced by the language that the parameters name.
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
from stages.corpus.normalize.text_report import TextResult, report

REFUSE, GUESSED = "refuse", ("", "auto")
INDEX, INDEX_COLUMNS = "index.csv", ("id", "path", "sidecar")


@dataclass(frozen=True)
class NormalizeParams:
    """Section `normalize`.

    Attributes:
        max_refused_fraction: of all clips, 0 to 1; more refused texts than this are an error.
        min_language_confidence: of a guessed language, 0 to 1; below it the guess is unsure.
        unsure_language: for an unsure guess: `refuse` the text, or the language to use instead.
        sidecars: whether each canonical text is also written to a file of its own.
    """

    max_refused_fraction: float
    min_language_confidence: float
    unsure_language: str
    sidecars: bool

    def __post_init__(self) -> None:
        """Raise for a value that is not a fraction, and for an unknown language."""
        for name in ("max_refused_fraction", "min_language_confidence"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"normalize.{name} must be in 0 to 1, found {getattr(self, name)}")
        if self.unsure_language not in (REFUSE, *LANGUAGES):
            raise UserError(
                f"normalize.unsure_language must be {REFUSE} or one of {list(LANGUAGES)}, "
                f"found {self.unsure_language!r}"
            )


@dataclass(frozen=True)
class NormalizeOutputs:
    """The files that the stage writes."""

    transcripts: Path
    refused: Path
    norm: Path
    report: Path


def text_result(
    id_: str, text: str, language: str, params: NormalizeParams
) -> tuple[TextResult, tuple[str, ...]]:
    """Return the result for a text, and its phones; a refused text has none.

    The reason of a refusal is one of: language, character, mixed script, number, roman numeral,
    no word, no phones.

    >>> unsure = NormalizeParams(0.05, 0.9, "refuse", False)
    >>> text_result("a", "U 9 sati!", "hr", unsure)[0].normalized
    'u devet sati'
    >>> text_result("a", "Где је млеко?", "", unsure)[0].language
    'sr'
    """
    guess: LanguageGuess | None = None
    if language in GUESSED:
        guess = identify_language(text)
        language = _accepted_language(guess, params)
        if not language:
            detail = (
                f"the language is not given, and {guess.language} is a guess of confidence "
                f"{guess.confidence}; give it in metadata.csv or as normalize.unsure_language"
            )
            return TextResult(id_, "", reason="language", detail=detail, guess=guess), ()
    try:
        normalized = explain(text, language)
    except SpellingError as error:
        return TextResult(id_, language, reason=error.reason, detail=str(error), guess=guess), ()
    try:
        phones, detail = phones_of(normalized.text, language), f"nothing to say in {text!r}"
    except ValueError as error:
        phones, detail = (), str(error)
    if not phones:
        return TextResult(id_, language, reason="no phones", detail=detail, guess=guess), ()
    return TextResult(id_, language, normalized.text, normalized.rules, guess=guess), phones


def _accepted_language(guess: LanguageGuess, params: NormalizeParams) -> str:
    if guess.confidence >= params.min_language_confidence:
        return guess.language
    return "" if params.unsure_language == REFUSE else params.unsure_language


def matching_times(
    timed: TimedPhones | None, phones: tuple[str, ...], duration_s: float
) -> tuple[tuple[float, float], ...] | None:
    """Return the corpus's phone times, within the clip, if its phones are those of the text.

    Times of other phones are not used, because their assignment to our phones would be a guess.
    """
    if timed is None or timed.phones != phones:
        return None
    return tuple(
        (_within(start, duration_s), _within(end, duration_s)) for start, end in timed.times_s
    )


def _within(seconds: float, duration_s: float) -> float:
    return round(min(max(seconds, 0.0), duration_s), 6)


def run(
    accepted: Path,
    phones: Path,
    outputs: NormalizeOutputs,
    params: NormalizeParams,
    privacy: PrivacyParams,
) -> None:
    """Write the transcripts, the table of refused texts, the canonical texts and the report.

    Raises:
        UserError: a language is unknown, or too many texts are refused.
    """
    # All texts are read before anything is written, so that an error leaves earlier outputs whole.
    rows = read_table(accepted, ACCEPTED_COLUMNS)
    timed_phones = read_phone_times(phones)
    transcripts: list[Transcript] = []
    results: list[TextResult] = []
    mismatches = 0
    for row in rows:
        if row["language"] not in (*LANGUAGES, *GUESSED):
            raise UserError(
                f"{accepted}: {row['path']}: language {row['language']!r} is unknown; "
                f"expected one of {list(LANGUAGES)}, or an empty cell, so that it is guessed"
            )
        result, symbols = text_result(row["id"], row["text"], row["language"], params)
        results.append(result)
        if result.reason:
            continue
        corpus_times = timed_phones.get(row["id"])
        times = matching_times(corpus_times, symbols, float(row["duration_s"]))
        transcripts.append(
            Transcript(row["id"], result.language, result.normalized, symbols, times)
        )
        mismatches += corpus_times is not None and times is None
    paths = {row["id"]: row["path"] for row in rows}
    refused = _refused_rows(results, paths)
    _check_refused(refused, len(rows), params)
    write_transcripts(outputs.transcripts, transcripts)
    write_table(outputs.refused, REFUSED_COLUMNS, refused)
    write_sidecars(outputs.norm, transcripts if params.sidecars else [], paths)
    shown_ids = {row["id"] for row in rows if privacy.name_people or row["synthetic"] == "true"}
    write_json(outputs.report, report(results, shown_ids))
    _print_summary(transcripts, refused, mismatches)


def _refused_rows(results: Sequence[TextResult], paths: dict[str, str]) -> list[Row]:
    return [
        {
            "id": result.id,
            "path": paths[result.id],
            "reason": result.reason,
            "detail": result.detail,
        }
        for result in sorted(results, key=lambda result: result.id)
        if result.reason
    ]


def write_sidecars(
    folder: Path, transcripts: Sequence[Transcript], paths: Mapping[str, str]
) -> None:
    """Write each canonical text to a file, in the same folder structure as the recordings.

    `mine/a.wav` becomes `mine/a.norm.txt`, or `mine/a.wav.norm.txt` if a clip of another format has
    the same name. Raw data is never changed, so the files are in a folder of their own. index.csv
    maps clips to files, and is written without sidecars too.
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


def _check_refused(refused: list[Row], total: int, params: NormalizeParams) -> None:
    if len(refused) < total and len(refused) <= params.max_refused_fraction * total:
        return
    first = "; ".join(f"{row['path']} ({row['reason']}: {row['detail']})" for row in refused[:3])
    raise UserError(
        f"{len(refused)} of {total} texts cannot be spelled, more than "
        f"normalize.max_refused_fraction {params.max_refused_fraction:g} of params.yaml allows; "
        f"correct them in metadata.csv: {first}"
    )


def _print_summary(transcripts: list[Transcript], refused: list[Row], mismatches: int) -> None:
    reasons = dict(sorted(Counter(row["reason"] for row in refused).items()))
    with_times = sum(transcript.phone_times_s is not None for transcript in transcripts)
    print(
        f"normalize: {len(transcripts)} spelled, {len(refused)} refused: {reasons or 'none'}; "
        f"{with_times} with phone times, {mismatches} without because the corpus has other phones"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("accepted", "phones", "transcripts", "refused", "norm", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    params = load("normalize", NormalizeParams)
    outputs = NormalizeOutputs(args.transcripts, args.refused, args.norm, args.report)
    run(args.accepted, args.phones, outputs, params, load("privacy", PrivacyParams))
