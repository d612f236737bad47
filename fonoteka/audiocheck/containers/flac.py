"""Read the structure of FLAC files: the stream description and the header of every frame.

A file with a damaged description still decodes, at a wrong rate or length. Each frame header has
its own checksum, so it is compared with the description. Source: RFC 9639.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fonoteka.audiocheck.containers.checksums import crc8_flac, crc16_flac
from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNREADABLE,
    CorruptFileError,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.tags import sound_end

_RATES = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000
)  # fmt: skip
_BITS = (0, 8, 12, -1, 16, 20, 24, 32)  # 0: as STREAMINFO states; -1: reserved
_MAX_HEAD, _SHORT_HEAD = 16, 6
_WINDOW_BYTES = 1 << 18  # bytes


@dataclass(frozen=True)
class StreamInfo:
    """The contents of STREAMINFO and their place in the file.

    Attributes:
        offset: first byte of the contents.
        max_frame: samples of one channel in the largest frame.
        sample_rate_hz: samples of one channel in a second.
        channels: number of channels.
        bits: of one sample.
        frames: samples of one channel, 0 if unknown.
        md5: of all samples, zeros if unknown.
    """

    offset: int
    max_frame: int
    sample_rate_hz: int
    channels: int
    bits: int
    frames: int
    md5: bytes


class Frame(NamedTuple):
    """The header of one frame; rate and bits are 0 if only STREAMINFO states them."""

    number: int
    samples: int
    sample_rate_hz: int
    channels: int
    bits: int
    size: int


def flac(data: bytes, start: int) -> Layout:
    """Return the layout of a FLAC file that begins at byte `start`.

    Raises:
        CorruptFileError: the frames contradict STREAMINFO, or STREAMINFO states no length and a
            frame's checksum is wrong.
    """
    stream, position = _stream(data, start)
    if not stream.frames:
        if not data[position : position + 2]:
            return Layout(stream.sample_rate_hz, stream.channels, 0, start=start)
        return _unstated_length(data, start, stream, position)
    samples, count = 0, 0
    for frame, times in frames(data, position):
        _check_frame(frame, stream, count)
        samples += frame.samples * times
        count += times
    if samples != stream.frames:
        raise CorruptFileError(
            TRUNCATED if samples < stream.frames else UNREADABLE,
            f"states {stream.frames} samples and its frames contain {samples}",
        )
    return _described_layout(stream, samples, start)


def _described_layout(stream: StreamInfo, samples: int, start: int) -> Layout:
    md5 = stream.md5 if any(stream.md5) else b""
    rate, channels = stream.sample_rate_hz, stream.channels
    return Layout(rate, channels, samples, start=start, md5=md5, bits=stream.bits)


def _check_frame(frame: Frame, stream: StreamInfo, count: int) -> None:
    """Compare a frame's header with STREAMINFO."""
    stream_values = (stream.sample_rate_hz, stream.channels, stream.bits)
    frame_values = (
        frame.sample_rate_hz or stream_values[0],
        frame.channels,
        frame.bits or stream_values[2],
    )
    if frame_values != stream_values:
        raise CorruptFileError(
            UNREADABLE,
            f"frame {count} has Hz, channels, bits {frame_values}, "
            f"STREAMINFO states {stream_values}",
        )


