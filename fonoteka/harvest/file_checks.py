"""Check the headers of a file and its first bytes, before anything of it is kept."""

from __future__ import annotations

import unicodedata
from email.message import Message
from pathlib import PureWindowsPath
from urllib.parse import unquote, urlsplit

from fonoteka.audiocheck.ffmpeg import FFMPEG_FORMATS, ffmpeg_format
from fonoteka.harvest.item import ItemRefusedError, Outcome

HEAD_BYTES = 1 << 13
_BINARY = ("", "application/octet-stream", "binary/octet-stream", "application/ogg")
_SIGNATURES = (
    (b"fLaC", ".flac"), (b"OggS", ".ogg"), (b"ID3", ".mp3"), (b"caff", ".caf"), (b".snd", ".au"),
    (b"RF64", ".rf64"),
)  # fmt: skip
_LONGEST = 255  # bytes of a file's name on usual file systems
_SEPARATORS = frozenset("/\\")
_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")  # Cf: marks that turn the direction of writing


def suffix_of(head: bytes) -> str:
    r"""Return the suffix for a recording with these first bytes; empty if it is not a recording.

    >>> suffix_of(b"RIFF\x00\x00\x00\x00WAVEfmt "), suffix_of(b"<!DOCTYPE html>")
    ('.wav', '')
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return ".wav"
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return ".aiff"
    for signature, suffix in _SIGNATURES:
        if head.startswith(signature):
            return suffix
    if name := ffmpeg_format(head):
        return next(entry.suffixes[0] for entry in FFMPEG_FORMATS if entry.name == name)
    # The frame sync of MPEG audio: 11 bits, a version and a layer that exist.
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0
    if is_frame and head[1] & 0x18 != 0x08 and head[1] & 0x06 and head[2] & 0xF0 != 0xF0:
        return ".mp3"
    return ""


def check_type(content_type: str) -> None:
    """Refuse a content type other than a recording's.

    Raises:
        ItemRefusedError: it is neither audio nor video nor bytes of any kind.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in _BINARY and not kind.startswith(("audio/", "video/")):
        raise ItemRefusedError(Outcome.WRONG_TYPE, f"the server says {kind!a}")


def file_name(disposition: str, url: str) -> str:
    """Return the name that a server gives a file: in Content-Disposition, or its address's end.

    >>> file_name('attachment; filename="a.mp3"', "http://h/x"), file_name("", "http://h/d/b%20c.ogg")
    ('a.mp3', 'b c.ogg')
    """
    message = Message()
    message["content-disposition"] = disposition or "inline"
    stated = message.get_filename()
    return stated or unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")


def check_name(name: str) -> None:
    """Refuse a file's name that could write elsewhere, or mislead a person who reads it.

    The name is never used as a path here; a server that sends such a name is not trusted further.

    Raises:
        ItemRefusedError: the name is too long or reserved, begins with a dot, or contains a
            separator, a control character or a mark that turns the direction of writing.
    """
    problem = ""
    if any(unicodedata.category(character) in _CONTROLS for character in name):
        problem = "contains a control character"
    elif separators := sorted(_SEPARATORS.intersection(name)):
        problem = f"contains {separators[0]!r}"
    elif name.startswith("."):
        problem = "begins with a dot"
    elif PureWindowsPath(name).is_reserved():
        problem = "is reserved on Windows"
    elif len(name.encode("utf-8", "replace")) > _LONGEST:
        problem = f"is longer than {_LONGEST} bytes"
    if problem:
        raise ItemRefusedError(Outcome.HOSTILE, f"{name[:60]!a} {problem}")
