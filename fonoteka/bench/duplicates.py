"""How many changed copies dedupe finds, and how many of what it finds are no copies.

Every clip of the voices that are held out is there, and one copy of each of some of them: other
takes of the same word by the same voice are what could be taken for copies. Thresholds were chosen
on the voices that are not held out. Real and synthetic speech are searched apart, since a
synthesiser repeats its waves, and the figure that counts is that of real speech.

A corpus is a folder as in data/raw, or one with a `labels.tsv` of columns `path` and `speaker`,
which needs no texts and counts as real. Of a recording above 10 s pieces of 0.8 to 6 s are taken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from fonoteka.bench.corpus_commands import DEDUPE, INVENTORY, timed, write_params
from fonoteka.bench.degradations import KINDS, LEFT_S, changed, possible, write
from fonoteka.bench.synthetic_clips import write_card
from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.corpus.corpus import CARD, read_card, read_clips
from fonoteka.reporting.machine import Demand, demanded
from fonoteka.reporting.text_table import table
from fonoteka.tables import read_table

NAME = "copies"
SALT = "duplicates"
LABELS = "labels.tsv"
LONGEST_S = 10.0
PIECE_S = (0.8, 6.0)
RECALL_LIMIT, PRECISION_LIMIT = 0.97, 0.99
REAL, SYNTHETIC = "real", "synthetic"
COUNTS = ("made", "found", "false", "recall", "precision")


@dataclass(frozen=True)
class Source:
    """A recording that may be copied, or a piece of one.

    Attributes:
        corpus: name of its folder.
        path: of the file.
        voice: who speaks.
        begin_s, end_s: of the piece; of a whole recording both 0.
    """

    corpus: str
    path: Path
    voice: str
    begin_s: float = 0.0
    end_s: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        """Return what tells it from all others."""
        piece = (str(self.begin_s),) if self.end_s else ()
        return (self.corpus, self.path.name, self.voice, *piece)

    def read(self) -> tuple[NDArray[np.float64], int]:
        """Return its samples as one channel, and their rate."""
        rate = soundfile.info(self.path).samplerate
        first, last = round(self.begin_s * rate), round(self.end_s * rate) or None
        samples, _ = soundfile.read(self.path, start=first, stop=last)
        return samples if samples.ndim == 1 else samples.mean(axis=1), rate


def speech_of(folder: Path) -> str:
    """Return whether a corpus is of real or of synthetic speech."""
    synthetic = (folder / CARD).is_file() and read_card(folder).synthetic
    return SYNTHETIC if synthetic else REAL


def sources(corpora: Sequence[Path], tuning: bool) -> list[Source]:
    """Return the recordings of the voices that are held out, or with `tuning` of the others.

    Raises:
        ValueError: there are none.
    """
    found = [
        Source(folder.name, folder / path, voice)
        for folder in corpora
        for path, voice in _recordings(folder)
        if (unit_interval(SALT, folder.name, voice) < 0.5) == tuning
    ]
    fit = [piece for source in found for piece in _pieces(source)]
    if not fit:
        raise UserError(
            f"no clip of {LEFT_S} to {LONGEST_S:g} s by a voice that is held out in "
            f"{[str(folder) for folder in corpora]}; add recordings of more voices"
        )
    return sorted(fit, key=lambda s: unit_interval(SALT, *s.key))


def _recordings(folder: Path) -> list[tuple[str, str]]:
    """Return path and voice of each recording of a corpus."""
    if (folder / LABELS).is_file() and not (folder / CARD).is_file():
        rows = read_table(folder / LABELS, ("path", "speaker"), "\t")
        return [(row["path"], row["speaker"]) for row in rows]
    return [(clip.path, clip.speaker) for clip in read_clips(folder)]


def _pieces(source: Source) -> Iterator[Source]:
    """Give a recording if its length fits, and the pieces of a longer one, end to end."""
    duration = soundfile.info(source.path).duration
    if LEFT_S <= duration <= LONGEST_S:
        yield source
    begin, (least, most) = 0.0, PIECE_S
    while duration > LONGEST_S:
        draw = unit_interval(SALT, *source.key, str(begin))
        end = round(begin + least * (most / least) ** draw, 3)
        if end > duration:
            return
        yield Source(source.corpus, source.path, source.voice, begin, end)
        begin = end


def write_copies(raw: Path, found: Sequence[Source], per_kind: int) -> dict[str, str]:
    """Write all recordings and `per_kind` copies a kind and corpus; return the kind by path."""
    folder, rows, kinds = raw / NAME, [], {}
    names = possible()
    made: Counter[tuple[str, str]] = Counter()
    for number, source in enumerate(found):
        samples, rate = source.read()
        (folder / f"{number:05d}").mkdir(parents=True)
        rows.append(_write_original(source, folder / f"{number:05d}"))
        kind = min(names, key=lambda kind: (made[source.corpus, kind], names.index(kind)))
        if made[source.corpus, kind] >= per_kind:
            continue
        made[source.corpus, kind] += 1
        copy = changed(kind, samples, rate, np.random.default_rng(number))
        path = write(copy, folder / f"{number:05d}" / "copy")
        rows.append(path)
        kinds[f"{path.parent.name}/{path.name}"] = f"{source.corpus}: {kind}"
    lines = [f"{path.parent.name}/{path.name},da,voice,hr" for path in rows]
    (folder / "metadata.csv").write_text(
        "\n".join(["path,text,speaker,language", *lines]) + "\n", encoding="utf-8"
    )
    write_card(folder)
    return kinds


def _write_original(source: Source, folder: Path) -> Path:
    """Keep a recording as it is, and a piece without loss."""
    path = folder / f"original{'.flac' if source.end_s else source.path.suffix}"
    if source.end_s:
        soundfile.write(path, *source.read(), subtype="PCM_16")
    else:
        path.write_bytes(source.path.read_bytes())
    return path


def run(params: Path, corpora: Sequence[Path], per_kind: int, tuning: bool) -> dict[str, Any]:
    """Return recall and precision of real and of synthetic speech, all and by kind of change."""
    by_speech = defaultdict(list)
    for folder in corpora:
        by_speech[speech_of(folder)].append(folder)
    speech = {
        name: _searched(params, by_speech[name], per_kind, tuning)
        for name in (REAL, SYNTHETIC)
        if by_speech[name]
    }
    demands = [
        Demand(f"duplicates.{name}.{figure}", found["kinds"]["all"][figure], limit, at_most=False)
        for name, found in speech.items()
        for figure, limit in (("recall", RECALL_LIMIT), ("precision", PRECISION_LIMIT))
    ]
    return {
        "voices": "tuning" if tuning else "held out",
        "speech": speech,
        "left_out": [kind for kind in KINDS if kind not in possible()],
        "sla": demanded(demands),
    }


def _searched(params: Path, corpora: Sequence[Path], per_kind: int, tuning: bool) -> dict[str, Any]:
    """Return what dedupe finds among the recordings of some corpora and copies of them."""
    found = sources(corpora, tuning)
    with TemporaryDirectory() as name:
        folder = Path(name)
        kinds = write_copies(folder / "raw", found, per_kind)
        write_params(folder, params, [NAME], near="group")
        timed(INVENTORY, folder)
        timed(DEDUPE, folder)
        paths = _paths(folder / "inventory.csv")
        rows = read_table(folder / "duplicates.csv", ("group", "id"))
        groups = [(row["group"], paths[row["id"]]) for row in rows]
    return {
        "speakers": len({(s.corpus, s.voice) for s in found}),
        "originals": len(found),
        "kinds": counted(groups, kinds),
    }


def _paths(inventory: Path) -> dict[str, str]:
    rows = read_table(inventory, ("id", "path"))
    return {row["id"]: row["path"].partition("/")[2] for row in rows}


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
    return {kind: _rated(made[kind], right[kind], wrong[kind]) for kind in sorted({*made, *wrong})}


def _rated(made: int, found: int, false: int) -> dict[str, float | int]:
    """Return counts with recall and precision, which are 1 of nothing."""
    recall = round(found / made, 4) if made else 1.0
    precision = round(found / (found + false), 4) if found + false else 1.0
    values = (made, found, false, recall, precision)
    return dict(zip(COUNTS, values, strict=True))


def page(found: dict[str, Any]) -> str:
    """Return what a person reads: real and synthetic speech side by side, all corpora of each."""
    speech = {name: _by_kind(one["kinds"]) for name, one in found["speech"].items()}
    of = "; ".join(
        f"{name}: {one['originals']} recordings of {one['speakers']} voices"
        for name, one in found["speech"].items()
    )
    header = ["change", *(f"{name} {what}" for name in speech for what in COUNTS)]
    every = {kind: None for kinds in speech.values() for kind in kinds}
    rows = [
        [kind, *(kinds.get(kind, {}).get(what) for kinds in speech.values() for what in COUNTS)]
        for kind in sorted(every, key=lambda kind: (kind == "all", kind))
    ]
    left_out = found["left_out"]
    without = f"\nleft out, because ffmpeg is missing: {', '.join(left_out)}" if left_out else ""
    return f"near duplicates ({found['voices']}): {of}\n{table(header, rows)}{without}"


def _by_kind(kinds: dict[str, dict[str, float | int]]) -> dict[str, dict[str, float | int]]:
    """Return the counts of a change over all corpora."""
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    for name, counts in kinds.items():
        sums[name.rpartition(": ")[2]].update({what: int(counts[what]) for what in COUNTS[:3]})
    return {kind: _rated(s["made"], s["found"], s["false"]) for kind, s in sums.items()}
