"""What the readers of sound files share: the layout they find, the fault they raise, chunks.

A decoder is made to play what it can. These readers are made to doubt: they look at the bytes
themselves and hold every number of a header against another one or against the file's size.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fonoteka.audiocheck.containers.tags import behind, is_text, only_tags

UNREADABLE, TRUNCATED, UNKNOWN_LENGTH = "unreadable", "truncated", "unknown length"
_SLIP = 9  # the eight bytes of a head, and one of a pad
CHUNKS_AT_MOST = 4096  # far more than any writer makes; a file of empty chunks ends here
OPEN_SIZES = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000)
"""What writers that can't seek back leave as size: ffmpeg, arecord, libsndfile, sox."""
NOT_STATED = "length not stated"
"""The note on a file that was written to a pipe: it ends on a whole sample, block or frame."""

_HEADER_AT_MOST = 4096  # by which the size of a streamed file is above that of its sound
_SOUND = (b"data", b"SSND")


class Broken(Exception):  # noqa: N818  the name says what the file is
    """A file isn't what it says.

    Attributes:
        problem: one of the three names above.
        detail: what was found, with its value.
    """

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem, self.detail = problem, detail


@dataclass(frozen=True)
class Plain:
    """Samples that lie in the file as they are, one after the other.

    Attributes:
        code: `u1`, or `i` or `f` and the bytes of one sample.
        big: the first byte of a sample is the highest.
        start: first byte of the file that belongs to a sample.
        unused_bits: low bits of each sample that have to be zero.
    """

    code: str
    big: bool
    start: int
    unused_bits: int = 0


@dataclass(frozen=True)
class Layout:
    """What a file's own structure says of its sound.

    Attributes:
        sample_rate_hz: samples of one channel in a second; 0 where only the decoder knows.
        channels: 0 where only the decoder knows.
        frames: samples of one channel; None where only the decoder knows.
        spare: how many more a decoder may give, because the last block of a codec is padded.
        start: where the container begins, after tags that lie before it.
        plain: where and how samples lie that are not compressed.
        md5: of the samples, as FLAC keeps it; empty where there is none.
        bits: of one sample, where `md5` is given.
        codec: container and encoding, of a file so simple that it needs no decoder; else empty.
        parts: what a decoder is given in place of the file, one after the other, because it can't
            take the file as it is; empty where it can. `start` and `plain` are of a part.
        keep: samples of one channel that are the sound, where the decoder gives more; else 0.
        foreign: ffmpeg's name of the format, where libsndfile lacks the codec; else empty.
        notes: what is wrong beside the sound, or not stated; the samples are whole.
    """

    sample_rate_hz: int = 0
    channels: int = 0
    frames: int | None = None
    spare: int = 0
    start: int = 0
    plain: Plain | None = None
    md5: bytes = b""
    bits: int = 0
    codec: str = ""
    parts: tuple[bytes, ...] = ()
    keep: int = 0
    foreign: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chunk:
    """One chunk of a file made of chunks: its name, its first byte after the head, its size."""

    name: bytes
    start: int
    size: int


def number(data: bytes, position: int, code: str) -> int:
    """Return an integer that `struct` calls `code`.

    Raises:
        Broken: the file ends before it.
    """
    try:
        return int(struct.unpack_from(code, data, position)[0])
    except struct.error as error:
        raise Broken(TRUNCATED, f"ends at byte {len(data)} inside its header") from error


def name_of(name: bytes) -> str:
    r"""Return a name from a file so that it can be shown: ASCII, nothing that a terminal obeys.

    >>> print(name_of(b"LIST"), name_of(bytes([27, 91, 50, 74])))
    'LIST' '\x1b[2J'
    """
    return ascii(name.decode("latin-1"))


def is_name(name: bytes) -> bool:
    """Tell whether four bytes can be the name of a chunk: printable ASCII.

    >>> is_name(b"fmt "), is_name(b"ab"), is_name(bytes(4))
    (True, False, False)
    """
    return len(name) == 4 and name.isascii() and name.decode("ascii").isprintable()


