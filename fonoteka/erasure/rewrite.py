"""Rewrite a corpus without some of its clips, so that an interruption loses nothing.

The new folder is made beside the old one, from hard links if the disk supports them, and then
replaces it by two renames. `recover` finishes what a kill between the renames left.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path, PurePosixPath

from fonoteka.corpus.corpus import PHONES, TABLE
from fonoteka.tables import Row, read_table, write_table

COLUMNS = ("path", "speaker")  # of metadata.csv, without which a clip has no speaker


def all_files(folder: Path) -> list[str]:
    """Return the relative paths of all files in a folder, hidden files and links included."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def clip_path(row: Row) -> str:
    """Return the path of a row's clip, relative to the folder of its corpus."""
    return PurePosixPath(row["path"].strip()).as_posix()


def rewrite(folder: Path, removed: Collection[str]) -> None:
    """Remove files with their rows and phones from a corpus; the whole folder if no row remains."""
    rows = read_table(folder / TABLE, COLUMNS)
    remaining = [row for row in rows if clip_path(row) not in removed]
    old, new, whole = _temporary_folders(folder)
    if not remaining:
        folder.rename(whole)  # in one step: no half of a corpus is ever in place
        shutil.rmtree(whole)
        return
    try:
        new.mkdir()
        for name in all_files(folder):
            if name not in removed and name not in {TABLE, PHONES}:
                _link(folder / name, new / name)
        write_table(new / TABLE, list(rows[0]), remaining)
        if phones := _remaining_phones(folder / PHONES, removed):
            (new / PHONES).write_bytes(phones)
        folder.rename(old)
        new.rename(folder)
    finally:
        recover(folder)


def _remaining_phones(path: Path, removed: Collection[str]) -> bytes:
    """Return phones.jsonl without the lines of some clips; empty if there is no such file.

    A line that cannot be parsed belongs to no known clip and remains.
    """
    lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
    return b"".join(line for line in lines if _clip_of(line) not in removed)


def _clip_of(line: bytes) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return PurePosixPath(str(json.loads(line)["path"])).as_posix()
    return ""


def _temporary_folders(folder: Path) -> tuple[Path, Path, Path]:
    """Return the temporary names of the old folder, the new one and one that is removed whole."""
    old, new, whole = (
        folder.with_name(f".{folder.name}.{word}.part") for word in ("before", "after", "whole")
    )
    return old, new, whole


def recover(folder: Path) -> None:
    """Put the old folder back if no new one is in its place, and remove what is temporary."""
    old, new, whole = _temporary_folders(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for path in (old, new, whole):
        if path.exists():
            shutil.rmtree(path)


def _link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, target, follow_symlinks=False)
    except OSError:  # another kind of disk
        shutil.copy2(file, target, follow_symlinks=False)
