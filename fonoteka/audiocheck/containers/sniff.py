"""Tell by its first bytes what a file is, and read its structure.

Names lie more often than first bytes do. What is known here is a closed list: libsndfile knows more
formats, some of which any bytes at all are taken for.
"""

from __future__ import annotations

from collections.abc import Callable

from fonoteka.audiocheck.containers.au_sphere import au, sphere
from fonoteka.audiocheck.containers.container import UNREADABLE, Broken, Layout
from fonoteka.audiocheck.containers.flac import flac
from fonoteka.audiocheck.containers.iff import aiff, caf
from fonoteka.audiocheck.containers.mpeg import head_of, mpeg
from fonoteka.audiocheck.containers.ogg import ogg
from fonoteka.audiocheck.containers.riff import W64, riff, w64
from fonoteka.audiocheck.containers.tags import sound_start

_HEAD_BYTES = 16
_READERS: tuple[tuple[bytes, Callable[[bytes, int], Layout]], ...] = (
    (b"RIFF", riff),
    (b"fLaC", flac),
    (b"OggS", ogg),
    (b"FORM", aiff),
    (b"RF64", riff),
    (b"RIFX", riff),
    (W64, w64),
    (b"caff", caf),
    (b".snd", au),
    (b"NIST_1A\n", sphere),
)
_READ = "WAV, RF64, W64, AIFF, CAF, AU, SPHERE, FLAC, Ogg or MP3"


def layout_of(data: bytes) -> Layout:
    """Return what a file says of its sound, once it has been found to agree with itself.

    Raises:
        Broken: the file is none of the known formats, or contradicts itself.
    """
    start = sound_start(data)
    head = data[start : start + _HEAD_BYTES]
    for magic, reader in _READERS:
        if head.startswith(magic):
            return reader(data, start)
    if head_of(head[:4]):
        return mpeg(data, start)
    if not data:
        raise Broken(UNREADABLE, "has no bytes")
    raise Broken(UNREADABLE, f"begins with 0x{head[:4].hex()}, which is no {_READ}")
