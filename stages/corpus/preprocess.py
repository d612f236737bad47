"""Convert every accepted clip to 16 kHz mono, trimmed and levelled, in WebDataset shards.

Reads   accepted.csv (which clips), data/raw (their audio)
Writes  data/audio/shard-NN.tar (`<id>.flac`), data/audio/index.csv
Params  preprocess

The shard of a clip depends on a hash of its id, and tar headers are fixed, so a new clip changes
one shard. The index has the time that was trimmed from the start, by which phone times are moved.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

# to_mono_16k imports it late; imported before the pool forks, all workers share it.
import scipy.signal  # noqa: F401

from fonoteka.audio.dsp import (
    SAMPLE_RATE_HZ,
    flac_bytes,
    levelled,
    speech_bounds,
    to_mono_16k,
)
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, write_text
from fonoteka.core.params import load
from fonoteka.core.run_stage import die_with_parent, stage
from fonoteka.corpus.corpus import INDEX_COLUMNS
from fonoteka.shards import add_to_tar, shard_of
from fonoteka.tables import read_table


@dataclass(frozen=True)
class PreprocessParams:
    """Section `preprocess`."""

    level_dbfs: float
    trim_below_peak_db: float
    trim_margin_s: float
    min_s: float
    shards: int


@dataclass(frozen=True)
class PreparedClip:
    """A prepared clip: its FLAC bytes, or the problem why there are none; times in seconds."""

    id: str
    flac: bytes
    duration_s: float
    offset_s: float
    problem: str


def prepare(id_and_path: tuple[str, str], raw: Path, params: PreprocessParams) -> PreparedClip:
    """Return one prepared clip; `id_and_path` has its id and its path below `raw`."""
    id_, path = id_and_path
    samples, rate = read_sound(raw / path)
    signal = to_mono_16k(select_channel(samples, rate), rate)
    if not signal.size or not np.abs(signal).max() > 0:
        return PreparedClip(id_, b"", 0.0, 0.0, "silent")
    start, end = speech_bounds(signal, params.trim_below_peak_db, params.trim_margin_s)
    duration = (end - start) / SAMPLE_RATE_HZ
    offset = start / SAMPLE_RATE_HZ
    if duration < params.min_s:
        return PreparedClip(id_, b"", duration, offset, "too short")
    return PreparedClip(
        id_, flac_bytes(levelled(signal[start:end], params.level_dbfs)), duration, offset, ""
    )


def run(accepted: Path, raw: Path, out: Path, params: PreprocessParams, workers: int) -> None:
    """Prepare all accepted clips and write shards and index."""
    if params.shards < 1:
        raise UserError(f"preprocess.shards must be at least 1, found {params.shards}")
    # Not csv.DictReader: it keeps the apostrophe before a cell that looks like a formula.
    clips = sorted((row["id"], row["path"]) for row in read_table(accepted, ("id", "path")))
    rows: list[list[str]] = []
    with atomic_folder(out) as part, ExitStack() as stack:
        tars = [
            stack.enter_context(
                tarfile.open(part / f"shard-{n:02d}.tar", "w", format=tarfile.USTAR_FORMAT)
            )
            for n in range(params.shards)
        ]
        pool = stack.enter_context(ProcessPoolExecutor(workers, initializer=die_with_parent))
        prepare_one = partial(prepare, raw=raw, params=params)
        for clip in pool.map(prepare_one, clips, chunksize=16):
            shard = shard_of(clip.id, params.shards)
            if not clip.problem:
                add_to_tar(tars[shard], f"{clip.id}.flac", clip.flac)
            audio = "" if clip.problem else f"shard-{shard:02d}.tar/{clip.id}.flac"
            rows.append(
                [clip.id, audio, f"{clip.duration_s:.4f}", f"{clip.offset_s:.4f}", clip.problem]
            )
        if all(row[4] for row in rows):
            raise UserError(f"{accepted}: none of {len(rows)} clips is left after trimming")
        write_text(part / "index.csv", _table(rows))


def _table(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([list(INDEX_COLUMNS), *rows])
    return buffer.getvalue()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("accepted", type=Path)
    parser.add_argument("raw", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    run(args.accepted, args.raw, args.out, load("preprocess", PreprocessParams), worker_count())


if __name__ == "__main__":
    stage(main)
