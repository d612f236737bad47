"""Read the structure of WAV files: RIFF, big-endian RIFX, RF64, and Sony's W64.

Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991);
Microsoft, Multiple Channel Audio Data and WAVE Files (2007); EBU Tech 3306 (RF64).
"""

from __future__ import annotations

import struct
from dataclasses import replace

from fonoteka.audiocheck.containers.blocks import BLOCK_KINDS, SoundChunk, WaveFormat, block_layout
from fonoteka.audiocheck.containers.chunks import (
    MAX_CHUNKS,
    Chunk,
    check_size,
    chunks,
    printable_name,
)
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

PCM, FLOAT, ALAW, ULAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
_SURE_CHANNELS, _SURE_RATE_HZ = 8, 192_000  # every decoder supports up to these
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_W64_OPEN = 2**64 - 1, 2**63 - 1  # sizes of file and sound that ffmpeg writes to a pipe
_SHORTEST = struct.Struct("<4sI4s4sIHHIIHH4sI")
W64 = bytes.fromhex("726966662e91cf11a5d628db04c10000")


def riff(data: bytes, start: int) -> Layout:
    """Return the layout of a WAV file that begins at byte `start`.

    Raises:
        CorruptFileError: sizes contradict each other, or the encoding is not checked.
    """
    if simple := _canonical_layout(data, start):
        return simple
    big = data[start : start + 4] == b"RIFX"
    if data[start + 8 : start + 12] != b"WAVE":
        kind = printable_name(data[start + 8 : start + 12])
        raise CorruptFileError(UNREADABLE, f"is a RIFF file of kind {kind}, not 'WAVE'")
    declared = number(data, start + 4, ">I" if big else "<I")
    long_sizes: dict[bytes, int] = {}
    by_name: dict[bytes, Chunk] = {}
    notes: list[str] = []
    for chunk in chunks(data, start + 12, big, long_sizes, declared, notes):
        # RF64 keeps 64-bit sizes in the chunk ds64; `chunks` then uses them for the sound.
        if chunk.name == b"ds64" and data[start : start + 4] == b"RF64":
            declared = number(data, chunk.start, "<Q")
            long_sizes[b"data"] = number(data, chunk.start + 8, "<Q")
        if chunk.name in by_name and chunk.name in (b"fmt ", b"data"):
            raise CorruptFileError(UNREADABLE, f"has two chunks {chunk.name.decode()!r}")
        if chunk.name == b"data" and b"fmt " not in by_name:
            raise CorruptFileError(UNREADABLE, "has a chunk 'data' before its chunk 'fmt '")
        by_name[chunk.name] = chunk
    if b"data" not in by_name or b"fmt " not in by_name:
        raise CorruptFileError(
            UNREADABLE, f"has no chunk {'data' if b'fmt ' in by_name else 'fmt '!r}"
        )
    # Only the sound and later chunks can end the file: writers append and may not update the size.
    later = [chunk for chunk in by_name.values() if chunk.start >= by_name[b"data"].start]
    if NOT_STATED in notes:
        by_name[b"data"] = _without_pad(
            data, _format(data, by_name[b"fmt "], big), by_name[b"data"]
        )
    else:
        check_size(data, start, declared, later)
    fact = number(data, by_name[b"fact"].start, "<I") if b"fact" in by_name and not big else None
    sound = SoundChunk(by_name[b"data"], fact, start, tuple(notes))
    layout = _layout(data, by_name[b"fmt "], sound, big)
    return replace(layout, parts=(_closed(data, by_name, big, start),)) if notes else layout


def _without_pad(data: bytes, fmt: WaveFormat, sound: Chunk) -> Chunk:
    """Return the sound of a streamed file without the zero byte that makes its size even.

    sox adds this byte when it writes to a pipe. With one byte per sample, the zero could be a
    sample: it is the lowest value of 8 bits, so it counts as a sample only after another low one.
    """
    start, size = sound.start, sound.size
    if size < 2 or size % 2 or data[start + size - 1]:
        return sound
    one_byte = fmt.tag == PCM and fmt.block == 1 and data[start + size - 2] >= 64
    return replace(sound, size=size - 1) if size % fmt.block == 1 or one_byte else sound


