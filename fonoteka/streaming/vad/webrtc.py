"""The decisions of WebRTC's voice activity detector, one per 30 ms.

It compares the energy of six bands with two Gaussian mixtures, of speech and of noise, which it
adapts. Source: Google, "WebRTC", common_audio/vad, BSD licence; the package webrtcvad-wheels.
"""

from __future__ import annotations

import numpy as np
import webrtcvad

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.streaming.vad.interfaces import FrameBuffer, Scores


class WebRtcScorer:
    """WebRTC's detector on a stream; its scores are 0 and 1."""

    frame, delay = 480, 0  # the longest frame that it takes, and the steadiest

    def __init__(self, mode: int) -> None:
        """Start a stream.

        Args:
            mode: 0, which misses the least speech, to 3, which has the fewest false alarms.
        """
        self._mode = mode
        self._frames = FrameBuffer(self.frame)
        self.reset()

    def push(self, samples: Signal) -> Scores:
        """Return 1 for each frame of speech that samples `[N]` complete and 0 for others, `[M]`."""
        frames = self._frames.push(samples)
        pcm = np.clip(np.rint(frames * 32767), -32768, 32767).astype("<i2")
        scores = [self._vad.is_speech(frame.tobytes(), SAMPLE_RATE_HZ) for frame in pcm]
        return np.array(scores, dtype=np.float32)

    def reset(self) -> None:
        """Prepare for another stream."""
        self._vad = webrtcvad.Vad(self._mode)
        self._frames.reset()
