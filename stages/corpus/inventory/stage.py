"""Read every file of the corpora once and list what it contains.

    python -m stages.corpus.inventory data/raw data/corpus/inventory.csv data/corpus/prints.npy \
        data/corpus/phones.jsonl data/corpus/corpora.json

Reads   a folder of corpora, each with corpus.json, metadata.csv and audio (see `fonoteka.corpus`)
Writes  inventory.csv: one row per file, sorted by id; prints.npy: one row per file in the same
        order, by which dedupe finds copies (see fingerprint/store.py); phones.jsonl: the phone
        times that corpora have, by id; corpora.json: the cards
Params  inventory

Later stages read tables, cards and phone times from here and not from data/raw, so that a changed
recording makes only those stages stale that read recordings.

A broken file is a row with a problem (see problems.py), because some recordings are always bad. A
broken table is an error, because it is quickly corrected and a guess would change all later
numbers. Files are read in worker processes, within limits that no file can change.
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
from fonoteka.audiocheck.measure import Probe, ProbeLimits
from fonoteka.audiocheck.probe import probe
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
from stages.corpus.inventory.scan import CorpusFile, check_transcripts, corpus_files, corpus_folders

# The problem, the row as a line of the table, the row of prints.npy.
FileResult = tuple[str, str, bytes]


_NO_CODES: Codes = np.empty(0, dtype=np.uint64)


@dataclass(frozen=True)
class InventoryParams:
    """Section `inventory`.

    Attributes:
        corpora: the folders of data/raw that are used.
        untranscribed: `refuse` a clip without a transcript, or `quarantine` it.
        min_s: shorter clips are a problem.
        max_s: longer clips are a problem.
        max_bytes: larger files are not opened.
        max_channels: files with more are a problem.
        max_decode_s: wall-clock limit per file; a decoder that takes longer is ended.
        memory_mib: limit per worker; at least 64.
        silent_below_dbfs: a clip whose loudest sample is below it is a problem; at most 0.
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
        """Raise for values with which no clip or no corpus could be used."""
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
        # With smaller values no file could be read.
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


def problem_of(probed: Probe, has_text: bool, params: InventoryParams) -> tuple[str, str]:
    """Return the most serious problem of a clip and its detail, both empty for most clips.

    The problems are in problems.py. Without a problem, the detail is a note on unusual data in the
    file, such as bytes behind the audio.
    """
    if probed.problem:
        return probed.problem, probed.detail
    if not probed.frames:
        return EMPTY, "0 samples"
    if probed.duration_s < params.min_s:
        return TOO_SHORT, f"{probed.duration_s:.3f} s, at least {params.min_s:g} s"
    if probed.duration_s > params.max_s:
        return TOO_LONG, f"{probed.duration_s:.3f} s, at most {params.max_s:g} s"
    if probed.peak_dbfs < params.silent_below_dbfs:
        return (
            SILENT,
            f"peak {probed.peak_dbfs:.1f} dBFS, at least {params.silent_below_dbfs:g} dBFS",
        )
    if probed.clipped > params.max_clipped_fraction:
        return (
            CLIPPED,
            f"{probed.clipped:.2%} of samples at full scale, at most "
            f"{params.max_clipped_fraction:.2%}",
        )
    return ("" if has_text else NO_TRANSCRIPT), probed.detail


def inventory_line(file: CorpusFile, probed: Probe, problem: str, detail: str) -> str:
    """Return the inventory's row for one file, as a line of the table.

    Numbers and hashes are not quoted, because they contain no character that needs it.
    """
    card, clip = file.card, file.clip or CorpusClip(file.path, "", "", "")
    corpus, terms = card.name, file.own.within(card)
    speaker = f"{corpus}/{clip.speaker}" if clip.speaker else ""
    session = f"{corpus}/{clip.session}" if clip.session else ""
    parent = utterance_id(corpus, clip.parent) if clip.parent else ""
    return (
        f"{_cells(file.id, corpus)}{_cells(f'{corpus}/{file.path}')}"
        f"{probed.bytes or file.size},{probed.sha256},{probed.pcm_sha256},{probed.duration_s:.6f},"
        f"{probed.sample_rate_hz},{probed.channels},{_shared_cells(probed.codec)}"
        f"{_decibels(probed.peak_dbfs)},{_decibels(probed.level_dbfs)},{_decibels(probed.snr_db)},"
        f"{_cells(clip.text)}{_shared_cells(speaker, clip.language, session, clip.sex)}"
        f"{_cells(parent)}{_shared_cells(terms.licence, terms.source, str(card.synthetic).lower())}"
        f"{table_line((problem, detail))}"
    )


def _cells(*values: str) -> str:
    """Return cells of a table, each followed by a comma."""
    return table_line((*values, ""))[:-1]


_shared_cells = lru_cache(maxsize=4096)(_cells)  # many clips share these values


def _decibels(value: float | None) -> str:
    """Return dB for a table; silence and values that were not measured give an empty cell."""
    return "" if value is None or not math.isfinite(value) else f"{value:.2f}"


