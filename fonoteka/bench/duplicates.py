"""Count the degraded copies that dedupe finds, and the pairs it finds that are not copies.

Each corpus to search contains every clip of the held-out speakers and one copy of some of them, so
takes of one word by one speaker could pass for copies. Thresholds were tuned on the other speakers.
Real and synthetic speech are searched apart, because a synthesiser repeats its waves.

A corpus is a folder as in data/raw, or one with a `labels.tsv` of columns `path` and `speaker`,
which needs no texts and counts as real. Recordings above 10 s are cut into pieces of 0.8 to 6 s.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from fonoteka.bench import report
from fonoteka.bench.corpus_speed import COMMANDS, write_params
from fonoteka.bench.degradations import KINDS, LEFT_S, available_kinds, degrade, write
from fonoteka.bench.synthetic_clips import write_card
from fonoteka.bench.timer import time_command
from fonoteka.core.errors import UserError
from fonoteka.core.files import unit_interval
from fonoteka.corpus.corpus import CARD, read_card, read_clips
from fonoteka.reporting.machine import Demand, demanded
from fonoteka.tables import read_table

NAME = "copies"
SALT = "duplicates"
LABELS = "labels.tsv"
LONGEST_S = 10.0
PIECE_S = (0.8, 6.0)
LIMITS = {"recall": 0.97, "precision": 0.99}
COUNTS = ("made", "found", "false", "recall", "precision")
Rates = dict[str, float]


@dataclass(frozen=True)
class SourceClip:
    """A recording to degrade, or a piece of one.

    Attributes:
        corpus: name of its folder.
        path: of the file.
        speaker: its speaker.
        begin_s, end_s: of the piece; both 0 for a whole recording.
    """

    corpus: str
    path: Path
    speaker: str
    begin_s: float = 0.0
    end_s: float = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        """Return what distinguishes it from all other clips."""
        piece = (str(self.begin_s),) if self.end_s else ()
        return (self.corpus, self.path.name, self.speaker, *piece)

    def read(self) -> tuple[NDArray[np.float64], int]:
        """Return its samples as one channel, and their rate."""
        rate = soundfile.info(self.path).samplerate
        first, last = round(self.begin_s * rate), round(self.end_s * rate) or None
        samples, _ = soundfile.read(self.path, start=first, stop=last)
        return samples if samples.ndim == 1 else samples.mean(axis=1), rate


def speech_type(folder: Path) -> str:
    """Return `real` or `synthetic`."""
    return "synthetic" if (folder / CARD).is_file() and read_card(folder).synthetic else "real"


def source_clips(corpora: Sequence[Path], tuning: bool) -> list[SourceClip]:
    """Return the clips of the held-out speakers, or with `tuning` of the others, in random order.

    Raises:
        UserError: no recording can be used.
    """
    clips = [
        clip
        for folder in corpora
        for path, speaker in _recordings(folder)
        if (unit_interval(SALT, folder.name, speaker) < 0.5) == tuning
        for clip in _pieces(SourceClip(folder.name, folder / path, speaker))
    ]
    if not clips:
        raise UserError(
            f"no clip of {LEFT_S} to {LONGEST_S:g} s by a held-out speaker in "
            f"{[str(folder) for folder in corpora]}; add recordings of more speakers"
        )
    return sorted(clips, key=lambda clip: unit_interval(SALT, *clip.key))


def _recordings(folder: Path) -> list[tuple[str, str]]:
    """Return path and speaker of each recording of a corpus."""
    if (folder / LABELS).is_file() and not (folder / CARD).is_file():
        rows = read_table(folder / LABELS, ("path", "speaker"), "\t")
        return [(row["path"], row["speaker"]) for row in rows]
    return [(clip.path, clip.speaker) for clip in read_clips(folder)]


def _pieces(clip: SourceClip) -> Iterator[SourceClip]:
    """Yield a recording if its length fits, or the pieces of a longer one, end to end."""
    duration = soundfile.info(clip.path).duration
    if LEFT_S <= duration <= LONGEST_S:
        yield clip
    begin, (least, most) = 0.0, PIECE_S
    while duration > LONGEST_S:
        draw = unit_interval(SALT, *clip.key, str(begin))
        end = round(begin + least * (most / least) ** draw, 3)
        if end > duration:
            return
        yield replace(clip, begin_s=begin, end_s=end)
        begin = end


def write_copies(raw: Path, clips: Sequence[SourceClip], per_kind: int) -> dict[str, str]:
    """Write all clips and `per_kind` copies per kind and corpus.

    Returns:
        The kind of each copy, by its path in the folder of the corpus.
    """
    names, paths, kinds = available_kinds(), [], {}
    copies: Counter[tuple[str, str]] = Counter()
    for number, clip in enumerate(clips):
        folder = raw / NAME / f"{number:05d}"
        folder.mkdir(parents=True)
        paths.append(_write_original(clip, folder))
        kind = min(names, key=lambda kind: (copies[clip.corpus, kind], names.index(kind)))
        if copies[clip.corpus, kind] < per_kind:
            copies[clip.corpus, kind] += 1
            degraded = degrade(kind, *clip.read(), np.random.default_rng(number))
            paths.append(write(degraded, folder / "copy"))
            kinds[f"{folder.name}/{paths[-1].name}"] = kind
    rows = [f"{path.parent.name}/{path.name},da,voice,hr\n" for path in paths]
    table = "path,text,speaker,language\n" + "".join(rows)
    (raw / NAME / "metadata.csv").write_text(table, encoding="utf-8")
    write_card(raw / NAME)
    return kinds


def _write_original(clip: SourceClip, folder: Path) -> Path:
    """Copy a recording, or write a piece without loss."""
    path = folder / f"original{'.flac' if clip.end_s else clip.path.suffix}"
    if clip.end_s:
        soundfile.write(path, *clip.read(), subtype="PCM_16")
    else:
        path.write_bytes(clip.path.read_bytes())
    return path


def run(params: Path, corpora: Sequence[Path], per_kind: int, tuning: bool) -> dict[str, Any]:
    """Return recall and precision on real and on synthetic speech, by kind of degradation.

    Args:
        params: params.yaml.
        corpora: folders; all of data/raw if empty.
        per_kind: copies per kind and corpus.
        tuning: use the speakers that are not held out.
    """
    corpora = corpora or sorted(card.parent for card in Path("data/raw").glob("*/corpus.json"))
    if not corpora:
        raise UserError("data/raw contains no corpus to degrade; run make repro first")
    speech = {}
    for name in ("real", "synthetic"):
        if folders := [folder for folder in corpora if speech_type(folder) == name]:
            speech[name] = search(params, source_clips(folders, tuning), per_kind)
    demands = [
        Demand(f"duplicates.{name}.{figure}", result["kinds"]["all"][figure], limit, at_most=False)
        for name, result in speech.items()
        for figure, limit in LIMITS.items()
    ]
    return {
        "voices": "tuning" if tuning else "held out",
        "speech": speech,
        "left_out": sorted(set(KINDS) - set(available_kinds()), key=list(KINDS).index),
        "sla": demanded(demands),
    }


def search(params: Path, clips: Sequence[SourceClip], per_kind: int) -> dict[str, Any]:
    """Return what dedupe finds among clips and degraded copies of them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        kinds = write_copies(folder / "raw", clips, per_kind)
        write_params(folder, params, [NAME], near="group")
        for stage in ("inventory", "dedupe"):
            time_command(COMMANDS[stage], folder)
        rows = read_table(folder / "inventory.csv", ("id", "path"))
        paths = {row["id"]: row["path"].partition("/")[2] for row in rows}
        rows = read_table(folder / "duplicates.csv", ("group", "id"))
    groups = [(row["group"], paths[row["id"]]) for row in rows]
    speakers = {(clip.corpus, clip.speaker) for clip in clips}
    return {
        "speakers": len(speakers), "originals": len(clips), "kinds": count_pairs(groups, kinds)
    }  # fmt: skip


