"""Find the file for a path in a table, never one outside the corpus's folder."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path, PurePosixPath

from fonoteka.corpus.importers.layouts.base import RefusedError, nfc


class AudioPathResolver:
    """Finds the file for a path, never one outside the folder.

    Args:
        folder: of the corpus.
        names: pairs of a name to match and a file below the folder.
        by_name: also match the file that shares the most last parts of the path, for paths that
            were written on another machine.
    """

    def __init__(self, folder: Path, names: Iterable[tuple[str, str]], by_name: bool) -> None:
        self.folder, self.by_name = folder, by_name
        self.by_end: list[tuple[str, str]] = []  # paths that matched by their last parts only
        self.roots = sorted({folder.absolute().as_posix(), folder.resolve().as_posix()})
        self.files: dict[str, list[str]] = {}
        self.by_last_part: dict[str, list[str]] = {}
        for name, file in names:
            self.files.setdefault(nfc(name), []).append(file)
        for key in self.files:
            self.by_last_part.setdefault(PurePosixPath(key).name, []).append(key)

    def resolve(self, path: str, base: str, place: str) -> str:
        """Return the file, relative to the folder.

        Args:
            path: as written, relative or absolute, in any Unicode composition.
            base: folder that it may be relative to, besides the corpus's own.
            place: file and line, for messages.

        Raises:
            RefusedError: there is no such file, several files match, or it is outside the folder.
        """
        matches = self._matches(path.strip(), base, place)
        if not matches and "\\" in path:  # written on Windows
            matches = self._matches(path.strip().replace("\\", "/"), base, place)
        if len(matches) > 1:
            raise RefusedError(
                "ambiguous name",
                f"{place}: {path!r} could be any of {matches[:5]}; write their folders",
            )
        if not matches:
            raise RefusedError(
                "no audio", f"{place}: {path!r} is not in {self.folder}; add it or remove the row"
            )
        check_inside(self.folder, matches[0], place)
        return matches[0]

    def _matches(self, path: str, base: str, place: str) -> list[str]:
        """Return the files that match a path."""
        is_elsewhere = path.startswith("/") and not self._relative_to_root(path)
        candidates = [nfc(name) for name in self._candidates(path, base)]
        if not candidates and not (is_elsewhere and self.by_name):
            raise RefusedError("outside", f"{place}: path {path!r} must lie inside {self.folder}")
        exact = next((self.files[name] for name in candidates if name in self.files), [])
        if exact:
            return [file for file in exact if file in candidates] or exact
        if self._relative_to_root(path):
            return []
        matches = self._match_by_end(
            nfc(posixpath.normpath(path)).strip("/").split("/"), is_elsewhere
        )
        if len(matches) == 1:
            self.by_end.append((path, matches[0]))
        return matches

    def _relative_to_root(self, path: str) -> list[str]:
        """Return an absolute path relative to the folder, or nothing if it is outside."""
        plain = posixpath.normpath(path)
        return [plain.removeprefix(f"{r}/") for r in self.roots if plain.startswith(f"{r}/")]

    def _candidates(self, path: str, base: str) -> list[str]:
        """Return the paths below the folder that a path may denote: from base, then from folder."""
        if path.startswith("/"):
            return self._relative_to_root(path)
        joined = [posixpath.normpath(posixpath.join(start, path)) for start in (base, "")]
        return [n for n in joined if path and n not in (".", "..") and not n.startswith("../")]

    def _match_by_end(self, parts: list[str], is_elsewhere: bool) -> list[str]:
        """Return the files whose path ends with these parts.

        With `by_name`, the parts may also end with a file's whole path. For an absolute path on
        another machine, the files that share the most last parts match.
        """
        keys = {key: key.split("/") for key in self.by_last_part.get(parts[-1], ())}
        shared = {key: _common_end(parts, others) for key, others in keys.items()}
        longest = max(shared.values(), default=0) if is_elsewhere else len(parts)
        matches = [key for key, n in shared.items() if n >= longest]
        if self.by_name and not matches:
            matches = [key for key, n in shared.items() if n == len(keys[key])]
        return sorted(file for key in matches for file in self.files[key])


def check_inside(folder: Path, path: str, place: str) -> None:
    """Refuse a link to a file outside the folder.

    Raises:
        RefusedError: the path is such a link.
    """
    if not (folder / path).resolve().is_relative_to(folder.resolve()):
        sentence = f"{place}: {path!r} is a link out of {folder}; put the file itself there"
        raise RefusedError("outside", sentence, path)


def _common_end(first: list[str], second: list[str]) -> int:
    pairs = zip(reversed(first), reversed(second), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
