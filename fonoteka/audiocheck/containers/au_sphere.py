"""Read the structure of two formats with a header followed by samples: AU and NIST SPHERE.

Source: Sun, audio file format (au.h, 1991); NIST, SPHERE 2.6 header.
"""

from __future__ import annotations

from dataclasses import replace

from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNREADABLE,
    CorruptFileError,
    Layout,
    RawSamples,
    number,
)
from fonoteka.audiocheck.containers.tags import is_text, only_tags, trailing_note

_AU_ENCODINGS = {
    2: "i1",
    3: "i2",
    4: "i3",
    5: "i4",
    6: "f4",
    7: "f8",
    1: "",
    27: "",
}  # 1, 27: mu-law, A-law
_NO_SIZE = 0xFFFFFFFF  # as size of an AU file: not stated
_SPHERE_HEAD = 1024


def au(data: bytes, start: int) -> Layout:
    """Return the layout of an AU file that begins at byte `start`.

    Raises:
        CorruptFileError: the stated size is not the file's, or the encoding is not checked.
    """
    offset, size = number(data, start + 4, ">I"), number(data, start + 8, ">I")
    encoding, rate = number(data, start + 12, ">I"), number(data, start + 16, ">I")
    channels = number(data, start + 20, ">I")
    if offset < 24 or encoding not in _AU_ENCODINGS:
        raise CorruptFileError(
            UNREADABLE,
            f"has a header of {offset} bytes and encoding {encoding}, "
            f"expected at least 24 and one of {sorted(_AU_ENCODINGS)}",
        )
    code = _AU_ENCODINGS[encoding]
    width = int(code[1]) if code else 1
    raw = RawSamples(code, True, start + offset) if code else None
    if size != _NO_SIZE:
        return _layout(data, start, start + offset, size, width, rate, channels, raw)
    size = len(data) - start - offset  # written to a pipe: libsndfile also reads to the end
    if size % max(1, width * channels):
        raise CorruptFileError(
            TRUNCATED, f"{size} bytes of sound are not a multiple of {width * channels} per sample"
        )
    layout = _layout(data, start, start + offset, size, width, rate, channels, raw)
    return replace(layout, notes=(NOT_STATED,))


def sphere(data: bytes, start: int) -> Layout:
    """Return the layout of a NIST SPHERE file; older speech corpora name these files `.wav`.

    Raises:
        CorruptFileError: the header contradicts the file's size, or the encoding is not checked.
    """
    fields = _fields(data[start : start + _SPHERE_HEAD])
    coding, order = fields.get("sample_coding", "pcm"), fields.get("sample_byte_format", "01")
    try:
        frames, channels = int(fields["sample_count"]), int(fields["channel_count"])
        rate, width = int(fields["sample_rate"]), int(fields["sample_n_bytes"])
    except (KeyError, ValueError) as error:
        raise CorruptFileError(
            UNREADABLE, "its SPHERE header lacks count, channels, rate or bytes"
        ) from error
    if coding not in ("pcm", "ulaw", "mu-law", "alaw") or width not in (1, 2, 3, 4) or frames < 0:
        raise CorruptFileError(
            UNREADABLE, f"has SPHERE samples of {width} bytes, coding {coding!a}"
        )
    raw = None
    if coding == "pcm" and width > 1:
        raw = RawSamples(f"i{width}", order.startswith("1"), start + _SPHERE_HEAD)
    size = frames * channels * width
    return _layout(data, start, start + _SPHERE_HEAD, size, width, rate, channels, raw)


def _fields(head: bytes) -> dict[str, str]:
    """Return the fields of a SPHERE header: lines of name, type and value, up to end_head."""
    lines = head.decode("latin-1").split("\n")
    if len(head) < _SPHERE_HEAD or lines[1].strip() != str(_SPHERE_HEAD) or "end_head" not in lines:
        raise CorruptFileError(UNREADABLE, f"has no SPHERE header of {_SPHERE_HEAD} bytes")
    parts = [line.split(maxsplit=2) for line in lines[2 : lines.index("end_head")]]
    return {part[0]: part[2].strip() for part in parts if len(part) == 3}


def _layout(
    data: bytes,
    start: int,
    sound: int,
    size: int,
    width: int,
    rate: int,
    channels: int,
    raw: RawSamples | None,
) -> Layout:
    if rate < 1 or channels < 1:
        raise CorruptFileError(UNREADABLE, f"states {channels} channels at a rate of {rate} Hz")
    available = len(data) - sound
    if size > available:
        raise CorruptFileError(
            TRUNCATED, f"ends after {max(available, 0)} of {size} bytes of sound"
        )
    notes: tuple[str, ...] = ()
    # libsndfile reads to the end of the file, so text after the sound is cut off for it.
    if not only_tags(data, sound + size):
        if not is_text(data[sound + size :]):
            raise CorruptFileError(UNREADABLE, f"has {available - size} bytes after its sound")
        notes = (trailing_note(available - size),)
    frames, rest = divmod(size, width * channels)
    if rest:
        raise CorruptFileError(
            UNREADABLE, f"{size} bytes of sound are not a multiple of {width * channels} per sample"
        )
    parts = (data[: sound + size],) if notes else ()
    return Layout(rate, channels, frames, 0, start, raw, parts=parts, notes=notes)
