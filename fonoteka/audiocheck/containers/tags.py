"""Tell the tags and the text before and after a file's sound from the sound.

Players skip what they don't know, and writers of tags count on it. Source: ID3v1; id3.org, ID3 tag
version 2.3.0 and 2.4.0; APE Tags Specification 2.0; id3.org, Lyrics3 1.00 and 2.00.
"""

from __future__ import annotations

_ID3V1, _ID3V1_MORE, _ID3V2, _APE = 128, 227, 10, 32  # bytes of a tag, or of its head or footer
_LYRICS_AT_MOST = 5100 + 20  # of Lyrics3 1.00, which states no size
_TEXT_AT_LEAST = 16
_MARKUP = {"<": ">", "{": "}", "[": "]"}


def sound_start(data: bytes) -> int:
    """Return where the sound file begins: after any ID3v2 tags and the zeros that pad them.

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
    """Tell whether from here to the end there are only tags and zeros, or nothing.

    >>> only_tags(b"sound" + b"TAG" + bytes(125), 5), only_tags(b"soundmore", 5)
    (True, False)
    """
    end = sound_end(data, position)
    position = _after_zeros(data, position)
    while position < end and (size := _id3v2(data, position)):
        position = _after_zeros(data, position + size)
    return position >= end


def sound_end(data: bytes, position: int) -> int:
    """Return where the tags at the end of a file begin that are found from there.

    They are ID3v1 and its extension, ID3v2.4 with a footer, APE 1 and 2, Lyrics3 1 and 2, in any
    order, and zeros between two of them.

    >>> sound_end(b"sound" + b"LYRICSBEGINtext" + b"000015LYRICS200" + b"TAG" + bytes(125), 0)
    5
    """
    end = len(data)
    while size := _last_tag(data, position, end):
        end -= size
        last = position + len(data[position:end].rstrip(b"\0"))
        foot = data.rfind(b"APETAGEX", max(position, last - _APE), last) + _APE  # ends with zeros
        for before in (last, foot):
            if last <= before < end and _last_tag(data, position, before):
                end = before
                break
    return end


def _last_tag(data: bytes, position: int, end: int) -> int:
    """Return the bytes of the tag that ends at `end` and begins at `position` or later, else 0."""
    size = 0
    if _begins(data, b"TAG", end - _ID3V1):
        size = _ID3V1
    elif _begins(data, b"TAG+", end - _ID3V1_MORE):
        size = _ID3V1_MORE
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
        size = end - data.rfind(b"LYRICSBEGIN", max(0, end - _LYRICS_AT_MOST), end)
        size = size if size <= _LYRICS_AT_MOST else 0
    return size if size <= end - position else 0


def _begins(data: bytes, mark: bytes, at: int) -> bool:
    return at >= 0 and data.startswith(mark, at)


def _little(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _id3v2(data: bytes, position: int) -> int:
    """Return the bytes of an ID3v2 tag at this place, 0 where there is none."""
    head = data[position : position + _ID3V2]
    if len(head) < _ID3V2 or head[:3] != b"ID3" or max(head[6:]) > 127:
        return 0
    size = sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True))
    return _ID3V2 + size + (_ID3V2 if head[5] & 16 else 0)


def _after_zeros(data: bytes, position: int) -> int:
    rest = data[position:]
    return len(data) - len(rest.lstrip(b"\0"))


def behind(size: int) -> str:
    """Return the note on bytes after the sound.

    >>> behind(15)
    '15 bytes behind the sound'
    """
    return f"{size} byte{'s' if size > 1 else ''} behind the sound"


def is_text(data: bytes) -> bool:
    r"""Tell whether bytes are text that can't be the end of the sound: markup, words, line ends.

    A file into whose sound bytes were inserted has as many behind its stated end, and those are
    sound. So a few letters are not enough: chance makes 16 printable bytes in 16-bit sound once in
    10**6, and less where 8-bit sound has no spaces.

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
    if not all(sign.isprintable() or sign in "\t\r\n" for sign in text):
        return False
    if len(body) > 2 and _MARKUP.get(body[0]) == body[-1]:
        return True
    words = sum(sign.isalnum() for sign in text) * 2 > len(text)
    return len(data) >= _TEXT_AT_LEAST and words and any(sign in " \n=:" for sign in text)
