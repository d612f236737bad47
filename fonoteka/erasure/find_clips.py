"""Find what a corpus holds of one person, or of one source, by its table and its files' names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import SOURCE
from fonoteka.corpus.corpus import CARD, PHONES, TABLE
from fonoteka.tables import Row
from fonoteka.text.transliteration import name_key

OWN_FILES = (CARD, TABLE, PHONES)


@dataclass(frozen=True)
class Who:
    """Whose recordings are to be forgotten.

    Attributes:
        corpus: the name of its folder.
        speaker: as the table names them; empty where a source or the whole corpus goes.
        source: as the table says where clips come from; empty for a speaker or the whole corpus.
    """

    corpus: str
    speaker: str = ""
    source: str = ""

    def __str__(self) -> str:
        name = self.speaker or self.source
        return f"{self.corpus}/{name}" if name else self.corpus

    @property
    def option(self) -> str:
        """How it was asked for."""
        return "SPEAKER" if self.speaker else "SOURCE"


@dataclass
class Found:
    """What is theirs in a table.

    Attributes:
        paths: of the clips that go.
        spelled: the names of speakers that were taken for theirs.
        elsewhere: clips among them that the table gives to somebody else: made from a clip of
            theirs, or the clip that one of theirs was made from.
        sessions: those in which others speak too, and who.
    """

    paths: set[str] = field(default_factory=set)
    spelled: set[str] = field(default_factory=set)
    elsewhere: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, list[str]] = field(default_factory=dict)


def who_of(speaker: str, source: str) -> Who:
    """Return whom SPEAKER or SOURCE names.

    Raises:
        ValueError: none or both are given, or a speaker without their corpus.

    >>> str(who_of("mine/Ana M.", "")), str(who_of("", "mine"))
    ('mine/Ana M.', 'mine')
    """
    if bool(speaker) == bool(source):
        raise UserError("give SPEAKER=corpus/name, or SOURCE=corpus or SOURCE=corpus/source")
    corpus, _, name = (speaker or source).partition("/")
    if not corpus or (speaker and not name.strip()) or corpus.startswith("."):
        raise UserError(f"{speaker or source!r}: expected corpus/name, as data/splits/speakers.csv")
    return Who(corpus, name, "") if speaker else Who(corpus, "", name)


def clip_path(row: Row) -> str:
    """Return the path of a row's clip below its corpus."""
    return PurePosixPath(row["path"].strip()).as_posix()


def find(who: Who, rows: Sequence[Row], corpus_source: str) -> Found:
    """Return what is theirs: their clips, and whatever was made from them or they from it.

    Args:
        who: the person or the source.
        rows: of metadata.csv.
        corpus_source: what corpus.json says, for rows that say nothing themselves.
    """
    speakers = {clip_path(row): row["speaker"].strip() for row in rows}
    direct = {clip_path(row) for row in rows if _is_theirs(who, row, corpus_source)}
    found = Found(family(direct, rows), {speakers[path] for path in direct})
    found.elsewhere = {path: speakers[path] for path in sorted(found.paths - direct)}
    present: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if session := row.get("session", "").strip():
            present[session].add(clip_path(row))
    for session, paths in sorted(present.items()):
        others = sorted({speakers[path] for path in paths - found.paths})
        if others and paths & found.paths:
            found.sessions[session] = others
    return found


def _is_theirs(who: Who, row: Row, corpus_source: str) -> bool:
    if who.speaker:
        return name_key(row["speaker"]) == name_key(who.speaker)
    said = " ".join(row.get(SOURCE, "").split()) or corpus_source.strip()
    return not who.source or said == who.source


def family(paths: Collection[str], rows: Iterable[Row]) -> set[str]:
    """Return clips with all that they were made from and all that was made from those."""
    related: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if parent := row.get("parent", "").strip():
            path, parent = clip_path(row), PurePosixPath(parent).as_posix()
            related[path].add(parent)
            related[parent].add(path)
    found, todo = set(paths), list(paths)
    while todo:
        for other in related[todo.pop()] - found:
            found.add(other)
            todo.append(other)
    return found


@dataclass
class Beside:
    """Files that belong to clips that go.

    Attributes:
        gone: those that are theirs alone.
        shared: those that belong to a clip that stays as well, by their names.
    """

    gone: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)


def sidecars(files: Iterable[str], clips: Collection[str], theirs: Collection[str]) -> Beside:
    """Return the files named like a clip that goes: `x/a.txt` and `x/a.norm.txt` beside `x/a.wav`.

    Args:
        files: all below the corpus.
        clips: the paths of its table.
        theirs: those of them that go.

    >>> sidecars(["a.txt", "a.b.lab", "c.txt"], ["a.wav", "a.b.wav"], ["a.wav"]).gone
    {'a.txt'}
    """
    owners: dict[str, set[str]] = defaultdict(set)
    for clip in clips:
        owners[clip.removesuffix(PurePosixPath(clip).suffix)].add(clip)
    found = Beside()
    for name in sorted(set(files) - set(clips) - set(OWN_FILES)):
        stem = _longest_stem(name, owners)
        if not stem or not (mine := owners[stem] & set(theirs)):
            continue
        (found.gone if mine == owners[stem] else found.shared).add(name)
    return found


def _longest_stem(name: str, stems: Mapping[str, object]) -> str:
    folder, slash, last = name.rpartition("/")
    ends = [at for at, letter in enumerate(last) if letter == "."]
    candidates = (f"{folder}{slash}{last[:at]}" for at in reversed(ends))
    return next((stem for stem in candidates if stem in stems), "")
