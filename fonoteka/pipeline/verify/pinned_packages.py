"""Compare the installed packages with the pinned ones."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement

from fonoteka.core.errors import UserError


def wrong_versions(lines: Iterable[str]) -> list[str]:
    """Return one clause per package that is not installed in its pinned version.

    Args:
        lines: of requirements.lock. Lines with a marker for other systems are skipped.

    >>> wrong_versions(["# a comment", "", "numpy==1", "no==1; sys_platform == 'plan9'"])[0][:9]
    'numpy is '
    """
    problems = []
    for line in filter(None, (line.partition("#")[0].strip() for line in lines)):
        pinned = Requirement(line)
        if pinned.marker and not pinned.marker.evaluate():
            continue
        try:
            installed = version(pinned.name)
        except PackageNotFoundError:
            problems.append(f"{pinned.name} is not installed")
            continue
        # The part after a plus names a build of the same version, such as torch's for CPUs.
        if not pinned.specifier.contains(installed.partition("+")[0], prereleases=True):
            problems.append(f"{pinned.name} is {installed}, pinned is {pinned.specifier}")
    return problems


def unpinned(lock: Path) -> list[str]:
    """Return one clause per package that is not installed as a lock file of packages pins it.

    Raises:
        UserError: the file is missing.
    """
    if not lock.is_file():
        raise UserError(f"{lock.name}: no such file, so the versions for a rebuild are unknown")
    return wrong_versions(lock.read_text(encoding="utf-8").splitlines())
