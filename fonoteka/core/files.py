"""Write files and folders so that a killed stage leaves the old result or none."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError

ON_WINDOWS = os.name == "nt"


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block raises nothing."""
    temporary = _temporary_path(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; move it to `path` if the block succeeds."""
    temporary = _temporary_path(path)
    temporary.mkdir()
    try:
        yield temporary
        if path.exists():  # POSIX renames a folder only onto an empty one
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _temporary_path(path: Path) -> Path:
    """Return an unused path beside `path`; remove leftovers of killed processes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        owner = leftover.name.removeprefix(f".{path.name}.").removesuffix(".part")
        if owner == str(os.getpid()) or (owner.isdecimal() and not _is_running(int(owner))):
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _is_running(process: int) -> bool:
    if ON_WINDOWS:  # signal 0 is Ctrl-C there, and a process that has ended raises another error
        import psutil

        return bool(psutil.pid_exists(process))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with one newline at the end, as editors and git hooks expect it."""
    with atomic_file(path) as part:
        part.write_text(text.rstrip("\n") + "\n", encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys; a number that is not finite is a bug and raises ValueError."""
    write_text(
        path, json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2, sort_keys=True)
    )


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        ValueError: the file is missing or is not JSON.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON: {error}") from error


def write_json_lines(path: Path, records: Iterable[Any]) -> None:
    """Write one line of JSON per record, keys in their order; a number has to be finite."""
    lines = (json.dumps(record, ensure_ascii=False, allow_nan=False) for record in records)
    write_text(path, "\n".join(lines))


def read_json_lines(path: Path) -> Iterator[Any]:
    """Yield the records that `write_json_lines` wrote."""
    yield from map(json.loads, filter(None, split_lines(path.read_text(encoding="utf-8"))))


def split_lines(text: str) -> list[str]:
    r"""Return the lines of a text, which end with a newline and with nothing else.

    `str.splitlines` would also split at U+2028 and other rare characters, which texts contain.

    >>> split_lines("a\u2028b\nc\n"), split_lines("")
    (['a\u2028b', 'c'], [])
    """
    return text.removesuffix("\n").split("\n") if text else []


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON.

    >>> sha256_json({"b": 1, "a": 2}) == sha256_json({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def unit_interval(*parts: str) -> float:
    """Return a number in [0, 1) that depends only on the given strings, on every machine.

    >>> 0 <= unit_interval("salt", "speaker") < 1
    True
    >>> unit_interval("a", "b") == unit_interval("ab")
    False
    """
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
