"""The print of a recording: 48 numbers that two copies of it share, whatever was done to them.

A copy may be re-encoded, quieter, shifted, cut or noisy, so its samples say nothing; what stays is
how energy moves through time and pitch. A print is made in four steps:

1. sound between 250 and 3200 Hz, in 16 bands, 100 times a second: an 8 kHz copy has all of it;
2. logarithms above a floor that follows the loudest band around, so that noise 20 dB down and the
   silence before a word leave no mark;
3. each 160 ms of that as a two-dimensional cosine transform, of which only signs are kept: gain and
   tilt go into the terms that are left out or large;
4. of all codes the 48 smallest by a hash: two clips that share most codes share most of these too,
   however long they are (Broder 1997, "On the resemblance and containment of documents").

Signs of patches as hashes are from Haitsma and Kalker 2002, "A highly robust audio fingerprinting
system"; there frames of 370 ms overlap, which clips of 300 ms have no room for. A sign near zero
may turn over, so each patch also gives the codes with one of its three weakest signs turned.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Codes = NDArray[np.uint64]
Signal = NDArray[np.float32]
Matrix = NDArray[np.float32]

SIZE = 48
"""Codes in a print; fewer where a clip has not as many."""
DETAIL_BITS = 24
"""The low bits of a code: signs that copies share for the most part. The high ones they share."""

MIN_RATE_HZ = 7000
"""Of a clip; of the sound that is analysed it is between this and twice this."""
LOW_HZ, HIGH_HZ = 250.0, 3200.0
_BANDS = 16
_HOP_S, _WINDOW_S = 0.010, 0.032
_PATCH = 16  # frames
_SOUNDING = 8  # frames of a patch that must be sound: an onset in silence is in every clip
_SOUND_DB = 35.0  # below the loudest frame is no sound
_FLOOR_DB = 25.0  # below the loudest band within a patch to either side
_DEEP_DB = 45.0  # below the loudest band of the clip
_WEAK = 3  # signs of a patch that may have turned over
_STEP = 16  # low-rate samples that one row of the decimating product gives


def _terms() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which cosine terms make the high and the low bits: smooth ones are the steadiest."""
    pairs = [(band, time) for band in range(12) for time in range(6) if band or time]
    high = [(band, time) for band, time in pairs if band < 8 and time < 5]
    rest = sorted((pair for pair in pairs if pair not in high), key=sum)
    number = [[band * 6 + time for band, time in some] for some in (high, rest[:DETAIL_BITS])]
    return np.array(number[0]), np.array(number[1])


def _cosines(size: int, terms: int) -> Matrix:
    return np.cos(np.pi * np.outer(np.arange(size) + 0.5, np.arange(terms)) / size).astype(
        np.float32
    )


_HIGH, _DETAIL = _terms()
_OVER_BANDS, _OVER_TIME = _cosines(_BANDS, 12), _cosines(_PATCH, 6)
_DETAIL_MASK = np.uint64((1 << DETAIL_BITS) - 1)


def soundprint(samples: NDArray[np.float32], sample_rate_hz: int) -> Codes:
    """Return a recording's print.

    Args:
        samples: finite, in [-1, 1], shape `[T]` or `[T, C]`.
        sample_rate_hz: rate of the samples, at least 7000.

    Returns:
        At most `SIZE` codes in ascending order, none for silence. The high 40 bits of each are
        different, the low `DETAIL_BITS` are signs: of two codes with equal high bits, those of one
        recording differ in few of the low ones.

    Raises:
        ValueError: the rate is too low for the bands.

    >>> soundprint(np.zeros(8000, dtype=np.float32), 8000).shape
    (0,)
    """
    if sample_rate_hz < MIN_RATE_HZ:
        raise ValueError(
            f"a print needs a sample rate of {MIN_RATE_HZ} Hz or more, found {sample_rate_hz}"
        )
    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
    energy = band_energy(mono, sample_rate_hz)
    if not energy.size or not energy.max() > 0:
        return np.empty(0, dtype=np.uint64)
    return _smallest(*_signs(energy))


def band_energy(signal: Signal, sample_rate_hz: int) -> Matrix:
    """Return energy by frame and band, shape `[F, 16]`, 100 frames a second; none without samples.

    Bands are triangles of equal width in mel between `LOW_HZ` and `HIGH_HZ`.
    """
    low, rate_hz = _decimated(signal, sample_rate_hz)
    bank = _bank(rate_hz)
    if len(low) < len(bank.window):
        low = np.pad(low, (0, len(bank.window) - len(low)))
    count = int((len(low) - len(bank.window)) / (_HOP_S * rate_hz)) + 1
    starts = np.rint(np.arange(count) * _HOP_S * rate_hz).astype(np.intp)
    frames = np.lib.stride_tricks.sliding_window_view(low, len(bank.window))[starts]
    frames *= bank.window  # a copy already
    spectrum = fft.rfft(frames, overwrite_x=True)[:, bank.bins]
    power = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return np.asarray(power @ bank.weights, dtype=np.float32)


