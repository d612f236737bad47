"""Reasons against a release: a failed check, or one that cannot be decided."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.diff.gate import CODES, FAIL, PASS

Value = TypeVar("Value")


@dataclass(frozen=True)
class Objection:
    """A reason.

    Attributes:
        text: one sentence.
        verdict: fail, or undecided if something is missing that the check needs.
    """

    text: str
    verdict: str = FAIL


@dataclass
class Objections:
    """All reasons of a command, so that a user sees them together."""

    listed: list[Objection] = field(default_factory=list)

    def add(self, text: str, verdict: str = FAIL) -> None:
        """Add a reason, unless it is listed."""
        if (objection := Objection(text, verdict)) not in self.listed:
            self.listed.append(objection)

    def attempt(self, check: Callable[[], Value], verdict: str = FAIL) -> Value | None:
        """Return the result of a check, or add its UserError and return None."""
        try:
            return check()
        except UserError as error:
            self.add(str(error), verdict)
            return None

    @contextmanager
    def collected(self, verdict: str = FAIL) -> Iterator[None]:
        """Add the UserError that ends the block, if one does."""
        try:
            yield
        except UserError as error:
            self.add(str(error), verdict)

    @property
    def code(self) -> int:
        """The exit code: 2 if a check cannot be decided, else 1 if one failed, else 0."""
        return max((CODES[each.verdict] for each in self.listed), default=CODES[PASS])

    def print(self, subject: str) -> None:
        """Print all reasons to stderr, one per line."""
        for verdict, predicate in ((FAIL, "is refused"), (UNDECIDED, "cannot be decided")):
            texts: Sequence[str] = [e.text for e in self.listed if e.verdict == verdict]
            if texts:
                lines = (f"  - {' '.join(text.split())}" for text in texts)
                print(f"{subject} {predicate}; nothing was written:", *lines,
                      sep="\n", file=sys.stderr)  # fmt: skip