def chunks(
    data: bytes, position: int, big: bool, sizes: dict[bytes, int], declared: int, notes: list[str]
) -> Iterator[Chunk]:
    """Give the chunks of a RIFF or IFF file, to the file's end.

    Args:
        data: the whole file.
        position: of the first chunk.
        big: sizes are big-endian.
        sizes: of chunks whose own field is too small for it, filled while this runs.
        declared: size that the container states for itself.
        notes: filled with what is odd and does not touch the sound.

    Raises:
        Broken: a chunk ends after the file, sound has an open size in a file that states one, or
            bytes are no chunk.
    """
    code = ">I" if big else "<I"
    last, sound = Chunk(b"", 0, 0), False
    for _ in range(CHUNKS_AT_MOST):
        name = data[position : position + 4]
        if len(data) - position < 8 or not is_name(name):
            break
        size = number(data, position + 4, code)
        size = sizes.get(name, size) if size == 0xFFFFFFFF else size
        start, rest = position + 8, len(data) - position - 8
        if size > rest:
            if sound and _only_beside(data, position, notes):  # its mark may look like a name
                return
            if name in _SOUND and is_streamed(declared, size):
                notes.append(NOT_STATED)
                yield Chunk(name, start, rest)
                return
            raise _too_short(name, size, rest)
        if name in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
            raise Broken(UNREADABLE, f"another file begins inside it, at byte {position}")
        last, sound = Chunk(name, start, size), sound or (name in _SOUND and size > 0)
        yield last
        position = start + size
        # A chunk of odd size is padded, but not by every writer.
        position += size % 2 and not is_name(data[position : position + 4])
    if not (_only_beside(data, position, notes) if sound else only_tags(data, position)):
        left = len(data) - position
        if last.name == b"data" and not last.size:
            raise Broken(UNKNOWN_LENGTH, f"says 0 bytes of sound and has {left}: was never closed")
        raise Broken(UNREADABLE, f"the last {left} bytes, from byte {position}, are no chunk")


def is_open(size: int) -> bool:
    """Tell whether a size is one that a writer leaves that can't seek back.

    sox takes the last of them down to whole samples.

    >>> is_open(0xFFFFFFFF), is_open(0x7FFFEFFF), is_open(0x7FFFE000), is_open(32036)
    (True, True, False, False)
    """
    return size in OPEN_SIZES or 0 <= OPEN_SIZES[-1] - size < _HEADER_AT_MOST


def is_streamed(declared: int, size: int) -> bool:
    """Tell whether two sizes are what a writer leaves that can't seek back: both are open.

    Args:
        declared: size of the file as its container states it.
        size: of its sound.

    >>> is_streamed(0xFFFFFFFF, 0xFFFFFFFF), is_streamed(0x7FFFF024, 0x7FFFF000)
    (True, True)
    >>> is_streamed(32036, 0xFFFFFFFF), is_streamed(0x90000024, 0x90000000)
    (False, False)
    """
    open_ones = is_open(declared) + is_open(size)
    return open_ones == 2 or (open_ones == 1 and 0 <= declared - size <= _HEADER_AT_MOST)


def _only_beside(data: bytes, position: int, notes: list[str]) -> bool:
    """Tell whether nothing from here on can be sound; text is noted, tags and zeros are not."""
    if only_tags(data, position):
        return True
    if is_text(data[position:]):
        notes.append(behind(len(data) - position))
        return True
    return False


def _too_short(name: bytes, size: int, rest: int) -> Broken:
    if name not in _SOUND:
        return Broken(TRUNCATED, f"its chunk {name_of(name)} ends after {rest} of {size} bytes")
    if is_open(size):
        return Broken(UNKNOWN_LENGTH, f"was streamed: size 0x{size:x}, {rest} bytes are there")
    return Broken(TRUNCATED, f"ends after {rest} of {size} bytes of sound")


def check_size(data: bytes, start: int, declared: int, found: Iterable[Chunk]) -> None:
    """Hold the size that a RIFF or IFF container states for itself against its chunks.

    It may be left open, a few bytes off (some writers count its head, others no pad), or end after
    any chunk behind the sound, for some programs add chunks and leave it. All else is the head of
    one file before the chunks of another, or a file whose end is missing.

    Raises:
        Broken: it is none of these.
    """
    end = start + 8 + declared
    ends = [chunk.start + chunk.size for chunk in found]
    if (
        not declared
        or is_open(declared)
        or any(abs(end - at) <= _SLIP for at in (*ends, len(data)))
    ):
        return
    if end > len(data):
        raise Broken(TRUNCATED, f"says {declared + 8} bytes and has {len(data) - start}")
    raise Broken(UNREADABLE, f"says {declared + 8} bytes, but its chunks end at {max(ends)}")
