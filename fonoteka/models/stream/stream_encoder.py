"""Whisper's encoder with bounded context: a frame depends on the past, and on little after it.

The encoder as it was trained attends over 30 s, so its frames change with every later sample. Here
frames are computed in chunks. A chunk sees itself, `look_ahead` frames after it and `history`
frames before it. The frames after a chunk are computed again for each chunk, so that what they see
does not add up over the layers; the frames before it are cached as keys and values. So the same
weights give the same frames from a whole clip (`forward`) and from a stream (`step`).

Source: Shi et al. 2021, "Emformer: Efficient Memory Transformer Based Acoustic Model for Low
Latency Streaming Speech Recognition", arXiv:2010.10759: its right context is computed like this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fonoteka.audio.dsp import FRAME_HOP, SAMPLE_RATE_HZ
from fonoteka.core.errors import UserError
from fonoteka.models.device import full_precision
from fonoteka.models.log_mel import FLOOR, MEL_HOP, RANGE, WINDOW, LogMel

BEFORE, AFTER = 2 * MEL_HOP + WINDOW // 2, WINDOW // 2
"""Samples before the first and after the last of some frames that their log-mel bands depend on."""

LOUDEST = 1.5
"""The level from which `RANGE` counts down, log10 of a band's power. Whisper takes the loudest band
of the clip, which a stream does not have yet; this is the median of clips at -23 dBFS."""


@dataclass(frozen=True)
class StreamShape:
    """How much of a stream a frame depends on, in frames of 20 ms.

    Attributes:
        layers: number of the encoder's layers that are used, from the input.
        chunk: frames per step.
        look_ahead: frames after a chunk that it depends on.
        history: frames before a chunk that each layer sees; a multiple of `chunk`.
    """

    layers: int
    chunk: int
    look_ahead: int
    history: int

    def __post_init__(self) -> None:
        if self.layers < 1 or self.chunk < 1 or self.look_ahead < 0:
            raise UserError(
                f"stream_encoder: expected layers and chunk of at least 1 and look_ahead of at "
                f"least 0, found {self.layers}, {self.chunk} and {self.look_ahead}; change them"
            )
        if self.history < self.chunk or self.history % self.chunk:
            raise UserError(
                f"stream_encoder: history must be a multiple of chunk, {self.chunk}, found "
                f"{self.history}; change it"
            )

    @property
    def step_samples(self) -> int:
        """Samples of a step's input: its chunk, its look-ahead and the edges of the windows."""
        return (self.chunk + self.look_ahead) * FRAME_HOP + BEFORE + AFTER

    @property
    def look_ahead_s(self) -> float:
        """The longest time from the start of a frame to the last sample that it depends on."""
        return ((self.chunk + self.look_ahead) * FRAME_HOP + AFTER) / SAMPLE_RATE_HZ


