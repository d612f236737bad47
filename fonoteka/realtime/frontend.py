"""Causal log-mel features for models on an audio thread: one frame per hop, from past samples.

The frame of a hop covers the `window` samples that end with it; samples before the stream are
zeros. Normalisation is fixed, because a stream has no end and so no statistics. `frontend.json`
contains all constants, from which a host computes the same frames:

    frame[m] = (log(floor + sum_k mel[m, k] * |DFT(hann * samples)[k]|^2) - mean[m]) / std[m]

Source of the mel scale: D. O'Shaughnessy, Speech Communication, 1987: 2595 log10(1 + f / 700).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.core.errors import UserError
from fonoteka.core.params import build

Features = NDArray[np.float32]

CHUNK_FRAMES = 4096  # frames; 13 MB of windowed samples


@dataclass(frozen=True)
class FrontEndParams:
    """Section `frontend`.

    Attributes:
        hop: samples between two frames.
        window: samples per frame; at least `hop`.
        fft: points of the transform, at least `window`.
        bands: number of mel bands.
        low_hz: lower edge of the lowest band.
        high_hz: upper edge of the highest band, at most half the sampling rate.
        floor: added to the energy of a band, so that silence has a logarithm.
    """

    hop: int
    window: int
    fft: int
    bands: int
    low_hz: float
    high_hz: float
    floor: float

    def __post_init__(self) -> None:
        if not 0 < self.hop <= self.window <= self.fft:
            raise UserError(
                "frontend: expected 0 < hop <= window <= fft, found "
                f"{self.hop}, {self.window}, {self.fft}; change them in params.yaml"
            )
        if not 0 <= self.low_hz < self.high_hz <= SAMPLE_RATE_HZ / 2 or self.bands < 1:
            raise UserError(
                f"frontend: expected at least 1 band within 0 to {SAMPLE_RATE_HZ // 2} Hz, found "
                f"{self.bands} from {self.low_hz} to {self.high_hz} Hz; change them in params.yaml"
            )
        if not self.floor > 0:
            raise UserError(
                f"frontend.floor must be above 0, found {self.floor}; change it in params.yaml"
            )


class FrontEnd:
    """The computation of frames from samples, with its constants."""

    def __init__(
        self, params: FrontEndParams, mean: NDArray[np.float32], std: NDArray[np.float32]
    ) -> None:
        """Store the parameters and the normalisation constants of each band, shape `[M]`.

        Raises:
            UserError: the number of constants differs from the bands, one is not finite, or a
                deviation is not above 0.
        """
        for name, values in (("mean", mean), ("std", std)):
            if values.shape != (params.bands,) or not np.isfinite(values).all():
                raise UserError(f"frontend: {name} needs {params.bands} finite numbers")
        if not (std > 0).all():
            raise UserError(f"frontend: std must be above 0, found {std.min()}")
        self.params, self.mean, self.std = params, mean, std
        # The periodic window, because a frame is one period of the transform.
        self.hann = np.sin(np.pi * np.arange(params.window) / params.window) ** 2
        self.mel = mel_matrix(params)

    @property
    def hop_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.params.hop / SAMPLE_RATE_HZ

    @property
    def max_abs_feature(self) -> float:
        """Upper bound of the absolute values of a frame, for any samples in [-1, 1].

        A bin of the transform is at most the sum of the window; silence is the log of the floor.
        """
        highest = np.log(self.params.floor + self.mel.sum(axis=1) * self.hann.sum() ** 2)
        lowest = np.log(self.params.floor)
        difference = np.maximum(np.abs(highest - self.mean), np.abs(lowest - self.mean))
        return float((difference / self.std).max())

    @classmethod
    def without_normalisation(cls, params: FrontEndParams) -> FrontEnd:
        """Return a front end without normalisation, for computing the constants."""
        return cls(params, np.zeros(params.bands, np.float32), np.ones(params.bands, np.float32))

    def __call__(self, signal: Signal) -> Features:
        """Return all frames of a whole signal `[N]`, shape `[N // hop, bands]`."""
        p = self.params
        count = len(signal) // p.hop
        if not count:
            return np.zeros((0, p.bands), np.float32)
        padded = np.concatenate([np.zeros(p.window - p.hop), signal[: count * p.hop]])
        frames = np.lib.stride_tricks.sliding_window_view(padded, p.window)[:: p.hop]
        return np.concatenate(
            [
                self.features(frames[start : start + CHUNK_FRAMES])
                for start in range(0, count, CHUNK_FRAMES)
            ]
        )

    def features(self, frames: NDArray[np.float64]) -> Features:
        """Return features `[T, bands]` of windows of samples `[T, window]`."""
        spectrum = np.fft.rfft(frames * self.hann, self.params.fft, axis=1)
        energies = (spectrum.real**2 + spectrum.imag**2) @ self.mel.T
        logs = np.log(self.params.floor + energies)
        return np.asarray((logs - self.mean) / self.std, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return all constants that a host needs, as JSON values."""
        p = self.params
        return {
            "version": 1, "sample_rate_hz": SAMPLE_RATE_HZ, "hop": p.hop, "window": p.window,
            "fft": p.fft, "bands": p.bands, "low_hz": p.low_hz, "high_hz": p.high_hz,
            "floor": p.floor, "log": "natural", "spectrum": "power",
            "window_shape": "hann, periodic",
            "frame": "the window's last sample is the hop's last; zeros before the stream",
            "hann": self.hann.tolist(), "mel": self.mel.tolist(),
            # Through text: the shortest decimal that any parser reads as the same float32.
            "mean": [float(str(x)) for x in self.mean], "std": [float(str(x)) for x in self.std],
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> FrontEnd:
        """Return the front end of a `frontend.json`, with its window and matrix.

        Raises:
            UserError: the version or sampling rate differs, or a value is missing, not a number or
                of another shape.
        """
        if document.get("version") != 1 or document.get("sample_rate_hz") != SAMPLE_RATE_HZ:
            raise UserError(
                f"frontend.json: version {document.get('version')} at "
                f"{document.get('sample_rate_hz')} Hz; this code reads version 1 at "
                f"{SAMPLE_RATE_HZ} Hz"
            )
        names = {field.name for field in fields(FrontEndParams)}
        if missing := sorted({*names, "hann", "mel", "mean", "std"} - set(document)):
            raise UserError(f"frontend.json: {missing} are missing; export it again")
        params = build({name: document[name] for name in names}, FrontEndParams, "frontend.json")
        constants = ("hann", "mel", "mean", "std")
        hann, mel, mean, std = (_numbers(document, key) for key in constants)
        end = cls(params, mean.astype(np.float32), std.astype(np.float32))
        if hann.shape != end.hann.shape or mel.shape != end.mel.shape:
            raise UserError(
                f"frontend.json: window {hann.shape} and matrix {mel.shape} do not fit "
                f"{params.window} samples and {params.bands} bands; export it again"
            )
        # The constants of the file, because a host uses them and not a recomputation.
        end.hann, end.mel = hann, mel
        return end


class StreamingFrontEnd:
    """The front end block by block, as in a host. Blocks may have any length."""

    def __init__(self, end: FrontEnd) -> None:
        """Start a stream."""
        self.end = end
        self.reset()

    def reset(self) -> None:
        """Clear the history."""
        self._samples = np.zeros(self.end.params.window - self.end.params.hop)

    def push(self, block: Signal) -> Features:
        """Add samples `[N]` and return the frames they complete, `[T, bands]`, T may be 0."""
        hop, window = self.end.params.hop, self.end.params.window
        self._samples = np.concatenate([self._samples, block])
        count = (len(self._samples) - (window - hop)) // hop
        frames = [
            self.end.features(self._samples[None, start * hop : start * hop + window])
            for start in range(count)
        ]
        self._samples = self._samples[count * hop :]
        return (
            np.concatenate(frames) if frames else np.zeros((0, self.end.params.bands), np.float32)
        )


def _numbers(document: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """Return a list of a `frontend.json`, nested or not, as an array."""
    try:
        numbers = np.array(document[key], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"frontend.json: {key} is not an array of numbers: {error}") from error
    if not np.isfinite(numbers).all():
        raise UserError(f"frontend.json: {key} contains numbers that are not finite")
    return numbers


def mel_matrix(params: FrontEndParams) -> NDArray[np.float64]:
    """Return the weight of each bin of the power spectrum per band, `[bands, fft // 2 + 1]`.

    Triangles of height 1 that overlap by half on the mel scale.

    >>> mel_matrix(FrontEndParams(160, 400, 512, 40, 60.0, 7600.0, 1e-6)).shape
    (40, 257)
    """
    edges_mel = np.linspace(_mel(params.low_hz), _mel(params.high_hz), params.bands + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.arange(params.fft // 2 + 1) * SAMPLE_RATE_HZ / params.fft
    low, mid, high = (edges_hz[start : start + params.bands, None] for start in range(3))
    rising, falling = (bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid)
    return np.maximum(0.0, np.minimum(rising, falling))


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))
