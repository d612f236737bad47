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
import pandas as pd
from numpy.typing import NDArray

from fonoteka import manifest
from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
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
    joined_streams,
    phone_times,
    streams_of,
)
from fonoteka.shards import read_clips, write_arrays


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


def constants(frames: Sequence[Features]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and deviation of each band over all frames, shape `[M]` each.

    They are rounded to 1e-7, far below the noise of a microphone, so that the last bits of another
    processor do not change the file.
    """
    count = sum(map(len, frames))
    mean = sum(f.sum(axis=0, dtype=np.float64) for f in frames) / count
    square = sum(np.square(f - mean, dtype=np.float64).sum(axis=0) for f in frames) / count
    deviation = np.maximum(np.sqrt(square), 1e-3)
    return tuple(np.asarray(np.round(x, 7), np.float32) for x in (mean, deviation))  # type: ignore[return-value]


def augmented_streams(
    part: str, utterances: Sequence[Utterance], audio: Path, times: Times, params: JoinParams,
    recipe: AugmentRecipe,
) -> Iterator[Stream]:  # fmt: skip
    """Yield the streams of a part whose clips the recipe has changed, speaker by speaker."""
    signals = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    for speaker in sorted({u.speaker for u in utterances}):
        clips, moved = [], {}
        for u in sorted((u for u in utterances if u.speaker == speaker), key=lambda u: u.id):
            rng = np.random.default_rng(seed_of(params.seed, "augment", u.id))
            changed, factor = augment(signals.pop(u.id), recipe, rng)
            clips.append((u, changed))
            moved[u.id] = [(phone, s / factor, e / factor) for phone, s, e in times[u.id]]
        yield from streams_of(part, speaker, clips, moved, params)


def run(
    audio: Path, parts: Mapping[str, Path], segments: Path, out: Path, times_path: Path,
    frontend_path: Path, report_path: Path, params: RealtimeFeaturesParams,
    frontend: FrontEndParams, recipe: AugmentRecipe,
) -> None:  # fmt: skip
    """Write the streams of all parts."""
    times = phone_times(segments)
    # The constants are known only after all training streams, so features are normalised last.
    plain = FrontEnd.without_normalisation(frontend)
    frames: dict[str, Features] = {}
    rows: list[tuple[Any, ...]] = []
    report: dict[str, Any] = {}
    for part, path in parts.items():
        utterances = manifest.read(path)
        timed = [u for u in utterances if u.id in times]
        if not timed:
            raise UserError(f"{path}: no clip whose phone times are known; run the stage align")
        seconds: dict[str, float] = defaultdict(float)
        changed = part == "train" and recipe.changes
        streams = (
            augmented_streams(part, timed, audio, times, params, recipe)
            if changed
            else joined_streams(part, timed, audio, times, params)
        )
        for stream in streams:
            frames[stream.id] = plain(stream.samples)
            if not len(frames[stream.id]):
                raise UserError(
                    f"stream {stream.id}: {len(stream.samples)} samples are less than a hop of "
                    f"{frontend.hop}; raise realtime_features.pause_min_s in params.yaml"
                )
            rows += stream.rows
            seconds[stream.rows[0][2]] += len(stream.samples) / SAMPLE_RATE_HZ
        report[part] = {
            "speakers": len(seconds), "hours": round(sum(seconds.values()) / 3600, 3),
            "streams": len({row[0] for row in rows if row[1] == part}),
            "clips": len(timed), "clips_without_times": len(utterances) - len(timed),
        }  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    train_streams = set(table.loc[table["part"] == "train", "stream"])
    end = FrontEnd(frontend, *constants([frames[key] for key in sorted(train_streams)]))
    final = {key: np.asarray((f - end.mean) / end.std, np.float32) for key, f in frames.items()}
    with atomic_folder(out) as folder:
        write_arrays(folder, final, params.shards)
    with atomic_file(times_path) as file:
        table.to_parquet(file, index=False)
    write_json(frontend_path, end.to_json())
    write_json(report_path, report)


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
