"""The written words of an aligned text in Latin or in Cyrillic script."""

from __future__ import annotations

from dataclasses import replace

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText
from fonoteka.scripts import transliterated

_BETWEEN_WORDS = "\0"


def in_script(text: AlignedText, script: str) -> AlignedText:
    """Return a text whose written words are in a script; times, phones and spoken words are kept.

    The words are transliterated together, because a Roman numeral is one among words of small
    letters only: "Petar II". Words that the alphabet cannot write stay as they are. A NUL in a word
    is removed; no format would contain it.

    Args:
        text: the words with their times.
        script: `latin`, or `cyrillic` for bs and sr.

    Raises:
        UserError: as `fonoteka.scripts.check_script`.
    """
    written = _BETWEEN_WORDS.join(word.text.replace(_BETWEEN_WORDS, "") for word in text.words)
    names = iter(transliterated(written, text.language, script).split(_BETWEEN_WORDS))
    return replace(
        text,
        lines=tuple(
            AlignedLine(tuple(replace(word, text=next(names)) for word in line.words))
            for line in text.lines
        ),
    )