class StreamEncoder(nn.Module):
    """Samples to one vector per 20 ms, from the whole clip at once or step by step.

    The names of submodules are part of the exported bytes.
    """

    positions: Tensor

    def __init__(self, encoder: Any, shape: StreamShape) -> None:
        super().__init__()
        if shape.layers > len(encoder.layers):
            raise UserError(
                f"stream_encoder.layers is {shape.layers}; the encoder has {len(encoder.layers)}"
            )
        self.shape = shape
        self.width: int = encoder.config.d_model
        self.heads: int = encoder.config.encoder_attention_heads
        self.log_mel = LogMel(encoder.config.num_mel_bins)
        self.conv1, self.conv2 = encoder.conv1, encoder.conv2
        self.register_buffer("positions", encoder.embed_positions.weight.detach().clone())
        self.layers = encoder.layers[: shape.layers]
        self.layer_norm = encoder.layer_norm

    def forward(self, samples: Tensor) -> Tensor:
        """Return embeddings `[B, T, D]` of samples `[B, N]`, T = N / 320 rounded up."""
        chunk, size = self.shape.chunk, self.shape.chunk + self.shape.look_ahead
        frames = (samples.shape[1] + FRAME_HOP - 1) // FRAME_HOP
        chunks = (frames + chunk - 1) // chunk
        # Zeros for the last look-ahead, and for a chunk that the clip does not fill. Their number
        # does not depend on the length, so an exported graph can add them; what is too much is cut.
        padded = F.pad(samples, (BEFORE, (size + 1) * FRAME_HOP + AFTER))
        total = chunks * chunk + self.shape.look_ahead
        hidden = self._frames(padded[:, : total * FRAME_HOP + BEFORE + AFTER])
        hidden = hidden + self.positions[torch.arange(hidden.shape[1]) % len(self.positions)]
        blocks = _windows(hidden, size, chunk)
        first = torch.arange(chunks)[:, None] * chunk
        places = torch.arange(blocks.shape[1] * chunk)
        seen = (places >= first - self.shape.history) & (places < first + chunk)
        if seen.device != samples.device:  # a question, so that an exported graph has no copy
            seen = seen.to(samples.device)
        for layer in self.layers:
            query, key, value = _projected(layer, blocks)
            main = [frames[:, :, :chunk].flatten(1, 2) for frames in (key, value)]
            right = [frames[:, :, chunk:] for frames in (key, value)]
            blocks = self._layer(layer, blocks, query, main, right, seen)
        embeddings: Tensor = self.layer_norm(blocks[:, :, :chunk].flatten(1, 2)[:, :frames])
        return embeddings

    def step(self, samples: Tensor, frame: Tensor, cached: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the next chunk of a stream.

        Args:
            samples: `[1, step_samples]`, from `BEFORE` samples before the chunk's first frame;
                zeros before the start of the stream and after its end.
            frame: number of the chunk's first frame in the stream, a scalar.
            cached: `[layers, 2, history, D]`, zeros at the start of the stream.

        Returns:
            The embeddings of the chunk `[1, chunk, D]`, those of the frames after it, which are
            not final, `[1, look_ahead, D]`, and the next `cached`.
        """
        chunk, history = self.shape.chunk, self.shape.history
        hidden = self._frames(samples)
        places = (frame + torch.arange(hidden.shape[1])) % len(self.positions)
        blocks = (hidden + self.positions[places])[:, None]
        seen = (torch.arange(history + chunk) >= history - frame)[None]
        following = []
        for number, layer in enumerate(self.layers):
            query, key, value = _projected(layer, blocks)
            pairs = zip(cached[number], (key, value), strict=True)
            main = [torch.cat([before, frames[0, 0, :chunk]])[None] for before, frames in pairs]
            right = [frames[:, :, chunk:] for frames in (key, value)]
            following += [frames[0, chunk:] for frames in main]
            blocks = self._layer(layer, blocks, query, main, right, seen)
        frames = self.layer_norm(blocks[:, 0])
        return frames[:, :chunk], frames[:, chunk:], torch.stack(following).reshape(cached.shape)

    def _frames(self, samples: Tensor) -> Tensor:
        """Return the convolutions' outputs `[B, F, D]` of samples `[B, F * 320 + 720]`."""
        with full_precision(samples.device):
            mel = self._mel(samples)
        hidden = F.gelu(F.conv1d(mel, self.conv1.weight, self.conv1.bias))
        hidden = F.gelu(F.conv1d(hidden, self.conv2.weight, self.conv2.bias, stride=2))
        return hidden.permute(0, 2, 1)

    def _mel(self, samples: Tensor) -> Tensor:
        """Return the log-mel bands `[B, bands, 2 F + 2]` of samples `[B, F * 320 + 720]`."""
        waves, filterbank = self.log_mel.waves, self.log_mel.filterbank
        spectrum = F.conv1d(samples[:, None], waves, stride=MEL_HOP)  # type: ignore[arg-type]
        cosines, sines = spectrum.chunk(2, dim=1)
        power = filterbank @ (cosines.square() + sines.square())  # type: ignore[operator]
        levels = power.clamp(min=FLOOR).log10()
        return (levels.clamp(min=LOUDEST - RANGE) + 4.0) / 4.0

    def _layer(
        self, layer: Any, blocks: Tensor, query: Tensor, main: Sequence[Tensor],
        right: Sequence[Tensor], seen: Tensor,
    ) -> Tensor:  # fmt: skip
        """Return the outputs `[B, n, S, D]` of a layer.

        Args:
            layer: of the encoder.
            blocks: its inputs `[B, n, S, D]`: each chunk and the frames after it.
            query: of the blocks.
            main: keys and values `[B, M, D]` of the frames of all chunks, and of earlier ones.
            right: keys and values `[B, n, R, D]` of the frames after each chunk.
            seen: `[n, M]`, whether a chunk sees a frame of `main`.
        """
        queries = self._by_head(query)
        keys, values = (self._by_head(frames[:, None]) for frames in main)
        keys_after, values_after = map(self._by_head, right)
        scale = (self.width // self.heads) ** -0.5
        scores = (queries @ keys.transpose(-1, -2)) * scale
        scores = scores.masked_fill(~seen[None, None, :, None], float("-inf"))
        scores_after = (queries @ keys_after.transpose(-1, -2)) * scale
        weights = torch.cat([scores, scores_after], -1).softmax(-1)
        count = keys.shape[3]
        context = weights[..., :count] @ values + weights[..., count:] @ values_after
        context = context.permute(0, 2, 3, 1, 4).flatten(3)
        hidden = blocks + layer.self_attn.out_proj(context)
        outputs: Tensor = hidden + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(hidden))))
        return outputs

    def _by_head(self, frames: Tensor) -> Tensor:
        """Return `[B, heads, n, S, D / heads]` of `[B, n, S, D]`."""
        batch, blocks, size, _ = frames.shape
        split = frames.reshape(batch, blocks, size, self.heads, self.width // self.heads)
        return split.permute(0, 3, 1, 2, 4)


def _projected(layer: Any, blocks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the queries, keys and values of a layer, each `[B, n, S, D]`."""
    normed, attention = layer.self_attn_layer_norm(blocks), layer.self_attn
    return attention.q_proj(normed), attention.k_proj(normed), attention.v_proj(normed)


def _windows(frames: Tensor, size: int, step: int) -> Tensor:
    """Return all windows `[B, n, size, D]` of frames `[B, T, D]`, one every `step` frames."""
    return frames.unfold(1, size, step).transpose(2, 3)
