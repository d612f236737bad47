"""How many changed copies dedupe finds, and how many of what it finds are no copies.

Every clip of the voices that are held out is there, and one copy of each of some of them: other
takes of the same word by the same voice are what could be taken for copies. Thresholds were chosen
on the voices that are not held out.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile

from stages.common.corpora import read_clips
from stages.common.files import unit_interval
from stages.tools.aligned import table
from stages.tools.bench_clips import write_card
from stages.tools.bench_copies import KINDS, LEFT_S, MP3_LEVEL, changed
from stages.tools.bench_stages import DEDUPE, INVENTORY, timed, write_params
from stages.tools.timing import Demand, demanded

NAME = "copies"
SALT = "duplicates"
LONGEST_S = 10.0
RECALL_LIMIT, PRECISION_LIMIT = 0.97, 0.99


@dataclass(frozen=True)
class Source:
    """A recording that may be copied."""

    corpus: str
    path: Path
    voice: str


def sources(corpora: Sequence[Path], tuning: bool) -> list[Source]:
    """Return the recordings of the voices that are held out, or with `tuning` of the others.

    Raises:
        ValueError: there are none.
    """
    found = [
        Source(folder.name, folder / clip.path, clip.speaker)
        for folder in corpora
        for clip in read_clips(folder)
        if (unit_interval(SALT, folder.name, clip.speaker) < 0.5) == tuning
    ]
    fit = [s for s in found if LEFT_S <= soundfile.info(s.path).duration <= LONGEST_S]
    if not fit:
        raise ValueError(
            f"no clip of {LEFT_S} to {LONGEST_S:g} s by a voice that is held out in "
            f"{[str(folder) for folder in corpora]}; add recordings of more voices"
        )
    return sorted(fit, key=lambda s: unit_interval(SALT, s.corpus, str(s.path.name), s.voice))


def write_copies(raw: Path, found: Sequence[Source], per_kind: int) -> dict[str, str]:
    """Write all recordings and `per_kind` copies a kind and corpus; return the kind by path."""
    folder, rows, kinds = raw / NAME, [], {}
    made: Counter[tuple[str, str]] = Counter()
    for number, source in enumerate(found):
        samples, rate = soundfile.read(source.path)
        mono = samples if samples.ndim == 1 else samples.mean(axis=1)
        original = f"{number:05d}/original{source.path.suffix}"
        (folder / original).parent.mkdir(parents=True)
        (folder / original).write_bytes(source.path.read_bytes())
        rows.append(original)
        kind = min(KINDS, key=lambda kind: (made[source.corpus, kind], list(KINDS).index(kind)))
        if made[source.corpus, kind] >= per_kind:
            continue
        made[source.corpus, kind] += 1
        copy = changed(kind, mono, rate, np.random.default_rng(number))
        path = f"{number:05d}/copy{copy.suffix}"
        options: dict[str, Any] = {"subtype": "PCM_16"}
        if copy.suffix == ".mp3":
            level = MP3_LEVEL.get(copy.sample_rate_hz, 0.7)
            options = {"bitrate_mode": "CONSTANT", "compression_level": level}
        elif copy.suffix == ".ogg":
            options = {}
        soundfile.write(folder / path, copy.samples, copy.sample_rate_hz, **options)
        rows.append(path)
        kinds[path] = f"{source.corpus}: {kind}"
    lines = ["path,text,speaker,language", *(f"{path},da,voice,hr" for path in rows)]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    write_card(folder)
    return kinds


def run(params: Path, corpora: Sequence[Path], per_kind: int, tuning: bool) -> dict[str, Any]:
    """Return recall and precision, all and by kind of change."""
    found = sources(corpora, tuning)
    with TemporaryDirectory() as name:
        folder = Path(name)
        kinds = write_copies(folder / "raw", found, per_kind)
        write_params(folder, params, [NAME], near="group")
        timed(INVENTORY, folder)
        timed(DEDUPE, folder)
        paths = _paths(folder / "inventory.csv")
        with (folder / "duplicates.csv").open(encoding="utf-8", newline="") as file:
            groups = [(row["group"], paths[row["id"]]) for row in csv.DictReader(file)]
    counts = counted(groups, kinds)
    demands = (
        Demand("duplicates.recall", counts["all"]["recall"], RECALL_LIMIT, at_most=False),
        Demand("duplicates.precision", counts["all"]["precision"], PRECISION_LIMIT, at_most=False),
    )
    return {
        "voices": "tuning" if tuning else "held out",
        "speakers": len({(s.corpus, s.voice) for s in found}),
        "originals": len(found),
        "kinds": counts,
        "sla": demanded(demands),
    }


def _paths(inventory: Path) -> dict[str, str]:
    with inventory.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row["path"].partition("/")[2] for row in csv.DictReader(file)}


def counted(
    groups: Sequence[tuple[str, str]], kinds: dict[str, str]
) -> dict[str, dict[str, float | int]]:
    """Return pairs made, found and false, by kind and for all.

    Two clips of one group are a found pair; it is false where they come from two recordings. A
    false pair counts against the kinds of the copies in it, one of two originals as `takes`.

    >>> copies = {"1/copy.flac": "cut", "2/copy.flac": "cut"}
    >>> pairs = [("a", "1/original.wav"), ("a", "1/copy.flac")]
    >>> counted(pairs, copies)["cut"]
    {'made': 2, 'found': 1, 'false': 0, 'recall': 0.5, 'precision': 1.0}
    """
    members = defaultdict(list)
    for group, path in groups:
        members[group].append(path)
    made = Counter(kinds.values())
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for paths in members.values():
        for one, other in combinations(sorted(paths), 2):
            of = {kinds[path] for path in (one, other) if path in kinds}
            if one.split("/")[0] == other.split("/")[0]:
                right.update(of)
            else:
                wrong.update(of or {"takes"})
                wrong["all"] += 1
    made["all"], right["all"] = made.total(), right.total()
    return {
        kind: {
            "made": made[kind],
            "found": right[kind],
            "false": wrong[kind],
            "recall": round(right[kind] / made[kind], 4) if made[kind] else 1.0,
            "precision": round(right[kind] / max(right[kind] + wrong[kind], 1), 4)
            if right[kind] + wrong[kind]
            else 1.0,
        }
        for kind in sorted({*made, *wrong})
    }


def page(found: dict[str, Any]) -> str:
    """Return what a person reads."""
    header = ["change", "made", "found", "false", "recall", "precision"]
    rows = [[kind, *numbers.values()] for kind, numbers in found["kinds"].items()]
    return (
        f"near duplicates among {found['originals']} recordings of {found['speakers']} voices "
        f"({found['voices']})\n{table(header, rows)}"
    )
