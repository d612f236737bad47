"""Refuse names that can't stand side by side on every machine, or not in a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import CARD, PHONES, TABLE

RESERVED = (CARD, TABLE, PHONES)
_UNPRINTED = ("Cc", "Cs", "Zl", "Zp")


def check_names(paths: Iterable[str], folder: Path) -> None:
    """Refuse names of which one can't be kept as it is.

    Raises:
        ValueError: two names are one where case or composition of letters doesn't count, as on
            macOS and Windows; one is a file and another a folder of that name; one is that of a
            corpus's own file; or one has characters that no table can hold.
    """
    known: dict[str, str] = {}
    for path in sorted(paths):
        _check_name(path, folder)
        key = folded(path)
        if key in known:
            raise UserError(
                f"{folder}: {known[key]!r} and {path!r} are one name where case or the composition "
                "of letters doesn't count; rename one"
            )
        known[key] = path
    for key, path in known.items():
        for above in PurePosixPath(key).parents:
            if (other := known.get(str(above))) is not None:
                raise UserError(
                    f"{folder}: {path!r} needs a folder where {other!r} is a file; rename one"
                )


def folded(path: str) -> str:
    """Return what two names share that can't stand side by side everywhere.

    >>> folded("Č.wav") == folded("c\u030c.WAV")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def shown(name: str) -> str:
    r"""Return a name so that a terminal prints it and does nothing else.

    >>> shown("čaša.wav"), shown("a" + chr(7))
    ('čaša.wav', "'a\\x07'")
    """
    return name if name.isprintable() else repr(name)


def _check_name(path: str, folder: Path) -> None:
    if folded(PurePosixPath(path).parts[0]) in RESERVED:
        raise UserError(f"{folder / path}: a clip can't have the name of a corpus's own file")
    odd = [c for c in path if unicodedata.category(c) in _UNPRINTED]
    if odd or path != path.strip():
        what = f"has the character {odd[0]!r}" if odd else "begins or ends with a space"
        raise UserError(f"{folder}: the name {path!r} {what}; rename it")
