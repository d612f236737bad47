"""Find what a corpus, as it lies here, has of a person: recordings, rows, phones, files beside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import read_card
from fonoteka.erasure.find_clips import Found, Who, clip_path, family, find, sidecars
from fonoteka.erasure.rewrite import every_file, lines_of, rows_of
from fonoteka.tables import Row
from fonoteka.text.transliteration import name_key


@dataclass
class Theirs:
    """What the corpus, as it lies here, has of them.

    Attributes:
        found: their clips.
        files: paths that go: of clips, whether their file is there or not, and of what is named
            like them.
        recordings: how many files of clips are there.
        beside: how many other files go.
        rows: of the table that go.
        lines: of the phones that go.
        whole: whether no row would be left, so that the folder goes.
        look: what a person should look at: what it is, and its names.
    """

    found: Found = field(default_factory=Found)
    files: set[str] = field(default_factory=set)
    recordings: int = 0
    beside: int = 0
    rows: int = 0
    lines: int = 0
    whole: bool = False
    look: list[tuple[str, list[str]]] = field(default_factory=list)


def source_of(folder: Path) -> str:
    """Return where a corpus says that it comes from; nothing where it isn't here."""
    return read_card(folder).source if folder.is_dir() else ""


def theirs_in(folder: Path, who: Who, also: Iterable[str]) -> Theirs:
    """Return what a corpus has of them.

    Args:
        folder: of the corpus; it may be gone already.
        who: they.
        also: paths below it that are theirs too, though no row says so.

    Raises:
        ValueError: the table is broken, or `also` names no file there.
    """
    if not folder.is_dir():
        return Theirs()
    rows, files = rows_of(folder), every_file(folder)
    if missing := sorted(set(also) - set(files)):
        raise UserError(f"--also {missing[0]!r}: no such file below {folder}")
    found = find(who, rows, source_of(folder))
    gone = family(found.paths | set(also), rows)
    paths = [clip_path(row) for row in rows]
    beside = sidecars(files, paths, gone)
    leaving = [row for row in rows if clip_path(row) in gone]
    whole = bool(leaving) and len(leaving) == len(rows)
    result = Theirs(
        found, gone | beside.gone, len(gone & set(files)), len(beside.gone), len(leaving),
        lines_of(folder, gone)[1], whole,
    )  # fmt: skip
    result.look = _to_look_at(who, rows, files, result, beside.shared)
    return result


def _to_look_at(
    who: Who, rows: list[Row], files: list[str], theirs: Theirs, shared: Iterable[str]
) -> list[tuple[str, list[str]]]:
    """Return what may be theirs as well and only a person can tell."""
    found = theirs.found
    sessions = [f"{name} with {', '.join(others)}" for name, others in found.sessions.items()]
    look = [
        ("sessions in which others speak too; they may be heard there", sessions),
        ("files that belong to a clip that stays as well", sorted(shared)),
    ]
    name = name_key(who.speaker)
    if theirs.whole or not name:
        return [(what, names) for what, names in look if names]
    staying = sorted(set(files) - theirs.files)
    clips = {clip_path(row) for row in rows}
    cells = ("path", "text", "session", "source")
    mentions = [
        clip_path(row)
        for row in rows
        if clip_path(row) not in theirs.files
        and any(name in name_key(row.get(cell, "")) for cell in cells)
    ]
    named = [path for path in staying if name in name_key(path) and path not in clips]
    look += [("rows of others that hold the name", mentions), ("files of that name", named)]
    return [(what, names) for what, names in look if names]
