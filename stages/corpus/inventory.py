"""Look at every file of audio once and say what it holds.

    python -m stages.corpus.inventory data/raw data/corpus/inventory.csv

Reads   a folder of corpora, each with corpus.json, metadata.csv and audio (see common/corpora.py)
Writes  inventory.csv: one row a file, sorted by id
Params  inventory

A broken file is a row with a problem, for recordings are never all good; a broken table is an
error, for it is short work to correct and a guess about it would reach every number after it.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stages.common.cli import die_with_parent, stage
from stages.common.corpora import (
    CARD,
    INVENTORY_COLUMNS,
    PHONES,
    TABLE,
    Card,
    Clip,
    files_below,
    is_audio,
    read_card,
    read_clips,
)
from stages.common.files import sha256_file
from stages.common.manifest import utterance_id
from stages.common.params import load
from stages.common.probe import Probe, probe
from stages.common.tables import write_table
from stages.common.workers import worker_count

REPORT = "report.json"  # the embedded corpus says there what it covers


@dataclass(frozen=True)
class InventoryParams:
    """Section `inventory`.

    Attributes:
        corpora: folders of data/raw that take part.
        untranscribed: `refuse` a clip without a transcript, or `quarantine` it.
        min_s: shorter clips are a problem.
        max_s: longer clips are a problem.
        silent_below_dbfs: a clip whose loudest sample is below is a problem; at most 0.
    """

    corpora: tuple[str, ...]
    untranscribed: str
    min_s: float
    max_s: float
    silent_below_dbfs: float

    def __post_init__(self) -> None:
        """Refuse values with which no clip or no corpus could take part."""
        if not self.corpora or len(set(self.corpora)) < len(self.corpora):
            raise ValueError(
                f"inventory.corpora must name one or more folders of data/raw, each once, "
                f"found {list(self.corpora)}"
            )
        if self.untranscribed not in ("refuse", "quarantine"):
            raise ValueError(
                f"inventory.untranscribed must be refuse or quarantine, "
                f"found {self.untranscribed!r}"
            )
        if not 0 <= self.min_s < self.max_s:
            raise ValueError(
                f"inventory.min_s must be 0 or more and below max_s, "
                f"found {self.min_s} and {self.max_s}"
            )
        if self.silent_below_dbfs > 0:
            raise ValueError(
                f"inventory.silent_below_dbfs must be 0 or less, found {self.silent_below_dbfs}"
            )


@dataclass(frozen=True)
class Item:
    """One file of audio with its card and its row; `clip` is None where the table has no row."""

    card: Card
    path: str
    clip: Clip | None


def corpus_folders(raw: Path, names: Iterable[str]) -> list[Path]:
    """Return the folders of the corpora that take part, sorted by name.

    Raises:
        ValueError: there is no corpus at all, or one that is named is not there.
    """
    there = []
    if raw.is_dir():
        there = sorted(p.name for p in raw.iterdir() if p.is_dir() and p.name[0] != ".")
    if not there:
        raise ValueError(f"{raw} holds no corpus: add one with make add-corpus FROM=folder")
    for name in names:
        if name not in there:
            raise ValueError(
                f"{raw} holds no corpus {name!r}, only {there}; "
                f"correct inventory.corpora in params.yaml"
            )
    return [raw / name for name in sorted(names)]


def items_of(folder: Path, untranscribed: str) -> tuple[list[Item], list[str]]:
    """Return a corpus's audio, each file with its row, and the names of what is not audio.

    Raises:
        ValueError: the card or the table is wrong, there is no audio, or a clip has no transcript
            where that is refused.
    """
    card = read_card(folder)
    clips = {clip.path: clip for clip in read_clips(folder)}
    files = {f for f in files_below(folder) if f not in (CARD, TABLE, PHONES, REPORT)}
    audio = sorted({path for path in files if is_audio(path)} | set(clips))
    items = [Item(card, path, clips.get(path)) for path in audio]
    if not items:
        raise ValueError(f"{folder}: no audio; name clips in {TABLE} or take the corpus out")
    if untranscribed == "refuse":
        for item in items:
            if item.clip is None or not item.clip.text:
                what = "no row" if item.clip is None else "an empty text"
                raise ValueError(
                    f"{folder / item.path}: {what} in {TABLE}; write what is said there, or set "
                    f"inventory.untranscribed to quarantine in params.yaml"
                )
    return items, sorted(files - set(audio))


def problem_of(found: Probe, has_text: bool, params: InventoryParams) -> tuple[str, str]:
    """Return what is wrong with a clip, the gravest first, and a detail; both empty if nothing is.

    A problem is one of: unreadable, empty, not finite, too short, too long, silent, no transcript.
    """
    if found.error:
        return "unreadable", found.error
    if not found.frames:
        return "empty", "0 samples"
    if not found.finite:
        return "not finite", "a sample is NaN or infinite"
    duration_s = found.frames / found.sample_rate_hz
    if duration_s < params.min_s:
        return "too short", f"{duration_s:.3f} s, at least {params.min_s:g} s"
    if duration_s > params.max_s:
        return "too long", f"{duration_s:.3f} s, at most {params.max_s:g} s"
    level = 20 * math.log10(found.peak) if found.peak > 0 else -math.inf
    if level < params.silent_below_dbfs:
        return "silent", f"peak {level:.1f} dBFS, at least {params.silent_below_dbfs:g} dBFS"
    return ("", "") if has_text else ("no transcript", "")


def row_of(item: Item, raw: Path, params: InventoryParams) -> dict[str, object]:
    """Return the inventory's row for one file; this is where the file is read."""
    path = raw / item.card.name / item.path
    found = probe(path)
    clip = item.clip or Clip(item.path, "", "", "")
    problem, detail = problem_of(found, bool(clip.text), params)
    seconds = found.frames / found.sample_rate_hz if found.sample_rate_hz else 0.0
    return {
        "id": utterance_id(item.card.name, item.path),
        "corpus": item.card.name,
        "path": f"{item.card.name}/{item.path}",
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
        "pcm_sha256": found.pcm_sha256,
        "duration_s": f"{seconds:.6f}",
        "sample_rate_hz": found.sample_rate_hz,
        "channels": found.channels,
        "codec": found.codec,
        "peak_dbfs": "",
        "level_dbfs": "",
        "snr_db": "",
        "text": clip.text,
        "speaker": f"{item.card.name}/{clip.speaker}" if clip.speaker else "",
        "language": clip.language,
        "session": f"{item.card.name}/{clip.session}" if clip.session else "",
        "sex": clip.sex,
        "parent": utterance_id(item.card.name, clip.parent) if clip.parent else "",
        "licence": item.card.licence,
        "synthetic": str(item.card.synthetic).lower(),
        "problem": problem,
        "detail": detail,
    }


def run(raw: Path, inventory: Path, params: InventoryParams, workers: int) -> None:
    """Write the inventory of the corpora that take part."""
    items: list[Item] = []
    for folder in corpus_folders(raw, params.corpora):
        found, others = items_of(folder, params.untranscribed)
        items += found
        if others:
            print(f"inventory: {folder}: {len(others)} files are not audio: {_few(others)}")
    look = partial(row_of, raw=raw, params=params)
    if workers == 1:
        rows = [look(item) for item in items]
    else:
        with ProcessPoolExecutor(workers, initializer=die_with_parent) as pool:
            rows = list(pool.map(look, items, chunksize=32))
    rows.sort(key=lambda row: str(row["id"]))
    write_table(inventory, INVENTORY_COLUMNS, rows)
    problems = Counter(str(row["problem"]) for row in rows if row["problem"])
    print(f"inventory: {len(rows)} files, problems: {dict(sorted(problems.items())) or 'none'}")


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("inventory", type=Path)
    arguments = parser.parse_args()
    params = load("inventory", InventoryParams)
    run(arguments.raw, arguments.inventory, params, worker_count())


if __name__ == "__main__":
    stage(main)
