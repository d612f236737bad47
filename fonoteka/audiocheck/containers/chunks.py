"""Read the chunks of RIFF and IFF files, and compare their sizes with the file's.

Writers to a pipe, programs that append chunks and programs that insert tags break these sizes in
ways that leave the sound intact; everything else is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fonoteka.audiocheck.containers.container import (
    NOT_STATED,
    TRUNCATED,
    UNKNOWN_LENGTH,
    UNREADABLE,
    CorruptFileError,
    number,
)
from fonoteka.audiocheck.containers.tags import is_text, only_tags, trailing_note

_SIZE_TOLERANCE = 9  # eight bytes of a chunk header and one of padding
MAX_CHUNKS = 4096  # far more than any writer makes; a file of empty chunks ends here
OPEN_SIZES = (0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x7FFFF000)
"""Size fields of files written to a pipe by ffmpeg, arecord, libsndfile and sox."""
_MAX_HEADER = 4096  # largest difference between the stated sizes of a streamed file and its sound
_SOUND_CHUNKS = (b"data", b"SSND")


@dataclass(frozen=True)
class Chunk:
    """One chunk of a RIFF or IFF file: name, first byte after its header, size."""

    name: bytes
    start: int
    size: int


def printable_name(name: bytes) -> str:
    r"""Return a chunk name in ASCII with control characters escaped, safe for a terminal.

    >>> print(printable_name(b"LIST"), printable_name(bytes([27, 91, 50, 74])))
    'LIST' '\x1b[2J'
    """
    return ascii(name.decode("latin-1"))


def is_name(name: bytes) -> bool:
    """Return whether four bytes can be a chunk name: printable ASCII.

    >>> is_name(b"fmt "), is_name(b"ab"), is_name(bytes(4))
    (True, False, False)
    """
    return len(name) == 4 and name.isascii() and name.decode("ascii").isprintable()


def chunks(
    data: bytes, position: int, big: bool, sizes: dict[bytes, int], declared: int, notes: list[str]
) -> Iterator[Chunk]:
    """Yield the chunks of a RIFF or IFF file, to the file's end.

    Args:
        data: the whole file.
        position: of the first chunk.
        big: sizes are big-endian.
        sizes: 64-bit sizes by chunk name (RF64); the caller fills it while this runs.
        declared: size that the container states for itself.
        notes: oddities that do not affect the sound are appended here.

    Raises:
        CorruptFileError: a chunk ends after the file, the sound has no size in a file that states
            one, or bytes are not a chunk.
    """
    code = ">I" if big else "<I"
    last_chunk, sound = Chunk(b"", 0, 0), False
    for _ in range(MAX_CHUNKS):
        name = data[position : position + 4]
        if len(data) - position < 8 or not is_name(name):
            break
        size = number(data, position + 4, code)
        size = sizes.get(name, size) if size == 0xFFFFFFFF else size
        start, rest = position + 8, len(data) - position - 8
        if size > rest:
            # Text after the sound may begin with four letters that look like a chunk name.
            if sound and _only_trailing_data(data, position, notes):
                return
            # A writer to a pipe cannot fill in sizes: the sound then ends with the file.
            if name in _SOUND_CHUNKS and is_streamed(declared, size):
                notes.append(NOT_STATED)
                yield Chunk(name, start, rest)
                return
            raise _too_short(name, size, rest)
        if name in (b"RIFF", b"RIFX", b"RF64", b"FORM"):
            raise CorruptFileError(UNREADABLE, f"another file begins inside it, at byte {position}")
        last_chunk, sound = Chunk(name, start, size), sound or (name in _SOUND_CHUNKS and size > 0)
        yield last_chunk
        position = start + size
        # A chunk of odd size is followed by a pad byte, but not every writer adds it.
        position += size % 2 and not is_name(data[position : position + 4])
    if not (_only_trailing_data(data, position, notes) if sound else only_tags(data, position)):
        left = len(data) - position
        if last_chunk.name == b"data" and not last_chunk.size:
            raise CorruptFileError(
                UNKNOWN_LENGTH, f"states 0 bytes of sound and has {left}: was never closed"
            )
        raise CorruptFileError(
            UNREADABLE, f"the last {left} bytes, from byte {position}, are not a chunk"
        )


def is_open(size: int) -> bool:
    """Return whether a size field marks a file that was written to a pipe.

    sox rounds the last of `OPEN_SIZES` down to whole samples.

    >>> is_open(0xFFFFFFFF), is_open(0x7FFFEFFF), is_open(0x7FFFE000), is_open(32036)
    (True, True, False, False)
    """
    return size in OPEN_SIZES or 0 <= OPEN_SIZES[-1] - size < _MAX_HEADER


def is_streamed(declared: int, size: int) -> bool:
    """Return whether file and sound sizes mark a file that was written to a pipe: both are open.

    Args:
        declared: stated size of the file.
        size: stated size of its sound.

    >>> is_streamed(0xFFFFFFFF, 0xFFFFFFFF), is_streamed(0x7FFFF024, 0x7FFFF000)
    (True, True)
    >>> is_streamed(32036, 0xFFFFFFFF), is_streamed(0x90000024, 0x90000000)
    (False, False)
    """
    open_ones = is_open(declared) + is_open(size)
    return open_ones == 2 or (open_ones == 1 and 0 <= declared - size <= _MAX_HEADER)


def _only_trailing_data(data: bytes, position: int, notes: list[str]) -> bool:
    """Return whether the rest of the file is not sound; text is noted, tags and zeros are not."""
    if only_tags(data, position):
        return True
    if is_text(data[position:]):
        notes.append(trailing_note(len(data) - position))
        return True
    return False


def _too_short(name: bytes, size: int, rest: int) -> CorruptFileError:
    if name not in _SOUND_CHUNKS:
        return CorruptFileError(
            TRUNCATED, f"its chunk {printable_name(name)} ends after {rest} of {size} bytes"
        )
    if is_open(size):
        return CorruptFileError(
            UNKNOWN_LENGTH, f"was streamed: states 0x{size:x} bytes of sound and has {rest}"
        )
    return CorruptFileError(TRUNCATED, f"ends after {rest} of {size} bytes of sound")


def check_size(data: bytes, start: int, declared: int, chunks: Iterable[Chunk]) -> None:
    """Compare the size that a RIFF or IFF container states for itself with its chunks.

    The size may be open, a few bytes off (some writers count the header, others omit padding), or
    end after any chunk that follows the sound, because some programs append chunks and do not
    update it. Any other size means that the header belongs to another file or the end is missing.

    Raises:
        CorruptFileError: the size has any other value.
    """
    end = start + 8 + declared
    ends = [chunk.start + chunk.size for chunk in chunks]
    if (
        not declared
        or is_open(declared)
        or any(abs(end - chunk_end) <= _SIZE_TOLERANCE for chunk_end in (*ends, len(data)))
    ):
        return
    if end > len(data):
        raise CorruptFileError(
            TRUNCATED, f"states {declared + 8} bytes and has {len(data) - start}"
        )
    raise CorruptFileError(
        UNREADABLE, f"states {declared + 8} bytes, but its chunks end at {max(ends)}"
    )
