"""Describe the corpus, check that splits share nothing, and recommend what to record next.

    python -m stages.corpus.audit data/corpus/inventory.csv data/corpus/quarantined.csv \
        data/corpus/refused.csv data/audio data/splits/left_out.csv data/splits/train.jsonl \
        data/splits/valid.jsonl data/splits/test.jsonl reports/corpus.json \
        --voices data/corpus/voices --speakers data/splits/speakers.csv \
        --page reports/corpus.md --picture reports/corpus.png

Reads   the tables of all earlier stages, the splits, the audio in the shards, and the vectors of
        the speakers' voices
Writes  corpus.json: counts, splits, phones, leakage, voices, recommendations; the same as a page
        and as a picture
Params  audit, audit_voices, privacy

Leakage is searched in the data and not taken from the stage `split`, so that a fault of that stage
is found: by name, parent, text and waveform; and names whose voices do not fit are looked for.
Every file is counted once, in a split or with the reason why it is not in one, and a sum that
differs is an error. The outputs name no session, no clip and, unless `privacy.name_people` is true,
no person.
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
from fonoteka.manifest import PARTS, read
from fonoteka.pseudonyms import PrivacyParams, pseudonyms_of
from fonoteka.tables import Row, read_table
from fonoteka.voices.compare_voices import AuditVoicesParams
from fonoteka.voices.store import read_voices
from stages.corpus.audit.advice import AdviceLimits, recommendations
from stages.corpus.audit.figure import picture
from stages.corpus.audit.leakage import Parts
from stages.corpus.audit.numbers import counts, part_summary, phone_counts
from stages.corpus.audit.page import page
from stages.corpus.audit.proof import AuditData, check_leakage
from stages.corpus.audit.voices import check_voices


@dataclass(frozen=True)
class AuditParams:
    """Section `audit`.

    Attributes:
        shared_sentences: `refuse` a sentence that is in two splits, or `report` how many are.
        same_sentences: corpora whose speakers read the same sentences; there it is only reported.
        same_recording_correlation: 0 to 1; waveforms that reach it count as one recording.
        min_test_speakers: per language; fewer give a recommendation, as in the next four.
        min_train_tokens: per phone.
        min_test_tokens: per phone.
        min_snr_db: signal-to-noise ratio, median of a split.
        min_level_dbfs: RMS, median of a split.
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
        """Raise for an unknown word, and for a correlation that no or every pair would reach."""
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
    def limits(self) -> AdviceLimits:
        """The numbers below which something should be recorded."""
        return AdviceLimits(
            self.min_test_speakers, self.min_train_tokens, self.min_test_tokens, self.min_snr_db,
            self.min_level_dbfs,
        )  # fmt: skip


@dataclass(frozen=True)
class AuditPaths:
    """The files that the stage reads; `parts` maps each of `PARTS` to its manifest."""

    inventory: Path
    quarantined: Path
    refused: Path
    audio: Path
    left_out: Path
    voices: Path
    speakers: Path
    parts: Mapping[str, Path]


@dataclass(frozen=True)
class AuditOutputs:
    """The files that the stage writes."""

    report: Path
    page: Path
    picture: Path


@dataclass(frozen=True)
class CorpusTables:
    """The tables of the earlier stages."""

    inventory: list[Row]
    quarantined: list[Row]
    refused: list[Row]
    index: list[Row]
    left_out: list[Row]


