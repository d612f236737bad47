"""The words of a dashboard: what Whisper and its base decoded, in three normalisations.

The texts are those that the stage `evaluate_whisper` decoded and keeps in data/words; they are
spelled, split and aligned as its report does it, and the counts are compared with the report.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.reporting.dashboard.clips import TIE_BREAK, DashboardClips, count_columns
from fonoteka.reporting.dashboard.curves import curves_of
from fonoteka.reporting.dashboard.group_rates import Draws, Entry, rows_by, scored
from fonoteka.reporting.dashboard.word_texts import (
    DecodedText,
    ScoredWords,
    Spelled,
    character_counts,
    score_words,
    spelled_texts,
    texts_of,
)
from fonoteka.scoring.error_rate import Errors
from fonoteka.whisper.word_scores import SPELLINGS, UNITS

COUNTS = {
    "clips": "clips", "speakers": "speakers", "words": "words", "loops": "texts that loop",
    "redone_with_30_s": "clips decoded again with 30 s", "empty_hypotheses": "empty texts",
    "refused_by_text_rules": "texts that the text rules refuse",
    "clips_with_digits": "share of texts with digits",
}  # fmt: skip


def check_rate(stated: float, counted: float, place: str) -> None:
    """Raise if a rounded rate of the report is not that of the texts.

    Raises:
        UserError: they differ by more than the report's last digit.

    >>> check_rate(0.3333, 1 / 3, "wer")
    """
    half_digit = 0.5 * 10 ** -len(f"{stated:.10f}".rstrip("0").partition(".")[2])
    if abs(stated - counted) > half_digit + 1e-12:
        raise UserError(
            f"{place} is {stated}, but the texts give {counted:.6f}; the files are of two builds, "
            "run dvc repro"
        )


def check_report(
    own: Mapping[str, Any], words: Mapping[str, ScoredWords], characters: Mapping[str, list[int]],
    place: str,
) -> None:  # fmt: skip
    """Raise if the texts and a model's report are not of one build.

    Raises:
        UserError: the report has other rates, or another number of clips.
    """
    for spelling, scores in words.items():
        counted = scored(scores.errors)
        if len(counted) != own["clips"]:
            raise UserError(
                f"{place}.clips is {own['clips']}, but {len(counted)} clips have texts; the files "
                "are of two builds, run dvc repro"
            )
        total = sum((each for each in scores.errors if each and each.reference), Errors())
        check_rate(own["wer"][spelling]["rate"], total.rate, f"{place}.wer.{spelling}")
        wrong = sum(scores.character_errors[index] or 0 for index in counted)
        length = sum(characters[spelling][index] for index in counted)
        check_rate(own["cer"][spelling]["rate"], wrong / length, f"{place}.cer.{spelling}")


def report_entry(own: Mapping[str, Any], name: str, spelling: str) -> dict[str, Entry]:
    """Return the report's numbers of each language or speaker; it has none by source or length."""
    canonical = spelling == "canonical"  # words are counted in this one
    if name == "language":
        return {
            value: {**part["wer"][spelling], "clips": part["clips"]}
            | ({"units": part["words"]} if canonical else {})
            for value, part in own["languages"].items()
        }
    if name == "speaker" and canonical:
        return {
            value: {"rate": part["wer"], "units": part["words"]}
            for value, part in own.get("by_speaker", {}).items()
        }
    return {}


def extra_rows(report: Mapping[str, Any], model: str) -> list[list[Any]]:
    """Return the further numbers of a report: label, value, interval, and key in the report."""
    parts = {model: ""}
    if model == "tuned":
        parts["tuned_on_the_clips_of_the_base"] = ", clips of the base"
    rows = [
        [
            f"{unit.upper()} {spelling}{suffix}", *(rate[key] for key in ("rate", "low", "high")),
            f"{part}.{unit}.{spelling}.rate",
        ]
        for part, suffix in parts.items()
        for unit in UNITS
        for spelling, rate in report[part][unit].items()
    ]  # fmt: skip
    rows += [
        [label, report[model][key], None, None, f"{model}.{key}"] for key, label in COUNTS.items()
    ]
    language = report["language_recognition"][model]
    gated = report["wordless_sounds"][model]["with_gate"]
    return [
        *rows,
        # These two have clips of their own, so the number of clips above is not theirs.
        [f"share of {language['clips']} clips whose language is found", language["right"],
         None, None, f"language_recognition.{model}.right"],
        [f"share of {gated['clips']} sounds without a word that give one", gated["with_a_word"],
         None, None, f"wordless_sounds.{model}.with_gate.with_a_word"],
    ]  # fmt: skip


