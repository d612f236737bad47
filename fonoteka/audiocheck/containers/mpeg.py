"""Read the structure of MP3 files: every frame header, and the encoder's tag to check them by.

MPEG audio has no length field and no checksum over its sound, and decoders skip unknown bytes. So
all frames must be of one kind and follow each other without a gap. LAME and ffmpeg add the number
of frames and a CRC. Source: G. Bouvigne, Mp3 Info Tag rev 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.audiocheck.containers.checksums import crc16_lame
from fonoteka.audiocheck.containers.container import (
    TRUNCATED,
    UNREADABLE,
    CorruptFileError,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.mpeg_header import FrameHeader, parse_header
from fonoteka.audiocheck.containers.tags import only_tags, sound_end, trailing_note

_TAGS, _ENCODERS = (b"Xing", b"Info"), (b"LAME", b"Lavc", b"Lavf")
_TAG_PLACES = (13, 15, 21, 23, 36, 38)  # by version, channels and checksum
_ENCODER_OFFSET = 120  # bytes from the tag's name to the encoder's name, if all fields are present
_DELAYS = 1105  # samples of LAME's encoder and any decoder; LAME's tag states up to 4095 more
_FFMPEG_CRC_BYTES = 190  # as LAME uses in stereo at 32 kHz or more; zeros after a shorter frame
TAG_DOUBTED = "its encoder's tag has a wrong checksum, so its delay is not cut"


@dataclass(frozen=True)
class FrameSequence:
    """The frames of a file, which follow each other without a gap.

    Attributes:
        first: header of the first frame.
        start: position of the first frame.
        end: position after the last frame.
        count: number of frames.
        is_variable: the frames' bit rates differ.
        sound_end: position after the sound: the end of the file or the start of known tags.
    """

    first: FrameHeader
    start: int
    end: int
    count: int
    is_variable: bool
    sound_end: int


@dataclass(frozen=True)
class EncoderTag:
    """The contents of an encoder's tag, which is a frame of its own.

    Attributes:
        frames: number of frames without the tag's frame; None if it is not stated.
        cut: largest number of samples that a decoder drops at both ends.
        is_proven: the tag states size and checksum of all frames, and both are correct.
        is_doubtful: the tag's own checksum is wrong.
    """

    frames: int | None
    cut: int
    is_proven: bool = False
    is_doubtful: bool = False


def mpeg(data: bytes, start: int) -> Layout:
    """Return the layout of an MP3 file (MPEG 1, 2 and 2.5, any layer).

    Raises:
        CorruptFileError: a frame is missing, cut, of another kind than the first, or contradicts
            the encoder's checksum.
    """
    sequence = _frames(data, start)
    first, tag = sequence.first, _encoder_tag(data, sequence)
    count = sequence.count - (tag is not None)
    stated = tag.frames if tag else None
    if stated is not None and stated != count:
        raise CorruptFileError(
            TRUNCATED if stated > count else UNREADABLE, f"states {stated} frames and has {count}"
        )
    notes = (TAG_DOUBTED,) if tag and tag.is_doubtful else ()
    if not only_tags(data, sequence.end):
        if stated is None and not (tag and tag.is_proven):
            detail = f"frame {sequence.count} at byte {sequence.end} {_difference(data, sequence)}"
            raise CorruptFileError(UNREADABLE, detail)
        notes = (*notes, trailing_note(sequence.sound_end - sequence.end))
    max_frames = count * first.samples
    rate, channels = first.sample_rate_hz, first.channels
    uncut = max(0, max_frames - _DELAYS)
    # With a doubtful tag, or variable rate and no count, libsndfile would cut or guess: it gets a
    # tag that states the number of frames and no delay.
    if (tag and tag.is_doubtful) or (stated is None and sequence.is_variable):
        sound_start = start + (first.size if tag else 0)
        part = _counting_frame(data[start : start + 4], count) + data[sound_start : sequence.end]
        return Layout(rate, channels, uncut, max_frames - uncut, parts=(part,), notes=notes)
    min_frames = max(0, max_frames - tag.cut) if tag else uncut
    # Without a stated count libsndfile estimates the length from the file's size, tags included.
    parts = (
        (data[: sequence.end],) if notes or (stated is None and sequence.end < len(data)) else ()
    )
    return Layout(
        rate, channels, min_frames, max_frames - min_frames, start, parts=parts, notes=notes
    )


def _frames(data: bytes, start: int) -> FrameSequence:
    first = parse_header(data[start : start + 4])
    if first is None or not first.size:
        raise CorruptFileError(UNREADABLE, "has no first frame of a stated size")
    end, position, count, rates = sound_end(data, start), start, 0, set()
    while position < end:
        head = parse_header(data[position : position + 4])
        if head is None or head.kind != first.kind or not head.size:
            break
        if position + head.size > end:
            raise CorruptFileError(
                TRUNCATED, f"frame {count} ends after {end - position} of {head.size} bytes"
            )
        rates.add(data[position + 2] >> 4)
        position, count = position + head.size, count + 1
    return FrameSequence(first, start, position, count, len(rates) > 1, end)


def _difference(data: bytes, sequence: FrameSequence) -> str:
    """Return how the bytes after the last frame differ from a frame like the first."""
    first, four = sequence.first, data[sequence.end : sequence.end + 4]
    head = parse_header(four)
    if head is None:
        return f"begins with 0x{four.hex()}, which is not a frame header"
    if head.kind == first.kind:
        return "states no size, unlike the first"
    names = ("MPEG version", "layer", "sample rate", "number of channels")
    differences = (
        f"{name} {value} instead of {expected}"
        for name, value, expected in zip(names, _shown_kind(head), _shown_kind(first), strict=True)
        if value != expected
    )
    return f"differs from the first in {', '.join(differences)}"


def _shown_kind(head: FrameHeader) -> tuple[str, str, str, str]:
    version, layer, rate, _ = head.kind
    return {1: "1", 2: "2", 4: "2.5"}[version], str(layer), f"{rate} Hz", str(head.channels)


def _counting_frame(four: bytes, count: int) -> bytes:
    """Return a frame of the same kind with a tag that states the frame count and no delay.

    Without such a tag libsndfile guesses the length of a file of variable rate from its first frame
    and decodes only that much.
    """
    for index in range(1, 15):  # find the smallest bit rate at which the tag fits into a frame
        head_bytes = bytes([four[0], four[1] | 1, index << 4 | four[2] & 0b1100, four[3]])
        head = parse_header(head_bytes)
        if head and head.size >= head.tag_start + 12:
            break
    assert head
    tag = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (head_bytes.ljust(head.tag_start, b"\0") + tag).ljust(head.size, b"\0")


def _encoder_tag(data: bytes, sequence: FrameSequence) -> EncoderTag | None:
    """Return the encoder's tag in the frame before the sound; None if there is no tag."""
    start, first = sequence.start, sequence.first
    tag_start = start + first.tag_start
    if data[tag_start : tag_start + 4] not in _TAGS:
        # One changed bit hides the tag, and its frame would be decoded as silence.
        for place in _TAG_PLACES:
            encoder = start + place + _ENCODER_OFFSET
            if (
                data[start + place : start + place + 4] in _TAGS
                or data[encoder : encoder + 4] in _ENCODERS
            ):
                raise CorruptFileError(
                    UNREADABLE, "its encoder's tag or the frame header before it is damaged"
                )
        return None
    flags = number(data, tag_start + 4, ">I")
    stated = number(data, tag_start + 8, ">I") if flags & 1 else None
    lame_start = tag_start + 8 + (flags & 1) * 4 + (flags >> 1 & 1) * 4 + (flags >> 2 & 1) * 100
    lame_start += (flags >> 3 & 1) * 4
    # Tag of LAME: delays at byte 21, gain at 25, size and CRC of the frames at 28, own CRC at 34.
    fields = data[lame_start + 28 : lame_start + 36]
    if lame_start + 36 > start + first.size or not any(fields[4:]):
        return EncoderTag(stated, _DELAYS)
    sound_bytes, crc = int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:6], "big")
    delays = int.from_bytes(data[lame_start + 21 : lame_start + 24], "big")
    cut = (delays >> 12) + (delays & 0xFFF) + first.samples
    gain_changed = data[lame_start + 25]  # mp3gain changes frames without updating their checksum
    tag_frame = data[start : start + first.size]
    doubted = not _has_right_crc(tag_frame, lame_start + 34 - start)
    if doubted and gain_changed:  # a damaged gain byte would excuse wrong frames
        raise CorruptFileError(UNREADABLE, "its encoder's tag is damaged: the checksum is wrong")
    if sequence.count < 2 or not sound_bytes or not crc or gain_changed:
        return EncoderTag(stated, cut, False, doubted)
    if sound_bytes != sequence.end - start:
        raise CorruptFileError(
            TRUNCATED if sound_bytes > sequence.end - start else UNREADABLE,
            f"its encoder wrote {sound_bytes} bytes of frames, the file has {sequence.end - start}",
        )
    if crc16_lame(data[start + first.size : sequence.end]) != crc:
        raise CorruptFileError(UNREADABLE, "a frame is damaged: its encoder's checksum is wrong")
    return EncoderTag(stated, cut, True, doubted)


def _has_right_crc(frame: bytes, crc_start: int) -> bool:
    """Return whether a tag's checksum is the one that LAME or ffmpeg computes.

    LAME covers the bytes before the checksum; ffmpeg covers a fixed number of bytes, with the
    checksum's own bytes set to zero.
    """
    written = int.from_bytes(frame[crc_start : crc_start + 2], "big")
    if crc16_lame(frame[:crc_start]) == written:
        return True
    blanked = frame[:crc_start] + bytes(2) + frame[crc_start + 2 :]
    return crc16_lame(blanked[:_FFMPEG_CRC_BYTES].ljust(_FFMPEG_CRC_BYTES, b"\0")) == written
