"""Write a corpus from untranscribed recordings, with texts by Whisper that are mostly right.

Reads   a folder with audio and a table; a second one whose table also has the texts, of speakers
        that are not in the first
Writes  a corpus: corpus.json, metadata.csv with `source` and `confidence` per clip, the audio,
        report.json, and left_out.txt with the reason of each recording that was not retained

The score of a clip is the probability of its tokens, their geometric mean. The threshold on it has
the wanted precision on the second folder: the share of texts whose canonical form is right.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_json
from fonoteka.corpus.corpus import CARD, TABLE, TABLE_COLUMNS, Card, check_corpus_name
from fonoteka.pseudo_labels import Verdict, rows_in, verdicts
from fonoteka.self_training.head_labels import ORIGIN
from fonoteka.self_training.threshold import ConfidenceThreshold, choose_threshold
from fonoteka.tables import Row, write_table
from fonoteka.text.normalizer import normalize
from fonoteka.text.rule import SpellingError
from fonoteka.whisper.model_folder import open_model_folder

REPORT, LEFT_OUT = "report.json", "left_out.txt"
NO_LIMIT = float("-inf")  # of the log probability: the threshold is chosen here, on the scores


@dataclass(frozen=True)
class PathColumns:
    """Names of columns of both tables.

    Attributes:
        path: of the recording, relative to the folder.
        speaker: of the recording; every row needs one.
        text: of the labelled folder.
    """

    path: str = "path"
    speaker: str = "speaker"
    text: str = "text"


def score_of(verdict: Verdict) -> float:
    """Return the geometric mean of the probabilities of a text's tokens, 0 to 1.

    >>> score_of(Verdict("da", -0.6931471805599453, ""))
    0.5
    """
    return round(min(1.0, exp(verdict.log_prob)), 6)


def same_text(first: str, second: str, language: str) -> bool:
    """Return whether two texts have one canonical form; a text without one equals none.

    >>> same_text("Da, ne!", "da ne", "hr"), same_text("?", "?", "hr")
    (True, False)
    """
    try:
        return normalize(first, language) == normalize(second, language)
    except SpellingError:
        return False


def threshold_of(
    rows: Sequence[Row], results: Sequence[Verdict], columns: PathColumns, language: str,
    precision: float,
) -> ConfidenceThreshold:  # fmt: skip
    """Return the threshold for labelled recordings with their transcripts by Whisper.

    A recording that Whisper gives no usable text is not counted: the same rule leaves such
    recordings out later.
    """
    usable = [(row, v) for row, v in zip(rows, results, strict=True) if not v.reason]
    return choose_threshold(
        [score_of(verdict) for _, verdict in usable],
        [same_text(row[columns.text], verdict.text, language) for row, verdict in usable],
        precision,
    )


def run(
    folder: Path, labelled: Path, out: Path, model: Path, language: str, card: Card,
    precision: float, columns: PathColumns,
) -> None:  # fmt: skip
    """Write the corpus of confident transcripts, and print the counts.

    Raises:
        UserError: a folder has no usable table, a speaker is in both, the corpus exists, no
            threshold has the precision, or no recording is kept.
    """
    check_corpus_name(out.name, str(out))
    if out.exists():
        raise UserError(f"{out}: exists already; name a new folder")
    rows, references = (
        _rows(path, columns, text) for path, text in ((folder, False), (labelled, True))
    )
    speakers = {row[columns.speaker] for row in rows}
    if shared := sorted(speakers & {row[columns.speaker] for row in references}):
        raise UserError(f"{labelled}: speaker {shared[0]!r} is in {folder} too; remove the rows")
    whisper = open_model_folder(model)
    whisper.model.rules.prompt(language)  # refuses an unknown language before a recording is read
    pairs = ((folder, rows), (labelled, references))
    results, reference_results = (
        [*verdicts(whisper, [place / row[columns.path] for row in table], language, NO_LIMIT)]
        for place, table in pairs
    )
    threshold = threshold_of(references, reference_results, columns, language, precision)
    retained, left_out = selected(rows, results, threshold, columns, language, f"{model.name}")
    if not retained:
        raise UserError(f"{folder}: none of {len(rows)} recordings is confident enough")
    for row in retained:
        row["source"] += f"; {card.source}"
    with atomic_folder(out) as part:
        for row in retained:
            target = part / row["path"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / row["path"], target)
        write_table(part / TABLE, (*TABLE_COLUMNS, "session", "licence", "source", "confidence"),
                    [row | {"licence": card.licence} for row in retained])  # fmt: skip
        write_table(part / LEFT_OUT, ("path", "text", "reason"), left_out)
        write_json(part / CARD, {
            "name": out.name, "licence": card.licence, "source": f"{ORIGIN}: {card.source}",
            "synthetic": card.synthetic,
        })  # fmt: skip
        expected = sum(float(row["confidence"]) for row in retained) / len(retained)
        write_json(part / REPORT, {
            "expected_precision": round(expected, 4), "kept": len(retained),
            "left_out": len(left_out), "threshold": threshold.summary(),
        })  # fmt: skip
    print(f"self-train: {len(retained)} retained, {len(left_out)} left out, in {out}")


def selected(
    rows: Sequence[Row], results: Sequence[Verdict], threshold: ConfidenceThreshold,
    columns: PathColumns, language: str, model: str,
) -> tuple[list[Row], list[Row]]:  # fmt: skip
    """Return the rows of metadata.csv of confident transcripts, and the others with a reason."""
    retained: list[Row] = []
    left_out: list[Row] = []
    for row, verdict in zip(rows, results, strict=True):
        score = score_of(verdict)
        reason = verdict.reason
        if not reason and score < threshold.score:
            reason = f"score {score:.3f} is below the threshold {threshold.score:.3f}"
        if reason:
            left_out.append({"path": row[columns.path], "text": verdict.text, "reason": reason})
            continue
        confidence = f"{threshold.confidence([score])[0]:.4f}"
        values: Mapping[str, str] = {
            "path": row[columns.path], "text": verdict.text, "speaker": row[columns.speaker],
            "language": language, "session": row.get("session", ""), "confidence": confidence,
            "source": f"{ORIGIN}: text by {model}, confidence {confidence}",
        }  # fmt: skip
        retained.append(dict(values))
    return retained, left_out


def _rows(folder: Path, columns: PathColumns, with_text: bool) -> list[Row]:
    """Return the rows of a folder's table.

    Args:
        folder: a folder with one table, or a corpus, as `harvest` and `corpus add` write it.
        columns: their names.
        with_text: whether each row needs a text; else no row may have one.

    Raises:
        UserError: as `rows_in`, or a row has a text that would be lost.
    """
    needed = [columns.path, columns.speaker, *([columns.text] if with_text else [])]
    table, rows = rows_in(folder, needed)
    texts = [row[columns.path] for row in rows if row.get(columns.text)]
    if not with_text and texts:
        raise UserError(
            f"{table}: {len(texts)} of {len(rows)} recordings have a text, the first is "
            f"{texts[0]}; give only recordings without one"
        )
    return rows
