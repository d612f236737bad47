"""Join clips to streams as a microphone records them, and compute causal features per hop.

Reads   data/audio, train.jsonl, valid.jsonl, test.jsonl, segments.parquet
Writes  data/realtime/streams/shard-NN.safetensors   id  `[T, M]`  frames of the front end
        data/realtime/times.parquet                  each phone of a stream with its times
        data/realtime/frontend.json                  all that a host needs for the same features
        reports/streams.json
Params  realtime_features, frontend

A clip is trimmed and levelled, so clips alone contain neither pauses nor quiet speakers. A stream
has the clips of one speaker in random order, with pauses of random length between them, a noise
throughout and a level of its own. The constants of the front end are those of the training
streams and are the same for all other speakers.
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
from scipy.signal import lfilter

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, atomic_folder, write_json
from fonoteka.core.params import load
from fonoteka.core.run_stage import stage
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import seed_of
from fonoteka.realtime.frontend import Features, FrontEnd, FrontEndParams
from fonoteka.shards import read_clips, write_arrays

PARTS = ("train", "valid", "test")
COLUMNS = (
    "stream", "part", "speaker", "source", "synthetic", "language", "phone", "start_s", "end_s",
)  # fmt: skip
Times = Mapping[str, Sequence[tuple[str, float, float]]]


@dataclass(frozen=True)
class RealtimeFeaturesParams:
    """Section `realtime_features`.

    Attributes:
        seed: of the order of clips, pauses, noises and levels.
        seconds: a stream ends with the clip that reaches them.
        pause_min_s: shortest pause before, between and after clips.
        pause_max_s: longest.
        gain_min_db: of a stream; clips are at preprocess.level_dbfs.
        gain_max_db: highest; what goes beyond full scale is cut off, as a sound card does.
        noise_min_db: under the clips' level, before the gain.
        noise_max_db: quietest.
        shards: files to spread the streams over.
    """

    seed: int
    seconds: float
    pause_min_s: float
    pause_max_s: float
    gain_min_db: float
    gain_max_db: float
    noise_min_db: float
    noise_max_db: float
    shards: int

    def __post_init__(self) -> None:
        if self.shards < 1 or not self.seconds > 0:
            raise UserError(
                "realtime_features: shards must be at least 1 and seconds above 0, found "
                f"{self.shards} and {self.seconds}; change them in params.yaml"
            )
        for name in ("pause", "gain", "noise"):
            low, high = (
                getattr(self, f"{name}_{end}_{'s' if name == 'pause' else 'db'}")
                for end in ("min", "max")
            )
            if low > high or (name == "pause" and low < 0):
                raise UserError(
                    f"realtime_features: the range of {name} must be ascending, found {low} to "
                    f"{high}; change it in params.yaml"
                )


@dataclass(frozen=True)
class Stream:
    """The clips of one speaker as one signal, as a microphone records them.

    Attributes:
        id: of the stream.
        part: of its speaker.
        samples: `[N]` at 16 kHz.
        rows: each phone, with the columns COLUMNS.
    """

    id: str
    part: str
    samples: Signal
    rows: list[tuple[Any, ...]]


def streams_of(
    part: str, speaker: str, clips: Sequence[tuple[Utterance, Signal]], times: Times,
    params: RealtimeFeaturesParams,
) -> Iterator[Stream]:  # fmt: skip
    """Yield the streams of one speaker; the random draws depend on the speaker's name alone."""
    # Each speaker has an own generator: another speaker more or less changes no other stream.
    rng = np.random.default_rng(seed_of(params.seed, "streams", speaker))
    order = rng.permutation(len(clips))
    pieces, rows, number = [_pause(rng, params)], [], 0
    length = len(pieces[0])
    for position, clip_index in enumerate(order):
        u, signal = clips[clip_index]
        name = f"{speaker}-{number:03d}"
        offset_s = length / SAMPLE_RATE_HZ
        rows += [
            (name, part, speaker, u.source, u.synthetic, u.language, phone,
             round(offset_s + start_s, 4), round(offset_s + end_s, 4))
            for phone, start_s, end_s in times[u.id]
        ]  # fmt: skip
        pieces += [signal, _pause(rng, params)]
        length += len(pieces[-2]) + len(pieces[-1])
        if length >= params.seconds * SAMPLE_RATE_HZ or position + 1 == len(order):
            yield Stream(name, part, _recorded(np.concatenate(pieces), rng, params), rows)
            pieces, rows, number = [_pause(rng, params)], [], number + 1
            length = len(pieces[0])


def _pause(rng: np.random.Generator, params: RealtimeFeaturesParams) -> Signal:
    seconds = rng.uniform(params.pause_min_s, params.pause_max_s)
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)


def _recorded(signal: Signal, rng: np.random.Generator, params: RealtimeFeaturesParams) -> Signal:
    """Return a stream with a noise of its own colour and level, at a level of its own."""
    tilt = rng.uniform(0, 0.95)
    noise = lfilter([1.0], [1.0, -tilt], rng.standard_normal(len(signal)))
    loud = signal[signal != 0]
    level = float(np.sqrt(np.mean(np.square(loud, dtype=np.float64)))) if loud.size else 1.0
    below = rng.uniform(params.noise_min_db, params.noise_max_db)
    noise *= level * 10 ** (-below / 20) / max(float(noise.std()), 1e-12)
    gain = 10 ** (rng.uniform(params.gain_min_db, params.gain_max_db) / 20)
    return np.asarray(np.clip((signal + noise) * gain, -1, 1), dtype=np.float32)


def phone_times(segments: Path) -> Times:
    """Return each clip's phones with start and end in seconds."""
    table = pd.read_parquet(segments, columns=["utterance", "kind", "symbol", "start_s", "end_s"])
    phones = table[table["kind"] == "phone"]
    return {
        str(key): list(zip(rows["symbol"], rows["start_s"], rows["end_s"], strict=True))
        for key, rows in phones.groupby("utterance", sort=False)
    }


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


def run(
    audio: Path, parts: Mapping[str, Path], segments: Path, out: Path, times_path: Path,
    frontend_path: Path, report_path: Path, params: RealtimeFeaturesParams,
    frontend: FrontEndParams,
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
        for stream in _all(part, timed, audio, times, params):
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


def _all(
    part: str,
    utterances: Sequence[Utterance],
    audio: Path,
    times: Times,
    params: RealtimeFeaturesParams,
) -> Iterator[Stream]:
    """Yield the streams of a part, speaker by speaker."""
    signals = dict(read_clips(audio, {u.id: u.audio for u in utterances}))
    speakers: dict[str, list[tuple[Utterance, Signal]]] = {}
    for u in sorted(utterances, key=lambda u: u.id):
        speakers.setdefault(u.speaker, []).append((u, signals.pop(u.id)))
    for speaker in sorted(speakers):
        yield from streams_of(part, speaker, speakers[speaker], times, params)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("audio", type=Path)
    for part in PARTS:
        parser.add_argument(part, type=Path)
    for name in ("segments", "out", "times", "frontend", "report"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    run(
        args.audio, {part: getattr(args, part) for part in PARTS}, args.segments, args.out,
        args.times, args.frontend, args.report, load("realtime_features", RealtimeFeaturesParams),
        load("frontend", FrontEndParams),
    )  # fmt: skip


if __name__ == "__main__":
    stage(main)
