"""Find every file of a corpus, and the problems that show before a file is opened.

Corpora can come from strangers: a link may lead out of the corpus, a name may not be valid UTF-8,
two names may be equal on another system. Files outside the corpus's folder are never opened.
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

REPORT = "report.json"  # the counts of the embedded corpus
OWN_FILES = (CARD, TABLE, PHONES, REPORT)
# DVC may replace files with links to its cache: they belong to the corpus.
_DVC_CACHE = re.compile(r"[/\\]files[/\\]md5[/\\][0-9a-f]{2}[/\\][0-9a-f]{30}$")


@dataclass(frozen=True, slots=True)
class CorpusFile:
    """One file of a corpus.

    Attributes:
        id: of its clip.
        card: of its corpus.
        path: below the corpus's folder, with bytes that are not UTF-8 escaped.
        clip: its row in the table, or None.
        size: in bytes, of a file that is not opened.
        problem: the reason why the file is not opened; empty for most files.
        detail: the value that shows the problem.
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
    """Return the folders of the named corpora, sorted by name.

    Raises:
        UserError: there is no corpus at all, or a named one does not exist.
    """
    existing = []
    if raw.is_dir():
        folders = [path for path in raw.iterdir() if path.is_dir()]
        existing = sorted(folder.name for folder in folders if folder.name[0] != ".")
    if not existing:
        raise UserError(f"{raw} holds no corpus: add one with python -m fonoteka corpus add")
    for name in names:
        if name not in existing:
            raise UserError(
                f"{raw} holds no corpus {name!r}, only {existing}; "
                f"correct inventory.corpora in params.yaml"
            )
    return [raw / name for name in sorted(names)]


def corpus_files(folder: Path) -> list[CorpusFile]:
    """Return every file below a corpus's folder and every row of its table, each once.

    The corpus's own files (card, table, phone times, report) are left out.

    Raises:
        UserError: the card or the table is wrong, or there is no audio.
    """
    # The walk does not follow links to folders, so the table can name files that it did not meet.
    card = read_card(folder)
    entries = {path: entry for path, entry in _walk(folder) if path not in OWN_FILES}
    clips, outside = table_clips(folder, entries)
    root = os.path.realpath(folder)
    inspected = (
        _inspect_entry(entries.pop(path), path, root, card, clips.get(path))
        for path in list(entries)
    )
    by_path = {file.path: file for file in inspected}
    for path in sorted(clips.keys() - by_path.keys()):  # below a link to a folder
        by_path[path] = _behind_link(folder, card, clips[path])
    for path in sorted(outside - by_path.keys()):
        by_path[path] = _corpus_file(card, path, None, 0, OUTSIDE, f"{TABLE} names it")
    if not any(not file.problem or file.clip for file in by_path.values()) and not outside:
        raise UserError(f"{folder}: no audio; name clips in {TABLE} or take the corpus out")
    for path, terms in own_terms(folder).items():
        if path in by_path:
            by_path[path] = replace(by_path[path], own=terms)
    return _without_collisions(list(by_path.values()))


def check_transcripts(folder: Path, files: Iterable[CorpusFile]) -> None:
    """Refuse a corpus in which a clip has no transcript.

    Raises:
        UserError: a clip has no row in the table, or an empty text.
    """
    for file in sorted(files, key=lambda file: file.path):
        if not file.problem and (file.clip is None or not file.clip.text):
            problem = "no row" if file.clip is None else "an empty text"
            raise UserError(
                f"{folder / file.path}: {problem} in {TABLE}; write what is spoken there, or set "
                f"inventory.untranscribed to quarantine in params.yaml"
            )


def table_clips(folder: Path, paths: Container[str]) -> tuple[dict[str, CorpusClip], set[str]]:
    """Return the rows of a corpus's table by path, and the paths that lead out of its folder.

    Args:
        folder: of the corpus.
        paths: the paths of its files.

    Raises:
        UserError: the table or a column is missing, a row names a file that does not exist, a path
            occurs twice, a parent has no row, a language is unknown or a speaker empty.
    """
    # Parents are checked last, because a copy's row may be before its parent's.
    table = folder / TABLE
    clips: dict[str, CorpusClip] = {}
    lines: dict[str, int] = {}
    outside: set[str] = set()
    for number, row in read_numbered(table, TABLE_COLUMNS):
        clip = _plain_clip(row, paths)
        if clip is None:
            table_path = PurePosixPath(row["path"].strip())
            if table_path.is_absolute() or ".." in table_path.parts:
                outside.add(table_path.as_posix())
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


