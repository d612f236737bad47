"""The record of a hub folder: what `export-hub` wrote, so that nothing else is published.

`.fonoteka-hub.json` has the size and the SHA-256 of every other file of the folder, by its path. It
starts with a dot because a model's package.json records all files with a plain name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, sha256_file, write_json

RECORD, FORMAT = ".fonoteka-hub.json", 1
MODEL, DATASET = "model", "dataset"


@dataclass(frozen=True)
class HubFolder:
    """A folder whose files are those that were exported.

    Attributes:
        path: of the folder.
        kind: `model` or `dataset`.
        name: of the model or the data set.
        files: sizes in bytes and SHA-256 by path relative to the folder, without the record.
    """

    path: Path
    kind: str
    name: str
    files: Mapping[str, Mapping[str, Any]]


def is_hub_name(text: str) -> bool:
    """Return whether a text is `owner/name`, as a hub names a repository.

    >>> is_hub_name("someone/wavlm_ctc"), is_hub_name("wavlm_ctc")
    (True, False)
    """
    pattern = r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]{0,95}"
    return re.fullmatch(pattern, text, re.ASCII) is not None


def write_record(folder: Path, kind: str, name: str) -> None:
    """Record all files of a finished folder."""
    entries = {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size, "sha256": sha256_file(path),
        }
        for path in _files(folder)
    }  # fmt: skip
    record = {"format": FORMAT, "kind": kind, "name": name, "files": entries}
    write_json(folder / RECORD, record)


def open_hub_folder(folder: Path) -> HubFolder:
    """Return an exported folder after all its files were compared with its record.

    Raises:
        UserError: the folder was not exported, or a file is missing, changed or not recorded.
    """
    record = _record_of(folder)
    entries: Mapping[str, Mapping[str, Any]] = record["files"]
    present = {path.relative_to(folder).as_posix(): path for path in _files(folder)}
    for name in sorted(entries.keys() | present.keys()):
        if problem := _problem(present.get(name), entries.get(name)):
            raise UserError(
                f"{folder / name}: {problem}, so it is not what export-hub wrote; export the "
                "folder again"
            )
    return HubFolder(folder, record["kind"], record["name"], entries)


def require_replaceable(folder: Path) -> None:
    """Refuse to replace a folder with files that no export wrote or that were changed after it.

    Raises:
        UserError: the path is a file, or a folder with such a file.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError(f"{folder}: not a folder; name another one with --out")
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        open_hub_folder(folder)
    except UserError as error:
        raise UserError(
            f"{folder}: not empty, and it would be replaced ({error}); move it, or name another "
            "folder with --out"
        ) from error


def _record_of(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; make it with python -m fonoteka export-hub")
    if not (folder / RECORD).is_file():
        raise UserError(
            f"{folder}: no {RECORD}, so it was not made by python -m fonoteka export-hub; export "
            "the model or the data, and publish that folder"
        )
    record = read_json(folder / RECORD)
    valid = (
        isinstance(record, dict)
        and record.get("format") == FORMAT
        and record.get("kind") in (MODEL, DATASET)
        and isinstance(record.get("name"), str)
        and isinstance(record.get("files"), dict)
        and all(map(_is_entry, record["files"].values()))
    )
    if not valid:
        raise UserError(f"{folder / RECORD}: not a record of format {FORMAT}; export again")
    return dict(record)


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, dict) and {"bytes", "sha256"} <= entry.keys()


def _files(folder: Path) -> list[Path]:
    """Return all paths but plain folders and the record; a link to a folder is not a folder."""
    paths = (p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    return sorted(p for p in paths if p != folder / RECORD)


def _problem(path: Path | None, entry: Mapping[str, Any] | None) -> str:
    if path is None:
        return "missing"
    if entry is None:
        return "not recorded"
    if path.is_symlink() or not path.is_file():
        return "not a plain file"
    if path.stat().st_size != entry["bytes"] or sha256_file(path) != entry["sha256"]:
        return "changed"
    return ""