class _Bank(NamedTuple):
    window: Matrix
    bins: slice
    weights: Matrix


@lru_cache(maxsize=16)
def _bank(rate_hz: float) -> _Bank:
    size = fft.next_fast_len(round(_WINDOW_S * rate_hz), real=True)
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    hz = np.arange(size // 2 + 1)[:, None] * rate_hz / size
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    first, last = np.flatnonzero(weights.any(axis=1))[[0, -1]]
    bins = slice(int(first), int(last) + 1)
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    return _Bank(window, bins, weights[bins].astype(np.float32))


def _decimated(signal: Signal, sample_rate_hz: int) -> tuple[Signal, float]:
    """Return every n-th sample after a low-pass filter, and their rate, 7 to 14 kHz.

    A row of `_STEP` * n samples and the row after it give `_STEP` results: two matrix products
    instead of a filter, which numpy has no fast one of.
    """
    every = sample_rate_hz // MIN_RATE_HZ
    if every == 1:
        return signal.astype(np.float32, copy=False), float(sample_rate_hz)
    first, second = _decimator(sample_rate_hz, every)
    row, half = _STEP * every, _HALF_TAPS * every
    rows = -(-(len(signal) + half) // row) + 1
    padded = np.zeros(rows * row, dtype=np.float32)
    padded[half : half + len(signal)] = signal
    blocks = padded.reshape(rows, row)
    low = blocks[:-1] @ first + blocks[1:] @ second
    return low.reshape(-1)[: -(-len(signal) // every)], sample_rate_hz / every


_HALF_TAPS = 6  # low-rate samples


@lru_cache(maxsize=16)
def _decimator(sample_rate_hz: int, every: int) -> tuple[Matrix, Matrix]:
    cutoff = min(4000.0, sample_rate_hz / every / 2) / sample_rate_hz
    steps = np.arange(-_HALF_TAPS * every, _HALF_TAPS * every + 1)
    taps = np.sinc(2 * cutoff * steps) * np.hamming(len(steps))
    taps /= taps.sum()
    product = np.zeros((2 * _STEP * every, _STEP), dtype=np.float32)
    for column in range(_STEP):
        product[column * every : column * every + len(taps), column] = taps
    return product[: _STEP * every].copy(), product[_STEP * every :].copy()


def _signs(energy: Matrix) -> tuple[Matrix, Matrix]:
    """Return the cosine terms of each patch that has sound: `[P, 39]` and `[P, 24]`.

    Silence is put around the clip, so that its first and last sounds stand in patches too.
    """
    loudest = np.pad(energy.max(axis=1), _PATCH)
    loud = np.lib.stride_tricks.sliding_window_view(loudest, 2 * _PATCH + 1).max(axis=1)
    floor = np.maximum(loud * 10 ** (-_FLOOR_DB / 10), energy.max() * 10 ** (-_DEEP_DB / 10))
    levels = np.log1p(energy / floor[:, None].astype(np.float32))
    around = max(_PATCH // 2, _PATCH - len(levels))
    power = np.pad(energy.sum(axis=1), around)
    sounding = np.cumsum(np.pad(power > power.max() * 10 ** (-_SOUND_DB / 10), (1, 0)))
    count = sounding[_PATCH:] - sounding[:-_PATCH]
    chosen = np.flatnonzero(count >= min(_SOUNDING, count.max()))
    smooth = np.pad(levels, ((around, around), (0, 0))) @ _OVER_BANDS
    patches = np.lib.stride_tricks.sliding_window_view(smooth, _PATCH, axis=0)[chosen]
    terms = (patches @ _OVER_TIME).reshape(len(chosen), -1)
    return terms[:, _HIGH], terms[:, _DETAIL]


def _smallest(high: Matrix, detail: Matrix) -> Codes:
    """Return the smallest codes, one for each value of the high bits."""
    main, low = _packed(high), _packed(detail)
    weakest = np.argpartition(np.abs(high), _WEAK, axis=1)[:, :_WEAK].astype(np.uint64)
    turned = main[:, None] ^ (np.uint64(1) << weakest)
    every = np.concatenate([main, turned.T.reshape(-1)])
    codes = (_scattered(every) & ~_DETAIL_MASK) | np.tile(low, 1 + _WEAK)
    enough = 8 * SIZE  # equal ones among them are few
    codes = np.sort(np.partition(codes, enough)[:enough] if len(codes) > enough else codes)
    buckets = codes >> np.uint64(DETAIL_BITS)
    return codes[np.r_[True, buckets[1:] != buckets[:-1]]][:SIZE]


def _packed(terms: Matrix) -> Codes:
    """Return the signs of up to 64 terms a row as one number a row, the first term lowest."""
    octets = np.zeros((len(terms), 8), dtype=np.uint8)
    packed = np.packbits(terms > 0, axis=1, bitorder="little")
    octets[:, : packed.shape[1]] = packed
    return octets.view("<u8")[:, 0].astype(np.uint64)


def _scattered(numbers: Codes) -> Codes:
    """Return 64 bits that depend on every bit of a number (Steele 2014, SplitMix64's finisher)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
