"""Join clips of a speaker to streams as a microphone records them, with the times of their phones.

A clip is trimmed and levelled, so clips alone contain neither pauses nor quiet speakers. A stream
has the clips of one speaker in random order, with pauses of random length between them, a noise
throughout and a level of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from fonoteka.alignment.phone_rows import Row
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recorded import JoinedClips, coloured_noise, pause, recorded
from fonoteka.core.errors import UserError
from fonoteka.core.lazy_sequence import LazySequence
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import seed_of
from fonoteka.shards import open_clips

COLUMNS: Mapping[str, type] = MappingProxyType({
    "stream": str, "part": str, "speaker": str, "source": str, "synthetic": bool, "language": str,
    "phone": str, "start_s": float, "end_s": float,
})  # fmt: skip
"""The columns of times.parquet."""
Times = Mapping[str, Sequence[Row]]


@dataclass(frozen=True)
class JoinParams:
    """How clips are joined; part of a section of params.yaml.

    Attributes:
        seed: of the order of clips, pauses, noises and levels.
        seconds: a stream ends with the clip that reaches them.
        pause_min_s: shortest pause before, between and after clips.
        pause_max_s: longest.
        gain_min_db: of a stream; clips are at preprocess.level_dbfs.
        gain_max_db: highest; what goes beyond full scale is cut off, as a sound card does.
        noise_min_db: under the clips' level, before the gain.
        noise_max_db: quietest.
    """

    seed: int
    seconds: float
    pause_min_s: float
    pause_max_s: float
    gain_min_db: float
    gain_max_db: float
    noise_min_db: float
    noise_max_db: float

    section = "streams"
    """The section's name, for messages."""

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise UserError(
                f"{self.section}: seconds must be above 0, found {self.seconds}; change it in "
                "params.yaml"
            )
        for name in ("pause", "gain", "noise"):
            low, high = (
                getattr(self, f"{name}_{end}_{'s' if name == 'pause' else 'db'}")
                for end in ("min", "max")
            )
            if low > high or (name == "pause" and low < 0):
                raise UserError(
                    f"{self.section}: the range of {name} must be ascending, found {low} to "
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


def clips_in_order(
    utterances: Iterable[Utterance], signal_of: Callable[[Utterance], Signal]
) -> Sequence[tuple[Utterance, Signal]]:
    """Return clips in the order of their ids; each is decoded when it is asked for."""
    ordered = sorted(utterances, key=lambda u: u.id)
    return LazySequence(ordered, lambda u: (u, signal_of(u)))


def streams_of(
    part: str, speaker: str, clips: Sequence[tuple[Utterance, Signal]], times: Times,
    params: JoinParams,
) -> Iterator[Stream]:  # fmt: skip
    """Yield the streams of one speaker; the random draws depend on the speaker's name alone."""
    # Each speaker has an own generator: another speaker more or less changes no other stream.
    rng = np.random.default_rng(seed_of(params.seed, "streams", speaker))
    order = rng.permutation(len(clips))
    joined, rows, number = JoinedClips(_pause(rng, params)), [], 0
    for position, clip_index in enumerate(order):
        u, signal = clips[clip_index]
        name = f"{speaker}-{number:03d}"
        offset_s = joined.add(signal, _pause(rng, params))
        rows += [
            (name, part, speaker, u.source, u.synthetic, u.language, phone,
             round(offset_s + start_s, 4), round(offset_s + end_s, 4))
            for phone, start_s, end_s in times[u.id]
        ]  # fmt: skip
        long = joined.length >= params.seconds * SAMPLE_RATE_HZ
        if long or position + 1 == len(order):
            yield Stream(name, part, _recorded(joined.samples, rng, params), rows)
            joined, rows, number = JoinedClips(_pause(rng, params)), [], number + 1


def _pause(rng: np.random.Generator, params: JoinParams) -> Signal:
    return pause(rng, params.pause_min_s, params.pause_max_s)


def _recorded(signal: Signal, rng: np.random.Generator, params: JoinParams) -> Signal:
    """Return a stream with a noise of its own colour and level, at a level of its own."""
    noise = coloured_noise(rng, len(signal))
    below_db = rng.uniform(params.noise_min_db, params.noise_max_db)
    return recorded(signal, noise, below_db, rng.uniform(params.gain_min_db, params.gain_max_db))


def joined_streams(
    part: str,
    utterances: Sequence[Utterance],
    audio: Path,
    times: Times,
    params: JoinParams,
) -> Iterator[Stream]:
    """Yield the streams of a part, speaker by speaker."""
    signals = open_clips(audio, {u.id: u.audio for u in utterances})
    for speaker, own in by_speaker(utterances).items():
        clips = clips_in_order(own, lambda u: signals[u.id])
        yield from streams_of(part, speaker, clips, times, params)


def by_speaker(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Return the utterances of each speaker, by name."""
    speakers: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        speakers[utterance.speaker].append(utterance)
    return {name: speakers[name] for name in sorted(speakers)}