def inspect_file(file: CorpusFile, raw: Path, params: InventoryParams) -> FileResult:
    """Read one file and return its row of the inventory and of the fingerprints."""
    if file.problem:
        return _file_result(file, Probe(), file.problem, file.detail)
    limits = ProbeLimits(params.max_bytes, params.max_s, params.max_channels)
    probed = probe(f"{raw}/{file.card.name}/{file.path}", limits)
    has_text = file.clip is not None and bool(file.clip.text)
    problem, detail = problem_of(probed, has_text, params)
    channel = None if problem else _channel(probed)
    notes = filter(None, (detail, str(channel or "")))
    return _file_result(file, probed, problem, "; ".join(notes), channel)


def _channel(probed: Probe) -> ChannelChoice | None:
    """Return the channel to use for a clip whose channels cancel each other, see downmix.py."""
    if probed.sound is None or probed.channels < 2:
        return None
    return choose_channel(probed.sound.reshape(-1, probed.channels), probed.sample_rate_hz)


def failed_file(file: CorpusFile, failure: WorkerFailure) -> FileResult:
    """Return the result for a file whose worker died or was ended."""
    problem = TOO_LARGE if failure.cause == "memory" else UNREADABLE
    return _file_result(file, Probe(), problem, failure.detail)


def _file_result(
    file: CorpusFile, probed: Probe, problem: str, detail: str, channel: ChannelChoice | None = None
) -> FileResult:
    line = inventory_line(file, probed, problem, detail)
    return problem, line, store.as_row(probed.pcm_sha256, _fingerprint(probed, problem, channel))


def _fingerprint(probed: Probe, problem: str, channel: ChannelChoice | None) -> Codes:
    """Return the fingerprint of a clip or of one of its channels; empty if it has a problem."""
    if problem or probed.sound is None or probed.sample_rate_hz < MIN_RATE_HZ:
        return _NO_CODES
    sound = probed.sound
    if probed.channels > 1:
        sound = sound.reshape(-1, probed.channels)
    return fingerprint(channel.select(sound) if channel else sound, probed.sample_rate_hz)


def inspect_files(
    files: list[CorpusFile], raw: Path, params: InventoryParams, workers: int
) -> Iterator[FileResult]:
    """Yield the result for each file, in order."""
    limits = WorkerLimits(params.max_decode_s, params.memory_mib)
    results = guarded(partial(inspect_file, raw=raw, params=params), files, workers, limits)
    for file, result in zip(files, results, strict=True):
        yield failed_file(file, result) if isinstance(result, WorkerFailure) else result


@dataclass(frozen=True)
class InventoryOutputs:
    """The files that the stage writes."""

    inventory: Path
    prints: Path
    phones: Path
    corpora: Path


def run(raw: Path, outputs: InventoryOutputs, params: InventoryParams, workers: int) -> None:
    """Write the inventory of the used corpora, with fingerprints, phone times and cards."""
    files: list[CorpusFile] = []
    folders = corpus_folders(raw, params.corpora)
    for folder in folders:
        corpus = corpus_files(folder)
        if params.untranscribed == "refuse":
            check_transcripts(folder, corpus)
        others = [file.path for file in corpus if file.problem in (HIDDEN, NOT_AUDIO)]
        if others:
            print(f"inventory: {folder}: {len(others)} files are not audio: {_first_names(others)}")
        files += corpus
    files.sort(key=lambda file: file.id)
    problems: Counter[str] = Counter()
    # A row is written as soon as it is computed, so memory grows with the names and not the rows.
    with (
        store.written(outputs.prints, len(files)) as write_fingerprint,
        atomic_file(outputs.inventory) as part,
        part.open("w", encoding="utf-8", newline="") as stream,
    ):
        stream.write(table_line(INVENTORY_COLUMNS))
        for problem, line, codes in inspect_files(files, raw, params, workers):
            stream.write(line)
            write_fingerprint(codes)
            problems[problem] += 1
    del problems[""]
    cards = {file.card.name: asdict(file.card) for file in files}
    write_json(outputs.corpora, [cards[folder.name] for folder in folders])
    write_phone_times(outputs.phones, phone_times(folders, {file.id for file in files}))
    print(f"inventory: {len(files)} files, problems: {dict(sorted(problems.items())) or 'none'}")


def phone_times(folders: Iterable[Path], ids: Container[str]) -> dict[str, TimedPhones]:
    """Return the phone times of the corpora, for the clips with these ids."""
    return {
        id_: timed
        for folder in folders
        for path, timed in read_phones(folder).items()
        if (id_ := utterance_id(folder.name, path)) in ids
    }


def _first_names(names: list[str]) -> str:
    """Return some names, with characters escaped that a terminal would interpret."""
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
    outputs = InventoryOutputs(args.inventory, args.prints, args.phones, args.corpora)
    run(args.raw, outputs, load("inventory", InventoryParams), worker_count())
