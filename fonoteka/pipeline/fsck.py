"""Hash data again, since dvc trusts what it once hashed, and take away what is damaged.

    python -m fonoteka fsck                all that dvc.lock and the .dvc files name
    python -m fonoteka fsck preprocess     what one stage wrote

Reads   the cache, the workspace, dvc.lock
Writes  nothing where all is whole; else it removes each damaged file and names it, and exits 1

An object of the cache is never hashed again: it is write-protected, and dvc takes that as proof. A
byte that flips on the disk is then checked out as if it were the result, and everything is called
up to date. A damaged file that is removed is a missing one, which the next build makes anew and
`python -m fonoteka pull` fetches; one that is whole in the workspace goes back to the cache.
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
from fonoteka.pipeline.dvc_api import one_sentence

CACHE_MODE = 0o444  # what dvc gives an object that it need not hash again


@dataclass(frozen=True)
class Kept:
    """A file of which dvc knows the hash.

    Attributes:
        oid: dvc's name for the object: its MD5, with `.dir` behind it for the list of a folder.
        cached: where the cache keeps it.
        used: where the workspace has it; None for the list of a folder's files.
        folder: the object that lists it, where it lies in a folder.
    """

    oid: str
    cached: Path
    used: Path | None
    folder: str | None = None

    @property
    def md5(self) -> str:
        """The MD5 of its bytes."""
        return self.oid.removesuffix(".dir")


def run(stages: Sequence[str] = ()) -> None:
    """Hash the files of all stages, or of those named, and print how many are whole.

    Raises:
        ValueError: something was damaged, or there is no such stage.
    """
    from dvc.repo import Repo, lock_repo

    # dvc names a stage by its file as seen from the current folder: from the top it is short.
    with entered(), one_sentence(), Repo(_wait_for_lock=True) as repo, lock_repo(repo):
        known = {found.addressing for found in repo.index.stages}
        if unknown := set(stages) - known:
            raise UserError(f"no stage is named {sorted(unknown)[0]!r}; see dvc stage list")
        files = list(dict.fromkeys(kept(repo, stages or None)))
        if found := repair(files):
            raise UserError(f"{len(found)} of {len(files)} files were damaged: {told(found)}")
    print(f"{len(files)} files are whole, in the cache and in the workspace, where they are there")


def require(root: Path, name: str) -> None:
    """Refuse what a stage got from the cache where it is damaged, and take it away.

    Raises:
        ValueError: it is.
    """
    from dvc.repo import Repo, lock_repo

    with one_sentence(), Repo(str(root), _wait_for_lock=True) as repo, lock_repo(repo):
        if found := repair(list(kept(repo, [name]))):
            raise UserError(f"stage {name!r} came damaged from the cache: {told(found)}")


def told(found: Sequence[str]) -> str:
    """Return what was damaged as the end of a sentence."""
    return (
        f"{'; '.join(found)}; make repro makes anew what is missing, or python -m fonoteka pull "
        "fetches it"
    )


def kept(repo: Any, names: Collection[str] | None = None) -> Iterator[Kept]:
    """Yield the files of all stages of a repository, or of those named."""
    for found in repo.index.stages:
        if names is None or found.addressing in names:
            for out in found.outs:
                if out.use_cache and out.hash_info and out.hash_name == "md5":
                    yield from _files(out)


def _files(out: Any) -> Iterator[Kept]:
    """Yield the file of an output, or the list of a folder's files and the files."""
    md5, path = out.hash_info.value, Path(out.fs_path)
    listed = Kept(md5, _cached(out, md5), None if out.is_dir_checksum else path)
    yield listed
    if out.is_dir_checksum and digest(listed.cached) == listed.md5:
        for entry in json.loads(listed.cached.read_text(encoding="utf-8")):
            oid = entry["md5"]
            yield Kept(oid, _cached(out, oid), path / entry["relpath"], md5)


def _cached(out: Any, md5: str) -> Path:
    return Path(out.cache.oid_to_path(md5))


def digest(path: Path) -> str | None:
    """Return the MD5 of a file, which is dvc's name for it, or None where it isn't there."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except FileNotFoundError:
        return None


def repair(files: Iterable[Kept]) -> list[str]:
    """Take damaged objects out of the cache, and out of the workspace what came from them.

    An object of which the workspace has a whole copy is put back. A file of the workspace that was
    changed on purpose differs from the damaged object too, and stays: dvc sees such a change.

    Returns:
        What was damaged and what was done, a phrase for each object.
    """
    users = defaultdict(list)
    for file in files:
        users[file.cached, file.md5].append(file.used)
    found = []
    for (cached, md5), paths in users.items():
        bad = digest(cached)
        if bad in (None, md5):
            continue
        used = {path: digest(path) for path in paths if path}
        cached.unlink()
        for path in (path for path, its in used.items() if its == bad):
            path.unlink()
        name = " and ".join(sorted({path.name for path in used})) or "the list of a folder"
        if whole := next((path for path, its in used.items() if its == md5), None):
            with atomic_file(cached) as part:
                shutil.copyfile(whole, part)
                part.chmod(CACHE_MODE)
            found.append(f"{name} (md5 {md5}) in the cache, put back from the workspace")
        else:
            found.append(f"{name} (md5 {md5}), removed")
    return found
