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
numbers. Files are read in worker processes, within limits that no file can change. A file whose
bytes an earlier run has read is not read again, see file_facts.py.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

from fonoteka.audiocheck.measure import Probe
from fonoteka.audiocheck.sandbox import WorkerLimits, guarded
from fonoteka.audiocheck.sandbox_worker import WorkerFailure
from fonoteka.core.cpu_count import worker_count
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
from fonoteka.fingerprint.fingerprint import Codes
from fonoteka.manifest import utterance_id
from fonoteka.tables import table_line
from stages.corpus.inventory.file_facts import (
    NO_CODES,
    FactStore,
    FileFacts,
    fact_store,
    file_facts,
)
from stages.corpus.inventory.params import InventoryParams
from stages.corpus.inventory.problems import HIDDEN, NOT_AUDIO, TOO_LARGE, UNREADABLE
from stages.corpus.inventory.scan import CorpusFile, check_transcripts, corpus_files, corpus_folders

# The problem, the row as a line of the table, the row of prints.npy.
FileResult = tuple[str, str, bytes]


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


def inspect_file(
    file: CorpusFile, raw: Path, params: InventoryParams, existing: FactStore
) -> FileResult:
    """Read one file and return its row of the inventory and of the fingerprints."""
    if file.problem:
        return _file_result(file, Probe(), file.problem, file.detail)
    path = _path(file, raw)
    measured = file_facts(path, _has_text(file), params)
    existing.keep(file.id, path, _has_text(file), measured)
    return _file_result(file, *measured)


def _path(file: CorpusFile, raw: Path) -> str:
    return f"{raw}/{file.card.name}/{file.path}"


def _has_text(file: CorpusFile) -> bool:
    return file.clip is not None and bool(file.clip.text)


def failed_file(file: CorpusFile, failure: WorkerFailure) -> FileResult:
    """Return the result for a file whose worker died or was ended."""
    problem = TOO_LARGE if failure.cause == "memory" else UNREADABLE
    return _file_result(file, Probe(), problem, failure.detail)


def _file_result(
    file: CorpusFile, probed: Probe, problem: str, detail: str, codes: Codes = NO_CODES
) -> FileResult:
    line = inventory_line(file, probed, problem, detail)
    return problem, line, store.as_row(probed.pcm_sha256, codes)


def inspect_files(
    files: list[CorpusFile], raw: Path, params: InventoryParams, workers: int
) -> Iterator[FileResult]:
    """Yield the result for each file, in order; files with stored facts are not opened."""
    existing = fact_store(params)
    stored: dict[int, FileFacts] = {}
    for index, file in enumerate(files):
        if not file.problem:
            hit = existing.find(file.id, _path(file, raw), _has_text(file))
            if hit is not None:
                stored[index] = hit
    # The workers are those of `sandbox` and not of an executor: they have limits of time and
    # memory, and a file at which one dies becomes a row with its problem.
    others = [file for index, file in enumerate(files) if index not in stored]
    limits = WorkerLimits(params.max_decode_s, params.memory_mib)
    inspect = partial(inspect_file, raw=raw, params=params, existing=existing)
    results = guarded(inspect, others, workers, limits)
    for index, file in enumerate(files):
        if index in stored:
            yield _file_result(file, *stored.pop(index))
            continue
        result = next(results)
        yield failed_file(file, result) if isinstance(result, WorkerFailure) else result
    assert next(results, None) is None  # and the workers have ended
    existing.results.end()


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
