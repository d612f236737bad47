"""Say what the corpus is, prove that no part knows another, and what to record next.

    python -m stages.corpus.audit data/corpus/inventory.csv data/corpus/quarantined.csv \
        data/corpus/refused.csv data/audio data/splits/left_out.csv data/splits/train.jsonl \
        data/splits/valid.jsonl data/splits/test.jsonl reports/corpus.json \
        --page reports/corpus.md --picture reports/corpus.png

Reads   every table on the way from files to parts, the parts, and the sound in the shards
Writes  corpus.json: counts, parts, phones, leakage, recommendations; the same as a page, and drawn
Params  audit

Leakage is found anew from the data, not taken from the stage that split it: by name, by family, by
text and by ear. Every file is counted once: in a part, or with the reason why it is in none;
numbers that don't add up are an error. No speaker, session or clip is named in what is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json, write_text
from fonoteka.core.params import load
from fonoteka.corpus.corpus import (
    INDEX_COLUMNS,
    INVENTORY_COLUMNS,
    QUARANTINE_COLUMNS,
    REFUSED_COLUMNS,
)
from fonoteka.manifest import read
from fonoteka.tables import Row, read_table
from stages.corpus.audit.advice import Limits, recommendations
from stages.corpus.audit.figure import picture
from stages.corpus.audit.leakage import Parts
from stages.corpus.audit.numbers import counts, part_summary, phone_counts
from stages.corpus.audit.page import page
from stages.corpus.audit.proof import Evidence, prove

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class AuditParams:
    """Section `audit`.

    Attributes:
        shared_sentences: `refuse` a sentence that is in two parts, or `report` how many are.
        same_sentences: corpora whose speakers all say the same; there it is reported in any case.
        same_recording_correlation: 0 to 1, of two waveforms that count as one recording.
        min_test_speakers: of a language; fewer are a recommendation, as are the next four.
        min_train_tokens: of a phone.
        min_test_tokens: of a phone.
        min_snr_db: speech over noise, of half the clips of a part.
        min_level_dbfs: RMS, of half the clips of a part.
        dpi: of the picture.
    """

    shared_sentences: str
    same_sentences: tuple[str, ...]
    same_recording_correlation: float
    min_test_speakers: int
    min_train_tokens: int
    min_test_tokens: int
    min_snr_db: float
    min_level_dbfs: float
    dpi: int

    def __post_init__(self) -> None:
        """Refuse a word that is neither, and a correlation that none or all would reach."""
        if self.shared_sentences not in ("refuse", "report"):
            raise UserError(
                f"audit.shared_sentences must be refuse or report, found {self.shared_sentences!r}"
            )
        if not 0 < self.same_recording_correlation < 1:
            raise UserError(
                f"audit.same_recording_correlation must be between 0 and 1, found "
                f"{self.same_recording_correlation}"
            )

    @property
    def limits(self) -> Limits:
        """Below which numbers something is to be recorded."""
        return Limits(
            self.min_test_speakers, self.min_train_tokens, self.min_test_tokens, self.min_snr_db,
            self.min_level_dbfs,
        )  # fmt: skip


@dataclass(frozen=True)
class Paths:
    """Where the stage reads; `parts` maps each of `PARTS` to its manifest."""

    inventory: Path
    quarantined: Path
    refused: Path
    audio: Path
    left_out: Path
    parts: Mapping[str, Path]


@dataclass(frozen=True)
class Outputs:
    """Where the stage writes."""

    report: Path
    page: Path
    picture: Path


@dataclass(frozen=True)
class Tables:
    """What the stages before left behind, as they wrote it."""

    inventory: list[Row]
    quarantined: list[Row]
    refused: list[Row]
    index: list[Row]
    left_out: list[Row]


def whereabouts(tables: Tables, parts: Parts) -> dict[str, Any]:
    """Return how many files there are and how many left the way to the parts, by reason.

    A text that was refused counts as refused, whatever happened to its sound.

    Raises:
        ValueError: a file is nowhere or twice, because the tables are of different runs.
    """
    files = {row["id"] for row in tables.inventory}
    accepted = files - {row["id"] for row in tables.quarantined}
    spelled = accepted - {row["id"] for row in tables.refused}
    problems = {row["id"]: row["problem"] for row in tables.index}
    reasons = {key: problems.get(key, "not in the index") for key in sorted(spelled)}
    kept = {key for key, problem in reasons.items() if not problem}
    left_out = {row["id"]: row["reason"] for row in tables.left_out}
    in_parts = [utterance.id for rows in parts.values() for utterance in rows]
    if astray := sorted(kept ^ {*in_parts, *left_out}) or sorted({*in_parts} & {*left_out}):
        raise UserError(
            f"{len(astray)} clips are in a part and in no table or the other way round, first "
            f"{astray[0]!r}; the files are of different runs: run dvc repro"
        )
    return {
        "files": len(files),
        "accepted": len(accepted),
        "quarantined": counts(row["problem"] for row in tables.quarantined),
        "refused": counts(row["reason"] for row in tables.refused),
        "dropped_in_preprocessing": counts(problem for problem in reasons.values() if problem),
        "left_out_of_parts": counts(left_out.values()),
    }


def run(paths: Paths, outputs: Outputs, params: AuditParams, workers: int) -> None:
    """Write the report, its page and its picture. A leak writes nothing."""
    tables = Tables(
        read_table(paths.inventory, INVENTORY_COLUMNS),
        read_table(paths.quarantined, QUARANTINE_COLUMNS),
        read_table(paths.refused, REFUSED_COLUMNS),
        read_table(paths.audio / "index.csv", INDEX_COLUMNS),
        read_table(paths.left_out, ("id", "reason")),
    )
    parts = {part: read(paths.parts[part]) for part in PARTS}
    inventory = {row["id"]: row for row in tables.inventory}
    index = {row["id"]: row for row in tables.index}
    evidence = Evidence(parts, inventory, index, paths.audio, workers)
    with threadpool_limits(1):  # the shards are heard side by side, each in one thread
        leakage = prove(
            evidence, params.shared_sentences, params.same_sentences,
            params.same_recording_correlation,
        )  # fmt: skip
    found = whereabouts(tables, parts)
    found["leakage"] = leakage
    found["parts"] = {part: part_summary(rows, inventory) for part, rows in parts.items()}
    found["phones"] = phone_counts(parts)
    found["recommendations"] = recommendations(found, params.limits)
    write_text(outputs.page, page(found, outputs.picture.name))
    picture(found, parts, inventory, params.min_train_tokens, outputs.picture, params.dpi)
    write_json(outputs.report, found)
    print(f"audit: {found['files']} files, {found['accepted']} accepted, {found['leakage']}")
    for line in found["recommendations"]:
        print(f"audit: {line}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "quarantined", "refused", "audio", "left_out", *PARTS, "report"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    given = parser.parse_args()
    paths = Paths(
        given.inventory, given.quarantined, given.refused, given.audio, given.left_out,
        {part: getattr(given, part) for part in PARTS},
    )  # fmt: skip
    outputs = Outputs(given.report, given.page, given.picture)
    run(paths, outputs, load("audit", AuditParams), worker_count())