def _closed(data: bytes, by_name: dict[bytes, Chunk], big: bool, start: int) -> bytes:
    """Return the file with its sizes filled in and without the bytes after its chunks."""
    end = max(chunk.start + chunk.size for chunk in by_name.values())
    closed, code = bytearray(data[:end]), ">I" if big else "<I"
    struct.pack_into(code, closed, start + 4, end - start - 8)
    struct.pack_into(code, closed, by_name[b"data"].start - 4, by_name[b"data"].size)
    return bytes(closed)


def _canonical_layout(data: bytes, start: int) -> Layout | None:
    """Return the layout of 16-bit PCM with the chunks `fmt ` and `data` only; None for the rest.

    Most recordings have this form. It has one interpretation only, so no decoder is needed.
    """
    if len(data) - start < _SHORTEST.size:
        return None
    marks = _SHORTEST.unpack_from(data, start)
    _, declared, _, _, size, tag, channels, rate, byte_rate, block, bits, _, sound = marks
    sound_start = start + _SHORTEST.size
    if (
        (marks[0], marks[2], marks[3], marks[11]) == (b"RIFF", b"WAVE", b"fmt ", b"data")
        and (size, tag, bits, block, byte_rate) == (16, PCM, 16, 2 * channels, 2 * channels * rate)
        and 0 < channels <= _SURE_CHANNELS
        and 0 < rate <= _SURE_RATE_HZ
        and 0 < sound == len(data) - sound_start == declared - 36
        and sound % block == 0
    ):
        raw = RawSamples("i2", False, sound_start)
        return Layout(rate, channels, sound // block, start=start, raw=raw, codec="WAV PCM_16")
    return None


def w64(data: bytes, start: int) -> Layout:
    """Return the layout of a W64 file: WAV with chunk names of 16 bytes and sizes of 8 bytes.

    Raises:
        CorruptFileError: as `riff`.
    """
    declared = number(data, start + 16, "<Q")
    by_name: dict[bytes, Chunk] = {}
    notes: tuple[str, ...] = ()
    position = start + 40
    for _ in range(MAX_CHUNKS):
        if len(data) - position < 24:
            break
        name, size = data[position : position + 16], number(data, position + 16, "<Q")
        # ffmpeg leaves both sizes open in a pipe: the sound then ends with the file.
        if name == b"data" + _W64_TAIL and (declared, size) == _W64_OPEN:
            notes, size = (NOT_STATED,), len(data) - position
        if size < 24 or position + size > len(data):
            if b"data" + _W64_TAIL in by_name and is_text(data[position:]):
                break
            problem = TRUNCATED if name == b"data" + _W64_TAIL else UNREADABLE
            raise CorruptFileError(problem, f"a chunk at byte {position} has {size} bytes")
        if name in by_name:
            raise CorruptFileError(UNREADABLE, f"has two chunks {name[:4].decode('latin-1')!r}")
        by_name[name] = Chunk(name[:4], position + 24, size - 24)
        position += size + -size % 8  # chunks begin at multiples of 8 bytes
    if is_text(data[position:]) and not only_tags(data, position):
        notes = (trailing_note(len(data) - position),)
    elif not only_tags(data, position):
        raise CorruptFileError(UNREADABLE, f"the last {len(data) - position} bytes are not a chunk")
    if not notes:
        check_size(data, start - 8, declared, by_name.values())
    form, sound = by_name.get(b"fmt " + _W64_TAIL), by_name.get(b"data" + _W64_TAIL)
    if form is None or sound is None or form.start > sound.start:
        raise CorruptFileError(UNREADABLE, "has no chunk 'fmt ' before a chunk 'data'")
    layout = _layout(data, form, SoundChunk(sound, None, start, notes), False)
    return replace(layout, parts=(_closed_w64(data, sound, position, start),)) if notes else layout


def _closed_w64(data: bytes, sound: Chunk, end: int, start: int) -> bytes:
    closed = bytearray(data[:end])
    struct.pack_into("<Q", closed, start + 16, len(closed) - start)
    struct.pack_into("<Q", closed, sound.start - 8, sound.size + 24)
    return bytes(closed)


def _layout(data: bytes, form: Chunk, sound: SoundChunk, big: bool) -> Layout:
    fmt, size = _format(data, form, big), sound.chunk.size
    if fmt.tag in BLOCK_KINDS:
        return block_layout(data, fmt, sound)
    raw = _raw_samples(fmt, sound.chunk, big)
    if fmt.byte_rate != fmt.sample_rate_hz * fmt.block:
        raise CorruptFileError(
            UNREADABLE,
            f"states {fmt.sample_rate_hz} Hz and {fmt.byte_rate} bytes per second, "
            f"which does not match {fmt.block} bytes per sample",
        )
    if size % fmt.block:
        raise CorruptFileError(
            TRUNCATED if sound.streamed else UNREADABLE,
            f"{size} bytes of sound are not a multiple of {fmt.block} per sample",
        )
    frames = size // fmt.block
    return Layout(fmt.sample_rate_hz, fmt.channels, frames, 0, sound.start, raw,
                  notes=sound.notes)  # fmt: skip


def _format(data: bytes, chunk: Chunk, big: bool) -> WaveFormat:
    if chunk.size < 16:
        raise CorruptFileError(UNREADABLE, f"its chunk 'fmt ' has {chunk.size} bytes, at least 16")
    order, start = ">" if big else "<", chunk.start
    tag, channels = number(data, start, f"{order}H"), number(data, start + 2, f"{order}H")
    rate, byte_rate = number(data, start + 4, f"{order}I"), number(data, start + 8, f"{order}I")
    block, bits = number(data, start + 12, f"{order}H"), number(data, start + 14, f"{order}H")
    extra = number(data, start + 18, f"{order}H") if chunk.size >= 20 else 0
    valid = bits
    if tag == EXTENSIBLE:
        if chunk.size < 40 or data[start + 26 : start + 40] != _GUID_TAIL:
            raise CorruptFileError(
                UNREADABLE, "its extended format is of a kind that is not checked"
            )
        tag, valid = number(data, start + 24, f"{order}H"), extra or bits
        if bits % 8:
            raise CorruptFileError(
                UNREADABLE, f"states {bits} bits per sample, which is not a multiple of 8"
            )
    if not channels or not rate or not block:
        raise CorruptFileError(
            UNREADABLE,
            f"states {channels} channels, {rate} Hz and {block} bytes per sample, each at least 1",
        )
    return WaveFormat(tag, channels, rate, byte_rate, block, bits, valid, extra)


def _raw_samples(fmt: WaveFormat, sound: Chunk, big: bool) -> RawSamples | None:
    """Return place and form of the samples; None for A-law and mu-law, which have one form."""
    width, rest = divmod(fmt.block, fmt.channels)
    stored_bits = 8 * width
    named = f"states {fmt.bits} bits per sample and {fmt.block} bytes for {fmt.channels} of them"
    if rest or not stored_bits - 8 < fmt.bits <= stored_bits or not 0 < fmt.valid_bits <= fmt.bits:
        raise CorruptFileError(
            UNREADABLE, f"{named}, which programs read in several ways; convert it"
        )
    if fmt.tag == PCM and width in (1, 2, 3, 4):
        unused = stored_bits - fmt.valid_bits
        return RawSamples("u1" if width == 1 else f"i{width}", big, sound.start, unused)
    if fmt.tag == FLOAT and fmt.bits in (32, 64):
        return RawSamples(f"f{width}", big, sound.start)
    if fmt.tag in (ALAW, ULAW) and width == 1:
        return None
    raise CorruptFileError(UNREADABLE, f"{named} in format 0x{fmt.tag:04x}, which is not checked")
