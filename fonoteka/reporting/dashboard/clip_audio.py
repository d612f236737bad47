"""The sounds of a dashboard: the worst clips of each model, as Ogg Vorbis inside the page.

Only clips whose licence is in the list are copied. libsndfile draws the serial number of an Ogg
stream, so equal samples give two files that differ in it and in the checksums of their pages; both
are set here. A clip of 3 s is 70 kB of FLAC, 17 kB of Vorbis in 8 ms of a core, or 11 kB of Opus in
92 ms.
"""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import soundfile

from fonoteka.audio.dsp import SAMPLE_RATE_HZ, Signal
from fonoteka.audiocheck.containers.checksums import crc32_ogg
from fonoteka.reporting.dashboard.clips import DashboardClips
from fonoteka.reporting.dashboard.group_rates import scored
from fonoteka.scoring.error_rate import Errors
from fonoteka.shards import open_clips

_HEAD = 27  # bytes of a page before its table of segments: RFC 3533, section 6


@dataclass(frozen=True)
class AudioLimits:
    """How much audio a page contains.

    Attributes:
        clips: worst ones of each model.
        bytes: of all clips, before base64.
        clip_bytes: of one clip.
    """

    clips: int
    bytes: int
    clip_bytes: int


@dataclass(frozen=True)
class PageAudio:
    """The sounds of a page.

    Attributes:
        urls: by the index of the clip, as text.
        note: one sentence on the clips that have no sound.
        bytes: of all sounds, before base64.
    """

    urls: dict[str, str]
    note: str
    bytes: int


def vorbis_bytes(signal: Signal) -> bytes:
    """Return a 16 kHz signal as Ogg Vorbis; equal samples give equal bytes.

    Args:
        signal: samples in [-1, 1], `[T]`.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, SAMPLE_RATE_HZ, format="OGG", subtype="VORBIS")
    return with_serial(buffer.getvalue(), 1)


def with_serial(data: bytes, serial: int) -> bytes:
    """Return an Ogg file whose pages have another serial number, with their checksums.

    Source: RFC 3533, section 6: the serial number is at byte 14 of a page, the checksum at 22, the
    number of segments at 26, and the table of their lengths follows.
    """
    pages = bytearray(data)
    position = 0
    while position < len(pages):
        assert pages[position : position + 4] == b"OggS", f"no page at byte {position}"
        segments = pages[position + 26]
        table = pages[position + _HEAD : position + _HEAD + segments]
        end = position + _HEAD + segments + sum(table)
        struct.pack_into("<I", pages, position + 14, serial)
        struct.pack_into("<I", pages, position + 22, 0)  # the checksum is of a page with 0 in it
        struct.pack_into("<I", pages, position + 22, crc32_ogg(bytes(pages[position:end])))
        position = end
    return bytes(pages)


def worst_first(errors: Sequence[Errors | None]) -> list[int]:
    """Return the clips with an error, highest rate first, then most errors, then in their order.

    >>> worst_first([Errors(reference=2), Errors(1, reference=2), None, Errors(2, reference=4)])
    [3, 1]
    """

    def key(index: int) -> tuple[float, int, int]:
        own = errors[index]
        assert own is not None
        return -own.rate, -own.wrong, index

    ranked = sorted(scored(errors), key=key)
    return [index for index in ranked if key(index)[1]]


def in_turns(rankings: Sequence[Sequence[int]]) -> Iterator[int]:
    """Yield the first of each ranking, then the second of each, each clip once.

    >>> [*in_turns([[3, 1], [1, 2]])]
    [3, 1, 2]
    """
    seen: set[int] = set()
    for row in zip_longest(*rankings):
        for index in row:
            if index is not None and index not in seen:
                seen.add(index)
                yield index


def page_audio(
    clips: DashboardClips, errors: Sequence[Sequence[Errors | None]], audio: Path,
    limits: AudioLimits,
) -> PageAudio:  # fmt: skip
    """Return the sounds of the worst clips of each model, as far as licences and limits allow.

    Args:
        clips: of the test split.
        errors: of each model, of each clip.
        audio: data/audio.
        limits: how much.

    Raises:
        UserError: a clip's sound is missing.
    """
    rankings = [worst_first(own)[: limits.clips] for own in errors]
    wanted = [*in_turns(rankings)]
    allowed = [index for index in wanted if clips.licensed[index]]
    ids = {clips.utterances[index].id: clips.utterances[index].audio for index in allowed}
    signals = open_clips(audio, ids) if ids else {}
    urls: dict[str, str] = {}
    total = large = 0
    for index in allowed:
        data = vorbis_bytes(signals[clips.utterances[index].id])
        if len(data) > limits.clip_bytes or total + len(data) > limits.bytes:
            large += 1
            continue
        total += len(data)
        urls[str(index)] = f"data:audio/ogg;base64,{base64.b64encode(data).decode('ascii')}"
    reasons = [f"{len(wanted) - len(allowed)} because of their licence"] * (wanted != allowed)
    reasons += [f"{large} because of the limits of size"] * bool(large)
    left_out = f"; left out: {', '.join(reasons)}" if reasons else ""
    note = f"Audio of the {limits.clips} worst clips of each model ({len(urls)} clips){left_out}."
    return PageAudio(urls, note, total)
