"""Read the structure of MP3 files: every frame's head, and what an encoder left to check them by.

MPEG audio has no length and no checksum of its sound, and its decoders skip what they don't know.
So the frames have to follow each other without a gap from the first to the last, all of one kind.
LAME and ffmpeg add their number and a CRC. Source: ISO/IEC 11172-3 and 13818-3; G. Bouvigne, Mp3
Info Tag rev 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from fonoteka.audiocheck.containers.checksums import crc16_lame
from fonoteka.audiocheck.containers.container import (
    TRUNCATED,
    UNREADABLE,
    Broken,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.tags import behind, only_tags, sound_end

_KBITS = {
    (1, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)
_MONO = 3
_TAGS, _ENCODERS = (b"Xing", b"Info"), (b"LAME", b"Lavc", b"Lavf")
_TAG_PLACES = (13, 15, 21, 23, 36, 38)  # by version, channels and checksum
_ENCODER_AT = 120  # bytes from the tag's name to the encoder's, where all fields are there
_DELAYS = 1105  # of LAME's coder and any decoder; LAME's tag states up to 4095 more
_FFMPEG_CRC_BYTES = 190  # as many as LAME takes in stereo at 32 kHz or more; zeros after the frame
TAG_DOUBTED = "its encoder's tag has a wrong checksum, so its delay is not cut"


@dataclass(frozen=True)
class Head:
    """The four bytes that begin a frame, resolved.

    Attributes:
        kind: version, layer, rate and whether it is mono: equal in all frames of a file.
        sample_rate_hz: samples of one channel in a second.
        channels: 1 or 2.
        samples: of one channel in this frame.
        size: of the frame in bytes, 0 where only a decoder knows (free format).
        info_at: where in the frame an encoder's tag would lie.
    """

    kind: tuple[int, int, int, bool]
    sample_rate_hz: int
    channels: int
    samples: int
    size: int
    info_at: int


@lru_cache(maxsize=1024)  # the frames of a file have a few heads between them
def head_of(four: bytes) -> Head | None:
    """Return a frame's head, None where these four bytes are none.

    >>> head = head_of(bytes([0xFF, 0xFB, 0x90, 0xC4]))
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
    return Head(kind, rate, 1 if mono else 2, samples, size if kbits else 0, 4 + crc + side)


@dataclass(frozen=True)
class Frames:
    """The frames of a file, which follow each other without a gap.

    Attributes:
        first: the head of the first.
        start: first byte of the first.
        end: first byte after the last.
        count: number of frames.
        varied: their bit rates differ.
        stop: first byte after the sound, where tags begin that are known.
    """

    first: Head
    start: int
    end: int
    count: int
    varied: bool
    stop: int


@dataclass(frozen=True)
class Info:
    """What an encoder's tag says; the tag is a frame of its own.

    Attributes:
        frames: number of frames without the tag's; None where it isn't stated.
        cut: samples at both ends that a decoder leaves out, at most.
        proven: the tag states the bytes of all frames and their checksum, and they are right.
        doubted: the tag's own checksum is wrong.
    """

    frames: int | None
    cut: int
    proven: bool = False
    doubted: bool = False


def mpeg(data: bytes, start: int) -> Layout:
    """Return the layout of an MP3 file (MPEG 1, 2 and 2.5, any layer).

    Raises:
        Broken: a frame is missing, cut, of another kind than the first, or not the one that the
            encoder made a checksum of.
    """
    there = _frames(data, start)
    first, info = there.first, _info(data, there)
    count = there.count - (info is not None)
    stated = info.frames if info else None
    if stated is not None and stated != count:
        raise Broken(
            TRUNCATED if stated > count else UNREADABLE, f"says {stated} frames and has {count}"
        )
    notes = (TAG_DOUBTED,) if info and info.doubted else ()
    if not only_tags(data, there.end):
        if stated is None and not (info and info.proven):
            detail = f"frame {there.count} at byte {there.end} is no such as the first"
            raise Broken(UNREADABLE, detail)
        notes = (*notes, behind(there.stop - there.end))
    most = count * first.samples
    rate, channels = first.sample_rate_hz, first.channels
    uncut = max(0, most - _DELAYS)
    if (info and info.doubted) or (stated is None and there.varied):
        after = start + (first.size if info else 0)
        part = _counted(data[start : start + 4], count) + data[after : there.end]
        return Layout(rate, channels, uncut, most - uncut, parts=(part,), notes=notes)
    least = max(0, most - info.cut) if info else uncut
    # Without a count libsndfile makes one from the file's size.
    parts = (data[: there.end],) if notes or (stated is None and there.end < len(data)) else ()
    return Layout(rate, channels, least, most - least, start, parts=parts, notes=notes)


