"""The fingerprint of a recording: 48 codes, most of which any processed copy shares.

A copy may be re-encoded, quieter, shifted, cut or noisy, so its samples differ; the distribution of
energy over time and frequency remains. A fingerprint is computed in five steps:

1. Limit the sound to 200 to 2100 Hz, where codecs and noise change the least.
2. Cut frames every 20 ms, beginning where the clip's own energy determines, see `_grid_start`: a
   copy that begins some milliseconds later has its frames at the same moments of the sound.
3. Take the logarithm of the energy of 16 bands above a floor that follows the local maximum, so
   that noise 20 dB below it and the silence before a word have no effect.
4. Transform each 160 ms by a two-dimensional cosine transform and keep only the signs: gain and
   tilt affect terms that are left out or large.
5. Keep the 48 smallest codes by a hash: two clips that share most codes share most of these too,
   whatever their length (Broder 1997, "On the resemblance and containment of documents").

Signs of patches as hashes are from Haitsma and Kalker 2002, "A highly robust audio fingerprinting
system"; that system uses overlapping frames of 370 ms, which are too long for clips of 300 ms. A
sign near zero may flip, so each patch also gives the code with its weakest sign flipped. Without
step 2, frames twice as dense, and twice the work, find as many copies.
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
"""Codes in a fingerprint; short clips have fewer."""
DETAIL_BITS = 24
"""Number of low bits of a code, most of which copies share. They share all of the high bits."""

MIN_RATE_HZ = 4600
"""Lowest sample rate of a clip; the analysis runs at a rate from this to twice this."""
LOW_HZ, HIGH_HZ = 200.0, 2100.0
HOP_S = 0.020
_BANDS = 16
_WINDOW_S = 0.032
_PATCH = 8  # frames
_SOUNDING = 4  # frames of a patch that must be sound: an onset after silence is in every clip
_SOUND_DB = 35.0  # frames this far below the loudest frame are silence
_FLOOR_DB = 30.0  # floor of a band, below the loudest frame within a patch to either side
_DEEP_DB = 50.0  # lowest floor of a band, below the loudest frame of the clip
_STEP = 16  # low-rate samples per row of the decimating product
_FLOAT = np.dtype(np.float32)


def _basis() -> tuple[Matrix, int]:
    """Return the cosine terms of a patch, `[_PATCH * _BANDS, 64]`, and the number of high bits.

    The smooth terms are the most stable and become the high bits. Columns from 32 on become the low
    bits; unused columns are zero.
    """
    pairs = [(band, time) for band in range(16) for time in range(4) if band or time]
    high = [pair for pair in pairs if pair[0] < 8]
    low = sorted((pair for pair in pairs if pair not in high), key=sum)[:DETAIL_BITS]
    over_bands, over_time = _cosines(_BANDS, 16), _cosines(_PATCH, 4)
    basis = np.zeros((_PATCH * _BANDS, 64), dtype=np.float32)
    for start, pairs_of_half in ((0, high), (32, low)):
        for column, (band, time) in enumerate(pairs_of_half, start):
            basis[:, column] = np.outer(over_time[:, time], over_bands[:, band]).ravel()
    return basis, len(high)


def _cosines(size: int, terms: int) -> NDArray[np.float64]:
    return np.cos(np.pi * np.outer(np.arange(size) + 0.5, np.arange(terms)) / size)


_TERMS, _HIGH = _basis()
_ONES = np.ones(_BANDS, dtype=np.float32)
_LOW_HALF, _HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
_DETAIL_MASK = np.uint64((1 << DETAIL_BITS) - 1)


def fingerprint(samples: NDArray[Any], sample_rate_hz: int) -> Codes:
    """Return a recording's fingerprint.

    Args:
        samples: finite, of any scale, shape `[T]` or `[T, C]`.
        sample_rate_hz: rate of the samples, at least 4600.

    Returns:
        At most `SIZE` codes in ascending order, none for silence. Their high 40 bits are distinct,
        their low `DETAIL_BITS` are signs: two codes of one recording with equal high bits differ in
        few low bits. No code is 0.

    Raises:
        ValueError: the rate is too low for the bands.

    >>> fingerprint(np.zeros(8000, dtype=np.int16), 8000).shape
    (0,)
    """
    if sample_rate_hz < MIN_RATE_HZ:
        raise UserError(
            f"a fingerprint needs a sample rate of {MIN_RATE_HZ} Hz or more, found {sample_rate_hz}"
        )
    mono = samples.mean(axis=1, dtype=np.float32) if samples.ndim == 2 else samples
    energy = band_energy(mono, sample_rate_hz)
    loudness = energy @ _ONES
    if not loudness.max() > 0:
        return np.empty(0, dtype=np.uint64)
    return _smallest_codes(_patches(energy, loudness) @ _TERMS)


def band_energy(signal: NDArray[Any], sample_rate_hz: int) -> Matrix:
    """Return the energy by frame and band, shape `[F, 16]`, 50 frames per second, F >= 1.

    Bands are triangles of equal width in mel between `LOW_HZ` and `HIGH_HZ`. The first and the last
    frames extend beyond the clip.
    """
    bank = _bank(sample_rate_hz)
    low = _decimated(signal, sample_rate_hz, len(bank.window))
    hop = HOP_S * bank.rate_hz
    start = _grid_start(low, hop)
    last = len(low) - len(bank.window)
    count = int((last - start) / hop) + 1
    starts = (np.arange(count) * hop + start).astype(np.intp)
    windows = np.ndarray((last + 1, len(bank.window)), _FLOAT, low, 0, (4, 4))  # a view
    frames = windows[starts]
    frames *= bank.window
    components = np.fft.rfft(frames).view(np.float32)[:, bank.parts]
    return np.square(components) @ bank.weights


class _Bank(NamedTuple):
    """The analysis for a sample rate: the rate after decimation, the window and the band weights.

    `parts` selects the real and imaginary parts of the Fourier transform that the bands use.
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
    """Return the start of the first frame, in samples from 0 to `hop`.

    It is the phase of the energy's component with a period of one hop. If the sound is delayed, the
    phase is delayed by as much, so frames move with the sound; noise and cuts change it little.
    """
    whole = len(low) // _ROW
    columns, rows = _phasors(hop, whole + 1)
    energy = low * low
    sums = energy[: whole * _ROW].reshape(whole, _ROW) @ columns
    tail = energy[whole * _ROW :]
    last = tail @ columns[: len(tail)]
    turns = sums.T @ rows[:whole] + np.outer(last, rows[whole])  # products of parts of two numbers
    return (
        float(np.arctan2(turns[1, 0] + turns[0, 1], turns[0, 0] - turns[1, 1]))
        / (2 * np.pi)
        * hop
        % hop
    )


