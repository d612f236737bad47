"""From scores to decisions, and the detectors by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from fonoteka.audio.dsp import Signal
from fonoteka.core.errors import UserError
from fonoteka.streaming.vad.interfaces import Decisions, Scores, SpeechScorer, VadParams

TUNED: Mapping[str, VadParams] = MappingProxyType({
    "silero": VadParams("silero", threshold=0.6, release=0.6, mode=0, hangover_s=0.11),
    "webrtc": VadParams("webrtc", threshold=0.5, release=0.5, mode=3, hangover_s=0.07),
    "speech": VadParams("speech", threshold=0.4, release=0.4, mode=0, hangover_s=0.05),
})  # fmt: skip
"""The parameters that the stage evaluate_endpoints chose on the validation voices."""


class Hysteresis:
    """Speech from `threshold` on, until a score is below `release`."""

    def __init__(self, threshold: float, release: float) -> None:
        self._threshold, self._release = threshold, release
        self.reset()

    def reset(self) -> None:
        """Prepare for another stream, which begins without speech."""
        self._speech = False

    def push(self, scores: Scores) -> Decisions:
        """Return a decision for each of the next scores `[N]`.

        >>> Hysteresis(0.5, 0.3).push(np.array([0.4, 0.6, 0.4, 0.2, 0.4], np.float32)).tolist()
        [False, True, True, False, False]
        """
        decisions = np.zeros(len(scores), dtype=np.bool_)
        for number, score in enumerate(scores.tolist()):
            self._speech = score >= (self._release if self._speech else self._threshold)
            decisions[number] = self._speech
        return decisions


class ThresholdedVad:
    """A scorer with its thresholds: a `VoiceActivityDetector`."""

    def __init__(self, scorer: SpeechScorer, params: VadParams) -> None:
        """Start a stream; the scorer must be at the start of one too."""
        self._scorer = scorer
        self._hysteresis = Hysteresis(params.threshold, params.release)

    @property
    def frame(self) -> int:
        """Samples per decision."""
        return self._scorer.frame

    def push(self, samples: Signal) -> Decisions:
        """Return the decisions on the frames that samples `[N]` at 16 kHz complete."""
        return self._hysteresis.push(self._scorer.push(samples))

    def reset(self) -> None:
        """Prepare for another stream."""
        self._scorer.reset()
        self._hysteresis.reset()


def open_scorer(
    name: str, mode: int = 0, speech_model: tuple[Path, Path] | None = None, delay_hops: int = 0
) -> SpeechScorer:
    """Return a new scorer; only its own packages and files are loaded.

    Args:
        name: one of `VADS`.
        mode: of `webrtc`.
        speech_model: speech.onnx and frontend.json, for `speech`.
        delay_hops: of `speech`, see `SpeechModelScorer`.

    Raises:
        UserError: the name is unknown, or a package or a file is missing.
    """
    if name == "silero":
        from fonoteka.streaming.vad.silero import SileroScorer

        return SileroScorer()
    if name == "webrtc":
        from fonoteka.streaming.vad.webrtc import WebRtcScorer

        return WebRtcScorer(mode)
    if name == "speech" and speech_model:
        from fonoteka.streaming.vad.speech_model import SpeechModelScorer

        return SpeechModelScorer(*speech_model, delay_hops)
    needs = "needs speech.onnx and frontend.json" if name == "speech" else "is unknown"
    raise UserError(f"vad {name!r} {needs}; run dvc repro or choose silero")


def open_vad(params: VadParams, speech_model: tuple[Path, Path] | None = None) -> ThresholdedVad:
    """Return a new detector; see `open_scorer`."""
    return ThresholdedVad(open_scorer(params.name, params.mode, speech_model), params)
