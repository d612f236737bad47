"""The ways to embed clips that `bench encoder` compares, each as one that works the clips off."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.bench.timer import Array
from fonoteka.models.determinism import configure
from fonoteka.models.encoders import embed, load_encoder
from fonoteka.onnx_export.session import open_model, session_posteriors

WAYS = ("onnx_fp32", "onnx_int8", "torch_alone")
PEAK = ("numpy", "torch")


@dataclass(frozen=True)
class Equipment:
    """What a process of the crew needs: the encoder in three forms, and the clips."""

    torch: Path
    fp32: Path
    int8: Path
    clips: list[Array]


@dataclass(frozen=True)
class Hear:
    """A job: one clip, by its number, in one way; `say` asks for the embeddings too."""

    way: str
    clip: int
    say: bool


@dataclass(frozen=True)
class Products:
    """A job: `count` products of square matrices in one library, one thread."""

    library: str
    size: int
    count: int


def prepare(made: Equipment) -> Callable[[Hear | Products], Any]:
    """Return what does a job; all is loaded and has heard the longest clip."""
    configure(1)
    threadpool_limits(1)
    encoder = load_encoder(made.torch, "wav2vec2")
    sessions = {"onnx_fp32": open_model(made.fp32), "onnx_int8": open_model(made.int8)}

    def heard(way: str, clip: Array) -> Array:
        if way in sessions:
            said: Array = session_posteriors(sessions[way], clip[None])[0]
            return said
        return embed(encoder, clip, normalised=True)

    def work(job: Hear | Products) -> Any:
        if isinstance(job, Products):
            return multiply(job)
        start_ns = time.perf_counter_ns()
        said = heard(job.way, made.clips[job.clip])
        took_ms = (time.perf_counter_ns() - start_ns) / 1e6
        return (said if job.say else None), took_ms

    longest = max(made.clips, key=len)
    for way in WAYS:
        heard(way, longest)
    return work


def multiply(job: Products) -> None:
    """Multiply matrices into a place that is there already, so that nothing else is timed."""
    matrix = np.full((job.size, job.size), 0.5, dtype=np.float32)
    out = np.empty_like(matrix)
    wrapped, into = torch.from_numpy(matrix), torch.from_numpy(out)
    for _ in range(job.count):
        if job.library == "numpy":
            np.matmul(matrix, matrix, out=out)
        else:
            torch.mm(wrapped, wrapped, out=into)


class PlainLoop:
    """What the documentation of transformers shows: batches, padding, all cores for one product."""

    def __init__(self, encoder: Any, extractor: Any, threads: int) -> None:
        self.encoder, self.extractor, self.threads = encoder, extractor, threads

    def hear(
        self, clips: Sequence[Array], size: int, say: bool
    ) -> tuple[list[Array], list[float], float]:
        """Return embeddings by clip where asked for, ms of each batch, and the seconds of all."""
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            return self._hear(clips, size, say)
        finally:
            torch.set_num_threads(before)

    @torch.no_grad()
    def _hear(
        self, clips: Sequence[Array], size: int, say: bool
    ) -> tuple[list[Array], list[float], float]:
        said: list[Array] = []
        calls = []
        start_ns = time.perf_counter_ns()
        for at in range(0, len(clips), size):
            batch = list(clips[at : at + size])
            before_ns = time.perf_counter_ns()
            inputs = self.extractor(
                batch, sampling_rate=SAMPLE_RATE_HZ, padding=True, return_attention_mask=True,
                return_tensors="pt",
            )  # fmt: skip
            hidden = self.encoder(**inputs).last_hidden_state
            calls.append((time.perf_counter_ns() - before_ns) / 1e6)
            if say:
                frames = [self.frames(len(clip)) for clip in batch]
                said += [one[:n].numpy() for one, n in zip(hidden, frames, strict=True)]
        return said, calls, (time.perf_counter_ns() - start_ns) / 1e9

    def frames(self, samples: int) -> int:
        """Return the frames of a clip that is not padded."""
        config = self.encoder.config
        for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return samples
