"""Tell by its first bytes what a file is, and read its structure.

Names lie more often than first bytes do. What is known here is a closed list: libsndfile knows more
formats, some of which any bytes at all are taken for.
"""

from __future__ import annotations

from collections.abc import Callable

from stages.common.container import UNREADABLE, Broken, Layout, sound_start
from stages.common.container_flac import flac
from stages.common.container_iff import aiff, caf
from stages.common.container_mpeg import head_of, mpeg
from stages.common.container_ogg import ogg
from stages.common.container_plain import au, sphere
from stages.common.container_riff import W64, riff, w64

FOREIGN_HEAD_BYTES = 1 << 13  # the first frame of AAC may be as long
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


def foreign_kind(data: bytes) -> str:
    """Return what a file is that only ffmpeg reads, by ffmpeg's name; empty where it is none.

    The name is given to ffmpeg, so that it can't take the bytes for a playlist of other files.

    >>> foreign_kind(b"#!AMR" + bytes(1)), foreign_kind(b"RIFF")
    ('amr', '')
    """
    if data[4:8] == b"ftyp":
        return "mov"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if data.startswith(b"#!AMR"):
        return "amr"
    if data.startswith(bytes.fromhex("3026b2758e66cf11")):
        return "asf"
    return "aac" if _is_adts(data) else ""


def _is_adts(data: bytes) -> bool:
    """Tell whether bytes are AAC as it is broadcast: one head, and another where the first says."""
    if len(data) < 7 or data[0] != 0xFF or data[1] & 0xF6 != 0xF0:
        return False
    size = int.from_bytes(data[3:6], "big") >> 5 & 0x1FFF
    return size >= 7 and data[size : size + 2] == data[:2]
