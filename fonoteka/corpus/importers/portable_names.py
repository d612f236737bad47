"""Refuse file names that collide on some file systems or cannot be written to a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import CARD, PHONES, TABLE

RESERVED = (CARD, TABLE, PHONES)
_UNPRINTED = ("Cc", "Cs", "Zl", "Zp")


def check_names(paths: Iterable[str], folder: Path) -> None:
    """Refuse names that cannot all be kept as they are.

    Raises:
        ValueError: two names are equal without case or Unicode composition, as on macOS and
            Windows; a name is both a file and a folder; a name is reserved for a file of the
            corpus; or a name has characters that a table cannot contain.
    """
    by_folded_name: dict[str, str] = {}
    for path in sorted(paths):
        _check_name(path, folder)
        key = folded(path)
        if key in by_folded_name:
            raise UserError(
                f"{folder}: {by_folded_name[key]!r} and {path!r} are the same name "
                "without case and Unicode composition; rename one"
            )
        by_folded_name[key] = path
    for key, path in by_folded_name.items():
        for above in PurePosixPath(key).parents:
            if (other := by_folded_name.get(str(above))) is not None:
                raise UserError(
                    f"{folder}: {path!r} needs a folder where {other!r} is a file; rename one"
                )


def folded(path: str) -> str:
    """Return a key that is equal for names that collide on some file systems.

    >>> folded("Č.wav") == folded("c\u030c.WAV")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def shown(name: str) -> str:
    r"""Return a name with control characters escaped, safe to print on a terminal.

    >>> shown("čaša.wav"), shown("a" + chr(7))
    ('čaša.wav', "'a\\x07'")
    """
    return name if name.isprintable() else repr(name)


def _check_name(path: str, folder: Path) -> None:
    if folded(PurePosixPath(path).parts[0]) in RESERVED:
        raise UserError(
            f"{folder / path}: this name is reserved for a file of the corpus; rename the clip"
        )
    unprintable = [c for c in path if unicodedata.category(c) in _UNPRINTED]
    if unprintable or path != path.strip():
        problem = (
            f"has the character {unprintable[0]!r}"
            if unprintable
            else "begins or ends with a space"
        )
        raise UserError(f"{folder}: the name {path!r} {problem}; rename it")
