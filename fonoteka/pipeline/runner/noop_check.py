"""Check without loading dvc whether anything has changed since dvc last status everything fresh.

Loading dvc, reading its files and checking every dependency of every stage takes seconds. If dvc
status everything fresh and every file that it read is untouched, the result would be the same. dvc
compares the size, modification time and inode of a file; this module also compares the time of the
last change of any kind (ctime), which cannot be forged. In case of doubt, dvc is asked.
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
"""A file that changed so recently may change again within one tick of a coarse clock."""


def fresh_message(folder: Path) -> str | None:
    """Return the message of the last run if nothing has changed since; None if dvc has to check.

    Args:
        folder: the top of a repository.
    """
    try:
        note = read_json(folder / NOTE)
        state, _ = _state(folder, note["paths"])
        return str(note["message"]) if state == note["state"] else None
    except (ValueError, OSError, KeyError, TypeError):
        return None  # there is no note, or one of another version


def remember(folder: Path, paths: Iterable[Path], message: str, before_ns: int) -> None:
    """Store the message of a run in which everything was fresh.

    Args:
        folder: the top of the repository.
        paths: all files and folders that dvc has checked.
        message: what `fresh_message` returns.
        before_ns: the time at which dvc began to check.

    Raises:
        OSError: the note cannot be written, or a folder cannot be watched.
    """
    watched = sorted({os.path.relpath(path, folder) for path in paths} | set(_SETTINGS))
    state, changed_ns = _state(folder, watched)
    if changed_ns < before_ns - _SETTLED_NS:
        write_json(folder / NOTE, {"state": state, "paths": watched, "message": message})


def _state(folder: Path, paths: Any) -> tuple[str, int]:
    """Return a hash of the names and states of files, and the time of the last change in ns.

    Raises:
        OSError: a folder cannot be read, or contains a link to a folder.
    """
    lines, last_ns = [version("dvc")], 0
    pending = [(str(path), f"{folder}/{path}") for path in paths]
    while pending:
        name, path = pending.pop()
        try:
            status = os.stat(path)  # noqa: PTH116
        except FileNotFoundError:
            lines.append(f"{name}\0absent")
            continue
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                # Python writes this folder when a stage runs; .dvcignore excludes it from dvc too.
                inside = [entry for entry in entries if entry.name != "__pycache__"]
            if any(entry.is_symlink() and entry.is_dir() for entry in inside):
                raise OSError(f"{name}: a link to a folder, which may lead anywhere")
            pending += [(f"{name}/{entry.name}", entry.path) for entry in inside]
            lines.append(f"{name}\0folder")
            continue
        last_ns = max(last_ns, status.st_ctime_ns)
        numbers = (
            status.st_size,
            status.st_mtime_ns,
            status.st_ctime_ns,
            status.st_ino,
            status.st_mode,
        )
        lines.append(f"{name}\0{numbers}")
    text = "\n".join(sorted(lines)).encode("utf-8", "surrogateescape")
    return hashlib.sha256(text).hexdigest(), last_ns
