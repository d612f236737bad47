"""Join clips to streams as a microphone records them, and compute causal features per hop.

Reads   data/audio, train.jsonl, valid.jsonl, test.jsonl, segments.parquet
Writes  data/realtime/streams/shard-NN.safetensors   id  `[T, M]`  frames of the front end
        data/realtime/times.parquet                  each phone of a stream with its times
        data/realtime/frontend.json                  all that a host needs for the same features
        reports/streams.json
Params  realtime_features, frontend, and the recipe that realtime_features.augment names

Streams are joined as `fonoteka.realtime.joined_streams` describes. The constants of the front end
are those of the training streams and are the same for all other speakers. A recipe of augmentation
changes the training clips before they are joined, and the times of their phones with them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.alignment.phone_rows import RowWriter, read_phone_rows
from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recipe import AugmentRecipe, load_recipe
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import PARTS, Utterance
from fonoteka.models.determinism import seed_of
from fonoteka.realtime.frontend import Features, FrontEnd, FrontEndParams
from fonoteka.realtime.joined_streams import (
    COLUMNS,
    JoinParams,
    Stream,
    Times,
    by_speaker,
    clips_in_order,
    joined_streams,
    streams_of,
)
from fonoteka.shards import ScratchArrays, array_shard, open_clips, stream_arrays


@dataclass(frozen=True)
class RealtimeFeaturesParams(JoinParams):
    """Section `realtime_features`.

    Attributes:
        shards: files to spread the streams over.
        augment: name of the recipe of the training clips.
    """

    shards: int
    augment: str

    section = "realtime_features"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shards < 1:
            raise UserError(
                f"realtime_features: shards must be at least 1, found {self.shards}; change it in "
                "params.yaml"
            )


def constants(
    frames: Mapping[str, Features], names: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each band over the named streams, shape `[M]` each.

    They are rounded to 1e-7, far below the noise of a microphone, so that the last bits of another
    processor do not change the file.
    """
    count = sum(len(frames[name]) for name in names)
    mean = sum(frames[name].sum(axis=0, dtype=np.float64) for name in names) / count
    squares = (np.square(frames[name] - mean, dtype=np.float64).sum(axis=0) for name in names)
    square = sum(squares) / count
    deviation = np.maximum(np.sqrt(square), 1e-3)
    return tuple(np.asarray(np.round(x, 7), np.float32) for x in (mean, deviation))  # type: ignore[return-value]


def augmented_streams(
    part: str, utterances: Sequence[Utterance], audio: Path, times: Times, params: JoinParams,
    recipe: AugmentRecipe,
) -> Iterator[Stream]:  # fmt: skip
    """Yield the streams of a part whose clips the recipe has changed, speaker by speaker."""
    signals = open_clips(audio, {u.id: u.audio for u in utterances})
    changed_times: dict[str, list[tuple[str, float, float]]] = {}

    def changed(u: Utterance) -> Signal:
        rng = np.random.default_rng(seed_of(params.seed, "augment", u.id))
        signal, factor = augment(signals[u.id], recipe, rng)
        changed_times[u.id] = [(phone, s / factor, e / factor) for phone, s, e in times[u.id]]
        return signal

    for speaker, own in by_speaker(utterances).items():
        # A clip is changed before its times are asked for. Those of one speaker are in memory.
        yield from streams_of(part, speaker, clips_in_order(own, changed), changed_times, params)
        changed_times.clear()


def run(
    audio: Path, parts: Mapping[str, Path], segments: Path, out: Path, times_path: Path,
    frontend_path: Path, report_path: Path, params: RealtimeFeaturesParams,
    frontend: FrontEndParams, recipe: AugmentRecipe,
) -> None:  # fmt: skip
    """Write the streams of all parts."""
    times = read_phone_rows(segments)
    with atomic_folder(out) as folder, ScratchArrays(folder) as frames:
        with atomic_file(times_path) as file, RowWriter(file, COLUMNS) as table:
            train_streams, report = plain_features(
                audio, parts, times, frames, table, params, frontend, recipe
            )
        # The constants are known only after all training streams, so features are normalised last.
        end = FrontEnd(frontend, *constants(frames, sorted(train_streams)))
        keys = sorted(frames, key=lambda key: (array_shard(key, params.shards), key))
        final = ((key, np.asarray((frames[key] - end.mean) / end.std, np.float32)) for key in keys)
        stream_arrays(folder, final, params.shards)
    write_json(frontend_path, end.to_json())
    write_json(report_path, report)


def plain_features(
    audio: Path, parts: Mapping[str, Path], times: Times, frames: ScratchArrays, table: RowWriter,
    params: RealtimeFeaturesParams, frontend: FrontEndParams, recipe: AugmentRecipe,
) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
    """Add the features of all streams to `frames` and their phones to `table`.

    Return the names of the training streams, and the report.
    """
    plain = FrontEnd.without_normalisation(frontend)
    train_streams: list[str] = []
    report: dict[str, Any] = {}
    for part, path in parts.items():
        utterances = manifest.read(path)
        timed = [u for u in utterances if u.id in times]
        if not timed:
            raise UserError(f"{path}: no clip whose phone times are known; run the stage align")
        seconds: dict[str, float] = defaultdict(float)
        count = 0
        changed = part == "train" and recipe.changes
        streams = (
            augmented_streams(part, timed, audio, times, params, recipe)
            if changed
            else joined_streams(part, timed, audio, times, params)
        )
        for stream in streams:
            features = plain(stream.samples)
            if not len(features):
                raise UserError(
                    f"stream {stream.id}: {len(stream.samples)} samples are less than a hop of "
                    f"{frontend.hop}; raise realtime_features.pause_min_s in params.yaml"
                )
            frames.add(stream.id, features)
            table.extend(stream.rows)
            if part == "train":
                train_streams.append(stream.id)
            count += 1
            seconds[stream.rows[0][2]] += len(stream.samples) / SAMPLE_RATE_HZ
        report[part] = {
            "speakers": len(seconds), "hours": round(sum(seconds.values()) / 3600, 3),
            "streams": count,
            "clips": len(timed), "clips_without_times": len(utterances) - len(timed),
        }  # fmt: skip
    return train_streams, report


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path)
    for part in PARTS:
        parser.add_argument(part, type=Path)
    for name in ("segments", "out", "times", "frontend", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    params = load("realtime_features", RealtimeFeaturesParams)
    run(
        args.audio, {part: getattr(args, part) for part in PARTS}, args.segments, args.out,
        args.times, args.frontend, args.report, params, load("frontend", FrontEndParams),
        load_recipe(params.augment, "realtime_features.augment"),
    )  # fmt: skip


if __name__ == "__main__":
    stage(main)
