"""Read a package, and refuse it unless its files are those that were packaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.packaging import CARD, PACKAGE, check_package
from fonoteka.service.interfaces import ModelKind, ModelVersion

FILES = {
    "decoder.onnx": ModelKind.WORDS, "model.onnx": ModelKind.PHONES, "step.onnx": ModelKind.STREAM,
}  # fmt: skip
"""The file by which each kind of model differs from the others."""

_PLUGINS = "frontend.json"
"""The file by which the bundle of small models for plugins differs from a model."""

_MOST_BYTES = 16 << 20  # of package.json; that of the ensemble has 0.02 MiB
_CARD_BYTES, _LONGEST_DESCRIPTION = 64 << 10, 600

Stamp = tuple[tuple[str | int, ...], ...]
"""Name, size, times, inode and device of each file; equal stamps mean unchanged files."""


@dataclass(frozen=True)
class ModelPackage:
    """A package whose files are those that were packaged.

    Attributes:
        version: that requests use.
        path: of the folder, relative to the folder of models.
        files: `{"bytes", "sha256"}` of each file by name.
        created: when package.json was written here, in seconds since 1970.
        languages: codes, if the package states them.
        labels: of the model, if the package states them.
        licence: of the weights; None if none is stated.
        description: the first paragraph of its README.
    """

    version: ModelVersion
    path: str
    files: Mapping[str, Mapping[str, str | int]]
    created: int
    languages: tuple[str, ...]
    labels: tuple[str, ...]
    licence: str | None
    description: str

    @cached_property
    def folder_md5(self) -> str:
        """The name by which dvc.lock has the folder: the MD5 of the list of its files' MD5s."""
        folder = self.version.folder
        entries = [
            {"md5": md5_file(folder / name), "relpath": name}
            for name in sorted({*self.files, PACKAGE})
        ]
        return f"{hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest()}.dir"


def md5_file(path: Path) -> str:
    """Return the MD5 of a file, by which dvc names it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def stamp_of(folder: Path) -> Stamp:
    """Return the stamp of the files of a folder; a file that cannot be examined has its name alone.

    The time of the last change of the inode is in it too, because a program can restore the other.
    """
    return tuple(
        _file_stamp(path) for path in sorted(folder.iterdir()) if not path.name.startswith(".")
    )


def _file_stamp(path: Path) -> tuple[str | int, ...]:
    try:
        s = path.stat()
    except OSError:
        return (path.name,)
    return path.name, s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev


def read_package(folder: Path, path: str, name: str) -> ModelPackage:
    """Return a package whose files all have the recorded hashes.

    Args:
        folder: of the package.
        path: the same, relative to the folder of models.
        name: of the model.

    Raises:
        UserError: package.json is odd, a file differs from it, or it is not a model.
        OSError: a file cannot be read.
    """
    data = _verified_manifest(folder)
    package: dict[str, Any] = json.loads(data)
    files = {
        file: {"bytes": entry["bytes"], "sha256": entry["sha256"]}
        for file, entry in sorted(package["files"].items())
    }
    licence = package.get("licence")
    weights = licence.get("weights") if isinstance(licence, dict) else None
    version = hashlib.sha256(data).hexdigest()[:12]
    return ModelPackage(
        version=ModelVersion(name, version, _kind(folder, files), folder),
        path=path,
        files=files,
        created=int((folder / PACKAGE).stat().st_mtime),
        languages=_texts(folder, "languages", package.get("languages", [])),
        labels=_texts(folder, "labels", package.get("labels", [])),
        licence=None if weights is None else _texts(folder, "licence.weights", [weights])[0],
        description=_description(folder / CARD),
    )


def _verified_manifest(folder: Path) -> bytes:
    """Return package.json after comparing all files of the package with it."""
    manifest = folder / PACKAGE
    if manifest.is_file() and (size := manifest.stat().st_size) > _MOST_BYTES:
        raise UserError(f"{manifest}: has {size} bytes; expected at most {_MOST_BYTES}")
    try:
        problems = check_package(folder)
    except RecursionError as error:  # JSON of many brackets
        raise UserError(f"{manifest}: nested too deeply; run dvc checkout") from error
    if problems:
        more = f"; and {len(problems) - 1} more" * (len(problems) > 1)
        raise UserError(problems[0] + more)
    return manifest.read_bytes()


def _kind(folder: Path, files: Mapping[str, object]) -> ModelKind:
    kinds = [kind for file, kind in FILES.items() if file in files]
    if len(kinds) == 1:
        return kinds[0]
    if _PLUGINS in files:
        raise UserError(
            f"{folder}: models for plugins, which the service does not run; use fonoteka realtime"
        )
    raise UserError(
        f"{folder}: contains {len(kinds)} of the files {', '.join(FILES)}; a model has one of them"
    )


def _texts(folder: Path, key: str, value: Any) -> tuple[str, ...]:
    """Return a list of texts that JSON in UTF-8 can contain."""
    if not isinstance(value, list) or not all(map(_is_text, value)):
        raise UserError(f"{folder / PACKAGE}: {key} is not a list of texts; run dvc checkout")
    return tuple(value)


def _is_text(value: Any) -> bool:
    """Return whether a value is a text without a lone surrogate, which UTF-8 cannot contain."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _description(card: Path) -> str:
    r"""Return the first paragraph of a README after its front matter and title; empty without."""
    if not card.is_file():
        return ""
    with card.open("rb") as file:
        text = file.read(_CARD_BYTES).decode("utf-8", "replace")
    if text.startswith("---\n"):
        text = text.partition("\n---\n")[2]
    paragraphs = (" ".join(part.split()) for part in text.split("\n\n"))
    first = next((part for part in paragraphs if part and not part.startswith("#")), "")
    return first if len(first) <= _LONGEST_DESCRIPTION else f"{first[:_LONGEST_DESCRIPTION]}..."
