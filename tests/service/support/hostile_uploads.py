"""Uploads that no honest client sends: damaged recordings in damaged forms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fuzz_maker import DAMAGES, damaged, seeds

NAMES = (
    b"a.wav", b"../../../etc/passwd", b"/etc/passwd", b"C:\\boot.ini", b"a\x00b", b"\xff\xfe", b"",
    b"%2e%2e%2f", b"x" * 3000, "šđč.flac".encode(), b'";name=model', b"upload-" + b"0" * 22,
)  # fmt: skip
KINDS = (
    b"multipart/form-data; boundary=bound", b"multipart/form-data; boundary=other",
    b"multipart/form-data", b"multipart/form-data; boundary=" + b"b" * 200, b"text/plain", b"",
    b"multipart/mixed; boundary=bound", b"multipart/form-data; boundary=bound; charset=\xff",
)  # fmt: skip


class HostileUpload(NamedTuple):
    """A request: the value of Content-Type, and the body."""

    kind: bytes
    body: bytes


def hostile_uploads(folder: Path, count: int, seed: int = 0) -> Iterator[HostileUpload]:
    """Yield the same uploads for the same seed: recordings damaged, forms damaged, or both."""
    chance = np.random.default_rng(seed)
    sounds = seeds(folder)
    for _ in range(count):
        sound = sounds[chance.integers(len(sounds))]
        data = damaged(sound, sounds, chance)[1] if chance.random() < 0.8 else sound.data
        body = _form(data, chance)
        if chance.random() < 0.3:
            body = DAMAGES[chance.integers(len(DAMAGES))](body, data, chance)
        kind = KINDS[chance.integers(len(KINDS))] if chance.random() < 0.1 else KINDS[0]
        yield HostileUpload(kind, body)


def _form(data: bytes, chance: np.random.Generator) -> bytes:
    name = NAMES[chance.integers(len(NAMES))]
    parts = [_part(b"file", data, b'; filename="%s"' % name)]
    for _ in range(chance.integers(0, 3)):
        value = chance.integers(0, 256, chance.integers(0, 200), np.uint8).tobytes()
        parts.append(_part((b"model", b"language", b"../x", b"file")[chance.integers(4)], value))
    order = chance.permutation(len(parts))
    return b"".join(parts[n] for n in order) + b"--bound--\r\n"


def _part(name: bytes, data: bytes, more: bytes = b"") -> bytes:
    head = b'Content-Disposition: form-data; name="%s"%s' % (name, more)
    return b"--bound\r\n" + head + b"\r\n\r\n" + data + b"\r\n"