def _unstated_length(data: bytes, start: int, stream: StreamInfo, position: int) -> Layout:
    """Return the layout of a file that was written to a pipe and whose header states no length.

    Each frame has a checksum over the whole frame. The last one shows whether the file was cut; a
    cut between two frames leaves no trace.
    """
    heads: list[Frame] = []
    end = sound_end(data, position)
    for frame in _verified_frames(data, position, end):
        _check_frame(frame, stream, len(heads))
        heads.append(frame)
    largest, fixed = max(frame.samples for frame in heads), not data[position + 1] & 1
    sizes = {frame.samples for frame in heads[:-1]}
    # A wrong frame size changes the decoded samples, and there is no MD5 to show it.
    if largest > stream.max_frame or (fixed and sizes - {stream.max_frame}):
        listed = sorted({frame.samples for frame in heads})
        raise CorruptFileError(
            UNREADABLE, f"has frames of {listed} samples, STREAMINFO states {stream.max_frame}"
        )
    samples = sum(frame.samples for frame in heads)
    stated = bytearray(data[:end])
    packed = int.from_bytes(stated[stream.offset + 10 : stream.offset + 18], "big") | samples
    stated[stream.offset + 10 : stream.offset + 18] = packed.to_bytes(8, "big")
    layout = _described_layout(stream, samples, start)
    return replace(layout, parts=(bytes(stated),), notes=(NOT_STATED,))


def _verified_frames(data: bytes, position: int, end: int) -> Iterator[Frame]:
    """Yield each frame's header after checking the checksum of the whole frame.

    Two complete frames together also have a correct checksum. So a header ends the previous frame
    if that frame's checksum is correct, whatever number the header has.

    Raises:
        CorruptFileError: a frame is damaged, missing or cut.
    """
    first = _frame(data, position)
    if first is None or first.number:
        raise CorruptFileError(UNREADABLE, f"has no first frame at byte {position}")
    yield first
    begin, by_sample = position, data[position + 1] & 1
    count, expected, search_from = 1, first.samples if by_sample else 1, position + first.size
    for offset in _find_pairs(data[:end], data[position : position + 2], search_from):
        frame = _frame(data, offset) if offset >= search_from else None
        if frame is None:
            continue
        damaged = crc16_flac(data[begin:offset])
        if damaged and frame.number != expected:
            continue  # sound that looks like a header: the checksum spans part of a frame only
        if damaged:
            detail = f"frame {count - 1} is damaged: its checksum is wrong"
            raise CorruptFileError(UNREADABLE, detail)
        if frame.number != expected:
            raise CorruptFileError(
                UNREADABLE, f"frame {count} is missing: number {frame.number} follows"
            )
        yield frame
        begin, search_from, count = offset, offset + frame.size, count + 1
        expected += frame.samples if by_sample else 1
    if crc16_flac(data[begin:end]):
        raise CorruptFileError(
            TRUNCATED, f"frame {count - 1} is cut or damaged: its checksum is wrong"
        )


def _stream(data: bytes, start: int) -> tuple[StreamInfo, int]:
    """Return STREAMINFO and the position of the first frame."""
    info: StreamInfo | None = None
    position, last = start + 4, False
    while not last:
        kind, size = number(data, position, "B"), number(data, position, ">I") & 0xFFFFFF
        position, last = position + 4, bool(kind & 128)
        if position + size > len(data):
            raise CorruptFileError(
                TRUNCATED, f"ends after {len(data)} bytes, inside its description"
            )
        if kind & 127 == 0 and info is None and size >= 34:
            # 64 bits: rate (20), channels - 1 (3), bits - 1 (5), samples (36).
            packed = int.from_bytes(data[position + 10 : position + 18], "big")
            info = StreamInfo(
                offset=position,
                max_frame=number(data, position + 2, ">H"),
                sample_rate_hz=packed >> 44,
                channels=(packed >> 41 & 7) + 1,
                bits=(packed >> 36 & 31) + 1,
                frames=packed & (1 << 36) - 1,
                md5=data[position + 18 : position + 34],
            )
        position += size
    if info is None or not info.sample_rate_hz:
        raise CorruptFileError(UNREADABLE, "has no STREAMINFO with a sample rate")
    return info, position


