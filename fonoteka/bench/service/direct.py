"""The engine without a service: what an answer costs at least."""

from __future__ import annotations

import io
import time
from pathlib import Path

import soundfile as sf

from fonoteka.bench.service.clip_load import ClipRequest
from fonoteka.transcribe import open_phone_model, transcribe


def direct_seconds(models: Path, clip: ClipRequest, rounds: int) -> list[float]:
    """Return the seconds in which this process recognises the phones of a clip, `rounds` times.

    The file is decoded each time, as the service has to.
    """
    model = open_phone_model(str(models / clip.model))
    seconds = []
    for _ in range(rounds + 3):
        begin = time.perf_counter()
        signal, _ = sf.read(io.BytesIO(clip.wav), dtype="float32")
        transcribe(model.session, model.labels, signal)
        seconds.append(time.perf_counter() - begin)
    return seconds[3:]  # the first calls of a session are slower
