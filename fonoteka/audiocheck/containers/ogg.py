"""Read the structure of Ogg files: every page's checksum, number and place.

A decoder drops a damaged page and goes on, so that some of the sound is missing and nothing says
so. A file may hold a stream of video or an index (Skeleton) beside the sound, and several
recordings one after the other; the pages of the sound are then given to the decoder alone. Source:
RFC 3533; RFC 7845 for Opus; xiph.org, Ogg FLAC mapping 1.0; the Speex manual, 1.2.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from fonoteka.audiocheck.containers.checksums import crc32_ogg
from fonoteka.audiocheck.containers.container import TRUNCATED, UNREADABLE, Broken, Layout, number
from fonoteka.audiocheck.containers.flac import flac
from fonoteka.audiocheck.containers.tags import behind, only_tags

_HEAD = 27  # bytes before the table of segments
_GOES_ON, _BEGINS, _ENDS = 1, 2, 4
_VORBIS, _OPUS, _FLAC, _SPEEX = b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   "
_CODECS = (_VORBIS, _OPUS, _FLAC, _SPEEX)
_FLAC_MARK = 9  # bytes before the native file's own mark, in the first packet
_LAST_BLOCK = 128  # bit of the kind of FLAC's last block of description
_SPEEX_HEAD = 80


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page lies and what its head says."""

    at: int
    size: int
    flags: int
    granule: int


@dataclass
class Stream:
    """The pages of one stream so far, and the packet that it begins with."""

    first: bytes
    pages: list[Page] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Tell whether it is of a codec that is read."""
        return self.first.startswith(_CODECS)

    @property
    def ended(self) -> bool:
        """Tell whether its last page has been met."""
        return bool(self.pages[-1].flags & _ENDS)


def ogg(data: bytes, start: int) -> Layout:
    """Return the layout of an Ogg file; how long Vorbis and Opus are, only their decoder knows.

    Raises:
        Broken: a page of the sound is damaged, missing or cut, or there are two sounds at once.
    """
    links, end = _links(data, start)
    sounds = [_sound_of(link) for link in links]
    notes: tuple[str, ...] = ()
    if not only_tags(data, end):
        notes = (behind(len(data) - end),)
    if beside := sum(len(link) - 1 for link in links):
        notes = (*notes, f"{beside} stream{'s' if beside > 1 else ''} beside the sound")
    if len(sounds) > 1:
        notes = (*notes, f"{len(sounds)} recordings one after the other")
    kinds = {sound.first[:5] for sound in sounds}
    if kinds == {_SPEEX[:5]} and len(sounds) == 1:
        return replace(_speex(data, sounds[0]), notes=notes)
    if _SPEEX[:5] in kinds:
        raise Broken(UNREADABLE, f"has Speex among {len(sounds)} recordings; convert each")
    if kinds == {_FLAC[:5]} and len(sounds) == 1:
        return replace(_flac(data, sounds[0]), notes=notes)
    if not notes and kinds != {_FLAC[:5]}:
        return Layout(start=start)
    parts = tuple(
        _flac(data, sound).parts[0] if sound.first.startswith(_FLAC) else _alone(data, sound)
        for sound in sounds
    )
    return Layout(parts=parts, notes=notes)


def _links(data: bytes, start: int) -> tuple[list[list[Stream]], int]:
    """Return the streams of each recording in the file, and where its last page ends."""
    links: list[list[Stream]] = []
    streams: dict[int, Stream] = {}
    position, count = start, 0
    while data[position : position + 4] == b"OggS":
        page = Page(position, _checked_size(data, position, count), data[position + 5],
                    number(data, position + 6, "<q"))  # fmt: skip
        serial, at = number(data, position + 14, "<I"), number(data, position + 18, "<I")
        if page.flags & _BEGINS:
            if all(stream.ended for stream in streams.values() if stream.is_sound):
                if not streams or any(len(stream.pages) > 1 for stream in streams.values()):
                    links.append([])
                    streams = {}
            elif serial in streams or any(len(stream.pages) > 1 for stream in streams.values()):
                raise Broken(UNREADABLE, f"another stream begins on page {count}")
            streams[serial] = Stream(_first_packet(data, page))
            links[-1].append(streams[serial])
        elif serial not in streams:
            raise Broken(UNREADABLE, f"page {count} is of no stream that has begun")
        stream = streams[serial]
        if stream.is_sound and ((stream.pages and stream.ended) or at != len(stream.pages)):
            raise Broken(UNREADABLE, f"page {len(stream.pages)} is missing")
        stream.pages.append(page)
        position, count = position + page.size, count + 1
    if not links or not all(stream.ended for stream in links[-1] if stream.is_sound):
        raise Broken(TRUNCATED, f"no page after {count} of them, and that one is not the last")
    return links, position


def _sound_of(link: list[Stream]) -> Stream:
    sounds = [stream for stream in link if stream.is_sound]
    if not sounds:
        raise Broken(UNREADABLE, "holds no Vorbis, Opus, FLAC or Speex")
    if len(sounds) > 1:
        raise Broken(UNREADABLE, f"holds {len(sounds)} streams of sound at once; extract one")
    return sounds[0]


def _first_packet(data: bytes, page: Page) -> bytes:
    segments = data[page.at + 26]
    return data[page.at + _HEAD + segments : page.at + page.size]


def _checked_size(data: bytes, position: int, count: int) -> int:
    segments = number(data, position + 26, "B")
    size = _HEAD + segments + sum(data[position + _HEAD : position + _HEAD + segments])
    page = data[position : position + size]
    if len(page) < size or len(page) < _HEAD + segments:
        raise Broken(TRUNCATED, f"page {count} ends after {len(page)} of {size} bytes")
    if crc32_ogg(page[:22] + bytes(4) + page[26:]) != number(page, 22, "<I"):
        raise Broken(UNREADABLE, f"page {count} is damaged: its checksum is wrong")
    return size


def _alone(data: bytes, stream: Stream) -> bytes:
    """Return a stream's pages as a file of their own."""
    return b"".join(data[page.at : page.at + page.size] for page in stream.pages)


