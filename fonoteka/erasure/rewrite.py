"""Write a corpus anew without some of its clips, so that a failure half-way loses nothing.

The new folder is made beside the old one, of hard links where the disk allows, and then takes its
place. Two renames do that; `settle` ends what a kill between them left.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path, PurePosixPath

from fonoteka.core.files import write_text
from fonoteka.corpus.corpus import PHONES, TABLE
from fonoteka.erasure.find_clips import clip_path
from fonoteka.tables import Row, read_numbered, write_table


def every_file(folder: Path) -> list[str]:
    """Return all files below a folder, hidden ones and links too, as paths relative to it."""
    found = []
    for base, folders, names in os.walk(folder):
        links = [name for name in folders if (Path(base) / name).is_symlink()]
        inside = Path(base).relative_to(folder)
        found += [(inside / name).as_posix() for name in [*names, *links]]
    return sorted(found)


def rows_of(folder: Path) -> list[Row]:
    """Return the rows of a corpus's table, in its order.

    Raises:
        ValueError: the table is missing or broken, or has no column for path or speaker.
    """
    return [row for _, row in read_numbered(folder / TABLE, ("path", "speaker"))]


def lines_of(folder: Path, gone: Collection[str]) -> tuple[list[str], int]:
    """Return the lines of phones.jsonl that stay, and how many go.

    A line that can't be read is of nobody that is known, and stays.
    """
    path = folder / PHONES
    if not path.is_file():
        return [], 0
    lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    kept = [line for line in lines if _path_of(line) not in gone]
    return kept, len(lines) - len(kept)


def _path_of(line: str) -> str:
    with suppress(ValueError, TypeError, KeyError):
        return PurePosixPath(str(json.loads(line)["path"])).as_posix()
    return ""


def rewrite(folder: Path, gone: Collection[str]) -> None:
    """Take files, their rows and their phones out of a corpus.

    Args:
        folder: of the corpus.
        gone: paths below it. Where no row is left the whole folder goes.
    """
    rows = rows_of(folder)
    kept = [row for row in rows if clip_path(row) not in gone]
    before, after, whole = _beside(folder)
    if not kept:
        folder.rename(whole)
        shutil.rmtree(whole)
        return
    lines, fewer = lines_of(folder, gone)
    made_anew = {TABLE, *[PHONES] * bool(fewer)}
    try:
        after.mkdir()
        for name in every_file(folder):
            if name not in gone and name not in made_anew:
                _link(folder / name, after / name)
        write_table(after / TABLE, list(rows[0]), kept)
        if fewer and lines:
            write_text(after / PHONES, "\n".join(lines))
        folder.rename(before)
        after.rename(folder)
    finally:
        settle(folder)


def _beside(folder: Path) -> tuple[Path, Path, Path]:
    """Return where the old folder waits, where the new one is made and where a whole one goes."""
    before, after, whole = (
        folder.with_name(f".{folder.name}.{word}.part") for word in ("before", "after", "whole")
    )
    return before, after, whole


def is_unsettled(folder: Path) -> bool:
    """Tell whether an earlier run was killed while it changed folders."""
    return any(path.exists() for path in _beside(folder))


def settle(folder: Path) -> None:
    """End what was begun: the old folder comes back where no new one is in its place, else goes."""
    before, after, whole = _beside(folder)
    if before.exists() and not folder.exists():
        before.rename(folder)
    for path in (before, after, whole):
        if path.exists():
            shutil.rmtree(path)


def _link(file: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(file, to, follow_symlinks=False)
    except OSError:  # another kind of disk
        shutil.copy2(file, to, follow_symlinks=False)
