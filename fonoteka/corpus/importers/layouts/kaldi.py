"""A Kaldi data folder: wav.scp, text, utt2spk, and optionally segments, spk2gender, utt2lang.

An entry of wav.scp may be a command whose output is the sound. Such entries are refused: no command
from a corpus is ever run.

Source: "Data preparation" in the Kaldi manual.
"""

from __future__ import annotations

import math
import posixpath
from dataclasses import dataclass, field

from fonoteka.corpus.importers.layouts.base import (
    ImportOptions,
    ParsedLayout,
    RefusedError,
    SourceFolder,
    UncheckedClip,
)
from fonoteka.corpus.importers.layouts.text_lines import read_lines

AUDIO, TEXT, SPEAKERS, SEGMENTS = "wav.scp", "text", "utt2spk", "segments"
SEXES, LANGUAGES = "spk2gender", "utt2lang"
PAIRS = (SPEAKERS, SEXES, LANGUAGES)  # files with two words per line

Rows = dict[str, tuple[str, str]]
"""Key to its value, and to the file and line of the value."""


@dataclass
class _Folder:
    """One data folder; `rows` also records the lines that it refuses."""

    source: SourceFolder
    path: str
    used: set[str] = field(default_factory=set)
    refused: list[RefusedError] = field(default_factory=list)
    bad: set[str] = field(default_factory=set)  # keys of refused lines

    def rows(self, name: str) -> Rows:
        """Return the lines of one of its files; empty if the file does not exist."""
        path = posixpath.join(self.path, name)
        rows: Rows = {}
        if path not in self.source.files:
            return rows
        self.used.add(path)
        before = len(self.refused)
        for number, line in read_lines(self.source.folder / path, self.refused):
            place = f"{self.source.folder / path}:{number}"
            key, *rest = line.split(maxsplit=1)
            if name in PAIRS and (not rest or rest[0].split() != rest):
                sentence = f"{place}: {line[:40]!r} is not two words, 'key value'"
                self.refused.append(RefusedError("wrong row", sentence, key))
            elif key in rows:
                self.refuse(f"{place}: {key!r} is already at {rows[key][1]}")
            else:
                rows[key] = (rest[0] if rest else "", place)
        if name != SEXES:  # its keys are speakers, all others are utterances
            self.bad |= {error.value for error in self.refused[before:]}
        return rows

    def refuse(self, sentence: str, kind: str = "wrong row") -> None:
        """Record a row that is not a clip."""
        self.refused.append(RefusedError(kind, sentence))


def claims(source: SourceFolder, name: str) -> bool:  # noqa: ARG001
    """Return whether a file is the list of recordings of a Kaldi folder."""
    return posixpath.basename(name) == AUDIO


def read(source: SourceFolder, index: list[str], options: ImportOptions) -> ParsedLayout:  # noqa: ARG001
    """Return a clip for each utterance of each data folder."""
    parsed = ParsedLayout(texts=TEXT, by_name=True)
    for name in index:
        folder = _Folder(source, posixpath.dirname(name))
        parsed.clips += _clips(folder)
        parsed.used |= folder.used
        parsed.refused += folder.refused
    return parsed


def _clips(folder: _Folder) -> list[UncheckedClip]:
    scp, segments = folder.rows(AUDIO), folder.rows(SEGMENTS)
    recordings = _recordings(folder, scp)
    texts, speakers = folder.rows(TEXT), folder.rows(SPEAKERS)
    sexes, languages = folder.rows(SEXES), folder.rows(LANGUAGES)
    has_segments = posixpath.join(folder.path, SEGMENTS) in folder.used
    clips = []
    for utterance, (value, place) in (segments if has_segments else recordings).items():
        if utterance in folder.bad:
            continue
        recording, span = _segment(folder, value, place) if has_segments else (utterance, None)
        if recording not in recordings:
            if recording:
                problem = "names no file" if recording in scp else "is not"
                folder.refuse(f"{place}: recording {recording!r} {problem} in {AUDIO}", "no audio")
            continue
        speaker = _value(speakers, utterance)
        clips.append(UncheckedClip(
            place, recordings[recording][0], _value(texts, utterance), speaker,
            _value(languages, utterance), sex=_value(sexes, speaker), base=folder.path,
            span_s=span, name=utterance,
        ))  # fmt: skip
    listed, name = (segments, SEGMENTS) if has_segments else (scp, AUDIO)
    for utterance in sorted(set(texts) - set(listed) - folder.bad):
        folder.refuse(f"{texts[utterance][1]}: {utterance!r} is not in {name}", "no audio")
    return clips


def _value(rows: Rows, key: str) -> str:
    return rows.get(key, ("", ""))[0]


def _recordings(folder: _Folder, scp: Rows) -> Rows:
    """Return the recordings that are files; commands are refused."""
    files: Rows = {}
    for key, (value, place) in scp.items():
        if "|" in value or value == "-":
            sentence = (
                f"{place}: {key!r} is a command and not a file, {value[:60]!r}; commands "
                "are not run: write the output to a file and name that file"
            )
            folder.refuse(sentence, "command")
        elif value:
            files[key] = (value, place)
        else:
            folder.refuse(f"{place}: {key!r} names no file")
    return files


def _segment(folder: _Folder, value: str, place: str) -> tuple[str, tuple[float, float] | None]:
    """Return recording and span of a line of segments; an end of -1 is the recording's end."""
    try:
        recording, *times = value.split()
        start, end = map(float, times)
    except ValueError:
        folder.refuse(f"{place}: {value!r} is not 'recording start end', times in seconds")
        return "", None
    return recording, (start, math.inf if end == -1 else end)
