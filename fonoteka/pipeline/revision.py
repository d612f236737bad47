"""Read reports as they are, and as they were at another revision, through git."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.git import git, is_checkout


@dataclass(frozen=True)
class Revision:
    """A revision to compare with.

    Attributes:
        name: as given on the command line.
        commit: its full hash; empty if there is no git checkout.
        description: its name and short hash for a person, or the reason that there is none.
    """

    name: str
    commit: str
    description: str

    def report(self, file: str) -> Any:
        """Return the JSON of a report at this revision, or None if there was none.

        Raises:
            ValueError: it was not JSON, or git fails.
        """
        text = self.text(file)
        try:
            return None if text is None else json.loads(text)
        except ValueError as error:
            raise UserError(f"{file} is not valid JSON: {error}") from error

    def text(self, file: str) -> str | None:
        """Return the text of a file at this revision, or None if there was none."""
        if not git("ls-tree", "--name-only", self.commit, "--", file).strip():
            return None
        return git("show", f"{self.commit}:./{file}")

    def missing_here(self) -> int:
        """Return the number of commits of this revision that the checkout does not have."""
        return int(git("rev-list", "--count", f"HEAD..{self.commit}"))


def current_report(file: str) -> Any:
    """Return the JSON of a report in the working tree, or None if it does not exist.

    Raises:
        ValueError: it is not JSON.
    """
    return read_json(Path(file)) if Path(file).is_file() else None


def usual_base() -> str:
    """Return the default base of a branch: main, or on main itself the commit before.

    A clone of one branch has only the remote's `main`. A detached checkout counts as main if its
    commit is that of main.
    """
    try:
        branch = git("rev-parse", "--abbrev-ref", "HEAD").strip()
        head = git("rev-parse", "HEAD").strip()
    except (FileNotFoundError, ValueError):
        return "HEAD"  # no git, or no commit yet: revision_of raises the error
    for name in ("main", "origin/main"):
        with suppress(ValueError):
            commit = git("rev-parse", "--verify", f"{name}^{{commit}}").strip()
            on_main = branch == "main" or (branch == "HEAD" and commit == head)
            return "HEAD~1" if on_main else name
    return "HEAD~1"


def revision_of(name: str) -> Revision:
    """Return a revision of the current checkout.

    Outside a checkout, as in an unpacked archive, there is no base, which the description says.

    Raises:
        ValueError: the checkout has no such revision, or git refuses to look.
    """
    try:
        if not is_checkout():
            return Revision(name, "", "none, because this is not a git checkout: only limits count")
    except FileNotFoundError:
        return Revision(name, "", "none, because git is not installed: only limits count")
    if name.startswith("-"):
        raise UserError(f"--base {name!r}: expected a revision, found an option")
    try:
        commit = git("rev-parse", "--verify", f"{name}^{{commit}}").strip()
    except ValueError as error:
        raise UserError(f"--base {name!r}: no such revision here; name one, or fetch it") from error
    return Revision(name, commit, f"{name} ({commit[:7]})")
