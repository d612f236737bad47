"""Read the structure of AIFF, AIFF-C and CAF files, which are big-endian chunks.

Source: Apple, Audio Interchange File Format AIFF-C (1991); Apple, Core Audio Format
Specification 1.0 (2011).
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace

from fonoteka.audiocheck.containers.chunks import (
    MAX_CHUNKS,
    Chunk,
    check_size,
    chunks,
    is_name,
    printable_name,
)
from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNKNOWN_LENGTH,
    UNREADABLE,
    CorruptFileError,
    Layout,
    RawSamples,
    number,
)
from fonoteka.audiocheck.containers.tags import is_text, only_tags, trailing_note

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
        CorruptFileError: COMM and SSND contradict each other, or the encoding is not checked.
    """
    kind = data[start + 8 : start + 12]
    if kind not in (b"AIFF", b"AIFC"):
        raise CorruptFileError(
            UNREADABLE, f"is an IFF file of kind {printable_name(kind)}, not AIFF"
        )
    by_name: dict[bytes, Chunk] = {}
    notes: list[str] = []
    declared = number(data, start + 4, ">I")
    for chunk in chunks(data, start + 12, True, {}, declared, notes):
        if chunk.name in by_name and chunk.name in (b"COMM", b"SSND"):
            raise CorruptFileError(UNREADABLE, f"has two chunks {printable_name(chunk.name)}")
        by_name[chunk.name] = chunk
    check_size(data, start, declared, by_name.values())
    common, sound = by_name.get(b"COMM"), by_name.get(b"SSND")
    if common is None or common.size < 18:
        raise CorruptFileError(UNREADABLE, "has no chunk 'COMM' of 18 bytes or more")
    channels, frames = number(data, common.start, ">H"), number(data, common.start + 2, ">I")
    bits = number(data, common.start + 6, ">H")
    rate = _extended_float(data[common.start + 8 : common.start + 18])
    if sound is None and frames:
        raise CorruptFileError(UNREADABLE, "has no chunk 'SSND'")
    offset = number(data, sound.start, ">I") if sound else 0
    size = sound.size - 8 - offset if sound else 0
    sound_start = sound.start + 8 + offset if sound else 0
    if kind == b"AIFC" and common.size < 22:
        raise CorruptFileError(UNREADABLE, "does not state its compression")
    name = data[common.start + 18 : common.start + 22] if kind == b"AIFC" else b"NONE"
    # COMM is compared with the size of SSND, since a decoder believes COMM and pads or cuts.
    if name == b"ima4" and channels:
        max_frames = size // (_IMA_BYTES * channels) * _IMA_FRAMES
        return _ima(rate, channels, frames, max_frames, start)
    raw, width = _raw_samples(name, bits, sound_start)
    _check_rate(rate, channels)
    if size != frames * channels * width:
        shorter = size < frames * channels * width
        raise CorruptFileError(
            TRUNCATED if shorter else UNREADABLE,
            f"states {frames} samples of {channels * width} bytes and has {size} bytes of sound",
        )
    end = max(chunk.start + chunk.size for chunk in by_name.values())
    parts = (data[:end],) if notes else ()
    return Layout(rate, channels, frames, 0, start, raw, parts=parts, notes=tuple(notes))


def _ima(rate: int, channels: int, frames: int, max_frames: int, start: int) -> Layout:
    """Return the layout of IMA ADPCM, whose COMM counts packets or samples: writers differ."""
    if frames * _IMA_FRAMES != max_frames and not max_frames - _IMA_FRAMES < frames <= max_frames:
        raise CorruptFileError(
            UNREADABLE, f"states {frames} samples or packets and has {max_frames} samples"
        )
    min_frames = min(frames, max_frames - _IMA_FRAMES + 1)
    return Layout(rate, channels, max(0, min_frames), max_frames - max(0, min_frames), start)


