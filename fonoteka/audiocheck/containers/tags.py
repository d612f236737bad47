"""Distinguish tags and text before and after a file's sound from the sound.

Players skip unknown bytes, and programs that write tags rely on it. Source: ID3v1; id3.org, ID3 tag
version 2.3.0 and 2.4.0; APE Tags Specification 2.0; id3.org, Lyrics3 1.00 and 2.00.
"""

from __future__ import annotations

# Bytes of a tag, or of its header or footer.
_ID3V1, _ID3V1_EXTENDED, _ID3V2, _APE = 128, 227, 10, 32
_MAX_LYRICS = 5100 + 20  # of Lyrics3 1.00, which states no size
_MIN_TEXT = 16
_MARKUP = {"<": ">", "{": "}", "[": "]"}


def sound_start(data: bytes) -> int:
    """Return the position of the container: after any ID3v2 tags and their zero padding.

    >>> sound_start(b"ID3" + bytes([4, 0, 0, 0, 0, 0, 2]) + b"xx" + b"RIFF")
    12
    """
    position = 0
    while position < len(data) and (size := _id3v2(data, position)):
        position += size
    if position:
        position = _after_zeros(data, position)
    return position


def only_tags(data: bytes, position: int) -> bool:
    """Return whether the rest of the file is only tags and zeros, or nothing.

    >>> only_tags(b"sound" + b"TAG" + bytes(125), 5), only_tags(b"soundmore", 5)
    (True, False)
    """
    end = sound_end(data, position)
    position = _after_zeros(data, position)
    while position < end and (size := _id3v2(data, position)):
        position = _after_zeros(data, position + size)
    return position >= end


def sound_end(data: bytes, position: int) -> int:
    """Return the position of the tags at the end of a file.

    Known tags are ID3v1 and its extension, ID3v2.4 with a footer, APE 1 and 2, and Lyrics3 1 and 2,
    in any order, with zeros between two of them.

    >>> sound_end(b"sound" + b"LYRICSBEGINtext" + b"000015LYRICS200" + b"TAG" + bytes(125), 0)
    5
    """
    end = len(data)
    while size := _last_tag(data, position, end):
        end -= size
        before_zeros = position + len(data[position:end].rstrip(b"\0"))
        footer_end = (
            data.rfind(b"APETAGEX", max(position, before_zeros - _APE), before_zeros) + _APE
        )  # ends with zeros
        for candidate in (before_zeros, footer_end):
            if before_zeros <= candidate < end and _last_tag(data, position, candidate):
                end = candidate
                break
    return end


def _last_tag(data: bytes, position: int, end: int) -> int:
    """Return the size of the tag that ends at `end` and begins at `position` or later; else 0."""
    size = 0
    if _begins(data, b"TAG", end - _ID3V1):
        size = _ID3V1
    elif _begins(data, b"TAG+", end - _ID3V1_EXTENDED):
        size = _ID3V1_EXTENDED
    elif _begins(data, b"APETAGEX", end - _APE):
        size, flags = _little(data, end - 20), _little(data, end - 12)
        size = size + (_APE if flags >> 31 else 0) if size >= _APE else 0
    elif _begins(data, b"3DI", end - _ID3V2):
        size = _id3v2(b"ID3" + data[end - _ID3V2 + 3 : end], 0)
        size = size if _begins(data, b"ID3", end - size) else 0
    elif _begins(data, b"LYRICS200", end - 9):
        digits = data[end - 15 : end - 9]
        size = int(digits) + 15 if digits.isdigit() else 0
        size = size if _begins(data, b"LYRICSBEGIN", end - size) else 0
    elif _begins(data, b"LYRICSEND", end - 9):
        size = end - data.rfind(b"LYRICSBEGIN", max(0, end - _MAX_LYRICS), end)
        size = size if size <= _MAX_LYRICS else 0
    return size if size <= end - position else 0


def _begins(data: bytes, mark: bytes, position: int) -> bool:
    return position >= 0 and data.startswith(mark, position)


def _little(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 4], "little")


def _id3v2(data: bytes, position: int) -> int:
    """Return the size of the ID3v2 tag at a position, 0 if absent."""
    head = data[position : position + _ID3V2]
    if len(head) < _ID3V2 or head[:3] != b"ID3" or max(head[6:]) > 127:
        return 0
    size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return _ID3V2 + size + (_ID3V2 if head[5] & 16 else 0)


def _after_zeros(data: bytes, position: int) -> int:
    rest = data[position:]
    return len(data) - len(rest.lstrip(b"\0"))


def trailing_note(size: int) -> str:
    """Return the note on bytes after the sound.

    >>> trailing_note(15)
    '15 bytes after the sound'
    """
    return f"{size} byte{'s' if size > 1 else ''} after the sound"


def is_text(data: bytes) -> bool:
    r"""Return whether bytes are text that cannot be the end of the sound: markup, words, line ends.

    If bytes were inserted into the sound, as many bytes of sound follow its stated end. So a few
    letters are not enough: 16 bytes of 16-bit sound are printable with a chance of 10**-6, and of
    8-bit sound without spaces even less often.

    >>> is_text(b"<xml>meta</xml>"), is_text(b"more"), is_text(b"\r\n")
    (True, False, True)
    >>> is_text(b"recorded by Ana, 2026")
    True
    """
    try:
        text = data.rstrip(b"\0").decode("utf-8")
    except UnicodeDecodeError:
        return False
    body = text.strip()
    if not body:
        return True
    if not all(character.isprintable() or character in "\t\r\n" for character in text):
        return False
    if len(body) > 2 and _MARKUP.get(body[0]) == body[-1]:
        return True
    words = sum(character.isalnum() for character in text) * 2 > len(text)
    return len(data) >= _MIN_TEXT and words and any(character in " \n=:" for character in text)
