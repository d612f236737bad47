"""Verify that a model's files are the ones that were packaged, before they are used.

A package is a folder whose package.json records the size and the SHA-256 of every other file in it.
A damaged ONNX file may still load and return results; only its hash shows the damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file

PACKAGE, CARD = "package.json", "README.md"

MODEL, STEP = "model.onnx", "step.onnx"
"""A recogniser from samples to posteriors: of a whole clip, and of one step of a stream."""

CONFIDENCE, NGRAM = "confidence.json", "phones.arpa"
"""The calibration of a phone's confidence, and the phone n-gram of a beam over streams."""

REFETCH = "run dvc checkout, or dvc pull it again"


def record(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return `{name: {"bytes", "sha256"}}` of files, the format of package.json.

    Raises:
        ValueError: a file is missing or empty.
    """
    entries = {}
    for name in sorted(names):
        path = folder / name
        if not path.is_file() or not path.stat().st_size:
            state = "empty" if path.is_file() else "missing"
            raise UserError(f"{path}: {state}, so it cannot be recorded; run dvc repro")
        entries[name] = {"bytes": path.stat().st_size, "sha256": sha256_file(path)}
    return entries


def recorded(folder: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the entries of package.json by file name.

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
    if not isinstance(files, dict) or not files or not all(map(_is_valid, files, files.values())):
        raise UserError(f"{path}: records no size and SHA-256 of files; {REFETCH}")
    return files


def _is_valid(name: str, entry: Any) -> bool:
    """Return whether an entry of package.json is a plain file name with a size and a hash."""
    return (
        name == Path(name).name
        and isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and entry["bytes"] > 0
        and re.fullmatch("[0-9a-f]{64}", str(entry.get("sha256"))) is not None
    )


def verified(folder: Path, name: str) -> Path:
    """Return the path of a packaged file after verifying its hash.

    Raises:
        ValueError: the file is missing, empty, changed, or not recorded in the package.
    """
    if problem := _problem(folder, name, recorded(folder)):
        raise UserError(problem)
    return folder / name


def check_package(folder: Path) -> list[str]:
    """Return the problems of a package, one message per file; empty for a valid package.

    A file that is not recorded is a problem too. Names that start with a dot belong to tools and do
    not count.
    """
    try:
        files = recorded(folder)
    except ValueError as error:
        return [str(error)]
    present = {p.name for p in folder.iterdir() if not p.name.startswith(".")} - {PACKAGE}
    names = sorted(files.keys() | present)
    return [problem for name in names if (problem := _problem(folder, name, files))]


def _problem(folder: Path, name: str, files: Mapping[str, Mapping[str, Any]]) -> str:
    path = folder / name
    if name not in files:
        package = folder / PACKAGE
        return f"{path}: not recorded in {package}, which records {sorted(files)}; {REFETCH}"
    expected = files[name]["sha256"][:12]
    if not path.is_file():
        return f"{path}: missing, but {PACKAGE} records it with SHA-256 {expected}; {REFETCH}"
    if not path.stat().st_size:
        return f"{path}: empty, but {PACKAGE} records it with SHA-256 {expected}; {REFETCH}"
    if (digest := sha256_file(path)) != files[name]["sha256"]:
        return f"{path}: its SHA-256 is {digest[:12]}, but {PACKAGE} records {expected}; {REFETCH}"
    return ""
