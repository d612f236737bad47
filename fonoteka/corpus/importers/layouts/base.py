"""Shared types of all corpus layouts: the folder, its clips, refused rows and the user's options.

A layout parses a folder and does not check the values; `plan` checks them for all layouts. A row
that cannot be parsed becomes a `RefusedError` with a kind, by which the preview counts it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from fonoteka.audiocheck.ffmpeg import FFMPEG_SUFFIXES
from fonoteka.core.errors import UserError
from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms
from fonoteka.corpus.corpus import TimedPhones, is_audio
from fonoteka.corpus.importers.layouts.filename_pattern import NamePattern
from fonoteka.corpus.importers.layouts.folder_walk import list_folder

Interval = tuple[float, float, str]
"""Start and end in seconds, and a label as the annotator wrote it."""


class RefusedError(UserError):
    """A row or file that cannot become a clip: its kind, a message, and the invalid value."""

    def __init__(self, kind: str, sentence: str, value: str = "") -> None:
        super().__init__(sentence)
        self.kind, self.value = kind, value


@dataclass(frozen=True)
class UncheckedClip:
    """One clip as a layout states it, not checked.

    Attributes:
        place: file and line, for messages.
        path: of the audio, as written there.
        base: subfolder that the path may be relative to.
        span_s: start and end of the clip in the audio, in seconds; the end may be infinite. None
            for the whole file.
        name: of a clip that is cut out; empty to name it by its times.
        intervals: phone labels as the annotator wrote them; empty if absent.
        timed: phones that are in the phone inventory already.
        terms: licence and source of this clip, if they differ from those of the corpus.
    """

    place: str
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
    terms: ClipTerms = AS_THE_CORPUS


@dataclass
class ParsedLayout:
    """The contents of a folder as a layout parsed them.

    Attributes:
        texts: description of the place of the transcripts, for messages.
        clips: the clips.
        refused: rows that are not clips.
        used: files that were read, which are not copied.
        notes: pairs of label and text for the preview.
        by_name: True if paths may come from another machine, so that files also match by the last
            parts of their path.
        declared: fields that the layout has, filled or not: some of speaker and language.
    """

    texts: str
    clips: list[UncheckedClip] = field(default_factory=list)
    refused: list[RefusedError] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)
    by_name: bool = False
    declared: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class ImportOptions:
    """The user's options for a folder.

    Attributes:
        layout: name of the layout; empty to detect it.
        tables: the tables or lists to read; empty for all of them.
        columns: our column to the table's column.
        shared: values of all clips: speaker, language.
        pattern: fields in the names of the files.
        tiers: `words` and `phones` to the names of tiers.
    """

    layout: str = ""
    tables: tuple[Path, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    pattern: NamePattern | None = None
    tiers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceFolder:
    """A folder and the files below it, as paths relative to it; hidden files are left out.

    Attributes:
        folder: its path.
        files: files and links to files.
        special_files: pipes, sockets and the like.
        refused: links and folders that are not listed, with the reasons.
        duplicate_links: links to a folder whose files are listed under their own names.
    """

    folder: Path
    files: tuple[str, ...]
    special_files: tuple[str, ...]
    refused: tuple[RefusedError, ...] = ()
    duplicate_links: tuple[str, ...] = ()

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


def scan(folder: Path) -> SourceFolder:
    """Return a folder with its files.

    Raises:
        ValueError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    listing = list_folder(folder)
    refused = tuple(RefusedError(kind, sentence) for kind, sentence in listing.problems)
    return SourceFolder(
        folder,
        tuple(listing.files),
        tuple(listing.special_files),
        refused,
        tuple(listing.duplicate_links),
    )


def sounds(path: str) -> bool:
    """Return whether a file is audio for soundfile or ffmpeg, by its name.

    >>> sounds("a.amr"), sounds("a.wav"), sounds("a.txt")
    (True, True, False)
    """
    return is_audio(path) or PurePosixPath(path).suffix.lower() in FFMPEG_SUFFIXES


def nfc(text: str) -> str:
    """Return text in Unicode form NFC: file systems and editors compose letters differently."""
    return unicodedata.normalize("NFC", text)


def stem_of(path: str) -> str:
    """Return a path without its suffix.

    >>> stem_of("a.b/c.wav"), stem_of("a.b/c")
    ('a.b/c', 'a.b/c')
    """
    return path.removesuffix(PurePosixPath(path).suffix)