def _frames(data: bytes, start: int) -> Frames:
    first = head_of(data[start : start + 4])
    if first is None or not first.size:
        raise Broken(UNREADABLE, "has no first frame of a stated size")
    end, position, count, rates = sound_end(data, start), start, 0, set()
    while position < end:
        head = head_of(data[position : position + 4])
        if head is None or head.kind != first.kind or not head.size:
            break
        if position + head.size > end:
            raise Broken(TRUNCATED, f"frame {count} ends after {end - position} of {head.size}")
        rates.add(data[position + 2] >> 4)
        position, count = position + head.size, count + 1
    return Frames(first, start, position, count, len(rates) > 1, end)


def _counted(four: bytes, count: int) -> bytes:
    """Return a frame like the one with this head, with a tag that counts frames and has no delay.

    libsndfile guesses the length of a file of variable rate without such a tag from its first
    frame, and decodes no more than it has guessed.
    """
    for index in range(1, 15):  # the smallest bit rate at which a frame has room
        begin = bytes([four[0], four[1] | 1, index << 4 | four[2] & 0b1100, four[3]])
        head = head_of(begin)
        if head and head.size >= head.info_at + 12:
            break
    assert head
    tag = b"Xing" + (1).to_bytes(4, "big") + count.to_bytes(4, "big")
    return (begin.ljust(head.info_at, b"\0") + tag).ljust(head.size, b"\0")


def _info(data: bytes, there: Frames) -> Info | None:
    """Return what an encoder left in a frame before the sound; None where there is no tag."""
    start, first = there.start, there.first
    at = start + first.info_at
    if data[at : at + 4] not in _TAGS:
        # One changed bit hides the tag, and a frame of silence would be taken for sound.
        for near in _TAG_PLACES:
            encoder = start + near + _ENCODER_AT
            if (
                data[start + near : start + near + 4] in _TAGS
                or data[encoder : encoder + 4] in _ENCODERS
            ):
                raise Broken(UNREADABLE, "its encoder's tag is damaged, or what leads to it")
        return None
    flags = number(data, at + 4, ">I")
    stated = number(data, at + 8, ">I") if flags & 1 else None
    lame = at + 8 + (flags & 1) * 4 + (flags >> 1 & 1) * 4 + (flags >> 2 & 1) * 100
    lame += (flags >> 3 & 1) * 4
    written = data[lame + 28 : lame + 36]
    if lame + 36 > start + first.size or not any(written[4:]):
        return Info(stated, _DELAYS)
    music, crc = int.from_bytes(written[:4], "big"), int.from_bytes(written[4:6], "big")
    edges = int.from_bytes(data[lame + 21 : lame + 24], "big")
    cut = (edges >> 12) + (edges & 0xFFF) + first.samples
    gain_changed = data[lame + 25]  # mp3gain changes frames and not their checksum
    tag = data[start : start + first.size]
    doubted = not _is_right(tag, lame + 34 - start)
    if doubted and gain_changed:  # which would excuse wrong frames
        raise Broken(UNREADABLE, "its encoder's tag is damaged: the checksum is wrong")
    if there.count < 2 or not music or not crc or gain_changed:
        return Info(stated, cut, False, doubted)
    if music != there.end - start:
        raise Broken(
            TRUNCATED if music > there.end - start else UNREADABLE,
            f"its encoder wrote {music} bytes of frames, {there.end - start} are there",
        )
    if crc16_lame(data[start + first.size : there.end]) != crc:
        raise Broken(UNREADABLE, "a frame is damaged: its encoder's checksum is wrong")
    return Info(stated, cut, True, doubted)


def _is_right(frame: bytes, at: int) -> bool:
    """Tell whether the checksum at this byte of a tag's frame is the one that LAME or ffmpeg makes.

    LAME takes what is before, ffmpeg a fixed number of bytes in which it is still zero.
    """
    written = int.from_bytes(frame[at : at + 2], "big")
    if crc16_lame(frame[:at]) == written:
        return True
    open_one = frame[:at] + bytes(2) + frame[at + 2 :]
    return crc16_lame(open_one[:_FFMPEG_CRC_BYTES].ljust(_FFMPEG_CRC_BYTES, b"\0")) == written
