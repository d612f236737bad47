"""What the voice activity detectors have in common.

    samples -> SpeechScorer -> scores -> Hysteresis -> decisions

Both parts hold the state of one stream. Decisions do not depend on how the samples are divided:
each scorer computes in frames of a fixed length, counted from the start of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError

Scores = NDArray[np.float32]
Decisions = NDArray[np.bool_]

VADS = ("silero", "webrtc", "speech")


@dataclass(frozen=True)
class VadParams:
    """A detector and what counts as speech for it.

    Attributes:
        name: `silero`; `webrtc`, WebRTC's detector; or `speech`, this project's model.
        threshold: speech begins at this score. The scores of `webrtc` are 0 and 1.
        release: speech ends below this score.
        mode: of `webrtc`, from 0, which misses the least speech, to 3, which has the fewest false
            alarms. The other detectors ignore it.
        hangover_s: how long decisions stay speech after its end, in the median. Endpoint rules
            count it as silence.
    """

    name: str
    threshold: float
    release: float
    mode: int
    hangover_s: float

    def __post_init__(self) -> None:
        if self.name not in VADS:
            raise UserError(f"vad: {self.name!r} is not one of {', '.join(VADS)}; change its name")
        if not 0 < self.release <= self.threshold < 1:
            raise UserError(
                f"vad {self.name}: expected 0 < release <= threshold < 1, found release "
                f"{self.release} and threshold {self.threshold}; change them"
            )
        if self.mode not in range(4):
            raise UserError(f"vad {self.name}: mode must be 0 to 3, found {self.mode}; change it")
        if not self.hangover_s >= 0:
            raise UserError(
                f"vad {self.name}: hangover_s must be at least 0, found {self.hangover_s}; change "
                "it"
            )


class SpeechScorer(Protocol):
    """A model that scores frames for speech."""

    @property
    def frame(self) -> int:
        """Samples per score."""

    @property
    def delay(self) -> int:
        """Samples by which a score lags: score i is about frame i, moved back by this."""

    def push(self, samples: Signal) -> Scores:
        """Return the scores, 0 to 1, of the frames that samples `[N]` at 16 kHz complete."""

    def reset(self) -> None:
        """Prepare for another stream."""


class VoiceActivityDetector(Protocol):
    """Decides for each frame of a stream whether it is speech."""

    @property
    def frame(self) -> int:
        """Samples per decision."""

    def push(self, samples: Signal) -> Decisions:
        """Return the decisions on the frames that samples `[N]` at 16 kHz complete; N may be 0."""

    def reset(self) -> None:
        """Prepare for another stream; the samples of a frame that is not complete are dropped."""


class FrameBuffer:
    """Cuts a stream into frames of equal length, whatever the lengths of its pieces."""

    def __init__(self, frame: int) -> None:
        self._frame = frame
        self.reset()

    def reset(self) -> None:
        """Drop the samples of the frame that is not complete."""
        self._rest: Signal = np.zeros(0, dtype=np.float32)

    def push(self, samples: Signal) -> Signal:
        """Return the frames that samples `[N]` complete, `[M, frame]`.

        >>> buffer = FrameBuffer(2)
        >>> [buffer.push(np.ones(n, np.float32)).shape for n in (1, 0, 4)]
        [(0, 2), (0, 2), (2, 2)]
        """
        joined = np.concatenate([self._rest, np.asarray(samples, dtype=np.float32)])
        whole = len(joined) // self._frame * self._frame
        self._rest = joined[whole:].copy()
        return joined[:whole].reshape(-1, self._frame)
