"""Extract chosen regular files of tar and zip archives, and nothing outside a folder."""

from __future__ import annotations

import gzip
import io
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from fonoteka.core.errors import UserError

GZIP = b"\x1f\x8b"
MOST_TIMES = 60  # of an archive's size, which WAV of digital silence may reach; more is an attack
SLACK = 64 << 20
Keep = Callable[[PurePosixPath], str | None]
_DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, lzma.LZMAError,
            EOFError, NotImplementedError)  # fmt: skip


class JoinedFiles(io.RawIOBase):
    """Files read one after the other as one stream, for an archive that was cut into pieces."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.waiting = list(paths)
        self.file: IO[bytes] | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer from the current file, or from the next one at its end."""
        view = memoryview(buffer)
        while True:
            if self.file is None:
                if not self.waiting:
                    return 0
                self.file = self.waiting.pop(0).open("rb")
            block = self.file.read(len(view))
            if block:
                view[: len(block)] = block
                return len(block)
            self.file.close()
            self.file = None

    def close(self) -> None:
        """Close the current file."""
        if self.file is not None:
            self.file.close()
        super().close()


def archives_of(paths: Sequence[Path]) -> list[list[Path]]:
    """Return the pieces of each archive: a file that does not begin as gzip continues the last."""
    groups: list[list[Path]] = []
    for path in paths:
        with path.open("rb") as file:
            begins = file.read(2) == GZIP
        if begins or not groups:
            groups.append([path])
        else:
            groups[-1].append(path)
    return groups


def extract(paths: Sequence[Path], out: Path, keep: Keep) -> frozenset[str]:
    """Write files of one archive below a folder, none of them executable.

    Args:
        paths: the archive, or its pieces in order.
        out: an existing folder.
        keep: returns where below `out` a member is written, or None for one that is not wanted.

    Returns:
        The written files that are executable in the archive, which git's hashes depend on.

    Raises:
        UserError: the archive is damaged, has a member outside its own folder, a link or a device,
            two members with one name, or unpacks to more than `MOST_TIMES` its size.
    """
    limit = MOST_TIMES * sum(path.stat().st_size for path in paths) + SLACK
    shown = paths[0]
    written: set[str] = set()
    executable: set[str] = set()
    try:
        for name, size, mode, open_member in _members(paths):
            # Checked before and after: `keep` may build the target from parts of the name.
            target = keep(_checked(shown, name))
            if target is None:
                continue
            _checked(shown, target)
            if target in written:
                raise UserError(f"{shown}: contains {target!r} twice; it is not the corpus")
            written.add(target)
            if mode & 0o100:
                executable.add(target)
            # By the stated sizes, before anything is written: a bomb would fill the disk first.
            limit -= size
            if limit < 0:
                raise UserError(f"{shown}: unpacks to more than {MOST_TIMES} times its size; it is "
                                "not a corpus of recordings")  # fmt: skip
            path = out / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with open_member() as source, path.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if path.stat().st_size != size:
                raise UserError(f"{shown}: {name!r} ends after {path.stat().st_size} of {size} "
                                "bytes; fetch it again")  # fmt: skip
    except _DAMAGED as error:
        raise UserError(
            f"{shown}: damaged archive: {error}; remove it and fetch it again"
        ) from error
    return frozenset(executable)


Member = tuple[str, int, int, Callable[[], IO[bytes]]]


def _members(paths: Sequence[Path]) -> Iterator[Member]:
    """Yield name, size, mode and opener of regular files; refuse everything else but folders."""
    if zipfile.is_zipfile(paths[0]):
        yield from _zip_members(paths[0])
    else:
        yield from _tar_members(paths)


def _zip_members(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise _no_file(path, info.filename)
            if info.flag_bits & 1:
                raise UserError(f"{path}: {info.filename!r} is encrypted; unpack it yourself and "
                                "use corpus add")  # fmt: skip
            if not info.is_dir():
                yield (
                    info.filename,
                    info.file_size,
                    info.external_attr >> 16,
                    partial(archive.open, info),
                )


def _tar_members(paths: Sequence[Path]) -> Iterator[Member]:
    joined = io.BufferedReader(JoinedFiles(paths), 1 << 20)
    with joined, tarfile.open(fileobj=joined, mode="r|*") as archive:
        for info in archive:
            if info.isdir():
                continue
            if not info.isreg():
                raise _no_file(paths[0], info.name)
            yield info.name, info.size, info.mode, partial(_stream, archive, info)


def _stream(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    """Return the stream of a regular file, which always has one."""
    return cast(IO[bytes], archive.extractfile(info))


def _no_file(path: Path, name: str) -> UserError:
    return UserError(f"{path}: {name!r} is a link or a device; an archive of a corpus has files "
                     "alone, so nothing of it is used")  # fmt: skip


def _checked(path: Path, name: str) -> PurePosixPath:
    """Return the name of a member, which must lie inside the archive's own folder."""
    parts = PurePosixPath(name)
    outside = parts.is_absolute() or ".." in parts.parts or not parts.parts
    if outside or "\\" in name or "\0" in name:
        raise UserError(f"{path}: {name!r} lies outside the archive; nothing of it is used")
    return parts