def word_model(
    model: str, clips: DashboardClips, references: Mapping[str, Spelled],
    decoded: Mapping[str, DecodedText], report: Mapping[str, Any], file: Path, curves: Path,
    edges: Sequence[int], draws: Draws,
) -> tuple[dict[str, Any], list[Errors | None]]:  # fmt: skip
    """Return a model's part of the document, and its canonical errors of each clip.

    Args:
        model: `base` or `tuned`.
        clips: of the test split.
        references: by normalisation.
        decoded: the model's texts by clip.
        report: of the stage evaluate_whisper.
        file: of the report.
        curves: folder with the training curves of the tuned model.
        edges: the longest utterance of each bin of lengths but the last, in words.
        draws: for intervals that the report does not have.

    Raises:
        UserError: the texts and the report are of two builds.
    """
    own = report[model]
    results = [decoded.get(u.id) for u in clips.utterances]
    texts = [None if each is None else each.text for each in results]
    words = {
        spelling: score_words(side, spelled_texts(clips, texts, spelling))
        for spelling, side in references.items()
    }
    check_report(own, words, character_counts(references), f"{file}: {model}")
    columns: dict[str, dict[str, Any]] = {}
    for spelling, scores in words.items():
        for kind, values in count_columns(spelling, scores.errors).items():
            columns.setdefault(kind, {}).update(values)
    # The geometric mean of the probabilities of a text's tokens.
    probabilities = [None if each is None else math.exp(each.log_prob) for each in results]
    entry = {
        "name": "whisper_base" if model == "base" else f"whisper_{report['run']}",
        "hypotheses": {name: clips.quoted(scores.texts) for name, scores in words.items()},
        "ops": {name: clips.quoted(scores.ops) for name, scores in words.items()},
        **columns,
        "character_errors": {name: scores.character_errors for name, scores in words.items()},
        "confidence": [None if p is None else round(min(1.0, p), 3) for p in probabilities],
        "report": word_report(model, clips, words, report, file, edges, draws),
        "confusion": None,
        "curves": curves_of(curves, "step") if model == "tuned" else [],
    }
    return entry, words["canonical"].errors


def word_report(
    model: str, clips: DashboardClips, words: Mapping[str, ScoredWords],
    report: Mapping[str, Any], file: Path, edges: Sequence[int], draws: Draws,
) -> dict[str, Any]:  # fmt: skip
    """Return what the page shows of a report; the arguments are those of `word_model`."""
    own = report[model]
    groups = {
        spelling: {name: report_entry(own, name, spelling) for name in ("language", "speaker")}
        for spelling in SPELLINGS
    }
    return {
        "file": file.as_posix(),
        "rate": {spelling: word_rate(own, model, spelling) for spelling in SPELLINGS},
        "extra": extra_rows(report, model),
        "by": {
            spelling: rows_by(clips, scores.errors, edges, draws, groups[spelling])
            for spelling, scores in words.items()
        },
        "ece": None,
        "reliability": [],
    }


def word_rate(own: Mapping[str, Any], model: str, spelling: str) -> dict[str, Any]:
    """Return a word error rate of the report with its interval and its key."""
    rate = own["wer"][spelling]
    return {
        "value": rate["rate"], "low": rate["low"], "high": rate["high"],
        "key": f"{model}.wer.{spelling}.rate",
    }  # fmt: skip


def word_task(
    clips: DashboardClips, references: Mapping[str, Spelled], models: Sequence[Mapping[str, Any]],
    report: Mapping[str, Any], file: Path,
) -> dict[str, Any]:  # fmt: skip
    """Return the task of recognising words.

    Args:
        clips: of the test split.
        references: by normalisation.
        models: as `word_model` returns them, the base first.
        report: of the stage evaluate_whisper.
        file: of the report.
    """
    base, tuned = models
    pairs = [
        {
            "a": tuned["name"], "b": base["name"], "normalisation": name,
            **{key: row[key] for key in ("difference", "low", "high", "better_draws")},
            "file": file.as_posix(), "key": f"tuned_minus_base.wer.{name}",
        }
        for name, row in report["tuned_minus_base"]["wer"].items()
    ]  # fmt: skip
    return {
        "name": "words", "unit": "word", "rate": "WER",
        "tie_break": TIE_BREAK,
        "normalisations": [*SPELLINGS],
        "references": {
            name: clips.quoted(texts_of(side)) for name, side in references.items()
        },
        "units": {
            name: [0 if each is None else len(each.words) for each in side]
            for name, side in references.items()
        },
        "characters": character_counts(references),
        "models": [*models],
        "pairs": pairs,
    }  # fmt: skip
