"""Sound files of many kinds, and the damage that disks, networks and people do to them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile as sf

# name, container, encoding, rate, channels, endian; each has another length, so that the head of
# one never fits the body of another.
KINDS = (
    ("pcm16.wav", "WAV", "PCM_16", 16000, 1, "FILE"),
    ("pcm24.wav", "WAV", "PCM_24", 16000, 2, "FILE"),
    ("float.wav", "WAV", "FLOAT", 22050, 1, "FILE"),
    ("pcm8.wav", "WAV", "PCM_U8", 8000, 1, "FILE"),
    ("pcm32.wav", "WAVEX", "PCM_32", 8000, 1, "FILE"),
    ("extensible.wav", "WAVEX", "PCM_16", 16000, 2, "FILE"),
    ("big.wav", "WAV", "PCM_16", 11025, 1, "BIG"),
    ("long.rf64", "RF64", "PCM_16", 16000, 1, "FILE"),
    ("sony.w64", "W64", "PCM_16", 16000, 1, "FILE"),
    ("apple.aiff", "AIFF", "PCM_16", 16000, 1, "FILE"),
    ("little.aifc", "AIFF", "PCM_16", 8000, 1, "LITTLE"),
    ("float.aifc", "AIFF", "FLOAT", 16000, 1, "FILE"),
    ("core.caf", "CAF", "PCM_16", 16000, 1, "FILE"),
    ("sun.au", "AU", "PCM_16", 16000, 1, "FILE"),
    ("nist.wav", "NIST", "PCM_16", 16000, 1, "FILE"),
    ("pcm16.flac", "FLAC", "PCM_16", 16000, 1, "FILE"),
    ("pcm24.flac", "FLAC", "PCM_24", 48000, 2, "FILE"),
    ("pcm8.flac", "FLAC", "PCM_S8", 8000, 1, "FILE"),
    ("vorbis.ogg", "OGG", "VORBIS", 16000, 1, "FILE"),
    ("speech.opus", "OGG", "OPUS", 16000, 1, "FILE"),
    ("lame.mp3", "MP3", "MPEG_LAYER_III", 16000, 1, "FILE"),
    ("stereo.mp3", "MP3", "MPEG_LAYER_III", 44100, 2, "FILE"),
)
MP3_MARKS = (b"Xing", b"Info", b"LAME")
PLAIN = ("PCM", "FLOAT", "DOUBLE")
# Where a head says a thing that nothing in the file repeats: rate, channels, encoding.
SAID_ONCE = {
    "AIFF": (b"COMM", 8, 26),
    "CAF": (b"desc", 12, 44),
    "AU": (b".snd", 12, 24),
    "NIST": (b"NIST", 16, 1024),
}


@dataclass(frozen=True)
class Seed:
    """A whole file, what it decodes to, and which of its bytes nothing protects.

    `body` is the range of bytes that are samples as they are; `said_once` one of its head.
    """

    name: str
    data: bytes
    samples: np.ndarray = field(repr=False)
    rate: int
    body: tuple[int, int] = (0, 0)
    said_once: tuple[int, int] = (0, 0)


def speech(seconds: float, rate: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Bursts of harmonics in noise; nothing is silent, so that a wrong sample is another one."""
    time = np.arange(round(seconds * rate)) / rate
    voice = sum(np.sin(2 * np.pi * 140 * n * time) / n for n in range(1, 6))
    sound = 0.2 * voice * (np.sin(2 * np.pi * 4 * time) > 0) + 0.01 * rng.standard_normal(time.size)
    return np.stack([sound * (1 - 0.3 * n) for n in range(channels)], axis=1).astype(np.float32)


def seeds(folder: Path) -> list[Seed]:
    """Write a file of each kind and return them."""
    rng = np.random.default_rng(0)
    result = []
    for number, (name, container, encoding, rate, channels, endian) in enumerate(KINDS):
        path = folder / name
        sound = speech(0.3 + 0.011 * number, rate, channels, rng)
        with sf.SoundFile(path, "w", rate, channels, encoding, endian, container) as file:
            file.write(sound)
        data = path.read_bytes()
        samples, _ = decode(path)
        result.append(Seed(name, data, samples, rate, *unprotected(data, container, encoding)))
    return result


