"""Know without asking dvc that nothing has changed since dvc last found everything fresh.

To be asked, dvc has to be loaded, to read all its files and to look up every dependency of every
stage, which takes seconds. But where it found all fresh, and every file that it looked at is still
the same one, untouched, it would find the same again. dvc itself takes a file for unchanged by its
size, its time and its number on the disk; here the time of the last change of any kind, which
nobody can set back, has to be the same as well. In doubt dvc is asked.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fonoteka.core.files import read_json, write_json

NOTE = Path(".dvc/tmp/fresh.json")
_SETTINGS = (".dvc/config", ".dvc/config.local", ".dvcignore", "dvc.yaml", "dvc.lock")
_SETTLED_NS = 2 * 10**9
"""A file changed so shortly before may be changed again within the same tick of a coarse clock."""


def said(folder: Path) -> str | None:
    """Return what was said of a folder's pipeline when all was fresh; None where dvc has to look.

    Args:
        folder: the top of a repository.
    """
    try:
        note = read_json(folder / NOTE)
        mark, _ = _mark(folder, note["paths"])
        return str(note["said"]) if mark == note["mark"] else None
    except (ValueError, OSError, KeyError, TypeError):
        return None  # there is no note, or none that this code wrote


def remember(folder: Path, paths: Iterable[Path], say: str, before_ns: int) -> None:
    """Keep what is said of a folder's pipeline, in which all is fresh.

    Args:
        folder: the top of the repository.
        paths: of all files and folders that dvc looked at.
        say: what is said.
        before_ns: the time at which dvc began to look.

    Raises:
        OSError: the note can't be written, or a folder is none that can be watched.
    """
    watched = sorted({os.path.relpath(path, folder) for path in paths} | set(_SETTINGS))
    mark, changed_ns = _mark(folder, watched)
    if changed_ns < before_ns - _SETTLED_NS:
        write_json(folder / NOTE, {"mark": mark, "paths": watched, "said": say})


def _mark(folder: Path, paths: Any) -> tuple[str, int]:
    """Return a hash of what files there are and of their state, and when the last was changed.

    Raises:
        OSError: a folder can't be read or has a link to another in it.
    """
    lines, last_ns = [version("dvc")], 0
    todo = [(str(path), f"{folder}/{path}") for path in paths]
    while todo:
        name, path = todo.pop()
        try:
            found = os.stat(path)  # noqa: PTH116
        except FileNotFoundError:
            lines.append(f"{name}\0absent")
            continue
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(path) as entries:
                # Python writes here whenever a stage runs; .dvcignore hides it from dvc's hash too.
                inside = [entry for entry in entries if entry.name != "__pycache__"]
            if any(entry.is_symlink() and entry.is_dir() for entry in inside):
                raise OSError(f"{name}: a link to a folder, which may lead anywhere")
            todo += [(f"{name}/{entry.name}", entry.path) for entry in inside]
            lines.append(f"{name}\0folder")
            continue
        last_ns = max(last_ns, found.st_ctime_ns)
        numbers = (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode)
        lines.append(f"{name}\0{numbers}")
    text = "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest(), last_ns
