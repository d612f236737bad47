"""Read the structure of FLAC files: the stream description, compared with every frame.

A file with a damaged description still decodes, at a wrong rate or length. Each frame header has
its own checksum, so it is compared with the description. Source: RFC 9639.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNREADABLE,
    CorruptFileError,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.flac_frames import Frame, frames, verified_frames
from fonoteka.audiocheck.containers.tags import sound_end


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
    for frame in verified_frames(data, position, end):
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
