"""The written words of an aligned text in Latin or in Cyrillic script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from fonoteka.alignment.aligned_text import AlignedLine, AlignedText
from fonoteka.core.errors import UserError
from fonoteka.text.to_cyrillic import to_cyrillic
from fonoteka.text.transliteration import to_latin

SCRIPTS: dict[str, Callable[[str], str]] = {"cyrillic": to_cyrillic, "latin": to_latin}
_BETWEEN_WORDS = "\0"


def in_script(text: AlignedText, script: str) -> AlignedText:
    """Return a text whose written words are in a script; times, phones and spoken words are kept.

    The words are transliterated together, because a Roman numeral is one among words of small
    letters only: "Petar II". Words that the alphabet cannot write stay as they are. A NUL in a word
    is removed; no format would contain it.

    Args:
        text: the words with their times.
        script: `cyrillic` or `latin`.

    Raises:
        UserError: the script is another, or Cyrillic is requested for English.
    """
    if script not in SCRIPTS:
        raise UserError(f"script {script!r} is not one of {', '.join(SCRIPTS)}")
    if script == "cyrillic" and text.language == "en":
        raise UserError("English has no Cyrillic script; choose latin, or check the language")
    written = _BETWEEN_WORDS.join(word.text.replace(_BETWEEN_WORDS, "") for word in text.words)
    names = iter(SCRIPTS[script](written).split(_BETWEEN_WORDS))
    return replace(
        text,
        lines=tuple(
            AlignedLine(tuple(replace(word, text=next(names)) for word in line.words))
            for line in text.lines
        ),
    )
