"""The document of a dashboard: everything that the page shows, as one JSON value.

Numbers of reports are copied and never computed again by another formula. What changes with the
filters of the page is computed in the page from the counts of single clips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.manifest import PARTS
from fonoteka.reporting.dashboard.clips import DashboardClips, Privacy, clip_columns, clips_of
from fonoteka.reporting.dashboard.corpus_part import Splits, corpus_part
from fonoteka.reporting.dashboard.group_rates import Draws
from fonoteka.reporting.dashboard.phone_task import decode_clips, phone_model, phone_task
from fonoteka.reporting.dashboard.word_task import word_model, word_task
from fonoteka.reporting.dashboard.word_texts import MODELS, decoded_texts, references_of
from fonoteka.scoring.error_rate import Errors

FORMAT = 1
ClipErrors = list[Sequence[Errors | None]]
"""The errors of each clip, for each model; those of words are of canonical text."""


@dataclass(frozen=True)
class DashboardInputs:
    """What a dashboard is made of.

    Attributes:
        splits: the utterances of train, valid and test.
        measures: `snr_db` and `level_dbfs` of recordings, by id.
        posteriors: folder with a folder per model.
        texts: what Whisper decoded, JSON lines; None for a run without words.
        metrics: folder with a report per model.
        comparison: reports/comparison.json.
        words: the report of Whisper; None for a run without words.
        corpus: reports/corpus.json.
        curves: folder with a folder of curves per model, and `whisper`.
    """

    splits: Splits
    measures: Mapping[str, Mapping[str, float]]
    posteriors: Path
    texts: Path | None
    metrics: Path
    comparison: Path
    words: Path | None
    corpus: Path
    curves: Path


@dataclass(frozen=True)
class DocumentParams:
    """How a document is made.

    Attributes:
        title: of the page.
        models: recognisers of phones, in their order.
        word_lengths: longest utterance of each bin but the last, in words.
        histogram_bins: at most so many.
        draws: for intervals that no report has.
    """

    title: str
    models: tuple[str, ...]
    word_lengths: tuple[int, ...]
    histogram_bins: int
    draws: Draws


def note_of(clips: DashboardClips) -> str:
    """Return one sentence on the test split."""
    rows = clips.utterances
    synthetic = sum(u.synthetic for u in rows)
    kind = "recorded" if not synthetic else "synthetic" if synthetic == len(rows) else "mixed"
    languages = ", ".join(sorted({u.language for u in rows}))
    sources = ", ".join(sorted({u.source for u in rows}))
    return (
        f"Test split: {len(rows)} clips of {kind} speech by {len(set(clips.speakers))} unseen "
        f"speakers in {languages}, from {sources}."
    )


def phones_of(
    clips: DashboardClips, inputs: DashboardInputs, params: DocumentParams
) -> tuple[dict[str, Any], ClipErrors]:
    """Return the task of phones, and the errors of each model."""
    entries: list[dict[str, Any]] = []
    errors: ClipErrors = []
    for name in params.models:
        file = inputs.metrics / f"{name}.json"
        report = read_json(file)
        decoded = decode_clips(clips, inputs.posteriors / name)
        curves = inputs.curves / name
        entries.append(phone_model(name, clips, decoded, report, file, curves, params.draws))
        errors.append(decoded.errors)
    task = phone_task(clips, entries, read_json(inputs.comparison), inputs.comparison)
    return task, errors


def words_of(
    clips: DashboardClips, inputs: DashboardInputs, params: DocumentParams
) -> tuple[dict[str, Any], ClipErrors]:
    """Return the task of words, and the canonical errors of each model."""
    assert inputs.texts is not None
    assert inputs.words is not None
    report, texts = read_json(inputs.words), decoded_texts(clips, inputs.texts)
    references = references_of(clips)
    results = [
        word_model(
            model, clips, references, texts[model], report, inputs.words, inputs.curves / "whisper",
            params.word_lengths, params.draws,
        )
        for model in MODELS
    ]  # fmt: skip
    entries = [entry for entry, _ in results]
    task = word_task(clips, references, entries, report, inputs.words)
    return task, [errors for _, errors in results]


def document_of(
    inputs: DashboardInputs, params: DocumentParams, privacy: Privacy
) -> tuple[dict[str, Any], DashboardClips, ClipErrors]:
    """Return the document without audio, its clips, and the errors of each model.

    Args:
        inputs: of one build.
        params: how.
        privacy: what may be shown.

    Raises:
        UserError: an input is missing, or two are not of one build.
    """
    clips = clips_of(inputs.splits["test"], privacy)
    tasks, errors = [], []
    task, own = phones_of(clips, inputs, params)
    tasks.append(task)
    errors += own
    if (inputs.words is None) != (inputs.texts is None):
        raise UserError("give both the report and the texts of Whisper, or neither")
    if inputs.words is not None:
        task, own = words_of(clips, inputs, params)
        tasks.append(task)
        errors += own
    corpus = corpus_part(
        read_json(inputs.corpus), inputs.corpus, {part: inputs.splits[part] for part in PARTS},
        clips, inputs.measures, params.histogram_bins,
    )  # fmt: skip
    document = {
        "format": FORMAT,
        "title": params.title,
        "note": note_of(clips),
        "clips": clip_columns(clips, inputs.measures["snr_db"]),
        "tasks": tasks,
        "corpus": corpus,
    }
    return document, clips, errors
