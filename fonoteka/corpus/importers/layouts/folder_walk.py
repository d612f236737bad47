"""List the files below a folder and report what is not listed: links to folders, broken links.

A link to a folder is not followed: it may lead in a circle, or out of the corpus to files that do
not belong to it. It is always reported, because a folder that is silently skipped may contain a
speaker.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class FolderListing:
    """The contents of a folder, as paths relative to it; hidden names are left out.

    Attributes:
        files: files and links to files, sorted.
        special_files: pipes, sockets and the like, sorted; opening one may block.
        problems: kind and message for each entry that cannot be listed.
        duplicate_links: links to a folder whose files are listed under their own names.
    """

    files: list[str] = field(default_factory=list)
    special_files: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)
    duplicate_links: list[str] = field(default_factory=list)


def list_folder(folder: Path) -> FolderListing:
    """Return the contents of a folder."""
    listing = FolderListing()
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
                _add_entry(folder, (inside / name).as_posix(), listing)
    listing.problems += [
        ("no access", f"{error.filename}: folder cannot be read: {error.strerror}")
        for error in failed
    ]
    for link in links:
        _add_link(folder, link, listed, listing)
    listing.files.sort()
    listing.special_files.sort()
    listing.problems.sort()
    return listing


def _add_entry(folder: Path, name: str, listing: FolderListing) -> None:
    """Add one entry that is not a folder."""
    path = folder / name
    if path.is_file():
        if os.access(path, os.R_OK):
            listing.files.append(name)
        else:
            listing.problems.append(("no access", f"{path}: file cannot be read: no permission"))
    elif path.is_symlink():
        sentence = (
            f"{path} is a link to {str(path.readlink())!r}, which is not there; restore that or "
            "remove the link"
        )
        listing.problems.append(("broken link", sentence))
    else:
        listing.special_files.append(name)


def _add_link(folder: Path, name: str, listed: set[Path], listing: FolderListing) -> None:
    """Record a link to a folder."""
    target = (folder / name).resolve()
    if target in listed:
        listing.duplicate_links.append(name)
        return
    inside = target.is_relative_to(folder.resolve())
    place = "hidden there" if inside else f"out of {folder}"
    sentence = (
        f"{folder / name} is a link to the folder {str(target)!r}, {place}, and is not followed; "
        "put the folder itself there"
    )
    listing.problems.append(("outside", sentence))
