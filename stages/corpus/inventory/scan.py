"""Find every file of a corpus, and what is wrong with it before anyone opens it.

Names come from strangers too: a link may lead out of the corpus, a name may be no text, two names
may be one on another system. Nothing outside the corpus's folder is ever opened.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms, own_terms
from fonoteka.corpus.corpus import (
    CARD,
    PHONES,
    TABLE,
    TABLE_COLUMNS,
    Card,
    CorpusClip,
    checked_clip,
    is_audio,
    read_card,
)
from fonoteka.manifest import utterance_id
from fonoteka.phones import LANGUAGES
from fonoteka.tables import Row, read_numbered
from stages.corpus.inventory.problems import COLLISION, HIDDEN, NOT_AUDIO, OUTSIDE, UNREADABLE

REPORT = "report.json"  # the embedded corpus says there what it covers
OWN_FILES = (CARD, TABLE, PHONES, REPORT)
# DVC may put links to its cache in place of files: those are the corpus's own.
_DVC_CACHE = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a corpus.

    Attributes:
        id: of its clip.
        card: of its corpus.
        path: below the corpus's folder, as it can be written down.
        clip: its row in the table, None where there is none.
        size: in bytes, of a file that isn't opened.
        problem: what is wrong with it as a file, so that it isn't opened; mostly empty.
        detail: what was found.
        own: the licence and the source of the clip itself, empty if they are the corpus's.
    """

    id: str
    card: Card
    path: str
    clip: CorpusClip | None
    size: int = 0
    problem: str = ""
    detail: str = ""
    own: ClipTerms = AS_THE_CORPUS


def corpus_folders(raw: Path, names: Iterable[str]) -> list[Path]:
    """Return the folders of the corpora that take part, sorted by name.

    Raises:
        ValueError: there is no corpus at all, or one that is named is not there.
    """
    there = []
    if raw.is_dir():
        there = sorted(p.name for p in raw.iterdir() if p.is_dir() and p.name[0] != ".")
    if not there:
        raise UserError(f"{raw} holds no corpus: add one with python -m fonoteka corpus add")
    for name in names:
        if name not in there:
            raise UserError(
                f"{raw} holds no corpus {name!r}, only {there}; "
                f"correct inventory.corpora in params.yaml"
            )
    return [raw / name for name in sorted(names)]


def items_of(folder: Path) -> list[Item]:
    """Return every file below a corpus's folder and every row of its table, each once.

    The corpus's own files (card, table, phone times, report) are no items.

    Raises:
        ValueError: the card or the table is wrong, or there is no audio.
    """
    card = read_card(folder)
    there = {path: entry for path, entry in _walk(folder) if path not in OWN_FILES}
    clips, outside = clips_of(folder, there)
    root = os.path.realpath(folder)
    looked = (_look(there.pop(p), p, root, card, clips.get(p)) for p in list(there))
    found = {item.path: item for item in looked}
    for path in sorted(clips.keys() - found.keys()):  # below a link to a folder
        found[path] = _through_a_link(folder, card, clips[path])
    for path in sorted(outside - found.keys()):
        found[path] = _item(card, path, None, 0, OUTSIDE, f"{TABLE} names it")
    if not any(not item.problem or item.clip for item in found.values()) and not outside:
        raise UserError(f"{folder}: no audio; name clips in {TABLE} or take the corpus out")
    for path, own in own_terms(folder).items():
        if path in found:
            found[path] = replace(found[path], own=own)
    return _without_collisions(list(found.values()))


def check_transcripts(folder: Path, items: Iterable[Item]) -> None:
    """Refuse a corpus in which a clip has no transcript.

    Raises:
        ValueError: as it says.
    """
    for item in sorted(items, key=lambda item: item.path):
        if not item.problem and (item.clip is None or not item.clip.text):
            what = "no row" if item.clip is None else "an empty text"
            raise UserError(
                f"{folder / item.path}: {what} in {TABLE}; write what is said there, or set "
                f"inventory.untranscribed to quarantine in params.yaml"
            )


