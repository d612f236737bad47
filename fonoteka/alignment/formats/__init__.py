"""Files that state when words and phones are spoken: JSON, TextGrid, CTM, subtitles and lyrics.

FORMATS           the formats by name
render            a text in a format, as a string
write_alignment   the same, as a file
write_outputs     the files of one recording: JSON, plain text and karaoke lyrics
read_alignment    a text from its JSON
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fonoteka.core.exports import lazy_exports

if TYPE_CHECKING:
    from fonoteka.alignment.formats.alignment_json import read_alignment
    from fonoteka.alignment.formats.options import SubtitleOptions
    from fonoteka.alignment.formats.writers import FORMATS, render, write_alignment, write_outputs

__all__ = [
    "FORMATS",
    "SubtitleOptions",
    "read_alignment",
    "render",
    "write_alignment",
    "write_outputs",
]
_MODULES = {
    "FORMATS": "writers",
    "SubtitleOptions": "options",
    "read_alignment": "alignment_json",
    "render": "writers",
    "write_alignment": "writers",
    "write_outputs": "writers",
}
__getattr__ = lazy_exports(__name__, _MODULES)
