"""Find the frames of a FLAC stream by their headers, each of which has its own checksum.

Only a decoder knows where a frame ends, so the next frame is the next position that has a header
with a correct checksum and the expected number. Source: RFC 9639.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from fonoteka.audiocheck.containers.checksums import crc8_flac, crc16_flac
from fonoteka.audiocheck.containers.container import TRUNCATED, UNREADABLE, CorruptFileError

_RATES = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000
)  # fmt: skip
_BITS = (0, 8, 12, -1, 16, 20, 24, 32)  # 0: as STREAMINFO states; -1: reserved
_MAX_HEAD, _SHORT_HEAD = 16, 6
_WINDOW_BYTES = 1 << 18  # bytes


class Frame(NamedTuple):
    """The header of one frame; rate and bits are 0 if only STREAMINFO states them."""

    number: int
    samples: int
    sample_rate_hz: int
    channels: int
    bits: int
    size: int


def verified_frames(data: bytes, position: int, end: int) -> Iterator[Frame]:
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
