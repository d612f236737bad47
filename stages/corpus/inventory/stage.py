"""Read every file of the corpora once and list what it contains.

    python -m stages.corpus.inventory data/raw data/corpus/inventory.csv data/corpus/prints.npy \
        data/corpus/phones.jsonl data/corpus/corpora.json

Reads   a folder of corpora, each with corpus.json, metadata.csv and audio (see `fonoteka.corpus`)
Writes  inventory.csv: one row per file, sorted by id; prints.npy: one row per file in the same
        order, by which dedupe finds copies (see fingerprint/store.py); phones.jsonl: the phone
        times that corpora know, by id; corpora.json: the cards
Params  inventory

Later stages read tables, cards and phone times here and not in data/raw, so that one changed byte
of one recording makes stale only what reads recordings.

A broken file is a row with a problem (see problems.py), because some recordings are always bad. A
broken table is an error, because it is quickly corrected, and a guess would reach every number
after it. Files are read in worker processes, within limits that no file can lift.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from fonoteka.audiocheck.downmix import ChannelChoice, choose_channel
from fonoteka.audiocheck.probe import Probe, ProbeLimits, probe
from fonoteka.audiocheck.sandbox import WorkerLimits, guarded
from fonoteka.audiocheck.sandbox_worker import WorkerFailure
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, write_json
from fonoteka.core.params import load
from fonoteka.corpus.corpus import (
    INVENTORY_COLUMNS,
    CorpusClip,
    TimedPhones,
    read_card,
    read_phones,
    write_phone_times,
)
from fonoteka.fingerprint import store
from fonoteka.fingerprint.fingerprint import MIN_RATE_HZ, Codes, fingerprint
from fonoteka.manifest import utterance_id
from fonoteka.tables import table_line
from stages.corpus.inventory.problems import (
    CLIPPED,
    EMPTY,
    HIDDEN,
    NO_TRANSCRIPT,
    NOT_AUDIO,
    SILENT,
    TOO_LARGE,
    TOO_LONG,
    TOO_SHORT,
    UNREADABLE,
)
from stages.corpus.inventory.scan import Item, check_transcripts, corpus_folders, items_of

Look = tuple[str, str, bytes]  # the problem, the row as a line of the table, the row of prints


_NO_CODES: Codes = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class InventoryParams:
    """Section `inventory`.

    Attributes:
        corpora: folders of data/raw that take part.
        untranscribed: `refuse` a clip without a transcript, or `quarantine` it.
        min_s: shorter clips are a problem.
        max_s: longer clips are a problem.
        max_bytes: larger files are not opened.
        max_channels: files with more are a problem.
        max_decode_s: on the clock, for one file; a decoder that takes longer is ended.
        memory_mib: that a worker may take; at least 64.
        silent_below_dbfs: a clip whose loudest sample is below is a problem; at most 0.
        max_clipped_fraction: a clip with more samples at full scale is a problem; 0 to 1.
    """

    corpora: tuple[str, ...]
    untranscribed: str
    min_s: float
    max_s: float
    max_bytes: int
    max_channels: int
    max_decode_s: float
    memory_mib: int
    silent_below_dbfs: float
    max_clipped_fraction: float

    def __post_init__(self) -> None:
        """Refuse values with which no clip or no corpus could take part."""
        if not self.corpora or len(set(self.corpora)) < len(self.corpora):
            raise UserError(
                f"inventory.corpora must name one or more folders of data/raw, each once, "
                f"found {list(self.corpora)}"
            )
        if self.untranscribed not in ("refuse", "quarantine"):
            raise UserError(
                f"inventory.untranscribed must be refuse or quarantine, "
                f"found {self.untranscribed!r}"
            )
        if not 0 <= self.min_s < self.max_s:
            raise UserError(
                f"inventory.min_s must be 0 or more and below max_s, "
                f"found {self.min_s} and {self.max_s}"
            )
        if self.silent_below_dbfs > 0:
            raise UserError(
                f"inventory.silent_below_dbfs must be 0 or less, found {self.silent_below_dbfs}"
            )
        least = {"max_bytes": 1, "max_channels": 1, "max_decode_s": 0.1, "memory_mib": 64}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UserError(
                    f"inventory.{name} must be at least {smallest}, found {getattr(self, name)}"
                )
        if not 0 <= self.max_clipped_fraction <= 1:
            raise UserError(
                f"inventory.max_clipped_fraction must be within 0 and 1, "
                f"found {self.max_clipped_fraction}"
            )


def problem_of(found: Probe, has_text: bool, params: InventoryParams) -> tuple[str, str]:
    """Return what is wrong with a clip, the gravest first, and a detail.

    Which problems there are is in problems.py. Without a problem the detail is a note on what is
    odd beside the sound; both are empty for most clips.
    """
    if found.problem:
        return found.problem, found.detail
    if not found.frames:
        return EMPTY, "0 samples"
    if found.duration_s < params.min_s:
        return TOO_SHORT, f"{found.duration_s:.3f} s, at least {params.min_s:g} s"
    if found.duration_s > params.max_s:
        return TOO_LONG, f"{found.duration_s:.3f} s, at most {params.max_s:g} s"
    if found.peak_dbfs < params.silent_below_dbfs:
        return (
            SILENT,
            f"peak {found.peak_dbfs:.1f} dBFS, at least {params.silent_below_dbfs:g} dBFS",
        )
    if found.clipped > params.max_clipped_fraction:
        return (
            CLIPPED,
            f"{found.clipped:.2%} of samples at full scale, at most "
            f"{params.max_clipped_fraction:.2%}",
        )
    return ("" if has_text else NO_TRANSCRIPT), found.detail


def line_of(item: Item, found: Probe, problem: str, detail: str) -> str:
    """Return the inventory's row for one file, as a line of the table.

    Numbers and hashes are written as they are: there is nothing in them to quote.
    """
    card, clip = item.card, item.clip or CorpusClip(item.path, "", "", "")
    corpus, terms = card.name, item.own.within(card)
    speaker = f"{corpus}/{clip.speaker}" if clip.speaker else ""
    session = f"{corpus}/{clip.session}" if clip.session else ""
    parent = utterance_id(corpus, clip.parent) if clip.parent else ""
    return (
        f"{_cells(item.id, corpus)}{_cells(f'{corpus}/{item.path}')}"
        f"{found.bytes or item.size},{found.sha256},{found.pcm_sha256},{found.duration_s:.6f},"
        f"{found.sample_rate_hz},{found.channels},{_known_cells(found.codec)}"
        f"{_decibels(found.peak_dbfs)},{_decibels(found.level_dbfs)},{_decibels(found.snr_db)},"
        f"{_cells(clip.text)}{_known_cells(speaker, clip.language, session, clip.sex)}"
        f"{_cells(parent)}{_known_cells(terms.licence, terms.source, str(card.synthetic).lower())}"
        f"{table_line((problem, detail))}"
    )


def _cells(*values: str) -> str:
    """Return cells of a table, each with the comma after it."""
    return table_line((*values, ""))[:-1]


_known_cells = lru_cache(maxsize=4096)(_cells)  # many clips share these


def _decibels(value: float | None) -> str:
    """Return dB for a table; silence, and what was not measured, is an empty cell."""
    return "" if value is None or not math.isfinite(value) else f"{value:.2f}"


def look(item: Item, raw: Path, params: InventoryParams) -> Look:
    """Return what the inventory says of one file; this is where the file is read."""
    if item.problem:
        return _line(item, Probe(), item.problem, item.detail)
    limits = ProbeLimits(params.max_bytes, params.max_s, params.max_channels)
    found = probe(f"{raw}/{item.card.name}/{item.path}", limits)
    has_text = item.clip is not None and bool(item.clip.text)
    problem, detail = problem_of(found, has_text, params)
    one = None if problem else _channel(found)
    notes = filter(None, (detail, str(one or "")))
    return _line(item, found, problem, "; ".join(notes), one)


def _channel(found: Probe) -> ChannelChoice | None:
    """Return the channel that stands for a clip whose channels cancel: see downmix.py."""
    if found.sound is None or found.channels < 2:
        return None
    return choose_channel(found.sound.reshape(-1, found.channels), found.sample_rate_hz)


def given_up(item: Item, lost: WorkerFailure) -> Look:
    """Return what the inventory says of a file that took a worker with it."""
    problem = TOO_LARGE if lost.cause == "memory" else UNREADABLE
    return _line(item, Probe(), problem, lost.detail)


def _line(
    item: Item, found: Probe, problem: str, detail: str, one: ChannelChoice | None = None
) -> Look:
    line = line_of(item, found, problem, detail)
    return problem, line, store.as_row(found.pcm_sha256, _print(found, problem, one))


def _print(found: Probe, problem: str, one: ChannelChoice | None) -> Codes:
    """Return the print of a clip without a problem, of one channel if given; else empty."""
    if problem or found.sound is None or found.sample_rate_hz < MIN_RATE_HZ:
        return _NO_CODES
    sound = found.sound
    if found.channels > 1:
        sound = sound.reshape(-1, found.channels)
    return fingerprint(one.select(sound) if one else sound, found.sample_rate_hz)


def looks(items: list[Item], raw: Path, params: InventoryParams, workers: int) -> Iterator[Look]:
    """Give what the inventory says of each item, in order."""
    allowance = WorkerLimits(params.max_decode_s, params.memory_mib)
    answers = guarded(partial(look, raw=raw, params=params), items, workers, allowance)
    for item, answer in zip(items, answers, strict=True):
        yield given_up(item, answer) if isinstance(answer, WorkerFailure) else answer


@dataclass(frozen=True)
class Outputs:
    """Where the stage writes, see above."""

    inventory: Path
    prints: Path
    phones: Path
    corpora: Path


def run(raw: Path, out: Outputs, params: InventoryParams, workers: int) -> None:
    """Write the inventory of the corpora that take part, with prints, phone times and cards."""
    items: list[Item] = []
    for folder in corpus_folders(raw, params.corpora):
        found = items_of(folder)
        if params.untranscribed == "refuse":
            check_transcripts(folder, found)
        others = [item.path for item in found if item.problem in (HIDDEN, NOT_AUDIO)]
        if others:
            print(f"inventory: {folder}: {len(others)} files are not audio: {_few(others)}")
        items += found
    items.sort(key=lambda item: item.id)
    problems: Counter[str] = Counter()
    # A row is written as soon as it is known: what is held grows by names and not by rows.
    with (
        store.written(out.prints, len(items)) as write_print,
        atomic_file(out.inventory) as part,
        part.open("w", encoding="utf-8", newline="") as file,
    ):
        file.write(table_line(INVENTORY_COLUMNS))
        for problem, line, row in looks(items, raw, params, workers):
            file.write(line)
            write_print(row)
            problems[problem] += 1
    del problems[""]
    folders = corpus_folders(raw, params.corpora)
    write_json(out.corpora, [asdict(read_card(folder)) for folder in folders])
    write_phone_times(out.phones, phone_times(folders, {item.id for item in items}))
    print(f"inventory: {len(items)} files, problems: {dict(sorted(problems.items())) or 'none'}")


def phone_times(folders: Iterable[Path], ids: Container[str]) -> dict[str, TimedPhones]:
    """Return the phone times that corpora know of the clips with these ids."""
    return {
        id_: timed
        for folder in folders
        for path, timed in read_phones(folder).items()
        if (id_ := utterance_id(folder.name, path)) in ids
    }


def _few(names: list[str]) -> str:
    """Return some names so that a terminal shows and does not obey them."""
    shown = [name if name.isprintable() else ascii(name) for name in sorted(names)[:5]]
    return ", ".join(shown) + (", ..." if len(names) > 5 else "")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("raw", type=Path)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("prints", type=Path)
    parser.add_argument("phones", type=Path)
    parser.add_argument("corpora", type=Path)
    args = parser.parse_args()
    out = Outputs(args.inventory, args.prints, args.phones, args.corpora)
    run(args.raw, out, load("inventory", InventoryParams), worker_count())
