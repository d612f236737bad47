"""Leave a stage that failed with its last good result.

dvc removes the outputs of a stage before it runs it, so one misspelt parameter would cost the
splits or a model until it is put right. Cached outputs come back from the cache; those that are in
git alone are small, and are held in memory while their stage runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from fonoteka.core.files import atomic_file
from fonoteka.pipeline.dvc_api import one_sentence


def contents(paths: Iterable[Path]) -> dict[Path, bytes]:
    """Return the bytes of files and of all files in folders; what is missing is left out."""
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return {file: file.read_bytes() for file in files if file.is_file()}


def put_back(root: Path, names: Iterable[str], kept: Mapping[str, Mapping[Path, bytes]]) -> None:
    """Give stages the outputs that `dvc.lock` knows, and their `kept` files.

    A stage without an entry there never ended well, so there is nothing to give back. Neither is
    there where the cache was emptied: the next run makes it anew.
    """
    from dvc.repo import Repo

    with one_sentence(), Repo(str(root), _wait_for_lock=True) as repo:
        stages = {stage.addressing: stage for stage in repo.index.stages}
        known = [name for name in names if any(out.hash_info for out in stages[name].outs)]
        if known:
            repo.checkout(targets=known, force=True, allow_missing=True)
    for name in known:
        for path, data in kept.get(name, {}).items():
            with atomic_file(path) as part:
                part.write_bytes(data)
