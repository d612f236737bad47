"""Parse the header of a frame of MPEG audio, which gives the frame's size.

Source: ISO/IEC 11172-3 and 13818-3; MPEG 2.5 halves the rates of MPEG 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_KBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_MONO = 3


@dataclass(frozen=True)
class FrameHeader:
    """The four bytes that begin a frame, resolved.

    Attributes:
        kind: version, layer, rate and whether it is mono: equal in all frames of a file.
        sample_rate_hz: samples per second and channel.
        channels: 1 or 2.
        samples: per channel in this frame.
        size: of the frame in bytes, 0 if only a decoder knows (free format).
        tag_start: position of an encoder's tag within the frame.
    """

    kind: tuple[int, int, int, bool]
    sample_rate_hz: int
    channels: int
    samples: int
    size: int
    tag_start: int


@lru_cache(maxsize=1024)  # the frames of a file share a few headers
def parse_header(four: bytes) -> FrameHeader | None:
    """Return a frame's header; None if the four bytes are not a frame header.

    >>> head = parse_header(bytes([0xFF, 0xFB, 0x90, 0xC4]))
    >>> head.sample_rate_hz, head.channels, head.samples, head.size
    (44100, 1, 1152, 417)
    """
    if len(four) < 4 or four[0] != 0xFF or four[1] < 0xE0:
        return None
    version, layer = {3: 1, 2: 2, 0: 4}.get(four[1] >> 3 & 3, 0), 4 - (four[1] >> 1 & 3)
    rate_index, bits_index = four[2] >> 2 & 3, four[2] >> 4
    if not version or layer == 4 or rate_index == 3 or bits_index == 15:
        return None
    rate = _RATES[rate_index] // version
    kbits = _KBITS[1 if version == 1 else 2, layer if version == 1 or layer == 1 else 2][bits_index]
    mono, padding = four[3] >> 6 == _MONO, four[2] >> 1 & 1
    samples = 384 if layer == 1 else 576 if layer == 3 and version > 1 else 1152
    if layer == 1:
        size = (12 * 1000 * kbits // rate + padding) * 4
    else:
        size = samples // 8 * 1000 * kbits // rate + padding
    side = (17 if mono else 32) if version == 1 else (9 if mono else 17)
    crc = 0 if four[1] & 1 else 2
    kind = (version, layer, rate, mono)
    return FrameHeader(kind, rate, 1 if mono else 2, samples, size if kbits else 0, 4 + crc + side)
