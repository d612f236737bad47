"""Hashes of downloaded files and folders, as servers and git state them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus_fetch.catalogue import PublicFile

BLOCK = 1 << 20


@dataclass(frozen=True)
class FileHashes:
    """The size of a file and its hashes in hexadecimal; `blob` is that of git."""

    bytes: int
    sha256: str
    md5: str
    blob: str


def hash_file(path: Path) -> FileHashes:
    """Return the hashes of a file, which is read once."""
    size = path.stat().st_size
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    blob = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            for digest in (sha256, md5, blob):
                digest.update(block)
    return FileHashes(size, sha256.hexdigest(), md5.hexdigest(), blob.hexdigest())


def check_hashes(path: Path, expected: PublicFile, actual: FileHashes, place: str) -> None:
    """Refuse a file whose size or hash is not the expected one.

    Args:
        path: of the file, for the message.
        expected: with the values that are known.
        actual: of the file.
        place: what states the expected values, for the message.

    Raises:
        UserError: a value differs.
    """
    for name in ("bytes", "sha256", "md5", "blob"):
        wanted, value = getattr(expected, name), getattr(actual, name)
        if wanted and wanted != value:
            raise UserError(
                f"{path}: {name} {value}, but {place} has {wanted}; the server has other bytes, "
                "or they were damaged on the way: nothing was imported"
            )


def git_tree(folder: Path, executable: Collection[str] = ()) -> str:
    """Return the hash of git's tree object of a folder without folders in it.

    Args:
        folder: the folder.
        executable: names of the files that git has as executable.

    Source: git's documentation of `git mktree`; entries are sorted by the bytes of their names.
    """
    body = b"".join(
        (b"100755 " if path.name in executable else b"100644 ")
        + path.name.encode()
        + b"\0"
        + bytes.fromhex(hash_file(path).blob)
        for path in sorted(folder.iterdir(), key=lambda path: path.name.encode())
    )
    return hashlib.sha1(b"tree %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
