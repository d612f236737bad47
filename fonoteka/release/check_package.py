"""Verify a package that was fetched, anywhere: no repository is needed.

    python -m fonoteka check-package FOLDER [--sha256 HASH]

Reads   the folder
Writes  nothing; exits 0 if all files are those that were packaged, else 1
"""

from __future__ import annotations

import sys
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.files import sha256_file
from fonoteka.packaging import PACKAGE, check_package, recorded


def run(folder: Path, sha256: str) -> int:
    """Compare the files of a package with its package.json, and that with the hash of a release.

    Args:
        folder: of the package.
        sha256: of package.json, as the tag of a release states it; empty compares none.

    Raises:
        UserError: the folder does not exist.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; fetch the package with dvc artifacts get")
    if problems := check_package(folder):
        print(*(f"error: {problem}" for problem in problems), sep="\n", file=sys.stderr)
        return 1
    actual = sha256_file(folder / PACKAGE)
    if sha256 and actual != sha256.strip().lower():
        raise UserError(
            f"{folder / PACKAGE}: its SHA-256 is {actual}, but {sha256} was expected, so this is "
            "another package; fetch the version that the tag names"
        )
    print(f"{folder}: {len(recorded(folder))} files are those that were packaged")
    print(f"SHA-256 of {PACKAGE}: {actual}")
    return 0
