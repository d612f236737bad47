"""Read the structure of AIFF, AIFF-C and CAF files, all big-endian and made of chunks.

Source: Apple, Audio Interchange File Format AIFF-C (1991); Apple, Core Audio Format
Specification 1.0 (2011).
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace

from fonoteka.audiocheck.containers.container import (
    CHUNKS_AT_MOST,
    NOT_STATED,
    TRUNCATED,
    UNKNOWN_LENGTH,
    UNREADABLE,
    Broken,
    Chunk,
    Layout,
    Plain,
    check_size,
    chunks,
    is_name,
    name_of,
    number,
)
from fonoteka.audiocheck.containers.tags import behind, is_text, only_tags

# Compression of AIFF-C: kind of sample, big-endian; the bits come from COMM.
_AIFC = {
    b"NONE": ("i", True), b"twos": ("i", True), b"sowt": ("i", False), b"raw ": ("u", True),
    b"in24": ("i", True), b"in32": ("i", True), b"42n1": ("i", False), b"42ni": ("i", False),
    b"23ni": ("i", False),
    b"fl32": ("f", True), b"FL32": ("f", True), b"fl64": ("f", True), b"FL64": ("f", True),
}  # fmt: skip
_ONE_BYTE = (b"ulaw", b"ULAW", b"alaw", b"ALAW")
_IMA_BYTES, _IMA_FRAMES = 34, 64  # of one packet of one channel


def aiff(data: bytes, start: int) -> Layout:
    """Return the layout of an AIFF or AIFF-C file that begins at byte `start`.

    Raises:
        Broken: COMM and SSND contradict each other, or the sound is in a form not checked.
    """
    kind = data[start + 8 : start + 12]
    if kind not in (b"AIFF", b"AIFC"):
        raise Broken(UNREADABLE, f"is an IFF file of kind {name_of(kind)}, not AIFF")
    found: dict[bytes, Chunk] = {}
    notes: list[str] = []
    declared = number(data, start + 4, ">I")
    for chunk in chunks(data, start + 12, True, {}, declared, notes):
        if chunk.name in found and chunk.name in (b"COMM", b"SSND"):
            raise Broken(UNREADABLE, f"has two chunks {name_of(chunk.name)}")
        found[chunk.name] = chunk
    check_size(data, start, declared, found.values())
    common, sound = found.get(b"COMM"), found.get(b"SSND")
    if common is None or common.size < 18:
        raise Broken(UNREADABLE, "has no chunk 'COMM' of 18 bytes or more")
    channels, frames = number(data, common.start, ">H"), number(data, common.start + 2, ">I")
    bits = number(data, common.start + 6, ">H")
    rate = _extended(data[common.start + 8 : common.start + 18])
    if sound is None and frames:
        raise Broken(UNREADABLE, "has no chunk 'SSND'")
    offset = number(data, sound.start, ">I") if sound else 0
    size = sound.size - 8 - offset if sound else 0
    at = sound.start + 8 + offset if sound else 0
    if kind == b"AIFC" and common.size < 22:
        raise Broken(UNREADABLE, "does not say how it is compressed")
    name = data[common.start + 18 : common.start + 22] if kind == b"AIFC" else b"NONE"
    if name == b"ima4" and channels:
        most = size // (_IMA_BYTES * channels) * _IMA_FRAMES
        return _ima(rate, channels, frames, most, start)
    plain, width = _sample(name, bits, at)
    _check_rate(rate, channels)
    if size != frames * channels * width:
        shorter = size < frames * channels * width
        raise Broken(
            TRUNCATED if shorter else UNREADABLE,
            f"says {frames} samples of {channels * width} bytes and has {size} bytes of sound",
        )
    end = max(chunk.start + chunk.size for chunk in found.values())
    parts = (data[:end],) if notes else ()
    return Layout(rate, channels, frames, 0, start, plain, parts=parts, notes=tuple(notes))


def _ima(rate: int, channels: int, frames: int, most: int, start: int) -> Layout:
    """COMM counts packets or samples, as the writer understood it."""
    if frames * _IMA_FRAMES != most and not most - _IMA_FRAMES < frames <= most:
        raise Broken(UNREADABLE, f"says {frames} samples or packets and has {most} samples")
    least = min(frames, most - _IMA_FRAMES + 1)
    return Layout(rate, channels, max(0, least), most - max(0, least), start)


def _sample(name: bytes, bits: int, at: int) -> tuple[Plain | None, int]:
    """Return where samples lie and how many bytes each has."""
    if name in _ONE_BYTE:
        return None, 1
    if name not in _AIFC:
        raise Broken(UNREADABLE, f"is compressed as {name_of(name)}, which is not checked")
    kind, big = _AIFC[name]
    width = -(-bits // 8)
    if width not in ((4, 8) if kind == "f" else (1, 2, 3, 4)) or (kind == "u" and width != 1):
        raise Broken(UNREADABLE, f"says {bits} bits a sample of kind {name_of(name)}")
    return Plain(f"{kind}{width}", big, at, 8 * width - bits), width


def _extended(field: bytes) -> int:
    """Return a rate that is written as an 80-bit float, 0 where it is no whole number above 0.

    >>> _extended(bytes.fromhex("400cfa00000000000000"))
    16000
    """
    exponent, mantissa = struct.unpack(">HQ", field)
    value = math.ldexp(mantissa, min(exponent, 32767) - 16383 - 63) if exponent < 16450 else 0.0
    return int(value) if value == int(value) else 0


def caf(data: bytes, start: int) -> Layout:
    """Return the layout of a CAF file that begins at byte `start`.

    Raises:
        Broken: its chunks contradict each other, or the sound is in a form that is not checked.
    """
    found: dict[bytes, Chunk] = {}
    notes: tuple[str, ...] = ()
    position = start + 8
    for _ in range(CHUNKS_AT_MOST):
        name = data[position : position + 4]
        if len(data) - position < 12 or not is_name(name):
            break
        size, rest = number(data, position + 4, ">q"), len(data) - position - 12
        if size == -1 and name == b"data":
            notes, size = (NOT_STATED,), rest
        if not 0 <= size <= rest:
            if b"data" in found and is_text(data[position:]):
                break
            raise Broken(TRUNCATED, f"its chunk {name_of(name)} ends after {rest} of {size} bytes")
        if name in found and name in (b"desc", b"data", b"pakt"):
            raise Broken(UNREADABLE, f"has two chunks {name_of(name)}")
        found[name] = Chunk(name, position + 12, size)
        position += 12 + size
    if is_text(data[position:]) and not only_tags(data, position):
        notes = (behind(len(data) - position),)
    elif not only_tags(data, position):
        raise Broken(UNREADABLE, f"the last {len(data) - position} bytes are no chunk")
    form, sound = found.get(b"desc"), found.get(b"data")
    if form is None or sound is None or form.size < 32 or sound.size < 4:
        raise Broken(UNREADABLE, "has no chunk 'desc' of 32 bytes with a chunk 'data' of 4")
    layout = _caf_layout(data, form, sound, found.get(b"pakt"), start, NOT_STATED in notes)
    if not notes:
        return layout
    closed = bytearray(data[:position])
    struct.pack_into(">q", closed, sound.start - 8, sound.size)
    return replace(layout, parts=(bytes(closed),), notes=notes)


def _caf_layout(
    data: bytes, form: Chunk, sound: Chunk, packets: Chunk | None, at: int, streamed: bool
) -> Layout:
    rate, kind, flags, packet, _, channels, bits = struct.unpack_from(">d4sIIIII", data, form.start)
    whole = int(rate) if math.isfinite(rate) and rate == int(rate) else 0
    _check_rate(whole, channels)
    if kind == b"alac":
        if streamed:
            raise Broken(UNKNOWN_LENGTH, "was streamed: its packets are not counted; convert it")
        if packets is None or packets.size < 24:
            raise Broken(UNREADABLE, "has packets but no chunk 'pakt' that counts them")
        return Layout(whole, channels, number(data, packets.start + 8, ">q"), start=at)
    if kind not in (b"lpcm", b"ulaw", b"alaw"):
        raise Broken(UNREADABLE, f"is compressed as {name_of(kind)}, which is not checked")
    width, rest = divmod(packet, channels)
    if rest or width != (-(-bits // 8) if kind == b"lpcm" else 1):
        raise Broken(UNREADABLE, f"says {bits} bits and {packet} bytes for {channels} samples")
    frames, left = divmod(sound.size - 4, packet)
    if left:
        what = TRUNCATED if streamed else UNREADABLE
        raise Broken(what, f"{sound.size - 4} bytes are no whole samples of {packet}")
    if kind != b"lpcm":
        return Layout(whole, channels, frames, start=at)
    code = f"{'f' if flags & 1 else 'i'}{width}"
    if code not in ("i1", "i2", "i3", "i4", "f4", "f8"):
        raise Broken(UNREADABLE, f"has samples of {width} bytes")
    plain = Plain(code, not flags & 2, sound.start + 4, 8 * width - bits)
    return Layout(whole, channels, frames, start=at, plain=plain)


def _check_rate(rate: int, channels: int) -> None:
    if rate < 1 or channels < 1:
        raise Broken(UNREADABLE, f"says {channels} channels at a rate of {rate} Hz")
