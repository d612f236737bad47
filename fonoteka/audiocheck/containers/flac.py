"""Read the structure of FLAC files: the stream's own description and the head of every frame.

A damaged description still decodes, at another rate or another length. So each frame's head, which
has a checksum of its own, is held against it. Source: RFC 9639.
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
    Broken,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.tags import sound_end

_RATES = (
    0, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000
)  # fmt: skip
_BITS = (0, 8, 12, -1, 16, 20, 24, 32)  # 0: as the stream says; -1: reserved
_HEAD_AT_MOST, _SHORT = 16, 6
_AT_ONCE = 1 << 18  # bytes


@dataclass(frozen=True)
class Stream:
    """What STREAMINFO says, and where it lies.

    Attributes:
        at: first byte of its contents in the file.
        most: samples of one channel in the largest frame.
        sample_rate_hz: samples of one channel in a second.
        channels: number of channels.
        bits: of one sample.
        frames: samples of one channel, 0 where it is not known.
        md5: of all samples, zeros where it is not known.
    """

    at: int
    most: int
    sample_rate_hz: int
    channels: int
    bits: int
    frames: int
    md5: bytes


class Frame(NamedTuple):
    """The head of one frame; rate and bits are 0 where the stream says them."""

    number: int
    samples: int
    sample_rate_hz: int
    channels: int
    bits: int
    size: int


def flac(data: bytes, start: int) -> Layout:
    """Return the layout of a FLAC file that begins at byte `start`.

    Raises:
        Broken: the frames are not those that the stream describes, or it states no length and a
            frame's checksum is wrong.
    """
    stream, position = _stream(data, start)
    if not stream.frames:
        if not data[position : position + 2]:
            return Layout(stream.sample_rate_hz, stream.channels, 0, start=start)
        return _unstated(data, start, stream, position)
    samples, count = 0, 0
    for frame, times in frames(data, position):
        _check_frame(frame, stream, count)
        samples += frame.samples * times
        count += times
    if samples != stream.frames:
        raise Broken(
            TRUNCATED if samples < stream.frames else UNREADABLE,
            f"says {stream.frames} samples and its frames hold {samples}",
        )
    return _described(stream, samples, start)


def _described(stream: Stream, samples: int, start: int) -> Layout:
    md5 = stream.md5 if any(stream.md5) else b""
    rate, channels = stream.sample_rate_hz, stream.channels
    return Layout(rate, channels, samples, start=start, md5=md5, bits=stream.bits)


def _check_frame(frame: Frame, stream: Stream, count: int) -> None:
    """Hold a frame's head against the stream's description."""
    ours = (stream.sample_rate_hz, stream.channels, stream.bits)
    theirs = (frame.sample_rate_hz or ours[0], frame.channels, frame.bits or ours[2])
    if theirs != ours:
        raise Broken(
            UNREADABLE, f"frame {count} has Hz, channels, bits {theirs}, the file says {ours}"
        )


def _unstated(data: bytes, start: int, stream: Stream, position: int) -> Layout:
    """Return the layout of a file that was written to a pipe, so that its head knows no length.

    Each frame has a checksum over all of it. That of the last one tells whether the file was cut;
    a cut between two frames leaves no trace.
    """
    heads: list[Frame] = []
    end = sound_end(data, position)
    for frame in _heads(data, position, end):
        _check_frame(frame, stream, len(heads))
        heads.append(frame)
    most, fixed = max(frame.samples for frame in heads), not data[position + 1] & 1
    sizes = {frame.samples for frame in heads[:-1]}
    # A decoder that believes a wrong size gives other samples, and no MD5 tells.
    if most > stream.most or (fixed and sizes - {stream.most}):
        found = sorted({frame.samples for frame in heads})
        raise Broken(UNREADABLE, f"has frames of {found} samples, the file says {stream.most}")
    samples = sum(frame.samples for frame in heads)
    stated = bytearray(data[:end])
    packed = int.from_bytes(stated[stream.at + 10 : stream.at + 18], "big") | samples
    stated[stream.at + 10 : stream.at + 18] = packed.to_bytes(8, "big")
    layout = _described(stream, samples, start)
    return replace(layout, parts=(bytes(stated),), notes=(NOT_STATED,))


def _heads(data: bytes, position: int, end: int) -> Iterator[Frame]:
    """Give each frame's head, and find every frame's checksum to be right.

    Two whole frames have a right checksum together, too. So each head counts at which the frame
    before is whole, and not only the one with the next number.

    Raises:
        Broken: a frame is damaged, missing or cut.
    """
    first = _frame(data, position)
    if first is None or first.number:
        raise Broken(UNREADABLE, f"has no first frame at byte {position}")
    yield first
    begin, by_sample = position, data[position + 1] & 1
    count, expected, after = 1, first.samples if by_sample else 1, position + first.size
    for at in _places(data[:end], data[position : position + 2], after):
        frame = _frame(data, at) if at >= after else None
        if frame is None:
            continue
        damaged = crc16_flac(data[begin:at])
        if damaged and frame.number != expected:
            continue  # bytes that look like a head
        if damaged:
            detail = f"frame {count - 1} is damaged: its checksum is wrong"
            raise Broken(UNREADABLE, detail)
        if frame.number != expected:
            raise Broken(UNREADABLE, f"frame {count} is missing: number {frame.number} is there")
        yield frame
        begin, after, count = at, at + frame.size, count + 1
        expected += frame.samples if by_sample else 1
    if crc16_flac(data[begin:end]):
        raise Broken(TRUNCATED, f"frame {count - 1} is cut or damaged: its checksum is wrong")


def _stream(data: bytes, start: int) -> tuple[Stream, int]:
    """Return STREAMINFO and where the first frame begins."""
    found: Stream | None = None
    position, last = start + 4, False
    while not last:
        kind, size = number(data, position, "B"), number(data, position, ">I") & 0xFFFFFF
        position, last = position + 4, bool(kind & 128)
        if position + size > len(data):
            raise Broken(TRUNCATED, f"ends after {len(data)} bytes, inside what describes it")
        if kind & 127 == 0 and found is None and size >= 34:
            packed = int.from_bytes(data[position + 10 : position + 18], "big")
            found = Stream(
                at=position,
                most=number(data, position + 2, ">H"),
                sample_rate_hz=packed >> 44,
                channels=(packed >> 41 & 7) + 1,
                bits=(packed >> 36 & 31) + 1,
                frames=packed & (1 << 36) - 1,
                md5=data[position + 18 : position + 34],
            )
        position += size
    if found is None or not found.sample_rate_hz:
        raise Broken(UNREADABLE, "has no STREAMINFO with a rate, which says what the sound is")
    return found, position


def frames(data: bytes, position: int) -> Iterator[tuple[Frame, int]]:
    """Give the heads of the frames, and of how many in a row each is but for the number.

    The first one is at the byte `position`.

    Where a frame ends is known to a decoder only. The next head is the next place that looks like
    one, has a right checksum and the number that is next: chance makes one in about 2**-38 bytes.

    Raises:
        Broken: there is no head at this byte.
    """
    first = _frame(data, position)
    if first is None or first.number:
        raise Broken(UNREADABLE, f"has no first frame at byte {position}")
    mark = data[position : position + 2]
    by_sample = mark[1] & 1
    # Most frames differ from the first in their number alone, so their heads can be foretold.
    foretold = not by_sample and first.size == _SHORT
    heads = _short_heads(data[position : position + 4]) if foretold else ()
    expected, alike, after = first.samples if by_sample else 1, 1, position + first.size
    for at in _places(data, mark, after):
        if at < after:
            continue
        if expected <= len(heads) and data[at : at + _SHORT] == heads[expected - 1]:
            alike, expected, after = alike + 1, expected + 1, at + _SHORT
            continue
        frame = _frame(data, at)
        if frame is None or frame.number != expected:
            continue
        if alike:
            yield first, alike
            alike = 0
        yield frame, 1
        expected, after = expected + (frame.samples if by_sample else 1), at + frame.size
    if alike:
        yield first, alike


def _places(data: bytes, mark: bytes, start: int) -> Iterator[int]:
    """Give the places of two bytes from `start` on; a good deal quicker than to find each."""
    every = np.frombuffer(data, np.uint8)
    for begin in range(start, len(data), _AT_ONCE):
        part = every[begin : begin + _AT_ONCE + 1]
        here = np.flatnonzero(part[1:] == mark[1])
        yield from (here[part[here] == mark[0]] + begin).tolist()


def _frame(data: bytes, position: int) -> Frame | None:
    """Return the head of a frame, None where there is none or its checksum is wrong."""
    head = data[position : position + _HEAD_AT_MOST]
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    channel_code, bits = head[3] >> 4, _BITS[head[3] >> 1 & 7]
    value, at = _coded_number(head)
    if not size_code or rate_code == 15 or channel_code > 10 or bits < 0 or not at:
        return None
    more = {6: 1, 7: 2}.get(size_code, 0)
    extra = int.from_bytes(head[at : at + more], "big")
    samples = _samples(size_code, extra)
    at += more
    more = {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    extra = int.from_bytes(head[at : at + more], "big")
    rate = _RATES[rate_code] if rate_code < 12 else extra * (1000, 1, 10)[rate_code - 12]
    at += more
    if at >= len(head) or crc8_flac(head[:at]) != head[at]:
        return None
    return Frame(value, samples, rate, channel_code + 1 if channel_code < 8 else 2, bits, at + 1)


@lru_cache(maxsize=64)
def _short_heads(four: bytes) -> tuple[bytes, ...]:
    """Return the heads of frames 1 to 127, whose number is one byte, from their first four."""
    heads = (four + bytes([number]) for number in range(1, 128))
    return tuple(head + bytes([crc8_flac(head)]) for head in heads)


def _samples(code: int, extra: int) -> int:
    if code in (6, 7):
        return extra + 1
    if code == 1:
        return 192
    return 576 << code - 2 if code < 6 else 256 << code - 8


def _coded_number(head: bytes) -> tuple[int, int]:
    """Return the number that a head carries as UTF-8 would, and where it ends; 0 if it is none."""
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
