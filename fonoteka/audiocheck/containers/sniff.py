"""Recognise a file's format by its first bytes, and read its structure.

File names are wrong more often than first bytes. The list of formats is closed: libsndfile supports
more formats, but accepts arbitrary bytes for some of them.
"""

from __future__ import annotations

from collections.abc import Callable

from fonoteka.audiocheck.containers.au_sphere import au, sphere
from fonoteka.audiocheck.containers.container import UNREADABLE, CorruptFileError, Layout
from fonoteka.audiocheck.containers.flac import flac
from fonoteka.audiocheck.containers.iff import aiff, caf
from fonoteka.audiocheck.containers.mpeg import mpeg
from fonoteka.audiocheck.containers.mpeg_header import parse_header
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
    """Return the layout of a file after checking that its structure is consistent.

    Raises:
        CorruptFileError: the file has none of the known formats, or contradicts itself.
    """
    start = sound_start(data)
    head = data[start : start + _HEAD_BYTES]
    for magic, reader in _READERS:
        if head.startswith(magic):
            return reader(data, start)
    if parse_header(head[:4]):
        return mpeg(data, start)
    if not data:
        raise CorruptFileError(UNREADABLE, "has no bytes")
    raise CorruptFileError(UNREADABLE, f"begins with 0x{head[:4].hex()}, which is not {_READ}")