def _packets(data: bytes, pages: Iterable[Page]) -> Iterator[bytes]:
    """Give the packets of a stream; one may run over several pages.

    Raises:
        Broken: a page goes on with a packet that was not begun, or does not where one was.
    """
    begun = b""
    for count, page in enumerate(pages):
        if bool(page.flags & _GOES_ON) != bool(begun):
            raise Broken(UNREADABLE, f"page {count} does not go on where the one before ends")
        segments = data[page.at + 26]
        position = page.at + _HEAD + segments
        for size in data[page.at + _HEAD : page.at + _HEAD + segments]:
            begun += data[position : position + size]
            position += size
            if size < 255:
                yield begun
                begun = b""
    if begun:
        raise Broken(TRUNCATED, "its last packet is not whole")


def _flac(data: bytes, stream: Stream) -> Layout:
    """Return the layout of FLAC in Ogg, whose packets are the parts of a FLAC file.

    The samples are those of the last page's number, where FLAC's own description states none.
    """
    packets = list(_packets(data, stream.pages))
    described = next((n for n, one in enumerate(packets) if one[:1] == b"\xff"), len(packets))
    blocks = [packets[0][_FLAC_MARK + 4 :], *packets[1:described]]
    if not packets[0].startswith(b"fLaC", _FLAC_MARK) or min(map(len, blocks)) < 4:
        raise Broken(UNREADABLE, "has no FLAC description in its first packets")
    native = bytearray(b"fLaC")
    for index, block in enumerate(blocks):
        last = _LAST_BLOCK if index == len(blocks) - 1 else 0
        native += bytes([block[0] & ~_LAST_BLOCK | last]) + block[1:]
    samples = int.from_bytes(native[18:26], "big") & (1 << 36) - 1
    if not samples:
        packed = int.from_bytes(native[18:26], "big") | max(0, stream.pages[-1].granule)
        native[18:26] = packed.to_bytes(8, "big")
    part = bytes(native) + b"".join(packets[described:])
    return replace(flac(part, 0), parts=(part,))


def _speex(data: bytes, stream: Stream) -> Layout:
    """Return the layout of Speex, which libsndfile lacks: ffmpeg decodes each packet to one size.

    The last page's number is less by what the coder looks ahead, or by what fills the last packet.
    """
    head = stream.first
    if len(head) < _SPEEX_HEAD:
        raise Broken(UNREADABLE, f"has a Speex head of {len(head)} bytes")
    rate, channels = number(head, 36, "<I"), number(head, 48, "<I")
    size, together, more = (number(head, at, "<I") for at in (56, 64, 68))
    count = sum(1 for _ in _packets(data, stream.pages)) - 2 - more
    most, least = count * size * max(1, together), stream.pages[-1].granule
    if not rate or channels not in (1, 2) or not most - size * max(1, together) <= least <= most:
        raise Broken(UNREADABLE, f"says {least} samples and has packets for {most}")
    return Layout(rate, channels, least, most - least, foreign="ogg")
