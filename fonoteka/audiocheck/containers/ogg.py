"""Read the structure of Ogg files: every page's checksum, sequence number and order.

A decoder drops a damaged page and continues, so sound is lost without a message. A file may contain
a video stream or an index (Skeleton) beside the sound, and several recordings one after the other;
then only the pages of the sound are passed to the decoder. Source: RFC 3533; RFC 7845 for Opus;
xiph.org, Ogg FLAC mapping 1.0; the Speex manual, 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from fonoteka.audiocheck.containers.checksums import crc32_ogg
from fonoteka.audiocheck.containers.container import (
    TRUNCATED,
    UNREADABLE,
    CorruptFileError,
    Layout,
    number,
)
from fonoteka.audiocheck.containers.flac import flac
from fonoteka.audiocheck.containers.tags import only_tags, trailing_note

_HEAD = 27  # bytes before the table of segments
_CONTINUED, _FIRST, _LAST = 1, 2, 4
_VORBIS, _OPUS, _FLAC, _SPEEX = b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   "
_CODECS = (_VORBIS, _OPUS, _FLAC, _SPEEX)
_FLAC_MARK = 9  # bytes before the native file's own mark, in the first packet
_LAST_BLOCK = 128  # bit of the kind of FLAC's last block of description
_SPEEX_HEAD = 80


@dataclass(frozen=True, slots=True)
class Page:
    """Position of a page and the fields of its header."""

    offset: int
    size: int
    flags: int
    granule: int


@dataclass
class LogicalBitstream:
    """The pages of one logical bitstream read so far, and its first packet."""

    first: bytes
    pages: list[Page] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Return whether its codec is Vorbis, Opus, FLAC or Speex."""
        return self.first.startswith(_CODECS)

    @property
    def ended(self) -> bool:
        """Return whether its last page has been read."""
        return bool(self.pages[-1].flags & _LAST)


def ogg(data: bytes, start: int) -> Layout:
    """Return the layout of an Ogg file; only a decoder knows the length of Vorbis and Opus.

    Raises:
        CorruptFileError: a page of the sound is damaged, missing or cut, or two streams of sound
            run at the same time.
    """
    links, end = _links(data, start)
    sounds = [_sound_of(link) for link in links]
    notes: tuple[str, ...] = ()
    if not only_tags(data, end):
        notes = (trailing_note(len(data) - end),)
    if other_streams := sum(len(link) - 1 for link in links):
        notes = (
            *notes,
            f"{other_streams} stream{'s' if other_streams > 1 else ''} beside the sound",
        )
    if len(sounds) > 1:
        notes = (*notes, f"{len(sounds)} recordings one after the other")
    kinds = {sound.first[:5] for sound in sounds}
    if kinds == {_SPEEX[:5]} and len(sounds) == 1:
        return replace(_speex(data, sounds[0]), notes=notes)
    if _SPEEX[:5] in kinds:
        raise CorruptFileError(
            UNREADABLE, f"has Speex among {len(sounds)} recordings; convert each"
        )
    if kinds == {_FLAC[:5]} and len(sounds) == 1:
        return replace(_flac(data, sounds[0]), notes=notes)
    # libsndfile reads a single stream of Vorbis or Opus as it is; else it gets the sound's pages.
    if not notes and kinds != {_FLAC[:5]}:
        return Layout(start=start)
    parts = tuple(
        _flac(data, sound).parts[0] if sound.first.startswith(_FLAC) else _pages_of(data, sound)
        for sound in sounds
    )
    return Layout(parts=parts, notes=notes)


def _links(data: bytes, start: int) -> tuple[list[list[LogicalBitstream]], int]:
    """Return the streams of each recording in the file, and the end of the last page."""
    links: list[list[LogicalBitstream]] = []
    streams: dict[int, LogicalBitstream] = {}
    position, count = start, 0
    while data[position : position + 4] == b"OggS":
        page = Page(position, _checked_size(data, position, count), data[position + 5],
                    number(data, position + 6, "<q"))  # fmt: skip
        serial, sequence_number = (
            number(data, position + 14, "<I"),
            number(data, position + 18, "<I"),
        )
        # Streams of one recording all begin before any has a second page (RFC 3533, section 4); a
        # stream that begins later is the next recording, once every stream of sound has ended.
        if page.flags & _FIRST:
            if all(stream.ended for stream in streams.values() if stream.is_sound):
                if not streams or any(len(stream.pages) > 1 for stream in streams.values()):
                    links.append([])
                    streams = {}
            elif serial in streams or any(len(stream.pages) > 1 for stream in streams.values()):
                raise CorruptFileError(UNREADABLE, f"another stream begins on page {count}")
            streams[serial] = LogicalBitstream(_first_packet(data, page))
            links[-1].append(streams[serial])
        elif serial not in streams:
            raise CorruptFileError(
                UNREADABLE, f"page {count} belongs to a stream that has not begun"
            )
        stream = streams[serial]
        if stream.is_sound and (
            (stream.pages and stream.ended) or sequence_number != len(stream.pages)
        ):
            raise CorruptFileError(UNREADABLE, f"page {len(stream.pages)} is missing")
        stream.pages.append(page)
        position, count = position + page.size, count + 1
    if not links or not all(stream.ended for stream in links[-1] if stream.is_sound):
        raise CorruptFileError(
            TRUNCATED, f"has no page after page {count - 1}, but a stream of sound has not ended"
        )
    return links, position


