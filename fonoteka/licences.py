"""Whether a licence is one of a list of patterns in params.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase


def matches_licence(licence: str, patterns: Iterable[str]) -> bool:
    """Return whether a licence matches a pattern as a whole; the case of letters does not count.

    Args:
        licence: as a corpus or a clip states it.
        patterns: licences, with `*` for any text.

    >>> [matches_licence(text, ["CC0*"]) for text in ("cc0 1.0", "not CC0", "")]
    [True, False, False]
    """
    return any(fnmatchcase(licence.casefold(), pattern.casefold()) for pattern in patterns)
