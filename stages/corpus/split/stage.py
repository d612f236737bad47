"""Assign every speaker to one split: train, valid or test.

    python -m stages.corpus.split data/corpus/transcripts.jsonl data/corpus/inventory.csv \
        data/audio/index.csv data/splits/train.jsonl data/splits/valid.jsonl \
        data/splits/test.jsonl --speakers data/splits/speakers.csv \
        --left-out data/splits/left_out.csv [--table data/speakers.csv]

Reads   the manifest; the parents of clips in the inventory; optionally a table with the columns
        speaker and part
Writes  three manifests, sorted by id; the split of each speaker with the reason; the utterances
        that are left out with the reason
Params  split

A speaker is never in two splits, because a score on a voice of the training data would measure
memory. Speakers who share a session, a recording or an augmented copy stay together. The split is
drawn from names alone; `assign` describes what can move an earlier speaker. A test sentence is left
out of the training data. If that would remove too much, it is an error. Corpora whose speakers read
the same sentences are named in `split.same_sentences`, and the audit counts their sentences.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.params import load
from fonoteka.manifest import PARTS, Utterance, read, write
from fonoteka.tables import Row, read_numbered, read_table, write_table
from stages.corpus.split.assign import Assignment, SplitParams, assign_splits
from stages.corpus.split.speaker_groups import speaker_groups

SPEAKER_COLUMNS = (
    "speaker", "part", "drawn", "why", "together", "ties", "languages", "utterances", "hours",
)  # fmt: skip
LEFT_OUT_COLUMNS = ("id", "reason", "detail")


@dataclass(frozen=True)
class SplitPaths:
    """The files that the stage reads and writes; `parts` maps each of `PARTS` to its manifest."""

    manifest: Path
    inventory: Path
    parts: Mapping[str, Path]
    speakers: Path
    left_out: Path
    table: Path | None = None


def read_parts(path: Path, corpora: Iterable[str]) -> dict[str, str]:
    """Return speaker to split from a table of speakers, for the used corpora.

    Raises:
        UserError: a split is unknown, or a speaker is in two rows.
    """
    corpus_names = set(corpora)
    lines: dict[str, int] = {}
    parts: dict[str, str] = {}
    for number, row in read_numbered(path, ("speaker", "part")):
        speaker, part = row["speaker"].strip(), row["part"].strip()
        if part not in PARTS:
            raise UserError(
                f"{path}:{number}: {speaker} has the part {part!r}; expected one of {list(PARTS)}"
            )
        if speaker in lines:
            raise UserError(
                f"{path}:{number}: speaker {speaker!r} is already on line {lines[speaker]}"
            )
        lines[speaker] = number
        if speaker.partition("/")[0] in corpus_names:
            parts[speaker] = part
    return parts


def split(
    utterances: Iterable[Utterance], assignments: Iterable[Assignment]
) -> dict[str, list[Utterance]]:
    """Return the utterances of each split."""
    part_of = {
        speaker: assignment.part
        for assignment in assignments
        for speaker in assignment.group.speakers
    }
    parts: dict[str, list[Utterance]] = {part: [] for part in PARTS}
    for utterance in utterances:
        parts[part_of[utterance.speaker]].append(utterance)
    return parts


def without_known_sentences(
    parts: Mapping[str, Sequence[Utterance]], params: SplitParams
) -> tuple[dict[str, list[Utterance]], list[Row]]:
    """Return the splits without sentences of a later split, and rows for the removed utterances.

    Test stays whole: train loses the sentences of valid and test, valid those of test. Corpora in
    `same_sentences` lose nothing, and their sentences are not removed elsewhere.

    Raises:
        UserError: more than `max_left_out_fraction` of all would be removed, or all of a split.
    """
    # From test to train, so that `later` has the sentences of the splits that must stay whole.
    retained: dict[str, list[Utterance]] = {}
    left_out: list[Row] = []
    later: dict[str, tuple[str, str]] = {}
    for part in reversed(PARTS):
        later_sentences = dict(later)  # a copy: repetitions within one split stay
        retained[part] = []
        for row in sorted(parts[part], key=lambda row: row.id):
            if row.source in params.same_sentences:
                retained[part].append(row)
            elif row.normalized in later_sentences:
                other_part, other_id = later_sentences[row.normalized]
                reason = f"its sentence is in {other_part}"
                left_out.append(
                    {"id": row.id, "reason": reason, "detail": f"same sentence as {other_id}"}
                )
            else:
                retained[part].append(row)
                later.setdefault(row.normalized, (part, row.id))
    total = sum(map(len, parts.values()))
    if len(left_out) > params.max_left_out_fraction * total or not all(retained.values()):
        source = {row.id: row.source for rows in parts.values() for row in rows}
        corpora = dict(Counter(source[row["id"]] for row in left_out).most_common(3))
        raise UserError(
            f"split: to keep sentences apart, {len(left_out)} of {total} utterances would be "
            f"left out ({', '.join(f'{n} of {name}' for name, n in corpora.items())}), more than "
            f"split.max_left_out_fraction {params.max_left_out_fraction} or all of a part; record "
            f"other sentences, or name the corpora in split.same_sentences in params.yaml"
        )
    return retained, sorted(left_out, key=lambda row: row["id"])


def speaker_rows(
    assignments: Iterable[Assignment], parts: Mapping[str, Sequence[Utterance]]
) -> list[Row]:
    """Return one row per speaker, sorted: the split, the drawn split, and why they may differ."""
    by_speaker: dict[str, list[Utterance]] = {}
    for rows in parts.values():
        for row in rows:
            by_speaker.setdefault(row.speaker, []).append(row)
    result = []
    for assignment in assignments:
        for speaker in assignment.group.speakers:
            rows = by_speaker.get(speaker, [])
            hours = math.fsum(row.duration_s for row in rows) / 3600
            values = (
                speaker, assignment.part, assignment.drawn, assignment.reason,
                assignment.group.first, "; ".join(assignment.group.shared),
                " ".join(sorted({row.language for row in rows})),
                str(len(rows)), f"{hours:.4f}",
            )  # fmt: skip
            result.append(dict(zip(SPEAKER_COLUMNS, values, strict=True)))
    return sorted(result, key=lambda row: row["speaker"])


def run(paths: SplitPaths, params: SplitParams) -> None:
    """Write the manifests, the table of speakers and the table of removed utterances."""
    utterances = read(paths.manifest)
    table = {}
    if paths.table is not None:
        table = read_parts(paths.table, {row.source for row in utterances})
    # The inventory has the parents of quarantined clips too, which connect their copies.
    parents = {
        row["id"]: row["parent"]
        for row in read_table(paths.inventory, ("id", "parent"))
        if row["parent"]
    }
    assignments = assign_splits(speaker_groups(utterances, parents), params, table)
    parts = split(utterances, assignments)
    left_out: list[Row] = []
    if params.sentences == "disjoint":
        parts, left_out = without_known_sentences(parts, params)
    for part in PARTS:
        write(paths.parts[part], parts[part])
    write_table(paths.speakers, SPEAKER_COLUMNS, speaker_rows(assignments, parts))
    write_table(paths.left_out, LEFT_OUT_COLUMNS, left_out)
    speakers = {part: len({u.speaker for u in parts[part]}) for part in PARTS}
    summary = ", ".join(f"{part} {len(parts[part])} of {speakers[part]} speakers" for part in PARTS)
    moved = sum(len(a.group.speakers) for a in assignments if a.reason.startswith("for "))
    print(
        f"split: {summary}; {len(left_out)} left out for their sentence; {moved} speakers moved "
        f"so that each part has each language"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("manifest", "inventory", *PARTS):
        parser.add_argument(name, type=Path)
    parser.add_argument("--speakers", type=Path, required=True)
    parser.add_argument("--left-out", type=Path, required=True)
    parser.add_argument("--table", type=Path)
    args = parser.parse_args()
    parts = {part: getattr(args, part) for part in PARTS}
    paths = SplitPaths(
        args.manifest, args.inventory, parts, args.speakers, args.left_out, args.table,
    )  # fmt: skip
    run(paths, load("split", SplitParams))
