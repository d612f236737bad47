"""Find the file that a path in a table means, and never one outside the corpus's folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path, PurePosixPath

from fonoteka.corpus.importers.layouts.base import RefusedError, nfc


class Finder:
    """Finds the file that a path means, and never one outside the folder.

    Args:
        folder: the corpus's.
        names: pairs of a name to be found by and a file below the folder.
        by_name: look also for the file that shares most of the path's last parts, for paths that
            were written on another machine.
    """

    def __init__(self, folder: Path, names: Iterable[tuple[str, str]], by_name: bool) -> None:
        self.folder, self.by_name = folder, by_name
        self.by_end: list[tuple[str, str]] = []  # what was found by the end of its path alone
        self.roots = sorted({folder.absolute().as_posix(), folder.resolve().as_posix()})
        self.files: dict[str, list[str]] = {}
        self.last: dict[str, list[str]] = {}
        for name, file in names:
            self.files.setdefault(nfc(name), []).append(file)
        for key in self.files:
            self.last.setdefault(PurePosixPath(key).name, []).append(key)

    def find(self, path: str, base: str, where: str) -> str:
        """Return the file, relative to the folder.

        Args:
            path: as written, relative or absolute, composed or not.
            base: folder that it may be relative to, besides the corpus's own.
            where: named in messages.

        Raises:
            RefusedError: there is no such file, several could be meant, or it lies outside.
        """
        found = self._meant(path.strip(), base, where)
        if not found and "\\" in path:  # written on Windows
            found = self._meant(path.strip().replace("\\", "/"), base, where)
        if len(found) > 1:
            raise RefusedError(
                "ambiguous name",
                f"{where}: {path!r} could be any of {found[:5]}; write their folders",
            )
        if not found:
            raise RefusedError(
                "no audio", f"{where}: {path!r} is not in {self.folder}; add it or remove the row"
            )
        check_inside(self.folder, found[0], where)
        return found[0]

    def _meant(self, path: str, base: str, where: str) -> list[str]:
        """Return the files that a path may mean."""
        foreign = path.startswith("/") and not self._below(path)
        inside = [nfc(name) for name in self._inside(path, base)]
        if not inside and not (foreign and self.by_name):
            raise RefusedError("outside", f"{where}: path {path!r} must lie inside {self.folder}")
        there = next((self.files[name] for name in inside if name in self.files), [])
        if there:
            return [file for file in there if file in inside] or there
        if self._below(path):
            return []
        found = self._ending(nfc(posixpath.normpath(path)).strip("/").split("/"), foreign)
        if len(found) == 1:
            self.by_end.append((path, found[0]))
        return found

    def _below(self, path: str) -> list[str]:
        """Return an absolute path as seen from the folder, if it leads into it."""
        plain = posixpath.normpath(path)
        return [plain.removeprefix(f"{r}/") for r in self.roots if plain.startswith(f"{r}/")]

    def _inside(self, path: str, base: str) -> list[str]:
        """Return where in the folder a path may lead: from the base, then from the folder."""
        if path.startswith("/"):
            return self._below(path)
        tried = [posixpath.normpath(posixpath.join(start, path)) for start in (base, "")]
        return [n for n in tried if path and n not in (".", "..") and not n.startswith("../")]

    def _ending(self, parts: list[str], foreign: bool) -> list[str]:
        """Return the files whose path ends with these parts.

        By name, the parts may also end with a file's whole path; and of an absolute path on another
        machine the files that share most of its end are meant.
        """
        keys = {key: key.split("/") for key in self.last.get(parts[-1], ())}
        alike = {key: _common_end(parts, others) for key, others in keys.items()}
        most = max(alike.values(), default=0) if foreign else len(parts)
        meant = [key for key, n in alike.items() if n >= most]
        if self.by_name and not meant:
            meant = [key for key, n in alike.items() if n == len(keys[key])]
        return sorted(file for key in meant for file in self.files[key])


def check_inside(folder: Path, path: str, where: str) -> None:
    """Refuse a link that leads out of the folder.

    Raises:
        RefusedError: it does.
    """
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        sentence = f"{where}: {path!r} is a link out of {folder}; put the file itself there"
        raise RefusedError("outside", sentence, path)


def _common_end(one: list[str], other: list[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
