"""Read the structure of two formats that are a head and then samples: AU and NIST SPHERE.

Source: Sun, audio file format (au.h, 1991); NIST, SPHERE 2.6 header.
"""

from __future__ import annotations

from dataclasses import replace

from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNREADABLE,
    Broken,
    Layout,
    Plain,
    number,
)
from fonoteka.audiocheck.containers.tags import behind, is_text, only_tags

_AU = {2: "i1", 3: "i2", 4: "i3", 5: "i4", 6: "f4", 7: "f8", 1: "", 27: ""}  # 1, 27: mu-law, A-law
_OPEN = 0xFFFFFFFF  # as size of an AU file: not stated
_SPHERE_HEAD = 1024


def au(data: bytes, start: int) -> Layout:
    """Return the layout of an AU file that begins at byte `start`.

    Raises:
        Broken: its size is not the file's, or the sound is in a form that is not checked.
    """
    offset, size = number(data, start + 4, ">I"), number(data, start + 8, ">I")
    encoding, rate = number(data, start + 12, ">I"), number(data, start + 16, ">I")
    channels = number(data, start + 20, ">I")
    if offset < 24 or encoding not in _AU:
        raise Broken(UNREADABLE, f"has a head of {offset} bytes and encoding {encoding}")
    code = _AU[encoding]
    width = int(code[1]) if code else 1
    plain = Plain(code, True, start + offset) if code else None
    if size != _OPEN:
        return _plain(data, start, start + offset, size, width, rate, channels, plain)
    size = len(data) - start - offset  # written to a pipe: libsndfile takes it to the end, too
    if size % max(1, width * channels):
        raise Broken(TRUNCATED, f"{size} bytes are no whole samples of {width * channels}")
    layout = _plain(data, start, start + offset, size, width, rate, channels, plain)
    return replace(layout, notes=(NOT_STATED,))


def sphere(data: bytes, start: int) -> Layout:
    """Return the layout of a NIST SPHERE file, as older speech corpora have under `.wav`.

    Raises:
        Broken: its numbers contradict the file's size, or the sound is in a form not checked.
    """
    said = _fields(data[start : start + _SPHERE_HEAD])
    coding, order = said.get("sample_coding", "pcm"), said.get("sample_byte_format", "01")
    try:
        frames, channels = int(said["sample_count"]), int(said["channel_count"])
        rate, width = int(said["sample_rate"]), int(said["sample_n_bytes"])
    except (KeyError, ValueError) as error:
        raise Broken(UNREADABLE, "its SPHERE head lacks count, channels, rate or bytes") from error
    if coding not in ("pcm", "ulaw", "mu-law", "alaw") or width not in (1, 2, 3, 4) or frames < 0:
        raise Broken(UNREADABLE, f"has SPHERE samples of {width} bytes, coding {coding!a}")
    plain = None
    if coding == "pcm" and width > 1:
        plain = Plain(f"i{width}", order.startswith("1"), start + _SPHERE_HEAD)
    size = frames * channels * width
    return _plain(data, start, start + _SPHERE_HEAD, size, width, rate, channels, plain)


def _fields(head: bytes) -> dict[str, str]:
    """Return the fields of a SPHERE head: lines of name, type and value, closed by end_head."""
    lines = head.decode("latin-1").split("\n")
    if len(head) < _SPHERE_HEAD or lines[1].strip() != str(_SPHERE_HEAD) or "end_head" not in lines:
        raise Broken(UNREADABLE, f"has no SPHERE head of {_SPHERE_HEAD} bytes")
    parts = [line.split(maxsplit=2) for line in lines[2 : lines.index("end_head")]]
    return {part[0]: part[2].strip() for part in parts if len(part) == 3}


def _plain(
    data: bytes,
    start: int,
    sound: int,
    size: int,
    width: int,
    rate: int,
    channels: int,
    plain: Plain | None,
) -> Layout:
    if rate < 1 or channels < 1:
        raise Broken(UNREADABLE, f"says {channels} channels at a rate of {rate} Hz")
    there = len(data) - sound
    if size > there:
        raise Broken(TRUNCATED, f"ends after {max(there, 0)} of {size} bytes of sound")
    notes: tuple[str, ...] = ()
    if not only_tags(data, sound + size):
        if not is_text(data[sound + size :]):
            raise Broken(UNREADABLE, f"has {there - size} bytes after its sound")
        notes = (behind(there - size),)
    frames, left = divmod(size, width * channels)
    if left:
        raise Broken(UNREADABLE, f"{size} bytes are no whole samples of {width * channels}")
    parts = (data[: sound + size],) if notes else ()
    return Layout(rate, channels, frames, 0, start, plain, parts=parts, notes=notes)
