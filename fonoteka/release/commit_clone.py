"""A temporary clone of a commit that shares the project's cache, so that a commit can be checked.

The working tree may differ from the commit, so nothing of it is read. Nothing is written to the
project: dvc puts its state of the clone into a temporary folder.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from fonoteka.git import git, git_top, prefix
from fonoteka.pipeline.dvc_api import open_repo
from fonoteka.pipeline.fsck import CachedFile

SITE = "DVC_SITE_CACHE_DIR"


@contextmanager
def entered_clone(commit: str) -> Iterator[Path]:
    """Run the block at the top of the project in a clone of a commit, and remove the clone.

    Must be called at the top of the project.

    Raises:
        UserError: git cannot clone, or this is not a dvc repository.
    """
    with open_repo() as repo:
        cache = Path(repo.cache.local.path).parents[1]
    with TemporaryDirectory(prefix="release-") as top:
        parent = Path(top).resolve()
        folder = parent / "clone"
        # Shared, because it is read only: git copies no object, and has unreachable commits too.
        git("clone", "--quiet", "--shared", "--no-checkout", str(git_top()), str(folder))
        git("checkout", "--quiet", "--detach", commit, root=folder)
        project = folder / prefix()
        # Relative to .dvc and therefore in ASCII: dvc writes its settings in no other encoding.
        (parent / "cache").symlink_to(cache, target_is_directory=True)
        settings = project / ".dvc"
        settings.mkdir(parents=True, exist_ok=True)
        relative = Path(os.path.relpath(parent / "cache", settings)).as_posix()
        (settings / "config.local").write_text(f"[cache]\n    dir = {relative}\n")
        with _own_state(parent / "site"), chdir(project):
            yield project


@contextmanager
def _own_state(folder: Path) -> Iterator[None]:
    before = os.environ.get(SITE)
    os.environ[SITE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[SITE]
        else:
            os.environ[SITE] = before


def link(files: Iterable[CachedFile]) -> None:
    """Put files of the cache into the workspace as symbolic links, if the cache has them."""
    for file in files:
        path = file.workspace_path
        if path and not path.exists() and file.cache_path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(file.cache_path)
