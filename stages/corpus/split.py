"""Give every speaker one part: train, valid or test.

    python -m stages.corpus.split data/corpus/transcripts.jsonl data/audio/index.csv \
        data/splits/train.jsonl data/splits/valid.jsonl data/splits/test.jsonl

Reads   transcripts.jsonl; the index of the preprocessed audio
Writes  three manifests, sorted by id, whose audio and durations are those of the shards
Params  split

A speaker is never in two parts: a model that has met a voice in training is scored on memory. The
part is drawn from the speaker's name alone, so new clips and new speakers move nobody.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.common.cli import stage
from stages.common.corpora import INDEX_COLUMNS
from stages.common.files import unit_interval
from stages.common.manifest import Utterance, read, write
from stages.common.params import load
from stages.common.tables import Row, read_table

PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class SplitParams:
    """Section `split`.

    Attributes:
        salt: any text; another one draws another split.
        valid_fraction: of speakers, 0 to 1.
        test_fraction: of speakers, 0 to 1.
        assigned: speakers (`corpus/name`, or `corpus/*` for a corpus's others) whose part is given.
    """

    salt: str
    valid_fraction: float
    test_fraction: float
    assigned: dict[str, str]

    def __post_init__(self) -> None:
        """Refuse fractions that leave nothing to train on, and parts that don't exist."""
        fractions = (self.valid_fraction, self.test_fraction)
        if min(fractions) < 0 or sum(fractions) >= 1:
            raise ValueError(
                f"split.valid_fraction and split.test_fraction must be 0 or more and sum to less "
                f"than 1, found {fractions[0]} and {fractions[1]}"
            )
        for name, part in self.assigned.items():
            if part not in PARTS:
                raise ValueError(
                    f"split.assigned: {name} has the part {part!r}; expected one of {list(PARTS)}"
                )


def part_of(speaker: str, params: SplitParams) -> str:
    """Return a speaker's part: as assigned by name, else for the corpus, else drawn by hash."""
    for name in (speaker, speaker.partition("/")[0] + "/*"):
        if name in params.assigned:
            return params.assigned[name]
    drawn = unit_interval(params.salt, speaker)
    if drawn < params.test_fraction:
        return "test"
    return "valid" if drawn < params.test_fraction + params.valid_fraction else "train"


def split(utterances: Iterable[Utterance], params: SplitParams) -> dict[str, list[Utterance]]:
    """Return the utterances of each part.

    Raises:
        ValueError: a name in `assigned` is nobody's, there is one speaker only, or a part would
            have no speaker.
    """
    utterances = list(utterances)
    speakers = sorted({utterance.speaker for utterance in utterances})
    _check_assigned(params.assigned, speakers)
    if len(speakers) < len(PARTS):
        raise ValueError(
            f"split: {len(speakers)} speakers, {speakers}; train, valid and test need one each "
            f"that the others don't have: add recordings of other speakers"
        )
    part_by_speaker = {speaker: part_of(speaker, params) for speaker in speakers}
    for part in PARTS:
        if part not in part_by_speaker.values():
            raise ValueError(
                f"split: no speaker of {len(speakers)} fell into {part} with salt "
                f"{params.salt!r}; add speakers, or change split.salt or split.assigned "
                f"in params.yaml"
            )
    parts: dict[str, list[Utterance]] = {part: [] for part in PARTS}
    for utterance in utterances:
        parts[part_by_speaker[utterance.speaker]].append(utterance)
    return parts


def _check_assigned(assigned: Mapping[str, str], speakers: list[str]) -> None:
    known = speakers + sorted({f"{speaker.partition('/')[0]}/*" for speaker in speakers})
    for name in assigned:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=5, cutoff=0.5) or known[:5]
            raise ValueError(
                f"split.assigned: {name!r} is no speaker; close to it are {close}, "
                f"and 'corpus/*' stands for all of a corpus"
            )


def join(utterances: Iterable[Utterance], index: Iterable[Row]) -> list[Utterance]:
    """Return the utterances whose audio was kept, with the shard's name, duration and phone times.

    Times move by what was trimmed from the start, and are cut where the clip now begins and ends.
    A clip of the index that is no utterance is one whose text was refused; the audit counts both.
    """
    by_id = {utterance.id: utterance for utterance in utterances}
    joined = []
    for row in index:
        if row["problem"] or row["id"] not in by_id:
            continue
        utterance = by_id[row["id"]]
        duration_s, offset_s = float(row["duration_s"]), float(row["offset_s"])
        times = utterance.phone_times_s
        if times is not None:
            times = tuple(
                (_moved(start, offset_s, duration_s), _moved(end, offset_s, duration_s))
                for start, end in times
            )
        joined.append(
            dataclasses.replace(
                utterance, audio=row["audio"], duration_s=duration_s, phone_times_s=times
            )
        )
    return joined


def _moved(seconds: float, offset_s: float, duration_s: float) -> float:
    return round(min(max(seconds - offset_s, 0.0), duration_s), 6)


def run(transcripts: Path, index: Path, parts: Mapping[str, Path], params: SplitParams) -> None:
    """Write one manifest a part; `parts` maps each of `PARTS` to its path."""
    utterances = read(transcripts)
    joined = join(utterances, read_table(index, INDEX_COLUMNS))
    chosen = split(joined, params)
    for part, path in parts.items():
        write(path, chosen[part])
    counts = {part: (len(rows), len({u.speaker for u in rows})) for part, rows in chosen.items()}
    shown = ", ".join(f"{part} {n} of {voices} speakers" for part, (n, voices) in counts.items())
    print(f"split: {shown}; {len(utterances) - len(joined)} left out in preprocessing")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("transcripts", "index", *PARTS):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    parts = {part: getattr(given, part) for part in PARTS}
    run(given.transcripts, given.index, parts, load("split", SplitParams))


if __name__ == "__main__":
    stage(main)
