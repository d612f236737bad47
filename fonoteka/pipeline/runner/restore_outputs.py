"""Restore the last good outputs of a stage that failed.

dvc removes the outputs of a stage before it runs the stage, so one misspelt parameter would cost
the splits or a model until it is corrected. Cached outputs are restored from the cache. Outputs
that are only in git are small, and are held in memory while their stage runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fonoteka.core.files import atomic_file
from fonoteka.pipeline.dvc_api import open_repo


def contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Return the bytes of files and of all files in folders, without those that do not exist."""
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return {file: file.read_bytes() for file in files if file.is_file()}


def restore_outputs(
    root: Path, names: Iterable[str], uncached: Mapping[str, Mapping[Path, bytes]]
) -> None:
    """Restore the outputs of stages as in `dvc.lock`, and their `uncached` files.

    A stage without an entry in `dvc.lock` never succeeded, so it has no outputs to restore. If the
    cache was emptied, nothing is restored either, and the next run writes the outputs again.
    """
    with open_repo(root) as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        recorded = [name for name in names if any(out.hash_info for out in stages[name].outs)]
        if recorded:
            repo.checkout(targets=recorded, force=True, allow_missing=True)
    for name in recorded:
        for path, data in uncached.get(name, {}).items():
            with atomic_file(path) as part:
                part.write_bytes(data)
