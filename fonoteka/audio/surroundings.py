"""Silence and noise around a clip in training, as a clip has them in a stream.

Clips are trimmed, so each begins with a phone. A recogniser that is trained on short clips alone
learns that a first phone is in the first frame, and deletes the first phone of every word that
follows a pause: 245 of 867 phones on streams of spoken digits, and one with silence in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recorded import coloured_noise, recorded
from fonoteka.core.errors import UserError


class SurroundedClip(NamedTuple):
    """A clip with whole frames of silence around it.

    Attributes:
        signal: samples at 16 kHz, `[(before + after) * FRAME_HOP + T]`.
        before: frames of silence before the clip.
        after: frames of silence after it.
    """

    signal: Signal
    before: int
    after: int


@dataclass(frozen=True)
class Surroundings:
    """What is around a clip, the entry `around` of a section.

    Attributes:
        pause_max_s: longest silence before a clip, and after it; 0 leaves clips as they are.
        noise_min_db: loudest noise of clip and silences, below the clip's level.
        noise_max_db: quietest.
    """

    pause_max_s: float
    noise_min_db: float
    noise_max_db: float

    def __post_init__(self) -> None:
        if self.pause_max_s < 0 or self.noise_min_db > self.noise_max_db:
            raise UserError(
                "around: pause_max_s must be at least 0 and noise_min_db at most noise_max_db, "
                f"found {self.pause_max_s:g}, {self.noise_min_db:g} and {self.noise_max_db:g}; "
                "change them in params.yaml"
            )

    def add_to(self, clip: Signal, random: np.random.Generator) -> SurroundedClip:
        """Return a clip between silences of random length, with a noise throughout.

        Args:
            clip: samples at 16 kHz, `[T]`.
            random: generator of the lengths, the noise and its level; unused if `pause_max_s` is 0.
        """
        if not self.pause_max_s:
            return SurroundedClip(clip, 0, 0)
        longest = round(self.pause_max_s * SAMPLE_RATE_HZ) // FRAME_HOP
        before, after = random.integers(0, longest, 2, endpoint=True).tolist()
        padded = np.pad(clip, (before * FRAME_HOP, after * FRAME_HOP))
        noise = coloured_noise(random, len(padded))
        below_db = random.uniform(self.noise_min_db, self.noise_max_db)
        return SurroundedClip(recorded(padded, noise, below_db, 0.0), before, after)
