"""Decide when an utterance of a stream is over, by the three rules of sherpa-onnx.

1. Silence of `rule1_silence_s` although nothing was decoded.
2. Silence of `rule2_silence_s` after a phone was decoded.
3. An utterance of `max_utterance_s`.

Silence is measured by a voice activity detector, and not by blank frames of the recogniser as in
sherpa-onnx, so it does not depend on the recogniser. Two more differences: an utterance begins with
its first speech, so rule 3 does not cut silence; and rule 1 fires once per silence, because an hour
of silence does not contain 1,500 utterances.

Source: Next-gen Kaldi, "sherpa-onnx", https://k2-fsa.github.io/sherpa/onnx, endpoint.cc; the rules
are those of Kaldi's online2/online-endpoint.h.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.streaming.interfaces import EndpointDetector
from fonoteka.streaming.vad.detector import TUNED
from fonoteka.streaming.vad.interfaces import Decisions, VadParams, VoiceActivityDetector

NOTHING_SPOKEN = "nothing spoken"
SILENCE = "silence"
MAX_LENGTH = "maximum length"


@dataclass(frozen=True)
class EndpointParams:
    """When an utterance is over.

    Attributes:
        vad: the voice activity detector.
        min_speech_s: shorter speech does not end a silence; clicks are shorter.
        rule1_silence_s: silence that ends an utterance without a phone; the default is that of
            sherpa-onnx.
        rule2_silence_s: silence that ends an utterance with a phone. Shorter is faster, but cuts
            at pauses for breath.
        max_utterance_s: length at which an utterance is cut, speech or not.
    """

    vad: VadParams = TUNED["silero"]
    min_speech_s: float = 0.06
    rule1_silence_s: float = 2.4
    rule2_silence_s: float = 0.6
    max_utterance_s: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.rule2_silence_s <= self.rule1_silence_s < self.max_utterance_s:
            raise UserError(
                "endpoint: expected 0 < rule2_silence_s <= rule1_silence_s < max_utterance_s, "
                f"found {self.rule2_silence_s}, {self.rule1_silence_s} and "
                f"{self.max_utterance_s}; change them"
            )
        for name, value in (
            ("min_speech_s", self.min_speech_s), ("vad.hangover_s", self.vad.hangover_s)
        ):  # fmt: skip
            if not 0 <= value < self.rule2_silence_s:
                raise UserError(
                    f"endpoint: {name} must be 0 to rule2_silence_s, {self.rule2_silence_s}, "
                    f"found {value}; change it"
                )


class Endpoint(NamedTuple):
    """The end of an utterance.

    Attributes:
        reason: one of `NOTHING_SPOKEN`, `SILENCE`, `MAX_LENGTH`.
        sample: samples of the stream up to the frame that decided it; the next utterance begins
            here.
    """

    reason: str
    sample: int


class EndpointRules:
    """The rules on the decisions of a voice activity detector, for one stream."""

    def __init__(self, frame: int, params: EndpointParams) -> None:
        """Start a stream.

        Args:
            frame: samples per decision.
            params: lengths of the rules.
        """
        self._frame = frame
        seconds = (
            params.rule1_silence_s, params.rule2_silence_s, params.max_utterance_s,
            params.vad.hangover_s,
        )  # fmt: skip
        self._rule1, self._rule2, self._longest, self._hangover = (
            round(s * SAMPLE_RATE_HZ) for s in seconds
        )
        self._min_run = max(math.ceil(params.min_speech_s * SAMPLE_RATE_HZ / frame), 1)
        self.reset()

    def reset(self) -> None:
        """Prepare for another stream."""
        self._position = 0  # samples that were judged
        self._run = 0  # frames of speech without a break
        self._silent = False  # whether rule 1 has ended this silence
        self._begin_utterance()

    def _begin_utterance(self) -> None:
        self._begin = self._speech_end = self._position
        self._start: int | None = None  # of the first speech or phone

    def advance(self, speech: Decisions, spoken: bool) -> list[Endpoint]:
        """Return the endpoints within the next frames.

        Args:
            speech: decisions `[N]`.
            spoken: whether a phone of the utterance was decoded. It applies up to the first
                endpoint in these frames; after it a new utterance begins, without a phone.
        """
        endpoints: list[Endpoint] = []
        for is_speech in speech.tolist():
            reason = self._step(is_speech, spoken and not endpoints)
            if reason:
                endpoints.append(Endpoint(reason, self._position))
                self._begin_utterance()
        return endpoints

    def _step(self, is_speech: bool, spoken: bool) -> str | None:
        """Take one frame and return the reason if the utterance ends with it."""
        self._position += self._frame
        self._run = self._run + 1 if is_speech else 0
        if self._run >= self._min_run:
            if self._start is None:
                self._start = max(self._position - self._run * self._frame, self._begin)
            self._speech_end, self._silent = self._position - self._hangover, False
        elif spoken and self._start is None:
            # The detector missed the first phone, so silence is counted from its commit.
            self._start, self._speech_end, self._silent = self._position, self._position, False
        # A frame of speech ends nothing, because the next one may show that an utterance begins.
        silence = 0 if is_speech else self._position - self._speech_end
        if spoken and silence >= self._rule2:
            return SILENCE
        if silence >= self._rule1 and not self._silent:
            self._silent = True
            return NOTHING_SPOKEN
        if self._start is not None and self._position - self._start >= self._longest:
            return MAX_LENGTH
        return None


class VadEndpointDetector(EndpointDetector):
    """The rules with a voice activity detector, on the samples of one stream.

    The endpoints do not depend on how the samples are divided, as long as `spoken` is the same for
    each sample. The memory is that of one frame and the detector's state.
    """

    def __init__(self, vad: VoiceActivityDetector, params: EndpointParams) -> None:
        """Start a stream; `fonoteka.streaming.vad.detector.open_vad` returns a detector."""
        self._vad = vad
        self._rules = EndpointRules(vad.frame, params)

    def push(self, samples: Signal, spoken: bool) -> str | None:
        """Return the reason if the utterance ends within these samples, else None.

        If it ends more than once, because the samples are seconds long, the first reason counts.

        Args:
            samples: `[N]` at 16 kHz; N may be 0.
            spoken: whether a phone of this utterance was committed.

        Raises:
            UserError: the samples have another shape, or one is not finite.
        """
        endpoints = self.advance(samples, spoken)
        return endpoints[0].reason if endpoints else None

    def advance(self, samples: Signal, spoken: bool) -> list[Endpoint]:
        """Return all endpoints within these samples with their places; see `push`."""
        if np.ndim(samples) != 1 or not np.isfinite(samples).all():
            # One NaN would stay in the state of a recurrent detector for the rest of the stream.
            raise UserError(
                f"endpoint: expected finite samples of shape [N], found shape {np.shape(samples)} "
                f"with {np.count_nonzero(~np.isfinite(samples))} that are not finite; repair them"
            )
        return self._rules.advance(self._vad.push(samples), spoken)

    def finish(self) -> None:
        """Reset the state for a new stream."""
        self._vad.reset()
        self._rules.reset()
