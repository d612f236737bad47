"""Make `dvc.lock` whole where a dvc that was killed left it half written.

`repro` and `fsck` do this before they start.

dvc writes its lock file in place, line by line, and for a pipeline of this size that takes a good
part of a second. Killed within it dvc leaves the beginning, or nothing, and then refuses to start.
Stages that are whole in what is left stay; of the others the last commit's entries are taken, which
dvc holds against the files as it does with any entry. What has none comes from the run-cache.

`.dvc/tmp/rwlock`, where dvc notes which process uses which file, is written in place too. Killed
within that, dvc leaves an empty file and every later dvc command refuses to start; it is removed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from fonoteka.git import entered, git, has_commit, names
from fonoteka.pipeline import lockfile
from fonoteka.pipeline.merge_conflict import marked

LOCK = "dvc.lock"
RWLOCK = Path(".dvc/tmp/rwlock")
# dvc writes its few lines in well under a millisecond: what is unreadable for longer was left so.
WRITING_S = 0.5


def repair() -> None:
    """Make both files of the project whole, and print what was done."""
    with entered() as root:
        for message in filter(None, (mend_rwlock(root), mend(root))):
            print(message)


def mend_rwlock(root: Path) -> str | None:
    """Remove a half written `.dvc/tmp/rwlock`; return what was done, or None if it is readable."""
    path = root / RWLOCK
    if not _torn(path):
        return None
    time.sleep(WRITING_S)
    if not _torn(path):
        return None
    path.unlink(missing_ok=True)
    return f"{RWLOCK} was left half written by a dvc that was killed: it is removed"


def _torn(path: Path) -> bool:
    """Return whether a JSON file is there and cannot be parsed."""
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except ValueError:
        return True
    return False


def mend(root: Path) -> str | None:
    """Make the lock file of a repository whole; return what was done, or None where it is whole.

    A file with the marks of a merge conflict is not touched: that is for `merge-lock`.
    """
    path = root / LOCK
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if marked(text) or (text.endswith("\n") and _entries(text) is not None):
        return None
    left = surviving(text)
    committed = _entries(_committed(root)) or {}
    stages = {name: left.get(name, entry) for name, entry in committed.items()} | left
    lockfile.write(path, stages)
    return (
        f"{LOCK} was left half written by a dvc that was killed: {len(left)} of its stages are "
        f"whole and stay, {len(stages) - len(left)} are as in the last commit"
    )


def surviving(text: str) -> dict[str, Any]:
    r"""Return the stages that are whole in the beginning of a lock file.

    The last one is taken for half, since nothing tells whether more of it would have followed.

    >>> surviving("schema: '2.0'\nstages:\n  a:\n    cmd: x\n  b:\n    cm")
    {'a': {'cmd': 'x'}}
    """
    lines = text.splitlines(keepends=True)
    # Two spaces alone, at the end of the file, can begin any line.
    names = [
        n for n, line in enumerate(lines) if line[:2] == "  " and line[2:3] not in {"", " ", "-"}
    ]
    return (_entries("".join(lines[: names[-1]])) or {}) if len(names) > 1 else {}


def _entries(text: str) -> dict[str, Any] | None:
    """Return the stages of a lock file, or None where dvc refuses it."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from voluptuous import MultipleInvalid

    try:
        found = lockfile.parse(text, LOCK)
        COMPILED_LOCKFILE_SCHEMA({"schema": "2.0", "stages": found})
    except (ValueError, MultipleInvalid):
        return None
    return found or None


def _committed(root: Path) -> str:
    """Return the lock file of the last commit; nothing where there is none."""
    if not has_commit(root) or not names("ls-tree", "-z", "HEAD", "--", LOCK, root=root):
        return ""
    return git("show", f"HEAD:./{LOCK}", root=root)