def _sound_of(link: list[LogicalBitstream]) -> LogicalBitstream:
    sounds = [stream for stream in link if stream.is_sound]
    if not sounds:
        raise CorruptFileError(UNREADABLE, "contains no Vorbis, Opus, FLAC or Speex")
    if len(sounds) > 1:
        raise CorruptFileError(
            UNREADABLE, f"contains {len(sounds)} streams of sound at once; extract one"
        )
    return sounds[0]


def _first_packet(data: bytes, page: Page) -> bytes:
    segments = data[page.offset + 26]
    return data[page.offset + _HEAD + segments : page.offset + page.size]


def _checked_size(data: bytes, position: int, count: int) -> int:
    segments = number(data, position + 26, "B")
    size = _HEAD + segments + sum(data[position + _HEAD : position + _HEAD + segments])
    page = data[position : position + size]
    if len(page) < size or len(page) < _HEAD + segments:
        raise CorruptFileError(TRUNCATED, f"page {count} ends after {len(page)} of {size} bytes")
    if crc32_ogg(page[:22] + bytes(4) + page[26:]) != number(page, 22, "<I"):
        raise CorruptFileError(UNREADABLE, f"page {count} is damaged: its checksum is wrong")
    return size


def _pages_of(data: bytes, stream: LogicalBitstream) -> bytes:
    """Return a stream's pages as a separate file."""
    return b"".join(data[page.offset : page.offset + page.size] for page in stream.pages)


def _packets(data: bytes, pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield the packets of a stream; a packet may span several pages.

    Raises:
        CorruptFileError: a page continues a packet that was not begun, or does not continue one
            that was.
    """
    begun = b""
    for count, page in enumerate(pages):
        if bool(page.flags & _CONTINUED) != bool(begun):
            raise CorruptFileError(
                UNREADABLE, f"page {count} does not continue where the one before ends"
            )
        segments = data[page.offset + 26]
        position = page.offset + _HEAD + segments
        for size in data[page.offset + _HEAD : page.offset + _HEAD + segments]:
            begun += data[position : position + size]
            position += size
            if size < 255:
                yield begun
                begun = b""
    if begun:
        raise CorruptFileError(TRUNCATED, "its last packet is not whole")


def _flac(data: bytes, stream: LogicalBitstream) -> Layout:
    """Return the layout of FLAC in Ogg, whose packets are the parts of a FLAC file.

    If STREAMINFO states no length, the granule position of the last page is the length.
    """
    packets = list(_packets(data, stream.pages))
    first_frame = next(
        (index for index, packet in enumerate(packets) if packet[:1] == b"\xff"), len(packets)
    )
    blocks = [packets[0][_FLAC_MARK + 4 :], *packets[1:first_frame]]
    if not packets[0].startswith(b"fLaC", _FLAC_MARK) or min(map(len, blocks)) < 4:
        raise CorruptFileError(UNREADABLE, "has no FLAC description in its first packets")
    native = bytearray(b"fLaC")
    for index, block in enumerate(blocks):
        last = _LAST_BLOCK if index == len(blocks) - 1 else 0
        native += bytes([block[0] & ~_LAST_BLOCK | last]) + block[1:]
    samples = int.from_bytes(native[18:26], "big") & (1 << 36) - 1
    if not samples:
        packed = int.from_bytes(native[18:26], "big") | max(0, stream.pages[-1].granule)
        native[18:26] = packed.to_bytes(8, "big")
    part = bytes(native) + b"".join(packets[first_frame:])
    return replace(flac(part, 0), parts=(part,))


def _speex(data: bytes, stream: LogicalBitstream) -> Layout:
    """Return the layout of Speex, which libsndfile lacks: ffmpeg decodes each packet to one size.

    The granule position of the last page is smaller than the decoded length by the coder's
    look-ahead or by the padding of the last packet.
    """
    head = stream.first
    if len(head) < _SPEEX_HEAD:
        raise CorruptFileError(
            UNREADABLE, f"has a Speex header of {len(head)} bytes, at least {_SPEEX_HEAD}"
        )
    rate, channels = number(head, 36, "<I"), number(head, 48, "<I")
    size, frames_per_packet, extra_headers = (number(head, offset, "<I") for offset in (56, 64, 68))
    count = sum(1 for _ in _packets(data, stream.pages)) - 2 - extra_headers
    max_frames, min_frames = count * size * max(1, frames_per_packet), stream.pages[-1].granule
    if (
        not rate
        or channels not in (1, 2)
        or not max_frames - size * max(1, frames_per_packet) <= min_frames <= max_frames
    ):
        raise CorruptFileError(
            UNREADABLE, f"states {min_frames} samples and has packets for {max_frames}"
        )
    return Layout(rate, channels, min_frames, max_frames - min_frames, ffmpeg_format="ogg")
