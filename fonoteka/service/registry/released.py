"""Which released versions a package has, and their stages, by the tags of its project.

`python -m fonoteka releases` reads the tags in a process of its own: gto and what it imports take
0.5 CPU seconds, which a service without releases does not spend. A package belongs to a version if
the record of the tag has the SHA-256 of its package.json, so copied packages have it too.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.git import git, is_checkout

LOGGER = logging.getLogger(__name__)
CODE = Path(__file__).resolve().parents[3]
"""The folder that package fonoteka is in."""

TIMEOUT_S = 60.0  # 1 s for some hundred tags, on an idle machine


@dataclass(frozen=True)
class PackageRelease:
    """A released version of a package.

    Attributes:
        model: its name in dvc.yaml.
        version: such as `v1.1.0`.
        stages: that the version has now.
    """

    model: str
    version: str
    stages: tuple[str, ...]


class ReleaseIndex:
    """The releases of a project, by the hash of their package."""

    def __init__(self, root: Path | None) -> None:
        """Read the tags of a project; there are no releases without one, or if it fails.

        A package is served without its releases rather than not at all, and the reason is logged.
        """
        self._releases: list[tuple[str, PackageRelease]] = []
        try:
            if root is not None and _has_releases(root):
                self._releases = list(_read(root))
        except (UserError, OSError, ValueError, subprocess.SubprocessError) as error:
            LOGGER.warning("releases: not read: %s", " ".join(str(error).split()))

    def of_package(self, version: str) -> list[PackageRelease]:
        """Return the releases of a package, the greatest version first.

        Args:
            version: the first digits of the SHA-256 of its package.json.
        """
        return [release for digest, release in self._releases if digest.startswith(version)]


def _has_releases(root: Path) -> bool:
    """Return whether git has a tag in the form of a version; False without git."""
    try:
        return is_checkout(root) and bool(git("tag", "--list", "*@v*", root=root).strip())
    except FileNotFoundError:
        return False


def _read(root: Path) -> Iterable[tuple[str, PackageRelease]]:
    # The code of this process, and not that of the project, which may be another version.
    paths = [str(CODE), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "fonoteka", "releases", "--json"],
        cwd=root, capture_output=True, check=False, encoding="utf-8", timeout=TIMEOUT_S,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if done.returncode:
        raise UserError(done.stderr.strip() or f"exit code {done.returncode}")
    entries: list[dict[str, Any]] = json.loads(done.stdout)
    for entry in entries:
        if entry["record"] and entry["active"]:
            release = PackageRelease(entry["name"], entry["version"], tuple(entry["stages"]))
            yield entry["record"]["package"], release
