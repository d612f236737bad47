"""Subtitles of players and browsers: SRT with a line at a time, WebVTT with the time of each word.

Sources: SubRip's format as VLC and ffmpeg read it; "WebVTT: The Web Video Text Tracks Format", W3C.
"""

from __future__ import annotations

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText
from fonoteka.alignment.formats.clock import clock_ms, milliseconds
from fonoteka.alignment.formats.printable import fullwidth_table

_NOT_SRT = fullwidth_table("<>{}\\")
_VTT_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_VTT_STYLE = """\

STYLE
::cue(:past) { color: yellow; }
::cue(:future) { color: white; }
"""


def srt(text: AlignedText) -> str:
    r"""Return one numbered cue per line of a text.

    SRT has no escape, and players read `<i>` and `{\an8}` as markup and `-->` as a cue's times. The
    signs `< > { } \` therefore become their wide forms, which look the same but are text.
    """
    cues = []
    for number, line in enumerate(text.lines, 1):
        start_ms, end_ms = _cue_times(line)
        times = f"{clock_ms(start_ms, ',')} --> {clock_ms(end_ms, ',')}"
        cues.append(f"{number}\n{times}\n{line.text.translate(_NOT_SRT)}\n")
    return "\n".join(cues)


def vtt(text: AlignedText, style: bool = True) -> str:
    """Return one cue per line of a text, with the start of each word after the first in its text.

    Browsers match `::cue(:past)` and `::cue(:future)` by these times. They must increase within a
    cue, so a word that starts at the same millisecond as the one before has none. `& < >` become
    entities, so `-->` cannot occur in a text.

    Args:
        text: the words with their times.
        style: whether the file contains the colours of past and future words.
    """
    cues = []
    for line in text.lines:
        start_ms, end_ms = _cue_times(line)
        pieces, last_ms = [], start_ms
        for word in line.words:
            word_ms = milliseconds(word.start_s)
            tag = f"<{clock_ms(word_ms, '.')}>" if last_ms < word_ms else ""
            pieces.append(tag + word.text.translate(_VTT_ENTITIES))
            last_ms = max(last_ms, word_ms)
        times = f"{clock_ms(start_ms, '.')} --> {clock_ms(end_ms, '.')}"
        cues.append(f"\n{times}\n{' '.join(pieces)}\n")
    return "WEBVTT\n" + (_VTT_STYLE if style else "") + "".join(cues)


def _cue_times(line: AlignedLine) -> tuple[int, int]:
    """Return the start and the end of a cue, which must be later than the start of any word."""
    last_ms = milliseconds(line.words[-1].start_s)
    return milliseconds(line.start_s), max(milliseconds(line.end_s), last_ms + 1)
