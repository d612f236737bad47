"""Which files of the given paths are sent, and where the result of each is written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import is_audio


@dataclass(frozen=True)
class SentRecording:
    """A file that is sent.

    Attributes:
        path: of the recording.
        result: that is written for it.
    """

    path: Path
    result: Path


@dataclass(frozen=True)
class FoundRecordings:
    """What the given paths contain.

    Attributes:
        recordings: in order.
        others: number of files in folders that are not recordings, by their names.
    """

    recordings: tuple[SentRecording, ...]
    others: int


def find_recordings(paths: Sequence[Path], suffix: str, out: Path | None) -> FoundRecordings:
    """Return the recordings of files and folders.

    A file that is named is sent, whatever its name is; in a folder, those are whose names end as
    recordings do. The result of a.wav is a.wav.json, so that it replaces no file of another origin,
    as the text a.txt of a corpus.

    Args:
        paths: files, and folders, which are searched to any depth.
        suffix: of the results.
        out: folder of the results, in which those of a folder have its structure.

    Raises:
        UserError: a path does not exist, no file is a recording, or two results share a name.
    """
    recordings: list[SentRecording] = []
    others = 0
    for path in paths:
        if path.is_dir():
            files = [Path(base) / name for base, _, names in os.walk(path) for name in names]
            sent = sorted(file for file in files if is_audio(str(file)))
            others += len(files) - len(sent)
            recordings += [SentRecording(file, _result(file, path, suffix, out)) for file in sent]
        elif path.exists():
            recordings.append(SentRecording(path, _result(path, path.parent, suffix, out)))
        else:
            raise UserError(f"{path}: no such file or folder")
    if not recordings:
        raise UserError(f"{', '.join(map(str, paths))}: no recording among {others} files")
    _check_results(recordings)
    return FoundRecordings(tuple(recordings), others)


def _result(path: Path, base: Path, suffix: str, out: Path | None) -> Path:
    place = path if out is None else out / path.relative_to(base)
    return place.with_name(place.name + suffix)


def _check_results(recordings: Sequence[SentRecording]) -> None:
    first: dict[Path, Path] = {}
    for recording in recordings:
        other = first.setdefault(recording.result, recording.path)
        if other is not recording.path:
            raise UserError(
                f"{other} and {recording.path}: both results would be {recording.result}; send "
                "them with different --out"
            )
