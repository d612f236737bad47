"""Learn from the name of a file who speaks: a pattern such as `{speaker}/{session}_{}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fonoteka.core.errors import UserError

FIELDS = ("speaker", "session", "language", "sex")


@dataclass(frozen=True)
class NamePattern:
    """A pattern of paths without their suffix, and what it reads from them."""

    written: str
    compiled: re.Pattern[str]

    @property
    def fields(self) -> set[str]:
        """What a path says: some of `FIELDS`."""
        return set(self.compiled.groupindex)

    def read(self, stem: str) -> dict[str, str] | None:
        """Return what a path without its suffix says, or None where it does not fit."""
        found = self.compiled.fullmatch(stem)
        return found.groupdict() if found else None


def parse(written: str) -> NamePattern:
    """Return a pattern.

    `{speaker}`, `{session}`, `{language}` and `{sex}` stand for one or more characters other than
    `/`, as few as fit; `{}` for any characters. The rest stands for itself.

    Raises:
        ValueError: a field is unknown or stands twice, two stand side by side, or there is none.

    >>> parse("{}_{speaker}_{}").read("recordings/7_theo_0")
    {'speaker': 'theo'}
    """
    expression, seen = "", []
    pieces = re.split(r"(\{[^{}]*\})", written)
    for piece in pieces:
        name = piece[1:-1]
        if piece == "{}":
            expression += ".*?"
        elif not piece.startswith("{") or not piece.endswith("}"):
            expression += re.escape(piece)
        elif name not in FIELDS or name in seen:
            what = "stands twice" if name in seen else f"is none of {list(FIELDS)}"
            raise UserError(f"--pattern {written!r}: {{{name}}} {what}")
        else:
            seen.append(name)
            expression += f"(?P<{name}>[^/]+?)"
    if not seen:
        raise UserError(f"--pattern {written!r}: has none of the fields {list(FIELDS)} in braces")
    if "}{" in written:
        raise UserError(f"--pattern {written!r}: write what stands between the two fields")
    return NamePattern(written, re.compile(expression, re.DOTALL))
