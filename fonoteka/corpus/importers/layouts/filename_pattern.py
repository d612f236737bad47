"""Read fields from file names by a pattern such as `{speaker}/{session}_{}`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fonoteka.core.errors import UserError

FIELDS = ("speaker", "session", "language", "sex")


@dataclass(frozen=True)
class NamePattern:
    """A pattern of paths without their suffix."""

    written: str
    compiled: re.Pattern[str]

    @property
    def fields(self) -> set[str]:
        """The fields in the pattern: some of `FIELDS`."""
        return set(self.compiled.groupindex)

    def read(self, stem: str) -> dict[str, str] | None:
        """Return the fields of a path without its suffix, or None if it does not match."""
        match = self.compiled.fullmatch(stem)
        return match.groupdict() if match else None


def parse(written: str) -> NamePattern:
    """Return a pattern.

    `{speaker}`, `{session}`, `{language}` and `{sex}` stand for one or more characters other than
    `/`, as few as fit; `{}` for any characters. The rest stands for itself.

    Raises:
        ValueError: a field is unknown or occurs twice, two fields are adjacent, or there is none.

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
            problem = "occurs twice" if name in seen else f"is not one of {list(FIELDS)}"
            raise UserError(f"--pattern {written!r}: {{{name}}} {problem}")
        else:
            seen.append(name)
            expression += f"(?P<{name}>[^/]+?)"
    if not seen:
        raise UserError(
            f"--pattern {written!r}: no field; expected one of {list(FIELDS)} in braces"
        )
    if "}{" in written:
        raise UserError(f"--pattern {written!r}: two adjacent fields; write the text between them")
    return NamePattern(written, re.compile(expression, re.DOTALL))
