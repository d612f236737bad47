"""Whisper's encoder on clips of their own length, not padded to 30 s.

transformers' encoder accepts 30 s only. Here the positions are cut to the length of the clip plus a
margin of silence, which costs 0.06 CPU seconds for a clip of 2.5 s in place of 0.9.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers.models.whisper.modeling_whisper import WhisperEncoder
from transformers.utils.logging import disable_progress_bar

from fonoteka.audio.dsp import FRAME_HOP
from fonoteka.core.errors import UserError
from fonoteka.models.log_mel import LogMel

disable_progress_bar()  # no progress bar for one local file

MARGIN_FRAMES = 25
"""Frames of silence after a clip, 0.5 s. Whisper was trained on clips followed by silence."""


class ShortEncoder(nn.Module):
    """Samples to one vector per 20 ms, with log-mel, encoder and last normalisation in one graph.

    The names of submodules are part of the exported bytes.
    """

    def __init__(self, encoder: Any, margin_frames: int = MARGIN_FRAMES) -> None:
        super().__init__()
        self.encoder, self.margin_frames = encoder, margin_frames
        self.log_mel = LogMel(encoder.config.num_mel_bins)

    @property
    def max_samples(self) -> int:
        """The longest clip: it fills the encoder's positions, and its margin is cut."""
        positions: int = self.encoder.config.max_source_positions
        return positions * FRAME_HOP

    def forward(self, samples: Tensor) -> Tensor:
        """Return embeddings `[B, T, D]` of samples `[B, N]`, T = N / 320 rounded up.

        A clip of more than `max_samples` fails, in an exported graph too, where the last shape
        does not fit: there are no positions for it.
        """
        frames = (samples.shape[1] + FRAME_HOP - 1) // FRAME_HOP
        states = self.states(samples)[:, :frames]
        return states.reshape(samples.shape[0], frames, self.encoder.config.d_model)

    def states(self, samples: Tensor) -> Tensor:
        """Return the vectors of the clip and of its margin, `[B, T + margin, D]`."""
        # One sample less than a hop completes the last frame of every clip and is the same for
        # all, so an exported graph can add it. Samples beyond a whole frame are dropped.
        padded = F.pad(samples, (0, (self.margin_frames + 1) * FRAME_HOP - 1))
        whole = padded.shape[1] // FRAME_HOP * FRAME_HOP
        return encode_mel(self.encoder, self.log_mel(padded[:, :whole][:, : self.max_samples]))


def encode_mel(encoder: Any, mel: Tensor) -> Tensor:
    """Return the encoder's last states `[B, F / 2, D]` of log-mel bands `[B, bands, F]`, F even.

    This is `WhisperEncoder.forward` without its length check, with as many positions as frames.
    """
    hidden = F.gelu(encoder.conv1(mel))
    hidden = F.gelu(encoder.conv2(hidden)).permute(0, 2, 1)
    hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    hidden = F.dropout(hidden, p=encoder.dropout, training=encoder.training)
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    states: Tensor = encoder.layer_norm(hidden)
    return states


def load_short_encoder(folder: Path) -> ShortEncoder:
    """Return the encoder of a folder in eval mode, with float32 weights.

    Raises:
        UserError: the encoder is damaged, or some of its weights are missing.
    """
    try:
        encoder, report = WhisperEncoder.from_pretrained(
            folder, output_loading_info=True, dtype=torch.float32
        )
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UserError(f"{folder}: no Whisper encoder to load: {error}") from error
    missing = sorted(report["missing_keys"])
    if missing:
        raise UserError(f"{folder}: an encoder without {missing[0]!r}; expected a complete one")
    return ShortEncoder(encoder).eval()
