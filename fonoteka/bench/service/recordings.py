"""Recordings of the test voices, for clients to send."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile as sf

from fonoteka import manifest
from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.bench.service.clip_load import ClipRequest
from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance
from fonoteka.shards import read_clips

PAUSE_S = 0.6
"""Between the clips of the long recording."""


def _test_clips(data: Path) -> list[Utterance]:
    clips = manifest.read(data / "splits/test.jsonl")
    if not clips:
        raise UserError(f"{data / 'splits/test.jsonl'}: has no clips; run make repro")
    return clips


def clip_request(data: Path, seconds: float, model: str, fields: Mapping[str, str]) -> ClipRequest:
    """Return a request with the test clip whose length is nearest to `seconds`.

    Args:
        data: folder of a build.
        seconds: wanted length.
        model: that answers.
        fields: of the form; with `language`, the clip is of that language.
    """
    language = fields.get("language")
    clips = [u for u in _test_clips(data) if language in (None, u.language)]
    clip = min(clips, key=lambda u: (abs(u.duration_s - seconds), u.id))
    ((_, signal),) = read_clips(data / "audio", {clip.id: clip.audio})
    return ClipRequest(_wav(signal), len(signal) / SAMPLE_RATE_HZ, model, fields)


def _wav(signal: Signal) -> bytes:
    file = io.BytesIO()
    sf.write(file, signal, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    return file.getvalue()


def long_recording(data: Path, path: Path, seconds: float) -> Path:
    """Write the test clips one after another, again and again, up to `seconds`."""
    clips = _test_clips(data)
    signals = [signal for _, signal in read_clips(data / "audio", {u.id: u.audio for u in clips})]
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    left, index = round(seconds * SAMPLE_RATE_HZ), 0
    with sf.SoundFile(path, "w", SAMPLE_RATE_HZ, 1, "PCM_16", format="WAV") as file:
        while left > 0:
            piece = np.concatenate([signals[index % len(signals)], pause])[:left]
            file.write(piece)
            left, index = left - len(piece), index + 1
    return path
