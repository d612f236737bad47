"""Lyrics in LRC, with the time of each line, or of each word as in the enhanced format "A2".

Source: "LRC (file format)" in Wikipedia, the simple format and the A2 extension.
"""

from __future__ import annotations

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText
from fonoteka.alignment.formats.clock import centiseconds, minutes_cs
from fonoteka.alignment.formats.printable import fullwidth_table

_NOT_LRC = fullwidth_table("[]<>{}\\")


def lrc(text: AlignedText) -> str:
    r"""Return `[mm:ss.xx]text` for each line of a text.

    LRC has no escape. Readers take brackets for times or for tags such as `[offset:]`, and ffmpeg
    reads braces and backslashes as in ASS. The signs `[ ] < > { } \` therefore become their wide
    forms, which look the same but are text.
    """
    lines = (
        f"[{minutes_cs(centiseconds(line.start_s))}]{line.text.translate(_NOT_LRC)}\n"
        for line in text.lines
    )
    return _head(text) + "".join(lines)


def lrc_words(text: AlignedText) -> str:
    """Return `[mm:ss.xx] <mm:ss.xx> word <mm:ss.xx> word <mm:ss.xx>` for each line of a text.

    Each word follows its start, and the last tag is the end of the line.
    """
    return _head(text) + "".join(f"{_tagged_words(line)}\n" for line in text.lines)


def _tagged_words(line: AlignedLine) -> str:
    words = (
        f"<{minutes_cs(centiseconds(word.start_s))}> {word.text.translate(_NOT_LRC)} "
        for word in line.words
    )
    start, end = (minutes_cs(centiseconds(time_s)) for time_s in (line.start_s, line.end_s))
    return f"[{start}] {''.join(words)}<{end}>"


def _head(text: AlignedText) -> str:
    minutes, seconds = divmod(round(text.duration_s), 60)
    return f"[re:Fonoteka]\n[length:{minutes:02d}:{seconds:02d}]\n"
