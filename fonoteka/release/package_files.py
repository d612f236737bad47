"""Find the files of a model by the `dvc.lock` of a commit, and verify them in the cache.

A consumer gets the files that dvc.lock names, from the cache's copy in a remote, and not those of
the workspace. So each object of the cache is hashed here, and its package.json is compared with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.pipeline.diff.compare_metric import UNDECIDED
from fonoteka.pipeline.dvc_api import declared_artifacts, missing_objects, open_repo
from fonoteka.pipeline.fsck import CachedFile, cached_files, digest
from fonoteka.pipeline.remote.transfer import chosen_remote, transfer_errors
from fonoteka.release.objection import Objection

MODEL = "model"


@dataclass(frozen=True)
class LockedPackage:
    """The package of a model by dvc.lock.

    Attributes:
        name: of the model.
        path: of its folder in the project.
        files: of the cache: those in the folder, and the lists of folders.
    """

    name: str
    path: str
    files: tuple[CachedFile, ...]

    @property
    def oids(self) -> list[str]:
        """The objects that a consumer fetches."""
        return sorted({file.oid for file in self.files})

    def objections(self) -> list[Objection]:
        """Return one objection per damaged object, and one on those that the cache lacks."""
        digests = {file: digest(file.cache_path) for file in self.files}
        damaged = [file for file, actual in digests.items() if actual not in (None, file.md5)]
        missing = [file for file, actual in digests.items() if actual is None]
        objections = [
            Objection(
                f"{self._path_of(file)}: damaged in the cache: dvc.lock records MD5 "
                f"{file.md5[:12]} and it has {str(digests[file])[:12]}; run fonoteka fsck, then "
                "fonoteka pull or make repro"
            )
            for file in damaged
        ]
        if missing:
            text = (
                f"{self._path_of(missing[0])}: dvc.lock records MD5 {missing[0].md5[:12]}, which "
                f"is not in the cache, and {len(missing)} of {len(self.files)} files are missing "
                f"there; run fonoteka pull {self.path}, or make repro"
            )
            objections.append(Objection(text, UNDECIDED))
        return objections

    def _path_of(self, file: CachedFile) -> str:
        return f"{self.path}/{file.workspace_path.name}" if file.workspace_path else self.path


def locked_package(name: str) -> LockedPackage:
    """Return the package of a model, in the clone of a commit that is the current folder.

    Raises:
        UserError: dvc.yaml declares no such model, or dvc.lock has none of its files.
    """
    with open_repo(Path.cwd()) as repo:
        path = _declared_path(repo, name)
        folder = Path(repo.root_dir) / path
        stages = {out.stage.addressing for out in repo.index.outs if _touch(out.fs_path, folder)}
        files = [*dict.fromkeys(cached_files(repo, stages))]
    inside = [f for f in files if f.workspace_path and folder in f.workspace_path.parents]
    lists = [f for f in files if f.workspace_path is None]
    if not inside and not lists:
        raise UserError(
            f"{path}: dvc.lock has no file of it, so there is nothing to release; run make repro "
            "and commit dvc.lock"
        )
    return LockedPackage(name, path, (*inside, *lists))


def _declared_path(repo: Any, name: str) -> str:
    artifacts = declared_artifacts(repo)
    models = sorted(n for n, artifact in artifacts.items() if artifact.type == MODEL)
    if name not in artifacts:
        raise UserError(
            f"dvc.yaml declares no artifact {name!r}; use one of {', '.join(models) or '(none)'}, "
            "or add it to artifacts"
        )
    if name not in models:
        raise UserError(
            f"dvc.yaml: artifact {name} has type {artifacts[name].type!r}; only those with type: "
            "model are released"
        )
    return str(artifacts[name].path)


def _touch(path: str, folder: Path) -> bool:
    """Return whether an output is a folder, in it, or contains it."""
    return Path(path).is_relative_to(folder) or folder.is_relative_to(path)


def push_objection(package: LockedPackage) -> str:
    """Return why consumers cannot fetch a package, in one sentence; empty if they can.

    Must be called in the project, whose settings may have the secrets of the remote.
    """
    try:
        with open_repo() as repo:
            remote, url = chosen_remote(repo, "pull")
            with transfer_errors("look into", remote, url, after="check it with dvc status -c"):
                missing = missing_objects(repo, remote, package.oids)
    except UserError as error:
        return f"consumers may not be able to fetch {package.path}: {error}"
    if missing:
        return (
            f"consumers cannot fetch {package.path}: {len(missing)} of its {len(package.oids)} "
            f"objects are not in {remote} ({url}); run fonoteka push {package.path}"
        )
    return ""
