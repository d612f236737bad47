"""Utterances of one voice one after another, with known pauses, noise and level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fonoteka.alignment.phone_rows import Row
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recorded import JoinedClips, coloured_noise, pause, recorded
from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.models.determinism import seed_of
from fonoteka.shards import open_clips

Times = Mapping[str, Sequence[Row]]
START = itemgetter(1)


@dataclass(frozen=True)
class UtteranceJoinParams:
    """How utterances are joined.

    Attributes:
        seed: of the choice and order of clips, pauses, noises and levels.
        pause_min_s: shortest pause before, between and after clips.
        pause_max_s: longest.
        noise_below_db: levels of the noise under the clips' level; each is that of a third of the
            utterances if there are three.
        gain_min_db: of a stream; clips are at preprocess.level_dbfs.
        gain_max_db: highest; what exceeds full scale is cut off, as a sound card does.
    """

    seed: int
    pause_min_s: float
    pause_max_s: float
    noise_below_db: tuple[float, ...]
    gain_min_db: float
    gain_max_db: float

    def __post_init__(self) -> None:
        if not 0 < self.pause_min_s <= self.pause_max_s or self.gain_min_db > self.gain_max_db:
            raise UserError(
                "evaluate_endpoints.join: the ranges of pause and gain must be ascending and "
                f"pauses above 0, found {self.pause_min_s} to {self.pause_max_s} s and "
                f"{self.gain_min_db} to {self.gain_max_db} dB; change them in params.yaml"
            )
        if not self.noise_below_db or len({*self.noise_below_db}) < len(self.noise_below_db):
            raise UserError(
                "evaluate_endpoints.join: noise_below_db needs levels that differ, found "
                f"{list(self.noise_below_db)}; change it in params.yaml"
            )


class TimedClip(NamedTuple):
    """A clip with its phones, in seconds of the clip."""

    utterance: Utterance
    phones: Sequence[Row]
    signal: Signal


@dataclass(frozen=True)
class JoinedStream:
    """Utterances of one voice as one signal.

    Attributes:
        speaker: the voice.
        source: the corpus.
        noise_db: of the noise, under the clips' level.
        clips: their ids, in order.
        samples: `[N]` at 16 kHz.
        phones: of each utterance, with start and end in seconds of the stream.
    """

    speaker: str
    source: str
    noise_db: float
    clips: list[str]
    samples: Signal
    phones: list[list[Row]]

    @property
    def bounds_s(self) -> list[tuple[float, float]]:
        """Start of the first and end of the last phone of each utterance, in seconds."""
        return [(rows[0][1], max(end_s for _, _, end_s in rows)) for rows in self.phones]

    @property
    def gaps_s(self) -> list[float]:
        """Length of the silence after each utterance: up to the next, or to the end."""
        edges = [*self.bounds_s, (len(self.samples) / SAMPLE_RATE_HZ, 0.0)]
        return [after[0] - before[1] for before, after in pairwise(edges)]


def choose(
    utterances: Sequence[Utterance], count: int, params: UtteranceJoinParams
) -> list[tuple[float, list[Utterance]]]:
    """Return the level of the noise and the utterances of each stream, in order.

    Each voice has one stream per level, all of about equal numbers of utterances. A clip is used
    once per level at most, so there are fewer than `count` if there are few clips.

    Args:
        utterances: to choose from.
        count: of utterances in all streams, at least.
        params: the levels and the seed.
    """
    voices: dict[str, list[Utterance]] = {}
    for utterance in sorted(utterances, key=lambda u: u.id):
        voices.setdefault(utterance.speaker, []).append(utterance)
    each = -(-count // (len(voices) * len(params.noise_below_db)))
    plan = []
    for (speaker, own), level in product(sorted(voices.items()), params.noise_below_db):
        # Each stream has its own generator: another voice more or less changes no other stream.
        rng = np.random.default_rng(seed_of(params.seed, "choose", speaker, level))
        plan.append((level, [own[index] for index in rng.permutation(len(own))[:each]]))
    return plan


def joined_streams(
    utterances: Sequence[Utterance],
    times: Times,
    audio: Path,
    count: int,
    params: UtteranceJoinParams,
) -> Iterator[JoinedStream]:
    """Yield the streams of a split.

    Args:
        utterances: with known times.
        times: of their phones.
        audio: data/audio.
        count: of utterances, at least; see `choose`.
        params: pauses, noises and levels.
    """
    plan = choose(utterances, count, params)
    references = {u.id: u.audio for _, own in plan for u in own}
    signals = open_clips(audio, references)
    for level, own in plan:
        timed = [TimedClip(u, sorted(times[u.id], key=START), signals[u.id]) for u in own]
        yield join(timed, level, params)


def join(clips: Sequence[TimedClip], noise_db: float, params: UtteranceJoinParams) -> JoinedStream:
    """Return the clips of one voice as one stream.

    The pauses between the phones of two clips are longer than the drawn ones, by the margins that
    the stage preprocess leaves.
    """
    first = clips[0].utterance
    rng = np.random.default_rng(seed_of(params.seed, "join", first.speaker, noise_db))
    joined, phones = JoinedClips(_pause(rng, params)), []
    for clip in clips:
        begin_s = joined.add(clip.signal, _pause(rng, params))
        phones.append([(phone, begin_s + a, begin_s + b) for phone, a, b in clip.phones])
    signal = joined.samples
    noise = coloured_noise(rng, len(signal))
    gain_db = rng.uniform(params.gain_min_db, params.gain_max_db)
    ids = [clip.utterance.id for clip in clips]
    return JoinedStream(
        first.speaker, first.source, noise_db, ids,
        recorded(signal, noise, noise_db, gain_db), phones,
    )  # fmt: skip


def _pause(rng: np.random.Generator, params: UtteranceJoinParams) -> Signal:
    return pause(rng, params.pause_min_s, params.pause_max_s)
