"""The log-mel input of Whisper as a torch module, so that an exported graph starts at samples.

transformers' `WhisperFeatureExtractor` computes the same in numpy for clips padded to 30 s. This
module takes clips of any length; tests/models/test_log_mel.py compares the two.

Source: Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision",
arXiv:2212.04356.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.models.device import full_precision

WINDOW, MEL_HOP = 400, 160
"""Samples of a window, 25 ms, and from one to the next, 10 ms."""

FLOOR = 1e-10  # of a band's power
RANGE = 8.0  # log10: powers 80 dB below the loudest band of the clip are raised to that level


class LogMel(nn.Module):
    """Samples to log-mel bands, as Whisper was trained with.

    The Fourier transform is a convolution with 402 windowed cosines and sines: the exporter has no
    complex numbers, and the cost is 1 % of that of whisper-base's encoder.
    """

    def __init__(self, bands: int = 80) -> None:
        super().__init__()
        self.register_buffer("waves", _windowed_waves(), persistent=False)
        filters = mel_filter_bank(
            num_frequency_bins=WINDOW // 2 + 1, num_mel_filters=bands, min_frequency=0.0,
            max_frequency=SAMPLE_RATE_HZ / 2, sampling_rate=SAMPLE_RATE_HZ, norm="slaney",
            mel_scale="slaney",
        )  # fmt: skip
        filterbank = torch.from_numpy(filters.T.copy()).float()
        self.register_buffer("filterbank", filterbank, persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return `[B, bands, N / 160]` of samples `[B, N]`, N a multiple of 160 and above 200.

        The floor is relative to the loudest band of each clip, so a clip does not depend on the
        others of its batch. A GPU computes it in float32 too.
        """
        with full_precision(samples.device):
            return self._levels(samples)

    def _levels(self, samples: Tensor) -> Tensor:
        padded = F.pad(samples[:, None], (WINDOW // 2, WINDOW // 2), mode="reflect")
        # The last frame is centred on the end of the clip; Whisper drops it.
        spectrum = F.conv1d(padded, self.waves, stride=MEL_HOP)[:, :, :-1]  # type: ignore[arg-type]
        cosines, sines = spectrum.chunk(2, dim=1)
        power = cosines.square() + sines.square()
        levels = (self.filterbank @ power).clamp(min=FLOOR).log10()  # type: ignore[operator]
        loudest = levels.amax(dim=(1, 2), keepdim=True)
        scaled: Tensor = (torch.maximum(levels, loudest - RANGE) + 4.0) / 4.0
        return scaled


def _windowed_waves() -> Tensor:
    """Return cosines and sines of 0 to 8 kHz under a periodic Hann window, `[402, 1, 400]`."""
    time = torch.arange(WINDOW, dtype=torch.float64)
    phase = 2 * torch.pi * torch.outer(torch.arange(WINDOW // 2 + 1, dtype=torch.float64), time)
    waves = torch.cat([(phase / WINDOW).cos(), (phase / WINDOW).sin()])
    window = torch.hann_window(WINDOW, periodic=True, dtype=torch.float64)
    return (waves * window).float()[:, None]