def frames(data: bytes, position: int) -> Iterator[tuple[Frame, int]]:
    """Yield frame headers, each with the number of frames in a row that differ in number only.

    Only a decoder knows where a frame ends. The next header is the next position that looks like a
    header, has a correct checksum and the expected number: chance makes one in about 2**38 bytes.

    Args:
        data: the whole file.
        position: of the first header.

    Raises:
        CorruptFileError: there is no header at `position`.
    """
    first = _frame(data, position)
    if first is None or first.number:
        raise CorruptFileError(UNREADABLE, f"has no first frame at byte {position}")
    mark = data[position : position + 2]
    by_sample = mark[1] & 1
    # Most frames differ from the first in their number only, so their headers can be computed in
    # advance: one comparison of 6 bytes instead of parsing and a CRC per frame.
    predictable = not by_sample and first.size == _SHORT_HEAD
    heads = _short_heads(data[position : position + 4]) if predictable else ()
    expected, run, search_from = first.samples if by_sample else 1, 1, position + first.size
    for offset in _find_pairs(data, mark, search_from):
        if offset < search_from:
            continue
        if expected <= len(heads) and data[offset : offset + _SHORT_HEAD] == heads[expected - 1]:
            run, expected, search_from = run + 1, expected + 1, offset + _SHORT_HEAD
            continue
        frame = _frame(data, offset)
        if frame is None or frame.number != expected:
            continue
        if run:
            yield first, run
            run = 0
        yield frame, 1
        expected, search_from = expected + (frame.samples if by_sample else 1), offset + frame.size
    if run:
        yield first, run


def _find_pairs(data: bytes, mark: bytes, start: int) -> Iterator[int]:
    """Yield the positions of two bytes from `start` on; numpy is faster than repeated `find`."""
    values = np.frombuffer(data, np.uint8)
    for begin in range(start, len(data), _WINDOW_BYTES):
        window = values[begin : begin + _WINDOW_BYTES + 1]
        hits = np.flatnonzero(window[1:] == mark[1])
        yield from (hits[window[hits] == mark[0]] + begin).tolist()


def _frame(data: bytes, position: int) -> Frame | None:
    """Return the header of a frame; None if absent or its checksum is wrong."""
    head = data[position : position + _MAX_HEAD]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    channel_code, bits = head[3] >> 4, _BITS[head[3] >> 1 & 7]
    value, offset = _coded_number(head)
    if not size_code or rate_code == 15 or channel_code > 10 or bits < 0 or not offset:
        return None
    extra_bytes = {6: 1, 7: 2}.get(size_code, 0)
    extra = int.from_bytes(head[offset : offset + extra_bytes], "big")
    samples = _samples(size_code, extra)
    offset += extra_bytes
    extra_bytes = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    extra = int.from_bytes(head[offset : offset + extra_bytes], "big")
    rate = _RATES[rate_code] if rate_code < 12 else extra * (1000, 1, 10)[rate_code - 12]
    offset += extra_bytes
    if offset >= len(head) or crc8_flac(head[:offset]) != head[offset]:
        return None
    return Frame(
        value, samples, rate, channel_code + 1 if channel_code < 8 else 2, bits, offset + 1
    )


@lru_cache(maxsize=64)
def _short_heads(four: bytes) -> tuple[bytes, ...]:
    """Return the headers of frames 1 to 127, whose number is one byte, from their first four."""
    heads = (four + bytes([number]) for number in range(1, 128))
    return tuple(head + bytes([crc8_flac(head)]) for head in heads)


def _samples(code: int, extra: int) -> int:
    if code in (6, 7):
        return extra + 1
    if code == 1:
        return 192
    return 576 << code - 2 if code < 6 else 256 << code - 8


def _coded_number(head: bytes) -> tuple[int, int]:
    """Return the UTF-8-coded number of a header and its end position; (0, 0) if invalid."""
    first = head[4]
    ones = 8 - (first ^ 0xFF).bit_length()
    if ones == 0:
        return first, 5
    if ones in (1, 8) or any(byte >> 6 != 2 for byte in head[5 : 4 + ones]):
        return 0, 0
    value = first & (0x7F >> ones)
    for byte in head[5 : 4 + ones]:
        value = value << 6 | byte & 0x3F
    return value, 4 + ones
