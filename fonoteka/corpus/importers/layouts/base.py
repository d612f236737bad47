"""What all layouts of a corpus share: a folder, what they find in it and what they refuse.

A layout reads what a folder says of its recordings and checks none of it; `plan` does that
for all of them. What can't be understood is a `RefusedError` with its kind, to be counted by.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from fonoteka.audiocheck.ffmpeg import FOREIGN_SUFFIXES
from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, Terms
from fonoteka.corpus.corpus import TimedPhones, is_audio
from fonoteka.corpus.importers.layouts.filename_pattern import NamePattern
from fonoteka.corpus.importers.layouts.folder_walk import walk

Interval = tuple[float, float, str]
"""Start and end in seconds, and a label as the annotator wrote it."""


class RefusedError(UserError):
    """What can't become a clip: the kind to count it by, one sentence, and the value at fault."""

    def __init__(self, kind: str, sentence: str, value: str = "") -> None:
        super().__init__(sentence)
        self.kind, self.value = kind, value


@dataclass(frozen=True)
class Found:
    """One clip as a layout has it; nothing of it is checked.

    Attributes:
        where: file and line, for messages.
        path: of the audio, as written there.
        base: folder, below the corpus's, that the path may be relative to.
        span_s: the part of the audio that is the clip, in seconds, the end maybe infinite; None is
            the whole.
        name: of the clip that is cut out; empty where its times shall name it.
        intervals: phones as they are labelled; empty where nobody did.
        timed: phones that are in our inventory already.
        terms: licence and source of this clip, where they aren't those of all.
    """

    where: str
    path: str
    text: str = ""
    speaker: str = ""
    language: str = ""
    session: str = ""
    sex: str = ""
    parent: str = ""
    _: KW_ONLY
    base: str = ""
    span_s: tuple[float, float] | None = None
    name: str = ""
    intervals: tuple[Interval, ...] = ()
    timed: TimedPhones | None = None
    terms: Terms = AS_THE_CORPUS


@dataclass
class Reading:
    """What a layout understood of a folder.

    Attributes:
        texts: where texts are written, for a person who has to add one.
        found: the clips.
        refused: rows that are no clips.
        used: files that were read, which are not copied.
        notes: what to show, label and text.
        by_name: True where paths were written on another machine, so that a file is also looked
            for by the end of its path.
        says: what there is a place for, be it filled or not: some of speaker and language.
    """

    texts: str
    found: list[Found] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)
    by_name: bool = False
    says: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Given:
    """What the user says of a folder.

    Attributes:
        layout: its layout; empty to recognise it.
        tables: the files that say what is said, where not all of them shall be read.
        columns: column of ours to column of the table.
        shared: values of all clips: speaker, language.
        pattern: what the names of the files say.
        tiers: `words` and `phones` to the names of tiers.
    """

    layout: str = ""
    tables: tuple[Path, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    pattern: NamePattern | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Source:
    """A folder and the files below it, as paths relative to it; hidden ones are left out.

    Attributes:
        folder: where it is.
        files: files and links to files.
        odd: pipes, sockets and the like.
        refused: links and folders that are not listed, by name.
        again: links to a folder whose files are listed under their own names.
    """

    folder: Path
    files: tuple[str, ...]
    odd: tuple[str, ...]
    refused: tuple[RefusedError, ...] = ()
    again: tuple[str, ...] = ()

    @cached_property
    def audio(self) -> tuple[str, ...]:
        """The files that are audio by their names."""
        return tuple(name for name in self.files if sounds(name))

    @cached_property
    def audio_by_stem(self) -> dict[str, list[str]]:
        """The audio by its path without the suffix."""
        stems: dict[str, list[str]] = {}
        for name in self.audio:
            stems.setdefault(nfc(stem_of(name)), []).append(name)
        return stems


def scan(folder: Path) -> Source:
    """Return a folder with its files.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    found = walk(folder)
    refused = tuple(RefusedError(kind, sentence) for kind, sentence in found.problems)
    return Source(folder, tuple(found.files), tuple(found.odd), refused, tuple(found.again))


def sounds(path: str) -> bool:
    """Tell from its name whether a file is audio, for soundfile or for ffmpeg.

    >>> sounds("a.amr"), sounds("a.wav"), sounds("a.txt")
    (True, True, False)
    """
    return is_audio(path) or PurePosixPath(path).suffix.lower() in FOREIGN_SUFFIXES


def nfc(text: str) -> str:
    """Return composed Unicode: file systems and editors write the same name in two ways."""
    return unicodedata.normalize("NFC", text)


def stem_of(path: str) -> str:
    """Return a path without its suffix.

    >>> stem_of("a.b/c.wav"), stem_of("a.b/c")
    ('a.b/c', 'a.b/c')
    """
    return path.removesuffix(PurePosixPath(path).suffix)
