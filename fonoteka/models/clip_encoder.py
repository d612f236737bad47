"""One interface for all frozen encoders: a clip at 16 kHz in, one vector per 20 ms out.

`embed` uses it on arrays and the exporter on modules, so both process a clip in the same way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.models.device import device_of, half_precision
from fonoteka.models.encoders import (
    VARIANCE_FLOOR,
    embed,
    feature_extractor,
    load_encoder,
    padding,
    receptive_field,
)
from fonoteka.models.whisper_encoder import ShortEncoder, load_short_encoder


class ClipEncoder(Protocol):
    """An encoder in eval mode."""

    @property
    def module(self) -> nn.Module:
        """Samples `[B, N]` to embeddings `[B, T, D]`, T = N / 320 rounded up, for export."""

    @property
    def max_samples(self) -> int | None:
        """The longest clip, None if any length fits."""

    def embed(self, signal: Signal) -> NDArray[np.float32]:
        """Return one vector per 20 ms of one clip, `[T, D]`."""


class EncoderModule(nn.Module):
    """Samples to embeddings: normalisation, padding and encoder in one graph.

    The names of submodules are part of the exported bytes.
    """

    def __init__(self, encoder: Any, normalised: bool) -> None:
        super().__init__()
        self.encoder, self.normalised = encoder, normalised
        self.padding = padding(receptive_field(encoder))

    def forward(self, samples: Tensor) -> Tensor:
        """Return embeddings `[B, T, D]` of samples `[B, N]`, T = N / 320 rounded up."""
        if self.normalised:
            centred = samples - samples.mean(-1, keepdim=True)
            variance = centred.square().mean(-1, keepdim=True)
            samples = centred / torch.sqrt(variance + VARIANCE_FLOOR)
        hidden: Tensor = self.encoder(F.pad(samples, self.padding)).last_hidden_state
        return hidden


class WaveformEncoder:
    """Wav2Vec2 or WavLM: the input is the waveform."""

    max_samples: int | None = None

    def __init__(self, encoder: Any, normalised: bool) -> None:
        self.encoder, self.normalised = encoder, normalised
        self.module = EncoderModule(encoder, normalised)

    def embed(self, signal: Signal) -> NDArray[np.float32]:
        """Return one vector per 20 ms of one clip, `[T, D]`."""
        return embed(self.encoder, signal, self.normalised)


class MelEncoder:
    """Whisper's encoder: the input is log-mel bands of the clip and half a second of silence."""

    def __init__(self, module: ShortEncoder) -> None:
        self.module, self.max_samples = module, module.max_samples

    @torch.inference_mode()
    def embed(self, signal: Signal) -> NDArray[np.float32]:
        """Return one vector per 20 ms of one clip, `[T, D]`.

        Raises:
            UserError: the clip is longer than the encoder's positions.
        """
        if len(signal) > self.max_samples:
            raise UserError(
                f"{len(signal) / SAMPLE_RATE_HZ:.1f} s of sound; Whisper's encoder takes "
                f"{self.max_samples / SAMPLE_RATE_HZ:.0f} s; lower inventory.max_s in params.yaml"
            )
        device = device_of(self.module)
        with half_precision(device):  # all but the log-mel bands
            states = self.module(torch.from_numpy(signal)[None].to(device))[0]
        embeddings: NDArray[np.float32] = states.float().cpu().numpy()
        return embeddings


def load_clip_encoder(folder: Path, device: torch.device | None = None) -> ClipEncoder:
    """Return the encoder of a folder, on a device; config.json states its kind.

    Raises:
        UserError: the folder has no encoder, or it is damaged or of an unknown kind.
    """
    config = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    if isinstance(config, dict) and config.get("model_type") == "whisper":
        return MelEncoder(load_short_encoder(folder).to(device))
    # Raises for a folder without config.json and for unknown kinds.
    encoder = load_encoder(folder).to(device)
    return WaveformEncoder(encoder, bool(feature_extractor(folder).do_normalize))
