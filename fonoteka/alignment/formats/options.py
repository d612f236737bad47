"""The choices that subtitles and lyrics leave open."""

from __future__ import annotations

from dataclasses import dataclass

from fonoteka.alignment.aligned_text import LINE_PAUSE_S
from fonoteka.core.errors import UserError

ASS_TAGS = ("k", "kf")


@dataclass(frozen=True)
class SubtitleOptions:
    """Options of `render`.

    Attributes:
        line_letters: longer lines are broken, see `broken_into_lines`; None keeps the text's lines.
        line_pause_s: a longer pause ends a line, if lines are broken; in seconds.
        vtt_style: write the colours into WebVTT. ffmpeg 5.1, and players that use it, read no cue
            of a file with a `STYLE` block; a web page can have the colours in its own style.
        ass_tag: `k` colours a word of an ASS script at once, `kf` from left to right.

    Raises:
        UserError: a value is out of its range.
    """

    line_letters: int | None = None
    line_pause_s: float = LINE_PAUSE_S
    vtt_style: bool = True
    ass_tag: str = "k"

    def __post_init__(self) -> None:
        if self.line_letters is not None and self.line_letters < 1:
            raise UserError(f"line_letters must be at least 1, got {self.line_letters}")
        if not self.line_pause_s >= 0:
            raise UserError(f"line_pause_s must be at least 0 s, got {self.line_pause_s:g}")
        if self.ass_tag not in ASS_TAGS:
            raise UserError(f"ass_tag must be {' or '.join(ASS_TAGS)}, got {self.ass_tag!r}")
