"""CTM, one line per word, as Kaldi and NIST's sclite read it.

Source: "ctm" in the manual of NIST's SCTK; the channel is always 1.
"""

from __future__ import annotations

from fonoteka.alignment.aligned_text import AlignedText
from fonoteka.alignment.formats.clock import milliseconds
from fonoteka.alignment.formats.printable import UNPRINTABLE, printable


def ctm(text: AlignedText, recording_name: str) -> str:
    """Return `<recording> 1 <start> <duration> <word> <confidence>` for each word, in seconds.

    Spaces separate fields, so those in a name or a word become `_`. A `;` at the start of a name
    does too, because `;;` starts a comment.
    """
    name = _field(recording_name)
    name = "_" + name[1:] if name.startswith(";") else name
    return "".join(
        f"{name} 1 {start_ms / 1000:.3f} {(end_ms - start_ms) / 1000:.3f} {_field(word.text)} "
        f"{word.score:.3f}\n"
        for word in text.words
        for start_ms, end_ms in [(milliseconds(word.start_s), milliseconds(word.end_s))]
    )


def _field(text: str) -> str:
    return "_".join(printable(text).split()) or UNPRINTABLE
