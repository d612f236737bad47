"""Find packages in a folder, and sort them into those that may be served and those refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.core.params import PARAMS
from fonoteka.git import dvc_top
from fonoteka.packaging import PACKAGE
from fonoteka.pipeline.diff.compare_metric import shortened
from fonoteka.service.registry.build_check import LOCK
from fonoteka.service.registry.gate_check import GatedNumber, ModelGates
from fonoteka.service.registry.names import package_name, shown
from fonoteka.service.registry.package import FILES, ModelPackage, Stamp, read_package, stamp_of
from fonoteka.service.registry.released import PackageRelease, ReleaseIndex

_LONGEST_REASON = 500

GateCheck = Callable[[ModelPackage], Mapping[str, GatedNumber] | None]
"""Returns the numbers of a package, None if they do not matter, or raises UserError."""


@dataclass(frozen=True)
class CheckedModel:
    """A package that may be served.

    Attributes:
        package: with its version.
        numbers: that its gates compared, by metric; None if gates are not required.
        releases: of this package, the greatest version first.
    """

    package: ModelPackage
    numbers: Mapping[str, GatedNumber] | None
    releases: tuple[PackageRelease, ...] = ()


@dataclass
class CatalogueScan:
    """The result of reading the folder once.

    Attributes:
        accepted: what may be served, by name.
        refused: why packages may not be, by name. Paths are relative to the folder or project.
    """

    accepted: dict[str, CheckedModel] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Catalogue:
    """The packages of a folder, up to two levels below it.

    A package is not hashed again while its files have the size, times and inode that they had.
    """

    def __init__(self, models: Path, *, require_gates: bool) -> None:
        self._models, self._require_gates = models.resolve(), require_gates
        self._root = dvc_top(models)
        self._packages: dict[Path, tuple[Stamp, ModelPackage]] = {}

    def scan(self) -> CatalogueScan:
        """Check every package; takes seconds if hundreds of MiB are hashed.

        Raises:
            OSError: the folder itself cannot be read.
        """
        scan, check = CatalogueScan(), self._gate_check()
        folders, index = sorted(self._folders()), ReleaseIndex(self._root)
        self._packages = {f: self._packages[f] for f in folders if f in self._packages}
        for folder in folders:
            path = folder.relative_to(self._models).as_posix()
            name = package_name(path)
            if name is None:
                scan.refused[shown(path)] = "the name of its folder is not plain ASCII; rename it"
            elif name in scan.accepted or name in scan.refused:
                scan.refused[path] = f"another package is named {name}; rename the folder"
            else:
                try:
                    checked = self._checked(folder, path, name, check)
                    releases = tuple(index.of_package(checked.package.version.version))
                    scan.accepted[name] = replace(checked, releases=releases)
                except (UserError, OSError) as error:
                    scan.refused[name] = self.without_paths(str(error))
        return scan

    def signature(self) -> dict[str, Stamp]:
        """Return stamps of all that a scan reads, but for reports: the lock file has their hashes.

        Raises:
            OSError: the folder itself cannot be read.
        """
        stamps = {folder.as_posix(): _stamp(folder) for folder in self._folders()}
        if self._root is not None:
            files = (s for s in _stamp(self._root) if s[0] in (LOCK, PARAMS.name))
            stamps[self._root.as_posix()] = tuple(files)
        return stamps

    def _folders(self) -> Iterator[Path]:
        """Yield the folders that are packages, or would be if their package.json were there."""
        for folder in _subfolders(self._models):
            try:
                packages = [folder] if _is_package(folder) else _subfolders(folder)
            except OSError:
                packages = [folder]  # refused with this error when it is read
            yield from filter(_may_be_package, packages)

    def _gate_check(self) -> GateCheck:
        """Return what compares a package with its gates, as params.yaml and dvc.lock are now."""
        if not self._require_gates:
            return lambda _: None
        try:
            return ModelGates(self._models).check
        except (UserError, OSError) as error:
            reason = str(error)

        def refuse(_: ModelPackage) -> None:
            raise UserError(reason)

        return refuse

    def _checked(self, folder: Path, path: str, name: str, check: GateCheck) -> CheckedModel:
        if not folder.resolve().is_relative_to(self._models):
            raise UserError(f"{folder}: links to a folder outside that of the models; copy it")
        stamp = stamp_of(folder)
        cached = self._packages.get(folder)
        if cached is None or cached[0] != stamp:
            cached = self._packages[folder] = stamp, read_package(folder, path, name)
        checked = CheckedModel(cached[1], check(cached[1]))
        if stamp_of(folder) != stamp:
            raise UserError(f"{folder}: changed while it was read; refresh again")
        return checked

    def without_paths(self, reason: str) -> str:
        """Return a reason without the folders of this machine, and short enough for an answer."""
        text = reason.replace(f"{self._models}/", "")
        if self._root is not None:
            text = text.replace(f"{self._root}/", "")
        return shortened(text.encode("utf-8", "backslashreplace").decode(), _LONGEST_REASON)


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.is_dir())


def _is_package(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (PACKAGE, *FILES))


def _may_be_package(folder: Path) -> bool:
    """Return whether a folder is a package, or cannot be read, so that it has to be refused."""
    try:
        return _is_package(folder)
    except OSError:
        return True


def _stamp(folder: Path) -> Stamp:
    try:
        return stamp_of(folder)
    except OSError as error:
        return ((str(error),),)
