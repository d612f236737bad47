"""List the files below a folder and name what is not listed: links to folders, broken links.

A link to a folder is not followed: it may lead in a circle, or out of the corpus to files that
whoever adds the corpus does not want in it. It is always named, because a folder that is passed
over without a word is a speaker who is missing without a word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Walk:
    """What lies below a folder, as paths relative to it; hidden names are left out.

    Attributes:
        files: files and links to files, sorted.
        odd: pipes, sockets and the like, sorted; to open one would wait.
        problems: kind and sentence of what cannot be listed.
        again: links to a folder whose files are listed under their own names.
    """

    files: list[str] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


def walk(folder: Path) -> Walk:
    """Return what lies below a folder."""
    made = Walk()
    failed: list[OSError] = []
    links: list[str] = []
    listed = set()
    for base, folders, names in os.walk(folder, onerror=failed.append):
        listed.add(Path(base).resolve())
        inside = Path(base).relative_to(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links += [(inside / n).as_posix() for n in folders if (Path(base) / n).is_symlink()]
        for name in names:
            if not name.startswith("."):
                _take(folder, (inside / name).as_posix(), made)
    made.problems += [
        ("no access", f"{error.filename}: folder cannot be read: {error.strerror}")
        for error in failed
    ]
    for link in links:
        _take_link(folder, link, listed, made)
    made.files.sort()
    made.odd.sort()
    made.problems.sort()
    return made


def _take(folder: Path, name: str, made: Walk) -> None:
    """Take one entry that is not a folder."""
    path = folder / name
    if path.is_file():
        if os.access(path, os.R_OK):
            made.files.append(name)
        else:
            made.problems.append(("no access", f"{path}: file cannot be read: no permission"))
    elif path.is_symlink():
        sentence = (
            f"{path} is a link to {str(path.readlink())!r}, which is not there; restore that or "
            "remove the link"
        )
        made.problems.append(("broken link", sentence))
    else:
        made.odd.append(name)


def _take_link(folder: Path, name: str, listed: set[Path], made: Walk) -> None:
    """Name a link to a folder."""
    target = (folder / name).resolve()
    if target in listed:
        made.again.append(name)
        return
    inside = target.is_relative_to(folder.resolve())
    where = "hidden there" if inside else f"out of {folder}"
    sentence = (
        f"{folder / name} is a link to the folder {str(target)!r}, {where}, and is not followed; "
        "put the folder itself there"
    )
    made.problems.append(("outside", sentence))
