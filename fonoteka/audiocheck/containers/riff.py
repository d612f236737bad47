"""Read the structure of WAV files: RIFF, big-endian RIFX, RF64, and Sony's W64.

Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991);
Microsoft, Multiple Channel Audio Data and WAVE Files (2007); EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from dataclasses import replace

from fonoteka.audiocheck.containers.blocks import BLOCK_KINDS, Format, Sound, in_blocks
from fonoteka.audiocheck.containers.container import (
    CHUNKS_AT_MOST,
    NOT_STATED,
    TRUNCATED,
    UNREADABLE,
    Broken,
    Chunk,
    Layout,
    Plain,
    check_size,
    chunks,
    number,
)
from fonoteka.audiocheck.containers.tags import behind, is_text, only_tags

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SURE_CHANNELS, _SURE_RATE_HZ = 8, 192_000  # which every decoder takes
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_OPEN = 2**64 - 1, 2**63 - 1  # sizes of file and sound, as ffmpeg leaves them in a pipe
_SHORTEST = struct.Struct("<4sI4s4sIHHIIHH4sI")
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")


def riff(data: bytes, start: int) -> Layout:
    """Return the layout of a WAV file that begins at byte `start`.

    Raises:
        Broken: sizes contradict each other, or the sound is in a form that is not checked.
    """
    if simple := _simple(data, start):
        return simple
    big = data[start : start + 4] == b"RIFX"
    if data[start + 8 : start + 12] != b"WAVE":
        raise Broken(UNREADABLE, "is a RIFF file, but none of sound")
    declared = number(data, start + 4, ">I" if big else "<I")
    long_sizes: dict[bytes, int] = {}
    found: dict[bytes, Chunk] = {}
    notes: list[str] = []
    for chunk in chunks(data, start + 12, big, long_sizes, declared, notes):
        if chunk.name == b"ds64" and data[start : start + 4] == b"RF64":
            declared = number(data, chunk.start, "<Q")
            long_sizes[b"data"] = number(data, chunk.start + 8, "<Q")
        if chunk.name in found and chunk.name in (b"fmt ", b"data"):
            raise Broken(UNREADABLE, f"has two chunks {chunk.name.decode()!r}")
        if chunk.name == b"data" and b"fmt " not in found:
            raise Broken(UNREADABLE, "has sound before it says of what kind")
        found[chunk.name] = chunk
    if b"data" not in found or b"fmt " not in found:
        raise Broken(UNREADABLE, f"has no chunk {'data' if b'fmt ' in found else 'fmt '!r}")
    later = [chunk for chunk in found.values() if chunk.start >= found[b"data"].start]
    if NOT_STATED in notes:
        found[b"data"] = _without_pad(data, _format(data, found[b"fmt "], big), found[b"data"])
    else:
        check_size(data, start, declared, later)
    fact = number(data, found[b"fact"].start, "<I") if b"fact" in found and not big else None
    sound = Sound(found[b"data"], fact, start, tuple(notes))
    layout = _layout(data, found[b"fmt "], sound, big)
    return replace(layout, parts=(_closed(data, found, big, start),)) if notes else layout


def _without_pad(data: bytes, said: Format, sound: Chunk) -> Chunk:
    """Return sound that goes on to the file's end without the zero that makes its size even.

    sox adds it in a pipe, too. In a file of one byte per sample it would be a sample: of 8 bits the
    lowest there is, so it counts as one only beside others that are low.
    """
    at, size = sound.start, sound.size
    if size < 2 or size % 2 or data[at + size - 1]:
        return sound
    one_byte = said.tag == PCM and said.block == 1 and data[at + size - 2] >= 64
    return replace(sound, size=size - 1) if size % said.block == 1 or one_byte else sound


def _closed(data: bytes, found: dict[bytes, Chunk], big: bool, start: int) -> bytes:
    """Return a file with its sizes written in, and without what lies behind its chunks."""
    end = max(chunk.start + chunk.size for chunk in found.values())
    closed, code = bytearray(data[:end]), ">I" if big else "<I"
    struct.pack_into(code, closed, start + 4, end - start - 8)
    struct.pack_into(code, closed, found[b"data"].start - 4, found[b"data"].size)
    return bytes(closed)


def _simple(data: bytes, start: int) -> Layout | None:
    """Return the layout of 16-bit PCM with no chunk but format and sound, None for all else.

    Most recordings are of this kind. It has one meaning, so that nothing is left to a decoder.
    """
    if len(data) - start < _SHORTEST.size:
        return None
    marks = _SHORTEST.unpack_from(data, start)
    _, declared, _, _, size, tag, channels, rate, byte_rate, block, bits, _, sound = marks
    at = start + _SHORTEST.size
    if (
        (marks[0], marks[2], marks[3], marks[11]) == (b"RIFF", b"WAVE", b"fmt ", b"data")
        and (size, tag, bits, block, byte_rate) == (16, PCM, 16, 2 * channels, 2 * channels * rate)
        and 0 < channels <= _SURE_CHANNELS
        and 0 < rate <= _SURE_RATE_HZ
        and 0 < sound == len(data) - at == declared - 36
        and sound % block == 0
    ):
        plain = Plain("i2", False, at)
        return Layout(rate, channels, sound // block, start=start, plain=plain, codec="WAV PCM_16")
    return None


def w64(data: bytes, start: int) -> Layout:
    """Return the layout of a W64 file: as WAV, with names of 16 and sizes of 8 bytes.

    Raises:
        Broken: as `riff`.
    """
    declared = number(data, start + 16, "<Q")
    found: dict[bytes, Chunk] = {}
    notes: tuple[str, ...] = ()
    position = start + 40
    for _ in range(CHUNKS_AT_MOST):
        if len(data) - position < 24:
            break
        name, size = data[position : position + 16], number(data, position + 16, "<Q")
        if name == b"data" + _W64_TAIL and (declared, size) == _W64_OPEN:
            notes, size = (NOT_STATED,), len(data) - position
        if size < 24 or position + size > len(data):
            if b"data" + _W64_TAIL in found and is_text(data[position:]):
                break
            what = TRUNCATED if name == b"data" + _W64_TAIL else UNREADABLE
            raise Broken(what, f"a chunk at byte {position} has {size} bytes")
        if name in found:
            raise Broken(UNREADABLE, f"has two chunks {name[:4].decode('latin-1')!r}")
        found[name] = Chunk(name[:4], position + 24, size - 24)
        position += size + -size % 8
    if is_text(data[position:]) and not only_tags(data, position):
        notes = (behind(len(data) - position),)
    elif not only_tags(data, position):
        raise Broken(UNREADABLE, f"the last {len(data) - position} bytes are no chunk")
    if not notes:
        check_size(data, start - 8, declared, found.values())
    form, sound = found.get(b"fmt " + _W64_TAIL), found.get(b"data" + _W64_TAIL)
    if form is None or sound is None or form.start > sound.start:
        raise Broken(UNREADABLE, "has no chunk 'fmt ' before a chunk 'data'")
    layout = _layout(data, form, Sound(sound, None, start, notes), False)
    return replace(layout, parts=(_closed_w64(data, sound, position, start),)) if notes else layout


def _closed_w64(data: bytes, sound: Chunk, end: int, start: int) -> bytes:
    closed = bytearray(data[:end])
    struct.pack_into("<Q", closed, start + 16, len(closed) - start)
    struct.pack_into("<Q", closed, sound.start - 8, sound.size + 24)
    return bytes(closed)


def _layout(data: bytes, form: Chunk, sound: Sound, big: bool) -> Layout:
    said, size = _format(data, form, big), sound.chunk.size
    if said.tag in BLOCK_KINDS:
        return in_blocks(data, said, sound)
    plain = _plain(said, sound.chunk, big)
    if said.byte_rate != said.sample_rate_hz * said.block:
        raise Broken(
            UNREADABLE,
            f"says {said.sample_rate_hz} Hz and {said.byte_rate} bytes a second, "
            f"but at {said.block} bytes a sample that is no match",
        )
    if size % said.block:
        raise Broken(
            TRUNCATED if sound.streamed else UNREADABLE,
            f"{size} bytes of sound are no whole samples of {said.block}",
        )
    frames = size // said.block
    return Layout(said.sample_rate_hz, said.channels, frames, 0, sound.start, plain,
                  notes=sound.notes)  # fmt: skip


def _format(data: bytes, chunk: Chunk, big: bool) -> Format:
    if chunk.size < 16:
        raise Broken(UNREADABLE, f"its chunk 'fmt ' has {chunk.size} bytes, at least 16")
    order, at = ">" if big else "<", chunk.start
    tag, channels = number(data, at, f"{order}H"), number(data, at + 2, f"{order}H")
    rate, byte_rate = number(data, at + 4, f"{order}I"), number(data, at + 8, f"{order}I")
    block, bits = number(data, at + 12, f"{order}H"), number(data, at + 14, f"{order}H")
    more = number(data, at + 18, f"{order}H") if chunk.size >= 20 else 0
    valid = bits
    if tag == EXTENSIBLE:
        if chunk.size < 40 or data[at + 26 : at + 40] != _GUID_TAIL:
            raise Broken(UNREADABLE, "its extended format is of a kind that is not checked")
        tag, valid = number(data, at + 24, f"{order}H"), more or bits
        if bits % 8:
            raise Broken(UNREADABLE, f"keeps {bits} bits a sample, which are no whole bytes")
    if not channels or not rate or not block:
        raise Broken(UNREADABLE, f"says {channels} channels, {rate} Hz, {block} bytes a sample")
    return Format(tag, channels, rate, byte_rate, block, bits, valid, more)


def _plain(said: Format, sound: Chunk, big: bool) -> Plain | None:
    """Return where samples lie; None for A-law and mu-law, which have one form only."""
    width, rest = divmod(said.block, said.channels)
    kept = 8 * width
    named = f"says {said.bits} bits a sample and {said.block} bytes for {said.channels} of them"
    if rest or not kept - 8 < said.bits <= kept or not 0 < said.valid_bits <= said.bits:
        raise Broken(UNREADABLE, f"{named}, which programs read in several ways; convert it")
    if said.tag == PCM and width in (1, 2, 3, 4):
        unused = kept - said.valid_bits
        return Plain("u1" if width == 1 else f"i{width}", big, sound.start, unused)
    if said.tag == FLOAT and said.bits in (32, 64):
        return Plain(f"f{width}", big, sound.start)
    if said.tag in (ALAW, ULAW) and width == 1:
        return None
    raise Broken(UNREADABLE, f"{named} in format 0x{said.tag:04x}, which is not checked")
