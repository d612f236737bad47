"""Say what the corpus is, prove that no part knows another, and what to record next.

    python -m stages.corpus.audit data/corpus/inventory.csv data/corpus/quarantined.csv \
        data/corpus/refused.csv data/audio/index.csv data/splits/train.jsonl \
        data/splits/valid.jsonl data/splits/test.jsonl reports/corpus.json

Reads   every table on the way from files to parts, and the parts
Writes  corpus.json: counts, parts, phones, leakage, recommendations
Params  audit

Leakage is found anew from the data, not taken from the stage that split it. Every file is counted
once: in a part, or with the reason why it is in none; numbers that don't add up are an error.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.common.cli import stage
from stages.common.corpora import (
    INDEX_COLUMNS,
    INVENTORY_COLUMNS,
    QUARANTINE_COLUMNS,
    REFUSED_COLUMNS,
)
from stages.common.files import write_json
from stages.common.leakage import leakage
from stages.common.manifest import Utterance, read
from stages.common.params import load
from stages.common.phones import ENGLISH_ONLY, LETTERS, SOUTH_SLAVIC
from stages.common.tables import Row, read_table

PARTS = ("train", "valid", "test")
Parts = Mapping[str, Sequence[Utterance]]


@dataclass(frozen=True)
class AuditParams:
    """Section `audit`.

    Attributes:
        shared_sentences: `refuse` a sentence that is in two parts, or `report` how many are.
        min_test_speakers: of a language; fewer are a recommendation.
        min_train_tokens: of a phone; fewer are a recommendation.
        min_test_tokens: of a phone; fewer are a recommendation.
    """

    shared_sentences: str
    min_test_speakers: int
    min_train_tokens: int
    min_test_tokens: int

    def __post_init__(self) -> None:
        """Refuse a word that is neither."""
        if self.shared_sentences not in ("refuse", "report"):
            raise ValueError(
                f"audit.shared_sentences must be refuse or report, found {self.shared_sentences!r}"
            )


@dataclass(frozen=True)
class TablePaths:
    """Where the tables lie; written by inventory, dedupe, normalize and preprocess."""

    inventory: Path
    quarantined: Path
    refused: Path
    index: Path


@dataclass(frozen=True)
class Tables:
    """What the stages before left behind, as they wrote it."""

    inventory: list[Row]
    quarantined: list[Row]
    refused: list[Row]
    index: list[Row]


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
    in_parts = {utterance.id for rows in parts.values() for utterance in rows}
    if astray := sorted(kept ^ in_parts):
        raise ValueError(
            f"{len(astray)} clips are in a part and in no table or the other way round, first "
            f"{astray[0]!r}; the files are of different runs: run dvc repro"
        )
    return {
        "files": len(files),
        "accepted": len(accepted),
        "quarantined": _counts(row["problem"] for row in tables.quarantined),
        "refused": _counts(row["reason"] for row in tables.refused),
        "dropped_in_preprocessing": _counts(problem for problem in reasons.values() if problem),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def part_summary(rows: Sequence[Utterance]) -> dict[str, Any]:
    """Return how much there is in one part, in all and for each language; times in hours."""
    languages = {
        language: _size([u for u in rows if u.language == language])
        for language in sorted({u.language for u in rows})
    }
    return _size(rows) | {
        "languages": languages,
        "synthetic_hours": _hours([u for u in rows if u.synthetic]),
        "with_phone_times": sum(u.phone_times_s is not None for u in rows),
        "phones": sum(len(u.phones) for u in rows),
    }


def _size(rows: Sequence[Utterance]) -> dict[str, Any]:
    return {
        "utterances": len(rows),
        "hours": _hours(rows),
        "speakers": len({u.speaker for u in rows}),
    }


def _hours(rows: Sequence[Utterance]) -> float:
    return round(math.fsum(u.duration_s for u in rows) / 3600, 4)


def phone_counts(parts: Parts) -> dict[str, dict[str, int]]:
    """Return how often each phone is in each part: those heard, and those its languages have."""
    counts = {part: Counter(p for u in rows for p in u.phones) for part, rows in parts.items()}
    languages = {u.language for rows in parts.values() for u in rows}
    expected = {phone for counter in counts.values() for phone in counter}
    if languages & set(SOUTH_SLAVIC):
        expected |= set(LETTERS.values())
    if "en" in languages:
        expected |= set(ENGLISH_ONLY)
    return {p: {part: counts[part][p] for part in parts} for p in sorted(expected)}


def recommendations(report: Mapping[str, Any], params: AuditParams) -> list[str]:
    """Return what to record next, in plain words, from the finished counts."""
    parts, advice = report["parts"], []
    for language in sorted({name for part in parts.values() for name in part["languages"]}):
        found = parts["test"]["languages"].get(language, {"speakers": 0})["speakers"]
        if found < params.min_test_speakers:
            advice.append(
                f"record more speakers of {language}: {found} are in test, and with fewer than "
                f"{params.min_test_speakers} its scores say little about another voice"
            )
        if language not in parts["train"]["languages"]:
            advice.append(f"record {language} for train: it is tested or validated only")
    limits = (("train", params.min_train_tokens), ("test", params.min_test_tokens))
    for part, least in limits:
        rare = [f"{p} {n[part]}" for p, n in report["phones"].items() if n[part] < least]
        if rare:
            advice.append(
                f"record texts with these phones, heard fewer than {least} times in {part}: "
                f"{', '.join(rare)}"
            )
    machine = [part for part, n in parts.items() if n["synthetic_hours"] == n["hours"]]
    if machine:
        advice.append(f"record people for {', '.join(machine)}: a machine spoke all of it")
    return advice


def run(
    paths: TablePaths, manifests: Mapping[str, Path], report: Path, params: AuditParams
) -> None:
    """Write the report; `manifests` maps each of `PARTS` to its path. A leak writes nothing."""
    tables = Tables(
        read_table(paths.inventory, INVENTORY_COLUMNS),
        read_table(paths.quarantined, QUARANTINE_COLUMNS),
        read_table(paths.refused, REFUSED_COLUMNS),
        read_table(paths.index, INDEX_COLUMNS),
    )
    parts = {part: read(manifests[part]) for part in PARTS}
    found = whereabouts(tables, parts)
    pcm = {row["id"]: row["pcm_sha256"] for row in tables.inventory}
    found["leakage"] = leakage(parts, pcm, params.shared_sentences)
    found["parts"] = {part: part_summary(rows) for part, rows in parts.items()}
    found["phones"] = phone_counts(parts)
    found["recommendations"] = recommendations(found, params)
    write_json(report, found)
    print(f"audit: {found['files']} files, {found['accepted']} accepted, {found['leakage']}")
    for line in found["recommendations"]:
        print(f"audit: {line}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("inventory", "quarantined", "refused", "index", *PARTS, "report"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    paths = {part: getattr(given, part) for part in PARTS}
    tables = TablePaths(given.inventory, given.quarantined, given.refused, given.index)
    run(tables, paths, given.report, load("audit", AuditParams))


if __name__ == "__main__":
    stage(main)
