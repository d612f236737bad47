"""Hash cached data again and remove what is damaged, because dvc trusts its recorded hashes.

    python -m fonoteka fsck                all that dvc.lock and the .dvc files name
    python -m fonoteka fsck preprocess     the outputs of one stage

Reads   the cache, the workspace, dvc.lock
Writes  nothing if no file is damaged; else it removes each damaged file, names it, and exits 1

dvc never hashes an object of the cache again, because the object is write-protected. If a bit flips
on the disk, the damaged object is checked out as the result, and everything counts as up to date.
A damaged file that is removed is missing: the next build writes it again, or `python -m fonoteka
pull` fetches it. If the workspace has an intact copy, that copy is restored to the cache.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file
from fonoteka.git import entered
from fonoteka.pipeline.dvc_api import locked_repo

CACHE_MODE = 0o444  # what dvc gives an object that it need not hash again


@dataclass(frozen=True)
class CachedFile:
    """A file whose hash dvc has recorded.

    Attributes:
        oid: dvc's name of the object: its MD5, with the suffix `.dir` for the list of a folder.
        cache_path: its path in the cache.
        workspace_path: its path in the workspace; None for the list of a folder's files.
        folder: the object that lists the file, if it is in a folder.
    """

    oid: str
    cache_path: Path
    workspace_path: Path | None
    folder: str | None = None

    @property
    def md5(self) -> str:
        """The MD5 of the file's bytes."""
        return self.oid.removesuffix(".dir")


def run(stages: Sequence[str] = ()) -> None:
    """Hash the files of all stages, or of those named, and print how many are intact.

    Raises:
        UserError: a file was damaged, or there is no such stage.
    """
    # dvc names a stage by its file relative to the current folder: from the top it is short.
    with entered() as root, locked_repo(root) as repo:
        names = {stage.addressing for stage in repo.index.stages}
        if unknown := set(stages) - names:
            raise UserError(f"no stage is named {sorted(unknown)[0]!r}; see dvc stage list")
        files = list(dict.fromkeys(cached_files(repo, stages or None)))
        if damage := repair(files):
            raise UserError(f"{len(damage)} of {len(files)} files were damaged: {advice(damage)}")
    print(f"{len(files)} files are intact, in the cache and in the workspace, if they are there")


def require(root: Path, name: str) -> None:
    """Check the files that a stage restored from the cache, and remove the damaged ones.

    Raises:
        UserError: a file was damaged.
    """
    with locked_repo(root) as repo:
        if damage := repair(list(cached_files(repo, [name]))):
            raise UserError(f"the cache of stage {name!r} was damaged: {advice(damage)}")


def advice(damage: Sequence[str]) -> str:
    """Return the damaged files and what to do, as the end of a sentence."""
    return (
        f"{'; '.join(damage)}; run make repro to write missing files again, or python -m fonoteka "
        "pull to fetch them"
    )


def cached_files(repo: Any, names: Collection[str] | None = None) -> Iterator[CachedFile]:
    """Yield the files of all stages of a repository, or of those named."""
    for stage in repo.index.stages:
        if names is None or stage.addressing in names:
            for out in stage.outs:
                if out.use_cache and out.hash_info and out.hash_name == "md5":
                    yield from _files(out)


def _files(out: Any) -> Iterator[CachedFile]:
    """Yield the file of an output, or the list of a folder's files and the files."""
    md5, path = out.hash_info.value, Path(out.fs_path)
    listed = CachedFile(md5, _cached(out, md5), None if out.is_dir_checksum else path)
    yield listed
    if out.is_dir_checksum and digest(listed.cache_path) == listed.md5:
        for entry in json.loads(listed.cache_path.read_text(encoding="utf-8")):
            oid = entry["md5"]
            yield CachedFile(oid, _cached(out, oid), path / entry["relpath"], md5)


def _cached(out: Any, md5: str) -> Path:
    return Path(out.cache.oid_to_path(md5))


def digest(path: Path) -> str | None:
    """Return the MD5 of a file, which is dvc's name of it, or None if it does not exist."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return None


def repair(files: Iterable[CachedFile]) -> list[str]:
    """Remove damaged objects from the cache, and their copies from the workspace.

    If the workspace has an intact copy, the object is restored from it. A workspace file that was
    changed on purpose differs from the damaged object too, and stays: dvc notices that change.

    Returns:
        One phrase per damaged object: its name and what was done.
    """
    users = defaultdict(list)
    for file in files:
        users[file.cache_path, file.md5].append(file.workspace_path)
    damage = []
    for (cached, md5), paths in users.items():
        actual = digest(cached)
        if actual in (None, md5):
            continue
        copies = {path: digest(path) for path in paths if path}
        cached.unlink()
        for path in (path for path, copied in copies.items() if copied == actual):
            path.unlink()
        name = " and ".join(sorted({path.name for path in copies})) or "the list of a folder"
        if intact := next((path for path, copied in copies.items() if copied == md5), None):
            with atomic_file(cached) as part:
                shutil.copyfile(intact, part)
                part.chmod(CACHE_MODE)
            damage.append(f"{name} (md5 {md5}) in the cache, restored from the workspace")
        else:
            damage.append(f"{name} (md5 {md5}), removed")
    return damage
