"""Causal log-mel features for models on an audio thread: a frame a hop, from what was heard so far.

The frame of a hop covers the `window` samples that end with it; before a stream begins there was
silence. Normalisation is fixed: a stream has no statistics of its own, since it has no end. All of
it stands in `frontend.json`, from which a host rebuilds it exactly:

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

AT_ONCE = 4096  # frames; 13 MB of windowed samples


@dataclass(frozen=True)
class FrontEndParams:
    """Section `frontend`.

    Attributes:
        hop: samples between two frames.
        window: samples of a frame; at least `hop`.
        fft: points of the transform, at least `window`.
        bands: of the mel scale.
        low_hz: lower edge of the lowest band.
        high_hz: upper edge of the highest band, at most half the sampling rate.
        floor: added to a band's energy, so that silence has a logarithm.
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
                f"frontend: {self.bands} bands from {self.low_hz} to {self.high_hz} Hz are none "
                f"below {SAMPLE_RATE_HZ // 2} Hz; change them in params.yaml"
            )
        if not self.floor > 0:
            raise UserError(f"frontend.floor must be above 0, found {self.floor}")


class FrontEnd:
    """What turns samples into frames, with its constants."""

    def __init__(
        self, params: FrontEndParams, mean: NDArray[np.float32], std: NDArray[np.float32]
    ) -> None:
        """Take the shape of the frames and the constants of each band, shape `[M]`.

        Raises:
            ValueError: there are not as many constants as bands, or one is not finite, or a
                deviation is not above 0.
        """
        for name, values in (("mean", mean), ("std", std)):
            if values.shape != (params.bands,) or not np.isfinite(values).all():
                raise UserError(f"frontend: {name} needs {params.bands} finite numbers")
        if not (std > 0).all():
            raise UserError(f"frontend: std must be above 0, found {std.min()}")
        self.params, self.mean, self.std = params, mean, std
        # The periodic window: a frame is a period of the transform, not a symmetric filter.
        self.hann = np.sin(np.pi * np.arange(params.window) / params.window) ** 2
        self.mel = mel_matrix(params)

    @property
    def hop_s(self) -> float:
        """Seconds from one frame to the next."""
        return self.params.hop / SAMPLE_RATE_HZ

    @property
    def loudest(self) -> float:
        """No number of a frame, without its sign, is above this, whatever the samples in [-1, 1].

        No bin of a transform is above the window's sum, and silence is the logarithm of the floor.
        """
        highest = np.log(self.params.floor + self.mel.sum(axis=1) * self.hann.sum() ** 2)
        lowest = np.log(self.params.floor)
        apart = np.maximum(np.abs(highest - self.mean), np.abs(lowest - self.mean))
        return float((apart / self.std).max())

    @classmethod
    def plain(cls, params: FrontEndParams) -> FrontEnd:
        """Return one that leaves log energies as they are, for finding the constants."""
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
            [self.of(frames[at : at + AT_ONCE]) for at in range(0, count, AT_ONCE)]
        )

    def of(self, frames: NDArray[np.float64]) -> Features:
        """Return features `[T, bands]` of windows of samples `[T, window]`."""
        spectrum = np.fft.rfft(frames * self.hann, self.params.fft, axis=1)
        energies = (spectrum.real**2 + spectrum.imag**2) @ self.mel.T
        logs = np.log(self.params.floor + energies)
        return np.asarray((logs - self.mean) / self.std, dtype=np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return everything that a host needs, as JSON values."""
        p = self.params
        return {
            "version": 1, "sample_rate_hz": SAMPLE_RATE_HZ, "hop": p.hop, "window": p.window,
            "fft": p.fft, "bands": p.bands, "low_hz": p.low_hz, "high_hz": p.high_hz,
            "floor": p.floor, "log": "natural", "spectrum": "power",
            "window_shape": "hann, periodic",
            "frame": "the window's last sample is the hop's last; zeros before the stream",
            "hann": self.hann.tolist(), "mel": self.mel.tolist(),
            # By way of text: the shortest number that is the same float32, in any parser.
            "mean": [float(str(x)) for x in self.mean], "std": [float(str(x)) for x in self.std],
        }  # fmt: skip

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> FrontEnd:
        """Return the front end of a `frontend.json`, by its own window and matrix.

        Raises:
            ValueError: it is of another version or sampling rate, a part is missing, or what is
                there is no number or does not fit the rest.
        """
        if found.get("version") != 1 or found.get("sample_rate_hz") != SAMPLE_RATE_HZ:
            raise UserError(
                f"frontend.json: version {found.get('version')} at {found.get('sample_rate_hz')} "
                f"Hz; this code reads version 1 at {SAMPLE_RATE_HZ} Hz"
            )
        names = {field.name for field in fields(FrontEndParams)}
        if missing := sorted({*names, "hann", "mel", "mean", "std"} - set(found)):
            raise UserError(f"frontend.json: {missing} are missing; export it anew")
        params = build({name: found[name] for name in names}, FrontEndParams, "frontend.json")
        hann, mel, mean, std = (_numbers(found, key) for key in ("hann", "mel", "mean", "std"))
        end = cls(params, mean.astype(np.float32), std.astype(np.float32))
        if hann.shape != end.hann.shape or mel.shape != end.mel.shape:
            raise UserError(
                f"frontend.json: window {hann.shape} and matrix {mel.shape} don't fit "
                f"{params.window} samples and {params.bands} bands; export it anew"
            )
        end.hann, end.mel = hann, mel
        return end


class Streamed:
    """The same, block by block: what a host does. Blocks may have any length."""

    def __init__(self, end: FrontEnd) -> None:
        """Begin a stream."""
        self.end = end
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self._heard = np.zeros(self.end.params.window - self.end.params.hop)

    def push(self, block: Signal) -> Features:
        """Take samples `[N]` and return the frames that they complete, `[T, bands]`, T may be 0."""
        hop, window = self.end.params.hop, self.end.params.window
        self._heard = np.concatenate([self._heard, block])
        count = (len(self._heard) - (window - hop)) // hop
        frames = [
            self.end.of(self._heard[None, at * hop : at * hop + window]) for at in range(count)
        ]
        self._heard = self._heard[count * hop :]
        return (
            np.concatenate(frames) if frames else np.zeros((0, self.end.params.bands), np.float32)
        )


def _numbers(found: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    """Return a list of a `frontend.json`, nested or not, as an array."""
    try:
        numbers = np.array(found[key], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"frontend.json: {key} is not an array of numbers: {error}") from error
    if not np.isfinite(numbers).all():
        raise UserError(f"frontend.json: {key} holds numbers that are not finite")
    return numbers


def mel_matrix(params: FrontEndParams) -> NDArray[np.float64]:
    """Return how much of each bin of the power spectrum each band takes, `[bands, fft // 2 + 1]`.

    Triangles that overlap by half on the mel scale, each with the height 1.

    >>> mel_matrix(FrontEndParams(160, 400, 512, 40, 60.0, 7600.0, 1e-6)).shape
    (40, 257)
    """
    edges_mel = np.linspace(_mel(params.low_hz), _mel(params.high_hz), params.bands + 2)
    edges_hz = 700 * (10 ** (edges_mel / 2595) - 1)
    bins_hz = np.arange(params.fft // 2 + 1) * SAMPLE_RATE_HZ / params.fft
    low, mid, high = (edges_hz[at : at + params.bands, None] for at in range(3))
    rising, falling = (bins_hz - low) / (mid - low), (high - bins_hz) / (high - mid)
    return np.maximum(0.0, np.minimum(rising, falling))


def _mel(hz: float) -> float:
    return float(2595 * np.log10(1 + hz / 700))
