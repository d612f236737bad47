"""The speaker encoder GE2E: 1.6 s of speech to a vector that is near for one voice.

The layers, the mel bands and the windows are those of Resemblyzer 0.1.4, whose weights load into
`VoiceEncoder`; its own package is not imported, because it needs librosa and a VAD in C. On the
same samples both give the same vectors to 1e-5.

Source: Wan et al. 2018, "Generalized End-to-End Loss for Speaker Verification", arXiv:1710.10467.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchaudio.transforms import MelSpectrogram

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal, rms_dbfs
from fonoteka.core.errors import UserError

BANDS, WIDTH, LAYERS = 40, 256, 3
WINDOW, HOP = 400, 160
"""Samples of a spectrum and from one to the next: 25 and 10 ms."""
FRAMES = 160
"""Spectra that the network sees at a time: 1.6 s."""
STEP = 77
"""Spectra from one window to the next, 1.3 windows per second."""
MIN_COVERAGE = 0.75
"""The part of the last window that samples must fill; the rest of it is silence."""
LEVEL_DBFS = -30.0
"""Quieter samples are raised to this RMS level, louder ones are kept, as in training."""
BATCH = 64
"""Windows per pass of the network: 10 MB of activations."""
WEIGHTS = "model.safetensors"


class VoiceEncoder(nn.Module):
    """Mel powers to a vector of length 1 without negative values."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(BANDS, WIDTH, LAYERS, batch_first=True)
        self.linear = nn.Linear(WIDTH, WIDTH)

    def forward(self, mels: Tensor) -> Tensor:
        """Return `[B, 256]` of mel powers `[B, 160, 40]`; a row is 0 if nothing is positive."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


def mel_powers() -> MelSpectrogram:
    """Return the module from samples `[..., T]` to powers `[..., 40, 1 + T // 160]`."""
    return MelSpectrogram(
        SAMPLE_RATE_HZ, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS, power=2.0,
        pad_mode="constant", norm="slaney", mel_scale="slaney",
    )  # fmt: skip


def load_encoder(folder: Path) -> VoiceEncoder:
    """Return the encoder of a folder, for inference.

    Raises:
        UserError: the weights are missing or damaged, are those of another network, or have a
            value that is not finite.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise UserError(f"{path}: no such file; run dvc repro speaker_encoder")
    try:
        weights = load_file(path)
    except SafetensorError as error:
        raise UserError(f"{path}: cannot be read: {error}; get the weights again") from error
    return with_weights(weights, path)


def with_weights(weights: dict[str, Tensor], place: Path) -> VoiceEncoder:
    """Return the encoder with these weights; `place` is where they are from.

    Raises:
        UserError: see `load_encoder`.
    """
    encoder = VoiceEncoder()
    expected = {name: value.shape for name, value in encoder.state_dict().items()}
    shapes = {name: value.shape for name, value in weights.items()}
    if expected != shapes:
        wrong = sorted(
            name for name in {*expected, *shapes} if expected.get(name) != shapes.get(name)
        )
        raise UserError(
            f"{place}: {len(wrong)} weights are missing, unexpected or of another shape, first "
            f"{wrong[0]!r}; expected GE2E with {LAYERS} LSTM layers of {WIDTH}"
        )
    for name, value in weights.items():
        if not torch.isfinite(value).all():
            raise UserError(f"{place}: {name} has values that are not finite; get it again")
    encoder.load_state_dict(weights)
    return encoder.eval()


def window_starts(samples: int) -> list[int]:
    """Return the first spectrum of each window that `samples` have; at least one.

    >>> window_starts(8000), window_starts(32_000), window_starts(38_400)
    ([0], [0, 77], [0, 77])
    """
    frames = math.ceil((samples + 1) / HOP)
    starts = list(range(0, max(1, frames - FRAMES + STEP + 1), STEP))
    filled = (samples - starts[-1] * HOP) / (FRAMES * HOP)
    return starts[:-1] if filled < MIN_COVERAGE and len(starts) > 1 else starts


def windows(signal: Signal, mel: MelSpectrogram) -> Tensor:
    """Return the mel powers of each window of a signal, shape `[W, 160, 40]`.

    Args:
        signal: samples at 16 kHz, shape `[T]`, not digital silence.
        mel: of `mel_powers`.
    """
    starts = window_starts(len(signal))
    gain = 10 ** (max(0.0, LEVEL_DBFS - rms_dbfs(signal)) / 20)
    end = max(len(signal), (starts[-1] + FRAMES) * HOP)
    padded = np.pad(signal * np.float32(gain), (0, end - len(signal)))
    powers = mel(torch.from_numpy(padded)).T
    return torch.stack([powers[start : start + FRAMES] for start in starts])


@torch.inference_mode()
def embed(encoder: VoiceEncoder, signals: Iterable[Signal]) -> Iterator[NDArray[np.float32]]:
    """Yield the vector of each signal, of length 1, shape `[256]`: the mean over its windows.

    A vector does not depend on the other signals beyond the rounding of a batch, 1e-6.

    Args:
        encoder: of `load_encoder`.
        signals: samples at 16 kHz, shape `[T]` each, not digital silence.
    """
    mel = mel_powers()
    waiting: list[Tensor] = []
    for signal in signals:
        waiting.append(windows(signal, mel))
        if sum(map(len, waiting)) >= BATCH:
            yield from _means(encoder, waiting)
            waiting = []
    if waiting:
        yield from _means(encoder, waiting)


def _means(encoder: VoiceEncoder, signals: list[Tensor]) -> Iterator[NDArray[np.float32]]:
    vectors = encoder(torch.cat(signals))
    for own in vectors.split([len(signal) for signal in signals]):
        yield nn.functional.normalize(own.mean(dim=0), dim=0).numpy()