def clips_of(folder: Path, there: Container[str]) -> tuple[dict[str, CorpusClip], set[str]]:
    """Return the rows of a corpus's table by path, and the paths that lead out of its folder.

    Args:
        folder: of the corpus.
        there: the paths of its files.

    Raises:
        ValueError: the table is missing or has a missing column, a row names a file that isn't
            there, a path stands twice, a parent has no row, a language is unknown or a speaker
            empty.
    """
    table = folder / TABLE
    clips: dict[str, CorpusClip] = {}
    lines: dict[str, int] = {}
    outside: set[str] = set()
    for number, row in read_numbered(table, TABLE_COLUMNS):
        clip = _plain_clip(row, there)
        if clip is None:
            named = PurePosixPath(row["path"].strip())
            if named.is_absolute() or ".." in named.parts:
                outside.add(named.as_posix())
                continue
            clip = checked_clip(row, folder, f"{table}:{number}")
        if clip.path in lines:
            raise UserError(
                f"{table}:{number}: path {clip.path!r} is already on line {lines[clip.path]}"
            )
        clips[clip.path], lines[clip.path] = clip, number
    for path, clip in clips.items():
        if clip.parent and clip.parent not in clips:
            raise UserError(
                f"{table}:{lines[path]}: parent {clip.parent!r} has no row; name the clip that "
                "this one was made from"
            )
    return clips, outside


def _plain_clip(row: Row, there: Container[str]) -> CorpusClip | None:
    """Return a row that names a file as the walk does, None where it needs `checked_clip`.

    That one asks the file system, which costs more than all else that is done for a row.
    """
    path, speaker, language = row["path"].strip(), row["speaker"].strip(), row["language"].strip()
    session, sex = row.get("session", "").strip(), row.get("sex", "").strip()
    if path not in there or not speaker or language not in LANGUAGES or sex not in ("", "f", "m"):
        return None
    parent = row.get("parent", "").strip()
    speaker, session = sys.intern(speaker), sys.intern(session)  # of many clips, kept once
    return CorpusClip(
        path, row["text"].strip(), speaker, sys.intern(language), session, sex, parent
    )


def _walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give what lies below a folder, with its path, without following links to folders."""
    folders = [""]
    while folders:
        inside = folders.pop()
        with os.scandir(folder / inside) as entries:
            for entry in entries:
                path = f"{inside}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    folders.append(f"{path}/")
                else:
                    yield path, entry


def _look(
    entry: os.DirEntry[str], path: str, root: str, card: Card, clip: CorpusClip | None
) -> Item:
    """Return one file with what its name, its kind and its place say against it."""
    shown = path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")
    problem, detail, size = "", "", 0
    if "/." in f"/{path}":
        problem, detail = HIDDEN, "its name or a folder's begins with a dot"
    elif entry.is_symlink():
        problem, detail, size = _link(entry.path, root)
    elif not entry.is_file(follow_symlinks=False):
        problem, detail = NOT_AUDIO, "a pipe, a socket or a device"
    if not problem and shown != path:
        problem, detail = UNREADABLE, "its name is not UTF-8; rename it"
    if not problem and clip is None and not is_audio(path):
        problem, detail = NOT_AUDIO, f"its name ends in {PurePosixPath(shown).suffix!a}"
    if problem and not entry.is_symlink():
        size = entry.stat(follow_symlinks=False).st_size
    return _item(card, shown, clip, size, problem, detail)


def _link(path: str, root: str) -> tuple[str, str, int]:
    """Return what is wrong with a link, if anything is, and the size of what it leads to."""
    target = os.path.realpath(path)
    inside = f"{target}/".startswith(f"{root}/")
    if inside and os.path.isdir(target):  # noqa: PTH112
        return NOT_AUDIO, "a link to a folder, whose files are listed where they lie", 0
    if not inside and not _DVC_CACHE.search(target):
        return OUTSIDE, "a link out of it", 0
    if not os.path.isfile(target):  # noqa: PTH113
        return UNREADABLE, "a link to nothing", 0
    return "", "", os.path.getsize(target)  # noqa: PTH202


def _through_a_link(folder: Path, card: Card, clip: CorpusClip) -> Item:
    """Return a clip that the table names and that no walk meets: it lies behind a linked folder."""
    root, path = os.path.realpath(folder), str(folder / clip.path)
    problem, detail, size = _link(path, root)
    return _item(card, clip.path, clip, size, problem, detail)


def _item(
    card: Card, path: str, clip: CorpusClip | None, size: int, problem: str, detail: str
) -> Item:
    return Item(utterance_id(card.name, path), card, path, clip, size, problem, detail)


def _without_collisions(items: list[Item]) -> list[Item]:
    """Mark the files whose names are one name where case or accents are written otherwise."""
    names = [unicodedata.normalize("NFC", item.path).casefold() for item in items]
    counts = Counter(names)
    if len(counts) == len(names):
        return items
    return [
        replace(item, problem=COLLISION, detail=f"{counts[name]} names are one without case")
        if counts[name] > 1 and not item.problem
        else item
        for item, name in zip(items, names, strict=True)
    ]
