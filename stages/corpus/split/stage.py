"""Give every speaker one part: train, valid or test.

    python -m stages.corpus.split data/corpus/transcripts.jsonl data/corpus/inventory.csv \
        data/audio/index.csv data/splits/train.jsonl data/splits/valid.jsonl \
        data/splits/test.jsonl --speakers data/splits/speakers.csv \
        --left-out data/splits/left_out.csv [--table data/speakers.csv]

Reads   transcripts.jsonl; what the inventory knows of parents; the index of the preprocessed audio;
        where given, a table with the columns speaker and part
Writes  three manifests, sorted by id, whose audio and durations are those of the shards; who is in
        which part, and why; which utterances are in none, and why
Params  split

A speaker is never in two splits: a model that was trained on a voice is scored on memory there.
Speakers who share a session, a recording or an augmented copy stay together. The split is drawn
from names alone; see `assign` for what can move an earlier speaker. A sentence that is tested
is left out of what is trained on; where that would cost too much it is an error, and the corpora
whose speakers all say the same are named in `split.same_sentences`: the audit counts them.
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
from fonoteka.manifest import Utterance, read, write
from fonoteka.tables import Row, read_numbered, read_table, write_table
from stages.corpus.split.assign import PARTS, Place, SplitParams, place
from stages.corpus.split.speaker_groups import tied

SPEAKER_COLUMNS = (
    "speaker", "part", "drawn", "why", "together", "ties", "languages", "utterances", "hours",
)  # fmt: skip
LEFT_OUT_COLUMNS = ("id", "reason", "detail")


@dataclass(frozen=True)
class Paths:
    """Where the stage reads and writes; `parts` maps each of `PARTS` to its manifest."""

    manifest: Path
    inventory: Path
    parts: Mapping[str, Path]
    speakers: Path
    left_out: Path
    table: Path | None = None


def read_parts(path: Path, corpora: Iterable[str]) -> dict[str, str]:
    """Return speaker to part as a table of speakers says, of the corpora that take part.

    Raises:
        ValueError: a part is none, or a speaker stands twice.
    """
    known = set(corpora)
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
        if speaker.partition("/")[0] in known:
            parts[speaker] = part
    return parts


def split(utterances: Iterable[Utterance], places: Iterable[Place]) -> dict[str, list[Utterance]]:
    """Return the utterances of each part."""
    part_of = {speaker: each.part for each in places for speaker in each.tied.speakers}
    parts: dict[str, list[Utterance]] = {part: [] for part in PARTS}
    for utterance in utterances:
        parts[part_of[utterance.speaker]].append(utterance)
    return parts


def without_known_sentences(
    parts: Mapping[str, Sequence[Utterance]], params: SplitParams
) -> tuple[dict[str, list[Utterance]], list[Row]]:
    """Return the parts without what a later part says too, and rows for what was left out.

    What is tested stays whole: training and validation give way to test, training to validation.
    Corpora in `same_sentences` neither give way nor are given way to.

    Raises:
        ValueError: more would go than `max_left_out_fraction` of all, or a part would be empty.
    """
    kept: dict[str, list[Utterance]] = {}
    left: list[Row] = []
    later: dict[str, tuple[str, str]] = {}
    for part in reversed(PARTS):
        known = dict(later)
        kept[part] = []
        for row in sorted(parts[part], key=lambda row: row.id):
            if row.source in params.same_sentences:
                kept[part].append(row)
            elif row.normalized in known:
                where, other = known[row.normalized]
                reason = f"its sentence is in {where}"
                left.append({"id": row.id, "reason": reason, "detail": f"said in {other}"})
            else:
                kept[part].append(row)
                later.setdefault(row.normalized, (part, row.id))
    total = sum(map(len, parts.values()))
    if len(left) > params.max_left_out_fraction * total or not all(kept.values()):
        source = {row.id: row.source for rows in parts.values() for row in rows}
        corpora = dict(Counter(source[row["id"]] for row in left).most_common(3))
        raise UserError(
            f"split: to keep sentences apart, {len(left)} of {total} utterances would be left out "
            f"({', '.join(f'{n} of {name}' for name, n in corpora.items())}), more than "
            f"split.max_left_out_fraction {params.max_left_out_fraction} or all of a part; record "
            f"other sentences, or name the corpora in split.same_sentences in params.yaml"
        )
    return kept, sorted(left, key=lambda row: row["id"])


def speaker_rows(places: Iterable[Place], parts: Mapping[str, Sequence[Utterance]]) -> list[Row]:
    """Return a row for each speaker, sorted: the part, what was drawn, and why they may differ."""
    spoken: dict[str, list[Utterance]] = {}
    for rows in parts.values():
        for row in rows:
            spoken.setdefault(row.speaker, []).append(row)
    found = []
    for each in places:
        for speaker in each.tied.speakers:
            rows = spoken.get(speaker, [])
            hours = math.fsum(row.duration_s for row in rows) / 3600
            values = (
                speaker, each.part, each.drawn, each.why, each.tied.first,
                "; ".join(each.tied.ties), " ".join(sorted({row.language for row in rows})),
                str(len(rows)), f"{hours:.4f}",
            )  # fmt: skip
            found.append(dict(zip(SPEAKER_COLUMNS, values, strict=True)))
    return sorted(found, key=lambda row: row["speaker"])


def run(paths: Paths, params: SplitParams) -> None:
    """Write the manifests, the table of speakers and the table of what was left out."""
    utterances = read(paths.manifest)
    table = {}
    if paths.table is not None:
        table = read_parts(paths.table, {row.source for row in utterances})
    parents = {
        row["id"]: row["parent"]
        for row in read_table(paths.inventory, ("id", "parent"))
        if row["parent"]
    }
    places = place(tied(utterances, parents), params, table)
    chosen = split(utterances, places)
    left: list[Row] = []
    if params.sentences == "disjoint":
        chosen, left = without_known_sentences(chosen, params)
    for part in PARTS:
        write(paths.parts[part], chosen[part])
    write_table(paths.speakers, SPEAKER_COLUMNS, speaker_rows(places, chosen))
    write_table(paths.left_out, LEFT_OUT_COLUMNS, left)
    voices = {part: len({u.speaker for u in chosen[part]}) for part in PARTS}
    shown = ", ".join(f"{part} {len(chosen[part])} of {voices[part]} speakers" for part in PARTS)
    moved = sum(len(each.tied.speakers) for each in places if each.why.startswith("for "))
    print(
        f"split: {shown}; {len(left)} left out for their sentence; {moved} speakers moved so that "
        f"each part has each language"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("manifest", "inventory", *PARTS):
        parser.add_argument(name, type=Path)
    parser.add_argument("--speakers", type=Path, required=True)
    parser.add_argument("--left-out", type=Path, required=True)
    parser.add_argument("--table", type=Path)
    given = parser.parse_args()
    parts = {part: getattr(given, part) for part in PARTS}
    paths = Paths(
        given.manifest, given.inventory, parts, given.speakers, given.left_out, given.table,
    )  # fmt: skip
    run(paths, load("split", SplitParams))