def _plain_clip(row: Row, paths: Container[str]) -> CorpusClip | None:
    """Return the clip of a valid row that names a file as the walk does, else None.

    Rows without a clip need `checked_clip`, whose calls of the file system cost more than all other
    work on a row.
    """
    path, speaker, language = row["path"].strip(), row["speaker"].strip(), row["language"].strip()
    session, sex = row.get("session", "").strip(), row.get("sex", "").strip()
    if path not in paths or not speaker or language not in LANGUAGES or sex not in ("", "f", "m"):
        return None
    parent = row.get("parent", "").strip()
    speaker, session = sys.intern(speaker), sys.intern(session)  # shared by many clips, stored once
    return CorpusClip(
        path, row["text"].strip(), speaker, sys.intern(language), session, sex, parent
    )


def _walk(folder: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield path and entry of all files below a folder, without following links to folders."""
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


def _inspect_entry(
    entry: os.DirEntry[str], path: str, root: str, card: Card, clip: CorpusClip | None
) -> CorpusFile:
    """Return a file with the problem of its name, its kind or its place, if it has one."""
    shown = path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")
    problem, detail, size = "", "", 0
    if "/." in f"/{path}":
        problem, detail = HIDDEN, "its name or a folder's begins with a dot"
    elif entry.is_symlink():
        problem, detail, size = _inspect_link(entry.path, root)
    elif not entry.is_file(follow_symlinks=False):
        problem, detail = NOT_AUDIO, "a pipe, a socket or a device"
    if not problem and shown != path:
        problem, detail = UNREADABLE, "its name is not UTF-8; rename it"
    if not problem and clip is None and not is_audio(path):
        problem, detail = NOT_AUDIO, f"its name ends in {PurePosixPath(shown).suffix!a}"
    if problem and not entry.is_symlink():
        size = entry.stat(follow_symlinks=False).st_size
    return _corpus_file(card, shown, clip, size, problem, detail)


def _inspect_link(path: str, root: str) -> tuple[str, str, int]:
    """Return the problem of a link with its detail, and the size of the link's target."""
    target = os.path.realpath(path)
    inside = f"{target}{os.sep}".startswith(f"{root}{os.sep}")
    if inside and os.path.isdir(target):  # noqa: PTH112
        return NOT_AUDIO, "a link to a folder; its files are listed under their own paths", 0
    if not inside and not _DVC_CACHE.search(target):
        return OUTSIDE, "a link to a path outside the corpus", 0
    if not os.path.isfile(target):  # noqa: PTH113
        return UNREADABLE, "a link to a file that does not exist", 0
    return "", "", os.path.getsize(target)  # noqa: PTH202


def _behind_link(folder: Path, card: Card, clip: CorpusClip) -> CorpusFile:
    """Return a clip that the table names behind a link to a folder, which the walk skips."""
    root, path = os.path.realpath(folder), str(folder / clip.path)
    problem, detail, size = _inspect_link(path, root)
    return _corpus_file(card, clip.path, clip, size, problem, detail)


def _corpus_file(
    card: Card, path: str, clip: CorpusClip | None, size: int, problem: str, detail: str
) -> CorpusFile:
    return CorpusFile(utterance_id(card.name, path), card, path, clip, size, problem, detail)


def _without_collisions(files: list[CorpusFile]) -> list[CorpusFile]:
    """Mark the files whose names differ only by case or by how accents are written."""
    names = [unicodedata.normalize("NFC", file.path).casefold() for file in files]
    counts = Counter(names)
    if len(counts) == len(names):
        return files
    return [
        replace(file, problem=COLLISION, detail=f"{counts[name]} names are one without case")
        if counts[name] > 1 and not file.problem
        else file
        for file, name in zip(files, names, strict=True)
    ]
