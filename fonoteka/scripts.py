"""The scripts in which words can be written: Latin for all languages, Cyrillic for bs and sr."""

from __future__ import annotations

from fonoteka.core.errors import UserError
from fonoteka.text.to_cyrillic import to_cyrillic
from fonoteka.text.transliteration import to_latin

SCRIPTS = ("latin", "cyrillic")
IN_CYRILLIC = ("bs", "sr")
"""Languages that are written in both scripts."""


def check_script(language: str | None, script: str | None) -> None:
    """Refuse a script that is unknown, or in which a language is not written.

    Args:
        language: code; None if it is not known yet.
        script: `latin` or `cyrillic`; None keeps that of the text.

    Raises:
        UserError: it is refused.
    """
    if script is not None and script not in SCRIPTS:
        raise UserError(f"script {script!r} is not one of {', '.join(SCRIPTS)}")
    if script == "cyrillic" and language is not None and language not in IN_CYRILLIC:
        raise UserError(
            f"language {language} is not written in Cyrillic here, which is for "
            f"{' and '.join(IN_CYRILLIC)}; leave out --script cyrillic, or state --language sr"
        )


def transliterated(text: str, language: str, script: str | None) -> str:
    """Return a text in a script; letters that are not of the Serbian alphabet stay as they are.

    Raises:
        UserError: as in `check_script`.

    >>> transliterated("Ljubav", "sr", "cyrillic"), transliterated("Љубав", "hr", "latin")
    ('Љубав', 'Ljubav')
    """
    check_script(language, script)
    if script is None:
        return text
    return to_cyrillic(text) if script == "cyrillic" else to_latin(text)
