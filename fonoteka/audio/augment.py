"""Augment recordings: vary what differs between speakers, microphones and rooms.

A recipe lists the changes, see `fonoteka.audio.recipe`. Each is drawn independently, in the order
of the list. All of them keep the phones; only speed moves them in time, so its factor is returned.
"""

from __future__ import annotations

import io

import numpy as np
import soundfile
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, lfilter, resample_poly, sosfilt

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audio.recipe import (
    AugmentChange,
    AugmentRecipe,
    Band,
    Codec,
    Gain,
    Noise,
    Pitch,
    Range,
    Reverb,
    Speed,
    Tilt,
)

Samples = NDArray[np.floating]
"""Between two changes: float64 after a filter, float32 after a room."""
TELEPHONE_HZ = 8000
FORMATS = {
    "gsm": ("WAV", "GSM610"), "mp3": ("MP3", "MPEG_LAYER_III"), "mu_law": ("WAV", "ULAW"),
    "opus": ("OGG", "OPUS"), "vorbis": ("OGG", "VORBIS"),
}  # fmt: skip
MP3_DELAY = 576 + 529
"""Samples of silence that LAME and a decoder put before the sound."""


def augment(
    signal: Signal, recipe: AugmentRecipe, rng: np.random.Generator
) -> tuple[Signal, float]:
    """Return an augmented copy of a clip and its speed relative to the clip.

    Args:
        signal: samples at 16 kHz, shape `[T]`.
        recipe: the changes.
        rng: the only source of randomness: the same state gives the same bytes on a machine.
    """
    changed: Samples = signal
    total = 1.0
    for change in recipe.changes:
        if change.probability < 1 and rng.random() >= change.probability:
            continue
        if isinstance(change, Speed):
            factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(change.largest)))
            changed, total = faster(changed, factor), total * factor
        else:
            changed = _changed(changed, change, rng)
    return np.asarray(changed, dtype=np.float32), total


def _changed(signal: Samples, change: AugmentChange, rng: np.random.Generator) -> Samples:
    match change:
        case Tilt(coefficient=coefficient):
            return np.asarray(lfilter([1.0, -_drawn(coefficient, rng)], [1.0], signal))
        case Reverb():
            return _in_a_room(signal, change, rng)
        case Noise():
            return signal + _noise(signal, change, rng)
        case Band(cutoff_hz=cutoff_hz):
            low_pass = butter(6, _drawn(cutoff_hz, rng), fs=SAMPLE_RATE_HZ, output="sos")
            return np.asarray(sosfilt(low_pass, signal))
        case Pitch(semitones=semitones):
            return _at_another_pitch(signal, _drawn(semitones, rng))
        case Codec(formats=formats, compression=compression):
            name = formats[int(rng.integers(len(formats)))]
            return _decoded(signal, name, _drawn(compression, rng))
        case Gain(db=db):
            return signal * 10 ** (_drawn(db, rng) / 20)
    raise AssertionError(change)


def _drawn(limits: Range, rng: np.random.Generator) -> float:
    low, high = limits
    return float(rng.uniform(low, high))


def faster(signal: Samples, factor: float) -> Signal:
    """Return the signal played `factor` times faster, which also scales pitch and formants.

    Linear interpolation slightly attenuates high frequencies, which is harmless in augmentation.

    >>> faster(np.zeros(100, dtype=np.float32), 2.0).shape
    (50,)
    """
    count = max(1, round(len(signal) / factor))
    positions = np.arange(count) * factor
    return np.asarray(np.interp(positions, np.arange(len(signal)), signal), dtype=np.float32)


def _in_a_room(signal: Samples, room: Reverb, rng: np.random.Generator) -> Signal:
    """Return the signal with a reverberation tail."""
    decay_s = _drawn(room.decay_s, rng)
    time = np.arange(round(0.5 * decay_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(time)) * 10 ** (-3 * time / decay_s)
    tail *= _drawn(room.level, rng) / np.sqrt(np.sum(np.square(tail)))
    tail[0] = 1.0
    return np.asarray(fftconvolve(signal, tail)[: len(signal)], dtype=np.float32)


def _noise(signal: Samples, noise: Noise, rng: np.random.Generator) -> Signal:
    """Return noise between white and brown at a random signal-to-noise ratio."""
    # The colour is drawn before the samples are.
    poles = [1.0, -_drawn(noise.colour, rng)]
    added = lfilter([1.0], poles, rng.standard_normal(len(signal)))
    ratio_db = _drawn(noise.snr_db, rng)
    power, noise_power = np.mean(np.square(signal)), np.mean(np.square(added))
    gain = np.sqrt(power / noise_power * 10 ** (-ratio_db / 10))
    return np.asarray(added * gain, dtype=np.float32)


def _at_another_pitch(signal: Samples, semitones: float) -> Signal:
    """Return the signal with pitch and formants moved, at the same length.

    Signalsmith's stretcher takes 14 ms for 3 s of speech, torchaudio's phase vocoder 20 s. It draws
    random phases only when it changes the speed beyond a factor of 2, so it is deterministic here.
    """
    from python_stretch import Signalsmith

    stretch = Signalsmith.Stretch()
    stretch.preset(1, SAMPLE_RATE_HZ)
    stretch.setTransposeSemitones(semitones)
    moved = np.asarray(stretch.process(np.asarray(signal, dtype=np.float32)[None]))
    return np.asarray(moved[0], dtype=np.float32)


def _decoded(signal: Samples, name: str, compression: float) -> Signal:
    """Return what a codec leaves of the signal, at the same length and without its delay."""
    container, subtype = FORMATS[name]
    rate = TELEPHONE_HZ if name in ("gsm", "mu_law") else SAMPLE_RATE_HZ
    sound = np.asarray(signal, dtype=np.float32)
    sound = sound if rate == SAMPLE_RATE_HZ else resample_poly(sound, 1, SAMPLE_RATE_HZ // rate)
    # libsndfile wraps around what is beyond full scale, and resampling raises some peaks.
    scale = np.float32(max(1.0, float(np.abs(sound).max(initial=0.0)) / 0.99))
    options = {} if rate == TELEPHONE_HZ else {"compression_level": compression}
    file = io.BytesIO()
    soundfile.write(file, sound / scale, rate, format=container, subtype=subtype, **options)
    file.seek(0)
    decoded, _ = soundfile.read(file, dtype="float32")
    # At low bit rates a frame has no room for LAME's tag, by which decoders remove the delay.
    delay = MP3_DELAY if name == "mp3" and len(decoded) > len(sound) else 0
    decoded = decoded[delay:]
    if rate == TELEPHONE_HZ:
        decoded = resample_poly(decoded, SAMPLE_RATE_HZ // rate, 1)
    missing = max(0, len(signal) - len(decoded))
    whole = np.pad(decoded, (0, missing))[: len(signal)]
    return np.asarray(whole * scale, dtype=np.float32)
