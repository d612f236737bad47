"""The packaged models of a project, by the name under which they are exported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json
from fonoteka.packaging import PACKAGE, check_package

WHISPER, STREAM, REALTIME = "whisper", "stream", "realtime"
"""Kinds in package.json; all other kinds are recognisers of phones of whole clips."""

_WHISPER_FOLDER = "whisper_package"


@dataclass(frozen=True)
class VerifiedPackage:
    """A package whose files were compared with their hashes.

    Attributes:
        name: under which it is exported.
        folder: of the package.
        package: the contents of package.json.
    """

    name: str
    folder: Path
    package: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """`whisper`, `stream`, `realtime`, or the kind of a phone recogniser."""
        return str(self.package["kind"])


def package_folders(models: Path) -> dict[str, Path]:
    """Return the folders of all packages by name; a Whisper is named `whisper_<run>`.

    Args:
        models: data/models.
    """
    folders = {path.parent.name: path.parent for path in models.glob(f"*/{PACKAGE}")}
    for path in models.glob(f"{_WHISPER_FOLDER}/*/{PACKAGE}"):
        folders[f"{WHISPER}_{path.parent.name}"] = path.parent
    return dict(sorted(folders.items()))


def open_packages(models: Path, names: Sequence[str]) -> list[VerifiedPackage]:
    """Return verified packages, or all of them if no name is given.

    Raises:
        UserError: a name is unknown, has no package, or its package fails a check; then none of
            them is returned.
    """
    folders = package_folders(models)
    if not folders:
        raise UserError(f"{models}: no packaged model; run dvc pull or make repro first")
    for name in names:
        if name not in folders:
            state = "has no package.json" if (models / name).is_dir() else "not a model"
            raise UserError(f"{name!r}: {state}; expected {', '.join(folders)}")
    return [_opened(name, folders[name]) for name in dict.fromkeys(names or folders)]


def _opened(name: str, folder: Path) -> VerifiedPackage:
    if problems := check_package(folder):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{name} is not exported: {problems[0]}{more}")
    return VerifiedPackage(name, folder, read_json(folder / PACKAGE))