def unprotected(data: bytes, container: str, encoding: str) -> list[tuple[int, int]]:
    """Return the ranges of bytes of which no reader can tell whether they are right."""
    if not encoding.startswith(PLAIN) or container == "FLAC":
        return [(0, 0), (0, 0)]
    mark, start, stop = SAID_ONCE.get(container, (b"", 0, 0))
    offset = data.index(mark)
    marks = {"AIFF": (b"SSND", 16), "CAF": (b"data", 16), "AU": (b".snd", 24), "NIST": (b"", 1024),
             "W64": (b"data", 24)}  # fmt: skip
    sound, head = marks.get(container, (b"data", 8))
    return [(data.index(sound) + head, len(data)), (offset + start, offset + stop)]


def decode(path: Path) -> tuple[np.ndarray, int]:
    return sf.read(path, dtype="float32", always_2d=True)


def damaged(seed: Seed, others: list[Seed], rng: np.random.Generator) -> tuple[str, bytes]:
    """Return the name of a damage and the file with it."""
    kind = DAMAGES[rng.integers(len(DAMAGES))]
    return kind.__name__, kind(seed.data, others[rng.integers(len(others))].data, rng)


def flipped(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    return _flip(data, len(data), int(rng.integers(1, 9)), rng)


def flipped_head(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    return _flip(data, 128, int(rng.integers(1, 3)), rng)


def _flip(data: bytes, within: int, bits: int, rng: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for bit in rng.integers(0, 8 * min(within, len(data)), bits).tolist():
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def cut_by_little(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    return data[: -int(rng.integers(1, 64))]


def head_of_another(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([4, 12, 16, 36, 44, 64, 128, 1024]))
    return other[:size] + data[size:]


def without_a_piece(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    return data[:start] + data[start + int(rng.integers(1, 600)) :]


def with_a_piece_twice(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    start = int(rng.integers(0, len(data)))
    return data[:start] + data[start : start + int(rng.integers(1, 600))] + data[start:]


def with_a_hole(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    start, size = int(rng.integers(0, len(data))), int(rng.integers(1, 600))
    return data[:start] + bytes(len(data[start : start + size])) + data[start + size :]


def with_more(data: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return data + other[: int(rng.integers(1, 2000))]


def with_a_size_changed(data: bytes, _: bytes, rng: np.random.Generator) -> bytes:
    """Write a number that sizes and counts fear over four bytes of the head."""
    offset = int(rng.integers(0, min(124, len(data) - 4)))
    number = int(rng.choice([0, 1, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, len(data) + 1]))
    return data[:offset] + struct.pack(rng.choice(["<I", ">I"]), number) + data[offset + 4 :]


DAMAGES = (
    flipped, flipped, flipped_head, flipped_head, cut, cut_by_little, head_of_another,
    without_a_piece, with_a_piece_twice, with_a_hole, with_more, with_a_size_changed,
)  # fmt: skip


def excuse(seed: Seed, data: bytes, samples: np.ndarray, rate: int) -> str:
    """Return why a damaged file may be taken though it decodes to other samples; empty if not.

    It may be if all differing bytes are unprotected in the format: uncompressed samples, of which
    each one affects only itself, and header fields that are stated once.
    """
    if seed.name.endswith(".mp3") and not any(mark in data[:200] for mark in MP3_MARKS):
        return "the encoder's tag is gone"  # then its frame cannot be distinguished from silence
    if len(data) != len(seed.data) or seed.body == (0, 0):
        return ""
    differs = np.frombuffer(data, np.uint8) != np.frombuffer(seed.data, np.uint8)
    (start, stop), (once, end) = seed.body, seed.said_once
    if differs[once:end].any():
        return "the head says it once"
    if rate != seed.rate or samples.shape != seed.samples.shape:
        return ""
    width = (stop - start) // seed.samples.size
    spoiled = differs[start : start + width * seed.samples.size].reshape(-1, width).any(axis=1)
    other = ~np.equal(samples, seed.samples).ravel()
    return "" if (other & ~spoiled).any() else "samples without protection"
