"""Recordings as bytes, for uploads."""

from __future__ import annotations

import io
import struct

import numpy as np
import soundfile as sf


def tone(seconds: float, rate: int, channels: int = 1) -> np.ndarray:
    """Return a sine of 220 Hz, `[T, C]`, each channel quieter than the one before."""
    time = np.arange(round(seconds * rate)) / rate
    sine = 0.4 * np.sin(2 * np.pi * 220 * time)
    return np.stack([sine / (1 + n) for n in range(channels)], axis=1).astype(np.float32)


def encoded(
    samples: np.ndarray, rate: int, container: str = "WAV", subtype: str = "PCM_16"
) -> bytes:
    buffer = io.BytesIO()
    sf.write(buffer, samples, rate, format=container, subtype=subtype)
    return buffer.getvalue()


def wav(seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> bytes:
    return encoded(tone(seconds, rate, channels), rate)


def silent_flac(seconds: int) -> bytes:
    """Return a FLAC file of digital silence at 16 kHz: 10 KB per minute of sound or less."""
    buffer = io.BytesIO()
    with sf.SoundFile(buffer, "w", 16_000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(0, seconds, 60):
            file.write(np.zeros(60 * 16_000, np.int16))
    return buffer.getvalue()


def wav_claiming(rate: int, channels: int, data_bytes: int, container: bytes = b"RIFF") -> bytes:
    """Return a WAV file of 16 bits whose header states what is given; it has 0.1 s of sound.

    A length beyond 32 bits is stated as RF64 does.
    """
    sound = bytes(3200)
    block = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, rate, rate * block % 2**32, block % 2**16, 16)
    size, whole = min(data_bytes, 2**32 - 1), min(data_bytes + 36, 2**32 - 1)
    wide = b""
    if container == b"RF64":
        wide = b"ds64" + struct.pack("<IQQQI", 28, data_bytes + 72, data_bytes, data_bytes // 2, 0)
    body = b"WAVE" + wide + b"fmt " + struct.pack("<I", 16) + form
    return container + struct.pack("<I", whole) + body + b"data" + struct.pack("<I", size) + sound
