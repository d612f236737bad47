"""The recording of a karaoke page: a file beside the page, or its bytes inside the page.

Formats are recognised by their first bytes, because file names are wrong more often.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fonoteka.core.errors import UserError

MOST_EMBEDDED_BYTES = 20_000_000
"""Base64 makes 26.7 MB of these, and Firefox refuses a data URL above 32 MB."""

_HEAD_BYTES = 12
_PLAYED = "WAV, FLAC, Ogg, WebM, MP4, MP3 or AAC"
# The formats that Chromium and Firefox play: position and value of their first bytes, media type.
# MPEG audio without a tag begins with a frame header: layer 0 in it is AAC, 1 to 3 are MP3.
_MEDIA_TYPES: tuple[tuple[int, bytes, str], ...] = (
    (8, b"WAVE", "audio/wav"),
    (0, b"fLaC", "audio/flac"),
    (0, b"OggS", "audio/ogg"),
    (0, b"\x1aE\xdf\xa3", "audio/webm"),
    (4, b"ftyp", "audio/mp4"),
    (0, b"ID3", "audio/mpeg"),
    *((0, bytes([0xFF, second]), "audio/aac") for second in (0xF0, 0xF1, 0xF8, 0xF9)),
    *(
        (0, bytes([0xFF, second]), "audio/mpeg")
        for second in (*range(0xE2, 0xE8), *range(0xF2, 0xF8))
    ),
    *((0, bytes([0xFF, second]), "audio/mpeg") for second in range(0xFA, 0x100)),
)
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"FORM", "AIFF"),
    (b".snd", "AU"),
    (b"NIST_1A", "SPHERE"),
    (b"caff", "CAF"),
    (b"RF64", "RF64"),
    (b"RIFX", "RIFX"),
    (b"riff", "W64"),
    (b"#!AMR", "AMR"),
    (b"0&\xb2u", "WMA"),
)


@dataclass(frozen=True)
class AudioSource:
    """The recording that a page plays.

    Attributes:
        url: relative to the page and percent-encoded, or a data URL.
        media_type: such as `audio/wav`.
        embedded: whether the URL contains the recording.
    """

    url: str
    media_type: str
    embedded: bool


def linked_audio(recording: Path, page: Path) -> AudioSource:
    """Return the source for a recording that lies outside the page, by its relative URL.

    Links in the paths are not followed: the URL contains the names that the user chose.

    Raises:
        UserError: the file does not exist, or browsers do not support its format.
    """
    media_type = media_type_of(recording)
    relative = Path(os.path.relpath(Path.cwd() / recording, (Path.cwd() / page).parent))
    url = "/".join(quote(os.fsencode(part), safe="") for part in relative.parts)
    return AudioSource(url, media_type, False)


def embedded_audio(recording: Path) -> AudioSource:
    """Return the source for a recording inside the page; the bytes of the file stay as they are.

    Raises:
        UserError: the file does not exist, is above 20 MB, or browsers do not support its format.
    """
    media_type = media_type_of(recording)
    size = recording.stat().st_size
    if size > MOST_EMBEDDED_BYTES:
        raise UserError(
            f"{recording}: {size / 1e6:.1f} MB are more than the {MOST_EMBEDDED_BYTES / 1e6:g} MB "
            "that a page can contain; leave the recording beside the page"
        )
    content = base64.b64encode(recording.read_bytes()).decode("ascii")
    return AudioSource(f"data:{media_type};base64,{content}", media_type, True)


def media_type_of(recording: Path) -> str:
    """Return the media type of a recording that browsers play.

    A browser can still lack the codec, for example ADPCM in WAV; the page then shows a message.

    Raises:
        UserError: the file does not exist, or browsers do not support its format.
    """
    if not recording.is_file():
        raise UserError(f"{recording}: no such file")
    with recording.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head[:4] not in (b"RIFX", b"RF64"):  # which have WAVE at the same position
        for position, magic, media_type in _MEDIA_TYPES:
            if head.startswith(magic, position):
                return media_type
    for magic, name in _REFUSED:
        if head.startswith(magic):
            raise UserError(f"{recording}: browsers do not play {name}; convert it to {_PLAYED}")
    start = f"begins with 0x{head[:4].hex()}" if head else "has no bytes"
    raise UserError(f"{recording}: {start}, which browsers do not play; convert it to {_PLAYED}")
