"""The print of a recording: 48 numbers that two copies of it share, whatever was done to them.

A copy may be re-encoded, quieter, shifted, cut or noisy, so its samples say nothing; what stays is
how energy moves through time and pitch. A print is made in five steps:

1. sound between 200 and 2100 Hz, where codecs and noise change the least;
2. frames every 20 ms from where the clip's own energy says, see `_grid_start`: a copy that begins
   some milliseconds later has its frames at the same moments of the sound;
3. the energy of 16 bands, in logarithms above a floor that follows the loudest moment around, so
   that noise 20 dB down and the silence before a word leave no mark;
4. each 160 ms of that as a two-dimensional cosine transform, of which only signs are kept: gain and
   tilt go into the terms that are left out or large;
5. of all codes the 48 smallest by a hash: two clips that share most codes share most of these too,
   however long they are (Broder 1997, "On the resemblance and containment of documents").

Signs of patches as hashes are from Haitsma and Kalker 2002, "A highly robust audio fingerprinting
system"; there frames of 370 ms overlap, which clips of 300 ms have no room for. A sign near zero
may turn over, so each patch also gives the code with its weakest sign turned. Without step 2 frames
have to come twice as often, and so much more work finds as many copies.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fonoteka.core.errors import UserError
from fonoteka.fingerprint.fast_length import fast_length

Codes = NDArray[np.uint64]
Signal = NDArray[np.float32]
Matrix = NDArray[np.float32]

SIZE = 48
"""Codes in a print; fewer where a clip has not as many."""
DETAIL_BITS = 24
"""The low bits of a code: signs that copies share for the most part. The high ones they share."""

MIN_RATE_HZ = 4600
"""Of a clip; of the sound that is analysed it is between this and twice this."""
LOW_HZ, HIGH_HZ = 200.0, 2100.0
HOP_S = 0.020
_BANDS = 16
_WINDOW_S = 0.032
_PATCH = 8  # frames
_SOUNDING = 4  # frames of a patch that must be sound: an onset in silence is in every clip
_SOUND_DB = 35.0  # below the loudest frame is no sound
_FLOOR_DB = 30.0  # of a band, below the loudest frame within a patch to either side
_DEEP_DB = 50.0  # of a band, below the loudest frame of the clip
_STEP = 16  # low-rate samples that one row of the decimating product gives
_FLOAT = np.dtype(np.float32)


def _basis() -> tuple[Matrix, int]:
    """Return the cosine terms of a patch, shape `[_PATCH * _BANDS, 64]`, and how many are high.

    The smooth ones, which are the steadiest, make the high bits. Columns from 32 on make the low
    bits; what is left over is zero.
    """
    pairs = [(band, time) for band in range(16) for time in range(4) if band or time]
    high = [pair for pair in pairs if pair[0] < 8]
    rest = sorted((pair for pair in pairs if pair not in high), key=sum)[:DETAIL_BITS]
    over_bands, over_time = _cosines(_BANDS, 16), _cosines(_PATCH, 4)
    basis = np.zeros((_PATCH * _BANDS, 64), dtype=np.float32)
    for start, some in ((0, high), (32, rest)):
        for column, (band, time) in enumerate(some, start):
            basis[:, column] = np.outer(over_time[:, time], over_bands[:, band]).ravel()
    return basis, len(high)


def _cosines(size: int, terms: int) -> NDArray[np.float64]:
    return np.cos(np.pi * np.outer(np.arange(size) + 0.5, np.arange(terms)) / size)


_TERMS, _HIGH = _basis()
_ONES = np.ones(_BANDS, dtype=np.float32)
_LOW_HALF, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_DETAIL_MASK = np.uint64((1 << DETAIL_BITS) - 1)


def soundprint(samples: NDArray[Any], sample_rate_hz: int) -> Codes:
    """Return a recording's print.

    Args:
        samples: finite, of any scale, shape `[T]` or `[T, C]`.
        sample_rate_hz: rate of the samples, at least 4600.

    Returns:
        At most `SIZE` codes in ascending order, none for silence. The high 40 bits of each are
        different, the low `DETAIL_BITS` are signs: of two codes with equal high bits, those of one
        recording differ in few of the low ones. No code is 0.

    Raises:
        ValueError: the rate is too low for the bands.

    >>> soundprint(np.zeros(8000, dtype=np.int16), 8000).shape
    (0,)
    """
    if sample_rate_hz < MIN_RATE_HZ:
        raise UserError(
            f"a print needs a sample rate of {MIN_RATE_HZ} Hz or more, found {sample_rate_hz}"
        )
    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
    energy = band_energy(mono, sample_rate_hz)
    loudness = energy @ _ONES
    if not loudness.max() > 0:
        return np.empty(0, dtype=np.uint64)
    return _smallest(_patches(energy, loudness) @ _TERMS)


def band_energy(signal: NDArray[Any], sample_rate_hz: int) -> Matrix:
    """Return energy by frame and band, shape `[F, 16]`, 50 frames a second, F >= 1.

    Bands are triangles of equal width in mel between `LOW_HZ` and `HIGH_HZ`. The first and the last
    frames reach beyond the clip.
    """
    bank = _bank(sample_rate_hz)
    low = _decimated(signal, sample_rate_hz, len(bank.window))
    hop = HOP_S * bank.rate_hz
    start = _grid_start(low, hop)
    last = len(low) - len(bank.window)
    count = int((last - start) / hop) + 1
    starts = (np.arange(count) * hop + start).astype(np.intp)
    every = np.ndarray((last + 1, len(bank.window)), _FLOAT, low, 0, (4, 4))  # a view
    frames = every[starts]
    frames *= bank.window
    parts = np.fft.rfft(frames).view(np.float32)[:, bank.parts]
    return np.square(parts) @ bank.weights


class _Bank(NamedTuple):
    """Of a sample rate: the rate that is analysed, and how to analyse it.

    `parts` are the real and imaginary parts of the Fourier transform that bands are made of.
    """

    rate_hz: float
    window: Matrix
    parts: slice
    weights: Matrix


@lru_cache(maxsize=16)
def _bank(sample_rate_hz: int) -> _Bank:
    rate_hz = sample_rate_hz / (sample_rate_hz // MIN_RATE_HZ)
    size = fast_length(round(_WINDOW_S * rate_hz))
    low, high = (2595 * np.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, _BANDS + 2) / 2595) - 1)
    hz = np.arange(size // 2 + 1)[:, None] * rate_hz / size
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    weights = np.maximum(0, np.minimum(rising, falling))
    first, last = np.flatnonzero(weights.any(axis=1))[[0, -1]].tolist()
    twice = np.repeat(weights[first : last + 1], 2, axis=0).astype(np.float32)
    window = np.hanning(size + 2)[1:-1].astype(np.float32)
    return _Bank(rate_hz, window, slice(2 * first, 2 * last + 2), twice)


_ROW = 256  # low-rate samples


def _grid_start(low: Signal, hop: float) -> float:
    """Return where the first frame begins, in samples from 0 to `hop`.

    That is the phase of the energy's part that repeats once a frame. A sound that comes later has
    it later by as much, so frames move with the sound; noise and a cut change it little.
    """
    whole = len(low) // _ROW
    columns, rows = _wheel(hop, whole + 1)
    energy = low * low
    sums = energy[: whole * _ROW].reshape(whole, _ROW) @ columns
    rest = energy[whole * _ROW :]
    last = rest @ columns[: len(rest)]
    turns = sums.T @ rows[:whole] + np.outer(last, rows[whole])  # products of parts of two numbers
    return (
        float(np.arctan2(turns[1, 0] + turns[0, 1], turns[0, 0] - turns[1, 1]))
        / (2 * np.pi)
        * hop
        % hop
    )


@lru_cache(maxsize=64)
def _wheel(hop: float, rows: int) -> tuple[Matrix, Matrix]:
    """Return cosine and sine of a turn once a hop: along a row of samples, and of row starts."""
    turns = [np.arange(count) * step for count, step in ((_ROW, 1), (rows, _ROW))]
    angles = [2 * np.pi * (at % hop) / hop for at in turns]
    one, other = (
        np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32) for angle in angles
    )
    return one, other


def _decimated(signal: NDArray[Any], sample_rate_hz: int, margin: int) -> Signal:
    """Return every n-th sample after a low-pass filter, 4600 to 9200 a second, between silence.

    A row of `_STEP` * n samples and the row after it give `_STEP` results: two matrix products
    instead of a filter, which numpy has no fast one of.

    Args:
        signal: shape `[T]`.
        sample_rate_hz: rate of the samples.
        margin: low-rate samples of silence on either side, at least.
    """
    every = sample_rate_hz // MIN_RATE_HZ
    if every == 1:
        padded = np.zeros(len(signal) + 2 * margin, dtype=np.float32)
        padded[margin : margin + len(signal)] = signal
        return padded
    first, second = _decimator(sample_rate_hz, every)
    row, before = _STEP * every, (_HALF_TAPS + margin) * every
    rows = -(-(before + len(signal) + margin * every) // row) + 1
    padded = np.empty(rows * row, dtype=np.float32)
    padded[:before], padded[before + len(signal) :] = 0, 0
    padded[before : before + len(signal)] = signal
    blocks = padded.reshape(rows, row)
    low = blocks[:-1] @ first
    low += blocks[1:] @ second
    return low.reshape(-1)


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


def _patches(energy: Matrix, loudness: Matrix) -> Matrix:
    """Return the levels of each patch that has sound: `[P, _PATCH * _BANDS]`; takes `energy`.

    Silence is put around the clip, so that its first and last sounds stand in patches too.
    """
    loudest = loudness.max()
    floor = np.maximum(
        _most_around(loudness) * np.float32(10 ** (-_FLOOR_DB / 10)),
        loudest * np.float32(10 ** (-_DEEP_DB / 10)),
    )
    count = len(energy) + _PATCH + 1
    around = _PATCH // 2
    levels = np.zeros((len(energy) + 2 * around, _BANDS), dtype=np.float32)
    energy *= (1 / floor)[:, None]
    np.log1p(energy, out=levels[around : around + len(energy)])
    sounding = np.zeros(count, dtype=np.int64)
    sounding[around + 1 : around + 1 + len(energy)] = loudness > loudest * 10 ** (-_SOUND_DB / 10)
    sounding = np.cumsum(sounding)
    held = sounding[_PATCH:] - sounding[:-_PATCH]
    chosen = np.flatnonzero(held >= min(_SOUNDING, int(held.max())))
    width = _PATCH * _BANDS
    return np.ndarray((len(held), width), _FLOAT, levels, 0, (4 * _BANDS, 4))[chosen]


def _most_around(values: Matrix) -> Matrix:
    """Return the largest of each value and the `_PATCH` on either side of it, 17 together."""
    most = np.zeros(len(values) + 2 * _PATCH, dtype=np.float32)
    most[_PATCH:-_PATCH] = values
    for step in (1, 2, 4, 8, 1):  # of 2, 4, 8, 16 and 17
        most = np.maximum(most[:-step], most[step:])
    return most


def _smallest(terms: Matrix) -> Codes:
    """Return the smallest codes, one for each value of the high bits."""
    signs = np.packbits(terms > 0, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)
    main, low = signs & _LOW_HALF, signs >> _HALF
    weakest = np.abs(terms[:, :_HIGH]).argmin(axis=1).astype(np.uint64)
    every = np.concatenate([main, main ^ (np.uint64(1) << weakest)])
    codes = _scattered(every) & ~_DETAIL_MASK
    codes |= np.concatenate([low, low])
    codes.sort()
    buckets = codes >> np.uint64(DETAIL_BITS)
    new = np.empty(len(codes), dtype=np.bool_)
    new[0] = codes[0] > 0
    np.not_equal(buckets[1:], buckets[:-1], out=new[1:])
    return codes[new][:SIZE]


def _scattered(numbers: Codes) -> Codes:
    """Return 64 bits that depend on every bit of a number (Steele 2014, SplitMix64's finisher)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