def _raw_samples(name: bytes, bits: int, start: int) -> tuple[RawSamples | None, int]:
    """Return place and form of the samples, None for one-byte codecs, and the bytes per sample."""
    if name in _ONE_BYTE:
        return None, 1
    if name not in _AIFC:
        raise CorruptFileError(
            UNREADABLE, f"is compressed as {printable_name(name)}, which is not checked"
        )
    kind, big = _AIFC[name]
    width = -(-bits // 8)
    if width not in ((4, 8) if kind == "f" else (1, 2, 3, 4)) or (kind == "u" and width != 1):
        raise CorruptFileError(
            UNREADABLE, f"states {bits} bits per sample of kind {printable_name(name)}"
        )
    return RawSamples(f"{kind}{width}", big, start, 8 * width - bits), width


def _extended_float(field: bytes) -> int:
    """Return a rate stored as an 80-bit float; 0 if it is not a whole number above 0.

    >>> _extended_float(bytes.fromhex("400cfa00000000000000"))
    16000
    """
    exponent, mantissa = struct.unpack(">HQ", field)
    value = math.ldexp(mantissa, min(exponent, 32767) - 16383 - 63) if exponent < 16450 else 0.0
    return int(value) if value == int(value) else 0


def caf(data: bytes, start: int) -> Layout:
    """Return the layout of a CAF file that begins at byte `start`.

    Raises:
        CorruptFileError: its chunks contradict each other, or the encoding is not checked.
    """
    by_name: dict[bytes, Chunk] = {}
    notes: tuple[str, ...] = ()
    position = start + 8
    for _ in range(MAX_CHUNKS):
        name = data[position : position + 4]
        if len(data) - position < 12 or not is_name(name):
            break
        size, rest = number(data, position + 4, ">q"), len(data) - position - 12
        # CAF allows -1 for the size of the last chunk; writers to a pipe use it for the sound.
        if size == -1 and name == b"data":
            notes, size = (NOT_STATED,), rest
        if not 0 <= size <= rest:
            if b"data" in by_name and is_text(data[position:]):
                break
            raise CorruptFileError(
                TRUNCATED, f"its chunk {printable_name(name)} ends after {rest} of {size} bytes"
            )
        if name in by_name and name in (b"desc", b"data", b"pakt"):
            raise CorruptFileError(UNREADABLE, f"has two chunks {printable_name(name)}")
        by_name[name] = Chunk(name, position + 12, size)
        position += 12 + size
    if is_text(data[position:]) and not only_tags(data, position):
        notes = (trailing_note(len(data) - position),)
    elif not only_tags(data, position):
        raise CorruptFileError(UNREADABLE, f"the last {len(data) - position} bytes are not a chunk")
    form, sound = by_name.get(b"desc"), by_name.get(b"data")
    if form is None or sound is None or form.size < 32 or sound.size < 4:
        raise CorruptFileError(
            UNREADABLE, "has no chunk 'desc' of 32 bytes with a chunk 'data' of 4"
        )
    layout = _caf_layout(data, form, sound, by_name.get(b"pakt"), start, NOT_STATED in notes)
    if not notes:
        return layout
    # libsndfile reads a copy with the size filled in and without text after the chunks.
    closed = bytearray(data[:position])
    struct.pack_into(">q", closed, sound.start - 8, sound.size)
    return replace(layout, parts=(bytes(closed),), notes=notes)


def _caf_layout(
    data: bytes, form: Chunk, sound: Chunk, packets: Chunk | None, start: int, streamed: bool
) -> Layout:
    rate, kind, flags, packet, _, channels, bits = struct.unpack_from(">d4sIIIII", data, form.start)
    whole = int(rate) if math.isfinite(rate) and rate == int(rate) else 0
    _check_rate(whole, channels)
    # ALAC packets differ in size, so only the packet table determines the number of samples.
    if kind == b"alac":
        if streamed:
            raise CorruptFileError(
                UNKNOWN_LENGTH, "was streamed: its packets are not counted; convert it"
            )
        if packets is None or packets.size < 24:
            raise CorruptFileError(UNREADABLE, "has packets but no chunk 'pakt' that counts them")
        return Layout(whole, channels, number(data, packets.start + 8, ">q"), start=start)
    if kind not in (b"lpcm", b"ulaw", b"alaw"):
        raise CorruptFileError(
            UNREADABLE, f"is compressed as {printable_name(kind)}, which is not checked"
        )
    width, rest = divmod(packet, channels)
    if rest or width != (-(-bits // 8) if kind == b"lpcm" else 1):
        raise CorruptFileError(
            UNREADABLE, f"states {bits} bits per sample and {packet} bytes for {channels} samples"
        )
    frames, excess = divmod(sound.size - 4, packet)
    if excess:
        problem = TRUNCATED if streamed else UNREADABLE
        raise CorruptFileError(
            problem, f"{sound.size - 4} bytes of sound are not a multiple of {packet} per sample"
        )
    if kind != b"lpcm":
        return Layout(whole, channels, frames, start=start)
    # Flags: bit 0 is float, bit 1 is little-endian.
    code = f"{'f' if flags & 1 else 'i'}{width}"
    if code not in ("i1", "i2", "i3", "i4", "f4", "f8"):
        raise CorruptFileError(UNREADABLE, f"has samples of {width} bytes")
    raw = RawSamples(code, not flags & 2, sound.start + 4, 8 * width - bits)
    return Layout(whole, channels, frames, start=start, raw=raw)


def _check_rate(rate: int, channels: int) -> None:
    if rate < 1 or channels < 1:
        raise CorruptFileError(UNREADABLE, f"states {channels} channels at a rate of {rate} Hz")