def count_files(tables: CorpusTables, parts: Parts) -> dict[str, Any]:
    """Return the number of files, and how many each stage left out, by reason.

    A clip whose text was refused counts as refused, whether or not its audio was prepared.

    Raises:
        UserError: a file is missing or counted twice, because the tables are of different runs.
    """
    # Each set is what the stage passes on; the tables must agree on it to the last clip.
    files = {row["id"] for row in tables.inventory}
    accepted = files - {row["id"] for row in tables.quarantined}
    spelled = accepted - {row["id"] for row in tables.refused}
    problems = {row["id"]: row["problem"] for row in tables.index}
    reasons = {id_: problems.get(id_, "not in the index") for id_ in sorted(spelled)}
    prepared = {id_ for id_, problem in reasons.items() if not problem}
    left_out = {row["id"]: row["reason"] for row in tables.left_out}
    in_parts = [utterance.id for rows in parts.values() for utterance in rows]
    if unexplained := sorted(prepared ^ {*in_parts, *left_out}) or sorted(
        {*in_parts} & {*left_out}
    ):
        raise UserError(
            f"{len(unexplained)} clips are in a split and in a table of removed clips, or in "
            f"neither, first {unexplained[0]!r}; the files are of different runs: run dvc repro"
        )
    return {
        "files": len(files),
        "accepted": len(accepted),
        "quarantined": counts(row["problem"] for row in tables.quarantined),
        "refused": counts(row["reason"] for row in tables.refused),
        "dropped_in_preprocessing": counts(problem for problem in reasons.values() if problem),
        "left_out_of_parts": counts(left_out.values()),
    }


@dataclass(frozen=True)
class AuditSections:
    """The sections of the parameters that the stage loads."""

    audit: AuditParams
    voices: AuditVoicesParams
    privacy: PrivacyParams


def shown_names(parts: Parts, speakers: Path, privacy: PrivacyParams) -> dict[str, str]:
    """Return the name of each speaker in files in git: that of a person may be a pseudonym.

    Raises:
        UserError: a speaker is not in the table of all speakers.
    """
    names = {row.speaker for rows in parts.values() for row in rows}
    machines = {row.speaker for rows in parts.values() for row in rows if row.synthetic}
    people = set() if privacy.name_people else names - machines
    return {name: name for name in names} | pseudonyms_of(people, speakers)


def run(paths: AuditPaths, outputs: AuditOutputs, sections: AuditSections, workers: int) -> None:
    """Write the report, its page and its picture. A leak writes nothing."""
    params = sections.audit
    tables = CorpusTables(
        read_table(paths.inventory, INVENTORY_COLUMNS),
        read_table(paths.quarantined, QUARANTINE_COLUMNS),
        read_table(paths.refused, REFUSED_COLUMNS),
        read_table(paths.audio / "index.csv", INDEX_COLUMNS),
        read_table(paths.left_out, ("id", "reason")),
    )
    parts = {part: read(paths.parts[part]) for part in PARTS}
    inventory = {row["id"]: row for row in tables.inventory}
    index = {row["id"]: row for row in tables.index}
    data = AuditData(parts, inventory, index, paths.audio, workers)
    with threadpool_limits(1):  # the shards are decoded in parallel, each in one thread
        leakage = check_leakage(
            data, params.shared_sentences, params.same_sentences,
            params.same_recording_correlation,
        )  # fmt: skip
    voices, nearest = check_voices(
        read_voices(paths.voices), parts, sections.voices,
        shown_names(parts, paths.speakers, sections.privacy),
    )  # fmt: skip
    report = count_files(tables, parts)
    report["leakage"] = leakage
    report["voices"] = voices
    report["parts"] = {part: part_summary(rows, inventory) for part, rows in parts.items()}
    report["phones"] = phone_counts(parts)
    report["recommendations"] = recommendations(report, params.limits)
    write_text(outputs.page, page(report, outputs.picture.name))
    picture(report, parts, inventory, nearest, params.min_train_tokens, outputs.picture, params.dpi)
    write_json(outputs.report, report)
    print(f"audit: {report['files']} files, {report['accepted']} accepted, {report['leakage']}")
    for line in report["recommendations"]:
        print(f"audit: {line}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "quarantined", "refused", "audio", "left_out", *PARTS, "report"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--voices", type=Path, required=True)
    parser.add_argument("--speakers", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    args = parser.parse_args()
    paths = AuditPaths(
        args.inventory, args.quarantined, args.refused, args.audio, args.left_out,
        args.voices, args.speakers, {part: getattr(args, part) for part in PARTS},
    )  # fmt: skip
    outputs = AuditOutputs(args.report, args.page, args.picture)
    sections = AuditSections(
        load("audit", AuditParams), load("audit_voices", AuditVoicesParams),
        load("privacy", PrivacyParams),
    )  # fmt: skip
    run(paths, outputs, sections, worker_count())
