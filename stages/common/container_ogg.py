"""Read the structure of Ogg files: every page's checksum, number and place.

A decoder drops a damaged page and goes on, so that some of the sound is missing and nothing says
so. Source: RFC 3533; RFC 7845 for Opus.
"""

from __future__ import annotations

from stages.common.container import TRUNCATED, UNREADABLE, Broken, Layout, number, only_tags
from stages.common.crc import crc32_ogg

_HEAD = 27  # bytes before the table of segments
_BEGINS, _ENDS = 2, 4
_CODECS = (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")


def ogg(data: bytes, start: int) -> Layout:
    """Return the layout of an Ogg file; how long it is, only its decoder knows.

    Raises:
        Broken: a page is damaged, missing or of another stream, or the last one is not there.
    """
    position, count, flags = start, 0, 0
    serial = number(data, start + 14, "<I")
    while data[position : position + 4] == b"OggS":
        size = _checked_size(data, position, count)
        flags = data[position + 5]
        if number(data, position + 14, "<I") != serial or bool(flags & _BEGINS) != (count == 0):
            raise Broken(UNREADABLE, f"another stream begins on page {count}")
        if number(data, position + 18, "<I") != count:
            raise Broken(UNREADABLE, f"page {count} is missing")
        if count == 0:
            _check_codec(data[position + _HEAD + 1 : position + size])
        position, count = position + size, count + 1
        if flags & _ENDS:
            break
    if not flags & _ENDS:
        raise Broken(TRUNCATED, f"no page after {count} of them, and that one is not the last")
    if not only_tags(data, position):
        raise Broken(UNREADABLE, f"has {len(data) - position} bytes after its last page")
    return Layout(start=start)


def _checked_size(data: bytes, position: int, count: int) -> int:
    segments = number(data, position + 26, "B")
    size = _HEAD + segments + sum(data[position + _HEAD : position + _HEAD + segments])
    page = data[position : position + size]
    if len(page) < size or len(page) < _HEAD + segments:
        raise Broken(TRUNCATED, f"page {count} ends after {len(page)} of {size} bytes")
    if crc32_ogg(page[:22], bytes(4), page[26:]) != number(page, 22, "<I"):
        raise Broken(UNREADABLE, f"page {count} is damaged: its checksum is wrong")
    return size


def _check_codec(packet: bytes) -> None:
    if not packet.startswith(_CODECS):
        raise Broken(UNREADABLE, "holds no Vorbis, Opus, FLAC or Speex")