def count_pairs(groups: Sequence[tuple[str, str]], kinds: Mapping[str, str]) -> dict[str, Rates]:
    """Return the copies, the matches and the false matches, by kind and for all.

    Two clips of one group are a match; it is false if they come from two recordings. A false
    pair counts against the kinds of the copies in it, or as `takes` if both are originals.

    >>> copies = {"1/copy.flac": "cut", "2/copy.flac": "cut"}
    >>> pairs = [("a", "1/original.wav"), ("a", "1/copy.flac")]
    >>> count_pairs(pairs, copies)["cut"]
    {'made': 2, 'found': 1, 'false': 0, 'recall': 0.5, 'precision': 1.0}
    """
    members = defaultdict(list)
    for group, path in groups:
        members[group].append(path)
    copies, matches, false = Counter(kinds.values()), Counter[str](), Counter[str]()
    for first, second in (p for paths in members.values() for p in combinations(sorted(paths), 2)):
        in_pair = {kinds[path] for path in (first, second) if path in kinds}
        if first.split("/")[0] == second.split("/")[0]:
            matches.update(in_pair)
        else:
            false.update({"all", *(in_pair or {"takes"})})
    copies["all"], matches["all"] = copies.total(), matches.total()
    return {
        name: _rates(copies[name], matches[name], false[name]) for name in sorted({*copies, *false})
    }


def _rates(copies: int, matches: int, false: int) -> Rates:
    """Return counts with recall and precision, which are 1 without pairs."""
    recall = round(matches / copies, 4) if copies else 1.0
    precision = round(matches / (matches + false), 4) if matches + false else 1.0
    return dict(zip(COUNTS, (copies, matches, false, recall, precision), strict=True))


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    rows = [
        [f"{name}: {kind}", *rates.values()]
        for name, part in result["speech"].items()
        for kind, rates in part["kinds"].items()
    ]
    sizes = "; ".join(
        f"{name}: {part['originals']} recordings of {part['speakers']} speakers"
        for name, part in result["speech"].items()
    )
    left_out = ", ".join(result["left_out"]) or "nothing"
    title = f"near duplicates ({result['voices']}): {sizes}"
    return report.page(title, ["copies", *COUNTS], rows, f"left out without ffmpeg: {left_out}")
