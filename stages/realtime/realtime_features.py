"""Lay clips end to end as a microphone would hear them, and describe each hop causally.

Reads   data/audio, train.jsonl, valid.jsonl, test.jsonl, segments.parquet
Writes  data/realtime/streams/shard-NN.safetensors   id  `[T, M]`  frames of the front end
        data/realtime/times.parquet                  each phone of a stream and when it sounds
        data/realtime/frontend.json                  what a host needs to make the same frames
        reports/streams.json
Params  streams, frontend

A clip is trimmed and levelled, so a model that met clips alone would know neither pauses nor a
quiet speaker. A stream has the clips of one voice in any order, pauses of any length between them,
a noise throughout and a level of its own. The constants of the front end are those of the training
streams and are the same for every voice that comes later.
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
                f"streams: {self.shards} shards of streams of {self.seconds} s are none; change "
                "them in params.yaml"
            )
        for name in ("pause", "gain", "noise"):
            low, high = (
                getattr(self, f"{name}_{end}_{'s' if name == 'pause' else 'db'}")
                for end in ("min", "max")
            )
            if low > high or (name == "pause" and low < 0):
                raise UserError(
                    f"streams: {name} from {low} to {high} is no range; change it in params.yaml"
                )


@dataclass(frozen=True)
class Stream:
    """What a microphone hears of one voice.

    Attributes:
        id: of the stream.
        part: of its speaker.
        samples: `[N]` at 16 kHz.
        rows: each phone as COLUMNS has it.
    """

    id: str
    part: str
    samples: Signal
    rows: list[tuple[Any, ...]]


def streams_of(
    part: str, speaker: str, clips: Sequence[tuple[Utterance, Signal]], times: Times,
    params: RealtimeFeaturesParams,
) -> Iterator[Stream]:  # fmt: skip
    """Yield the streams of one speaker; what is drawn depends on the speaker's name alone."""
    rng = np.random.default_rng(seed_of(params.seed, "streams", speaker))
    order = rng.permutation(len(clips))
    pieces, rows, number = [_pause(rng, params)], [], 0
    length = len(pieces[0])
    for position, at in enumerate(order):
        u, signal = clips[at]
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
            yield Stream(name, part, _heard(np.concatenate(pieces), rng, params), rows)
            pieces, rows, number = [_pause(rng, params)], [], number + 1
            length = len(pieces[0])


def _pause(rng: np.random.Generator, params: RealtimeFeaturesParams) -> Signal:
    seconds = rng.uniform(params.pause_min_s, params.pause_max_s)
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)


def _heard(signal: Signal, rng: np.random.Generator, params: RealtimeFeaturesParams) -> Signal:
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

    They are rounded to a tenth of a millionth, far below what a microphone knows, so that another
    processor's last bits don't make another file.
    """
    count = sum(map(len, frames))
    mean = sum(f.sum(axis=0, dtype=np.float64) for f in frames) / count
    square = sum(np.square(f - mean, dtype=np.float64).sum(axis=0) for f in frames) / count
    deviation = np.maximum(np.sqrt(square), 1e-3)
    return tuple(np.asarray(np.round(x, 7), np.float32) for x in (mean, deviation))  # type: ignore[return-value]


def run(
    audio: Path, parts: Mapping[str, Path], segments: Path, out: Path, times_to: Path,
    frontend_to: Path, report_to: Path, params: RealtimeFeaturesParams, frontend: FrontEndParams,
) -> None:  # fmt: skip
    """Write the streams of all parts."""
    times = phone_times(segments)
    plain = FrontEnd.without_normalisation(frontend)
    frames: dict[str, Features] = {}
    rows: list[tuple[Any, ...]] = []
    report: dict[str, Any] = {}
    for part, path in parts.items():
        utterances = manifest.read(path)
        known = [u for u in utterances if u.id in times]
        if not known:
            raise UserError(f"{path}: no clip whose phone times are known; run the stage align")
        seconds: dict[str, float] = defaultdict(float)
        for stream in _all(part, known, audio, times, params):
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
            "clips": len(known), "clips_without_times": len(utterances) - len(known),
        }  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    heard = set(table.loc[table["part"] == "train", "stream"])
    end = FrontEnd(frontend, *constants([frames[key] for key in sorted(heard)]))
    final = {key: np.asarray((f - end.mean) / end.std, np.float32) for key, f in frames.items()}
    with atomic_folder(out) as folder:
        write_arrays(folder, final, params.shards)
    with atomic_file(times_to) as file:
        table.to_parquet(file, index=False)
    write_json(frontend_to, end.to_json())
    write_json(report_to, report)


def _all(
    part: str, known: Sequence[Utterance], audio: Path, times: Times, params: RealtimeFeaturesParams
) -> Iterator[Stream]:
    """Yield the streams of a part, speaker by speaker."""
    sound = dict(read_clips(audio, {u.id: u.audio for u in known}))
    speakers: dict[str, list[tuple[Utterance, Signal]]] = {}
    for u in sorted(known, key=lambda u: u.id):
        speakers.setdefault(u.speaker, []).append((u, sound.pop(u.id)))
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
