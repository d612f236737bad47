"""Convert every accepted clip to 16 kHz mono, trimmed and levelled, in WebDataset shards.

Reads   accepted.csv (which clips), data/raw (their audio)
Writes  data/audio/shard-NN.tar (`<id>.flac`), data/audio/index.csv
Params  preprocess

The shard of a clip depends on a hash of its id, and tar headers are fixed, so a new clip changes
one shard, and a recording that an earlier run has prepared is not decoded again. The index has the
time that was trimmed from the start, by which phone times are moved.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from operator import itemgetter
from pathlib import Path

import numpy as np

# to_mono_16k imports it late; imported before processes fork, all workers share it.
import scipy.signal  # noqa: F401

from fonoteka.audio.dsp import (
    SAMPLE_RATE_HZ,
    flac_bytes,
    levelled,
    speech_bounds,
    to_mono_16k,
)
from fonoteka.audiocheck.decode import read_sound
from fonoteka.audiocheck.decoder_versions import ffmpeg_version, libsndfile_version
from fonoteka.audiocheck.downmix import select_channel
from fonoteka.compute.file_content import content_of
from fonoteka.compute.map_shards import map_shards
from fonoteka.compute.plan_shards import plan_by_key
from fonoteka.compute.source_fingerprint import source_fingerprint
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_folder, sha256_json, write_text
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.corpus.corpus import INDEX_COLUMNS
from fonoteka.shards import add_to_tar, shard_name, shard_of
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


@dataclass(frozen=True)
class PreprocessTask:
    """Prepare one clip; an item has its id and its path below `raw`."""

    raw: Path
    params: PreprocessParams
    fingerprint: str
    name: str = "preprocess"

    def open(self) -> Callable[[tuple[str, str]], PreparedClip]:
        """Return the function of one clip."""
        return partial(prepare, raw=self.raw, params=self.params)

    def clip(self, item: tuple[str, str]) -> str:
        """Return the id of the clip."""
        return item[0]

    def content(self, item: tuple[str, str]) -> str:
        """Return a hash of the file."""
        return content_of(self.raw / item[1])

    def encode(self, result: PreparedClip) -> bytes:
        """Return a clip as a line of JSON and its FLAC bytes."""
        head = [result.id, result.duration_s, result.offset_s, result.problem]
        return json.dumps(head).encode() + b"\n" + result.flac

    def decode(self, data: bytes) -> PreparedClip:
        """Return the clip of `encode`."""
        head, _, flac = data.partition(b"\n")
        id_, duration_s, offset_s, problem = json.loads(head)
        return PreparedClip(id_, flac, duration_s, offset_s, problem)


def preprocess_task(raw: Path, params: PreprocessParams) -> PreprocessTask:
    """Return the task, with a fingerprint of code, decoders and parameters.

    The number of shards changes no clip.
    """
    levels = {key: value for key, value in asdict(params).items() if key != "shards"}
    code = source_fingerprint(__name__, anywhere=True)
    mark = sha256_json([code, libsndfile_version(), ffmpeg_version(), levels])
    return PreprocessTask(raw, params, mark)


def run(accepted: Path, raw: Path, out: Path, params: PreprocessParams) -> None:
    """Prepare all accepted clips and write shards and index."""
    if params.shards < 1:
        raise UserError(f"preprocess.shards must be at least 1, found {params.shards}")
    # Not csv.DictReader: it keeps the apostrophe before a cell that looks like a formula.
    clips = sorted((row["id"], row["path"]) for row in read_table(accepted, ("id", "path")))
    names = [shard_name(number) for number in range(params.shards)]
    plan = plan_by_key(clips, itemgetter(0), params.shards)
    rows: list[list[str]] = []
    with atomic_folder(out) as part, ExitStack() as stack:
        tars = {
            name: stack.enter_context(
                tarfile.open(part / f"{name}.tar", "w", format=tarfile.USTAR_FORMAT)
            )
            for name in names
        }
        for _, results in map_shards(preprocess_task(raw, params), plan):
            rows += [_written(clip, tars, names) for clip in results]
        if all(row[4] for row in rows):
            raise UserError(f"{accepted}: none of {len(rows)} clips is left after trimming")
        write_text(part / "index.csv", _table(sorted(rows)))


def _written(
    clip: PreparedClip, tars: Mapping[str, tarfile.TarFile], names: Sequence[str]
) -> list[str]:
    """Write one clip to its shard and return its row of the index."""
    name, audio = names[shard_of(clip.id, len(names))], ""
    if not clip.problem:
        add_to_tar(tars[name], f"{clip.id}.flac", clip.flac)
        audio = f"{name}.tar/{clip.id}.flac"
    return [clip.id, audio, f"{clip.duration_s:.4f}", f"{clip.offset_s:.4f}", clip.problem]


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
    run(args.accepted, args.raw, args.out, load("preprocess", PreprocessParams))


if __name__ == "__main__":
    stage(main)
