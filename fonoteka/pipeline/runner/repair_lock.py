"""Repair a `dvc.lock` that a killed dvc left half written.

`repro` and `fsck` do this before they start.

dvc writes its lock file in place, line by line, which takes a large part of a second for a pipeline
of this size. If it is killed meanwhile, it leaves the beginning of the file, or nothing, and then
refuses to start. Complete entries stay. The others are taken from the last commit, and dvc compares
them with the files as usual. A stage without an entry is restored from the run-cache.

`.dvc/tmp/rwlock`, in which dvc records which process uses which file, is written in place too. If
dvc is killed meanwhile, it leaves an empty file, and every later dvc command refuses to start. The
file is removed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from fonoteka.git import entered, git, has_commit, names
from fonoteka.pipeline import lockfile
from fonoteka.pipeline.dvc_api import is_valid_lock
from fonoteka.pipeline.merge_conflict import has_conflict_marks

LOCK = "dvc.lock"
RWLOCK = Path(".dvc/tmp/rwlock")
# dvc writes these few lines in less than 1 ms: a file that is unreadable for longer is damaged.
WRITING_S = 0.5


def repair() -> None:
    """Repair both files of the project, and print what was done."""
    with entered() as root:
        for message in filter(None, (repair_rwlock(root), repair_dvc_lock(root))):
            print(message)


def repair_rwlock(root: Path) -> str | None:
    """Remove a half written `.dvc/tmp/rwlock`; return what was done, or None if it is readable."""
    path = root / RWLOCK
    if not _torn(path):
        return None
    time.sleep(WRITING_S)
    if not _torn(path):
        return None
    path.unlink(missing_ok=True)
    return f"{RWLOCK} was left half written by a killed dvc; it was removed"


def _torn(path: Path) -> bool:
    """Return whether a JSON file exists and cannot be parsed."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


def repair_dvc_lock(root: Path) -> str | None:
    """Repair the lock file of a repository; return what was done, or None if it is complete.

    A file with the marks of a merge conflict is not changed: `merge-lock` settles it.
    """
    path = root / LOCK
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if has_conflict_marks(text) or (text.endswith("\n") and _entries(text) is not None):
        return None
    complete = complete_entries(text)
    committed = _entries(_committed(root)) or {}
    stages = {name: complete.get(name, entry) for name, entry in committed.items()} | complete
    lockfile.write(path, stages)
    return (
        f"{LOCK} was left half written by a killed dvc: {len(complete)} entries were complete and "
        f"stay, {len(stages) - len(complete)} were restored from the last commit"
    )


def complete_entries(text: str) -> dict[str, Any]:
    r"""Return the complete entries in the beginning of a lock file.

    The last one counts as incomplete, because more of it may have followed.

    >>> complete_entries("schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cm")
    {'a': {'cmd': 'x'}}
    """
    lines = text.splitlines(keepends=True)
    # Two spaces at the end of the file may be the beginning of any line.
    names = [
        n for n, line in enumerate(lines) if line[:2] == "  " and line[2:3] not in {"", " ", "-"}
    ]
    return (_entries("".join(lines[: names[-1]])) or {}) if len(names) > 1 else {}


def _entries(text: str) -> dict[str, Any] | None:
    """Return the stages of a lock file, or None if dvc refuses it."""
    try:
        stages = lockfile.parse(text, LOCK)
    except ValueError:
        return None
    return stages if stages and is_valid_lock({"schema": "2.0", "stages": stages}) else None


def _committed(root: Path) -> str:
    """Return the lock file of the last commit; empty if absent."""
    if not has_commit(root) or not names("ls-tree", "-z", "HEAD", "--", LOCK, root=root):
        return ""
    return git("show", f"HEAD:./{LOCK}", root=root)