@lru_cache(maxsize=64)
def _phasors(hop: float, rows: int) -> tuple[Matrix, Matrix]:
    """Return cosine and sine with a period of one hop, for a row of samples and for row starts."""
    turns = [np.arange(count) * step for count, step in ((_ROW, 1), (rows, _ROW))]
    angles = [2 * np.pi * (position % hop) / hop for position in turns]
    along_row, row_starts = (
        np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32) for angle in angles
    )
    return along_row, row_starts


def _decimated(signal: NDArray[Any], sample_rate_hz: int, margin: int) -> Signal:
    """Return every n-th sample after a low-pass filter, 4600 to 9200 Hz, with silence around it.

    A row of `_STEP` * n samples and the row after it give `_STEP` results. These are two matrix
    products, because numpy has no fast filter.

    Args:
        signal: shape `[T]`.
        sample_rate_hz: rate of the samples.
        margin: minimum number of low-rate samples of silence on either side.
    """
    factor = sample_rate_hz // MIN_RATE_HZ
    if factor == 1:
        padded = np.zeros(len(signal) + 2 * margin, dtype=np.float32)
        padded[margin : margin + len(signal)] = signal
        return padded
    first, second = _decimator(sample_rate_hz, factor)
    row, lead = _STEP * factor, (_HALF_TAPS + margin) * factor
    rows = -(-(lead + len(signal) + margin * factor) // row) + 1
    padded = np.empty(rows * row, dtype=np.float32)
    padded[:lead], padded[lead + len(signal) :] = 0, 0
    padded[lead : lead + len(signal)] = signal
    blocks = padded.reshape(rows, row)
    low = blocks[:-1] @ first
    low += blocks[1:] @ second
    return low.reshape(-1)


_HALF_TAPS = 6  # low-rate samples


@lru_cache(maxsize=16)
def _decimator(sample_rate_hz: int, factor: int) -> tuple[Matrix, Matrix]:
    cutoff = min(4000.0, sample_rate_hz / factor / 2) / sample_rate_hz
    steps = np.arange(-_HALF_TAPS * factor, _HALF_TAPS * factor + 1)
    taps = np.sinc(2 * cutoff * steps) * np.hamming(len(steps))
    taps /= taps.sum()
    product = np.zeros((2 * _STEP * factor, _STEP), dtype=np.float32)
    for column in range(_STEP):
        product[column * factor : column * factor + len(taps), column] = taps
    return product[: _STEP * factor].copy(), product[_STEP * factor :].copy()


def _patches(energy: Matrix, loudness: Matrix) -> Matrix:
    """Return the levels of each patch that has sound, `[P, _PATCH * _BANDS]`; overwrites `energy`.

    The clip is padded with silence, so that its first and last sounds are in patches too.
    """
    loudest = loudness.max()
    floor = np.maximum(
        _local_maximum(loudness) * np.float32(10 ** (-_FLOOR_DB / 10)),
        loudest * np.float32(10 ** (-_DEEP_DB / 10)),
    )
    count = len(energy) + _PATCH + 1
    padding = _PATCH // 2
    levels = np.zeros((len(energy) + 2 * padding, _BANDS), dtype=np.float32)
    energy *= (1 / floor)[:, None]
    np.log1p(energy, out=levels[padding : padding + len(energy)])
    sounding = np.zeros(count, dtype=np.int64)
    sounding[padding + 1 : padding + 1 + len(energy)] = loudness > loudest * 10 ** (-_SOUND_DB / 10)
    sounding = np.cumsum(sounding)
    sounding_frames = sounding[_PATCH:] - sounding[:-_PATCH]
    chosen = np.flatnonzero(sounding_frames >= min(_SOUNDING, int(sounding_frames.max())))
    width = _PATCH * _BANDS
    return np.ndarray((len(sounding_frames), width), _FLOAT, levels, 0, (4 * _BANDS, 4))[chosen]


def _local_maximum(values: Matrix) -> Matrix:
    """Return the maximum of each value and the `_PATCH` values on either side of it, 17 in all."""
    most = np.zeros(len(values) + 2 * _PATCH, dtype=np.float32)
    most[_PATCH:-_PATCH] = values
    for step in (1, 2, 4, 8, 1):  # maxima of 2, 4, 8, 16 and 17 values
        most = np.maximum(most[:-step], most[step:])
    return most


def _smallest_codes(terms: Matrix) -> Codes:
    """Return the smallest codes, one per value of the high bits."""
    signs = np.packbits(terms > 0, axis=1, bitorder="little").view("<u8")[:, 0].astype(np.uint64)
    high_bits, low_bits = signs & _LOW_HALF, signs >> _HALF
    weakest = np.abs(terms[:, :_HIGH]).argmin(axis=1).astype(np.uint64)
    hashed = np.concatenate([high_bits, high_bits ^ (np.uint64(1) << weakest)])
    codes = _mixed(hashed) & ~_DETAIL_MASK
    codes |= np.concatenate([low_bits, low_bits])
    codes.sort()
    buckets = codes >> np.uint64(DETAIL_BITS)
    is_first = np.empty(len(codes), dtype=np.bool_)
    is_first[0] = codes[0] > 0
    np.not_equal(buckets[1:], buckets[:-1], out=is_first[1:])
    return codes[is_first][:SIZE]


def _mixed(numbers: Codes) -> Codes:
    """Return 64 bits that each depend on every bit of a number (Steele 2014, SplitMix64)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
