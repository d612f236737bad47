"""Say whether a model's files are the ones that were packaged, before anything trusts them.

A package is a folder whose package.json records the size and the SHA-256 of every other file in it.
A damaged ONNX file can still load and still answer; only its hash tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file

PACKAGE, CARD = "package.json", "README.md"
AGAIN = "run dvc checkout, or dvc pull it again"


def record(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return `{name: {"bytes", "sha256"}}` of files, as a package records them.

    Raises:
        ValueError: a file is missing or empty.
    """
    found = {}
    for name in sorted(names):
        path = folder / name
        if not path.is_file() or not path.stat().st_size:
            state = "empty" if path.is_file() else "missing"
            raise UserError(f"{path}: {state}, so it can't be recorded; run dvc repro")
        found[name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    return found


def recorded(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return what the package.json of a folder records of its files.

    Raises:
        ValueError: package.json is missing, is not JSON, or records no files.
    """
    path = folder / PACKAGE
    if not path.is_file():
        raise UserError(
            f"{path}: missing, so no file beside it can be trusted; run dvc repro or dvc pull"
        )
    package = read_json(path)
    files = package.get("files") if isinstance(package, dict) else None
    if not isinstance(files, dict) or not files or not all(map(_sound, files, files.values())):
        raise UserError(f"{path}: records no size and SHA-256 of files; {AGAIN}")
    return files


def _sound(name: str, about: Any) -> bool:
    """Return whether an entry is a plain file name with a size and a hash."""
    return (
        name == Path(name).name
        and isinstance(about, dict)
        and type(about.get("bytes")) is int
        and about["bytes"] > 0
        and re.fullmatch("[0-9a-f]{64}", str(about.get("sha256"))) is not None
    )


def verified(folder: Path, name: str) -> Path:
    """Return the path of a packaged file whose bytes are those that were packaged.

    Raises:
        ValueError: the file is missing, empty or changed, or the package doesn't record it.
    """
    if found := _problem(folder, name, recorded(folder)):
        raise UserError(found)
    return folder / name


def check_package(folder: Path) -> list[str]:
    """Return what is wrong with a package, a sentence a file; an empty list is a sound package.

    A file that isn't recorded is a problem too: nobody has said what it is. Names that start with a
    dot belong to tools and don't count.
    """
    try:
        files = recorded(folder)
    except ValueError as error:
        return [str(error)]
    there = {p.name for p in folder.iterdir() if not p.name.startswith(".")} - {PACKAGE}
    names = sorted(files.keys() | there)
    return [found for name in names if (found := _problem(folder, name, files))]


def _problem(folder: Path, name: str, files: Mapping[str, Mapping[str, Any]]) -> str:
    path = folder / name
    if name not in files:
        return f"{path}: not recorded in {folder / PACKAGE}, which knows {sorted(files)}; {AGAIN}"
    wanted = files[name]["sha256"][:12]
    if not path.is_file():
        return f"{path}: missing, but {PACKAGE} records it with SHA-256 {wanted}; {AGAIN}"
    if not path.stat().st_size:
        return f"{path}: empty, but {PACKAGE} records it with SHA-256 {wanted}; {AGAIN}"
    if (found := sha256_file(path)) != files[name]["sha256"]:
        return f"{path}: its SHA-256 is {found[:12]}, but {PACKAGE} records {wanted}; {AGAIN}"
    return ""
