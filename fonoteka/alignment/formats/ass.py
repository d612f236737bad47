r"""Karaoke as an Advanced SubStation Alpha script: the words of a line are coloured in their time.

Source: "ASS File Format Specification", version 4.00+; `\k` as libass and Aegisub implement it.
"""

from __future__ import annotations

from collections.abc import Iterator

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText
from fonoteka.alignment.formats.clock import centiseconds, clock_cs
from fonoteka.alignment.formats.printable import fullwidth_table, printable

_NOT_ASS = fullwidth_table("{}\\")
# PrimaryColour is that of words already spoken, yellow, and SecondaryColour that of others, white:
# hexadecimal alpha, blue, green and red. 42 letters of DejaVu Sans, which is wider than Arial, take
# 1,357 pixels in Latin and 1,501 in Cyrillic at 64 pixels, of the 1,800 between the margins.
_HEAD = """\
[Script Info]
ScriptType: v4.00+
Title: {title}
PlayResX: 1920
PlayResY: 1080
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, \
Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, \
Alignment, MarginL, MarginR, MarginV, Encoding
Style: Karaoke,Arial,64,&H0000FFFF,&H00FFFFFF,&H00000000,&H80000000,0,0,0,0,100,100,0,0,1,3,1,2,\
60,60,60,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def ass(text: AlignedText, recording_name: str, tag: str = "k") -> str:
    r"""Return a script with one `Dialogue` per line of a text.

    Braces and backslashes start markup, and renderers disagree about escapes for them, so they
    become their wide forms.

    Args:
        text: the words with their times.
        recording_name: the title of the script.
        tag: `k` colours a word at its start, `kf` from its start to its end.
    """
    events = (
        f"Dialogue: 0,{clock_cs(centiseconds(line.start_s))},{clock_cs(centiseconds(line.end_s))},"
        f"Karaoke,,0,0,0,,{''.join(_syllables(line, tag))}\n"
        for line in text.lines
    )
    return _HEAD.format(title=printable(recording_name)) + "".join(events)


def _syllables(line: AlignedLine, tag: str) -> Iterator[str]:
    r"""Yield the words, and the pauses between them, each after its duration in centiseconds.

    The durations are differences of rounded times: their sum is the duration of the line, and no
    word starts more than 5 ms from its time.
    """
    last_cs = centiseconds(line.start_s)
    for position, word in enumerate(line.words):
        start_cs, end_cs = centiseconds(word.start_s), centiseconds(word.end_s)
        if start_cs > last_cs:
            yield rf"{{\{tag}{start_cs - last_cs}}} "
        elif position:
            yield " "
        yield rf"{{\{tag}{end_cs - start_cs}}}{word.text.translate(_NOT_ASS)}"
        last_cs = end_cs
