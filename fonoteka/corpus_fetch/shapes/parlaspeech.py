"""ParlaSpeech: a table of all sentences as JSON lines, and archives with their recordings.

Each line has `audio` (the recording), `text` (the record of the parliament, as written) and
`speaker_info` (the speaker's row of ParlaMint). Release 1.0 of the Croatian corpus has `path` and
`words` instead.

Source: clarinsi.github.io/parlaspeech, and README.txt of the releases.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import is_audio
from fonoteka.corpus_fetch.archives import archives_of, extract
from fonoteka.corpus_fetch.shapes.arranged import ArrangedFolder, FetchedFiles, write_rows

TABLE_SUFFIX = ".jsonl.gz"
SEXES = {"F": "f", "M": "m"}


def arrange(fetched: FetchedFiles, out: Path) -> ArrangedFolder:
    """Write the recordings of the fetched parts, and a table of their sentences.

    Raises:
        UserError: an archive or the table cannot be read, or the table fits no recording.
    """
    tables = [path for path in fetched.paths.values() if path.name.endswith(TABLE_SUFFIX)]
    archives = [path for path in fetched.paths.values() if path not in tables]
    for pieces in archives_of(archives):
        extract(pieces, out, _recording)
    recordings = Recordings(out)
    left_out: Counter[str] = Counter()
    (language,) = fetched.languages
    rows = [row for table in tables for row in _rows(table, language, recordings, left_out)]
    if not rows:
        raise UserError(f"{tables[0]}: names none of the recordings of {', '.join(fetched.parts)}")
    notes = [f"{count} sentences {reason}" for reason, count in sorted(left_out.items())]
    return replace(write_rows(out, rows), notes=tuple(notes))


class Recordings:
    """The recordings below a folder, found by a path of the table or by its last part alone."""

    def __init__(self, folder: Path) -> None:
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
        self.names = set(names)
        by_last: dict[str, list[str]] = {}
        for name in names:
            by_last.setdefault(PurePosixPath(name).name, []).append(name)
        self.by_last = {last: paths[0] for last, paths in by_last.items() if len(paths) == 1}

    def find(self, path: str) -> str:
        """Return a recording, empty if it is not in the fetched parts."""
        return path if path in self.names else self.by_last.get(PurePosixPath(path).name, "")


def _recording(name: PurePosixPath) -> str | None:
    return str(name) if is_audio(name.name) else None


def _rows(
    table: Path, language: str, recordings: Recordings, left_out: Counter[str]
) -> Iterator[tuple[str, ...]]:
    """Yield the sentences whose recording is there; count the others by reason."""
    try:
        with gzip.open(table, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                record = _record(line, f"{table}:{number}")
                path = recordings.find(str(record.get("audio") or record.get("path") or ""))
                info = record.get("speaker_info") or {}
                speaker = str(info.get("Speaker_ID") or info.get("Speaker_name") or "").strip()
                if not path:
                    left_out["are of parts that were not fetched"] += 1
                elif not speaker:
                    left_out["name no speaker"] += 1
                else:
                    sex = SEXES.get(str(info.get("Speaker_gender")), "")
                    yield path, _text(record), speaker, language, sex
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{table}: damaged: {error}; remove it and fetch it again") from error


def _record(line: str, place: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise UserError(f"{place}: expected an object of JSON, found {line[:40]!r}")
    return record


def _text(record: Mapping[str, Any]) -> str:
    """Return the text as written; release 1.0 has the list of its words instead."""
    return str(record["text"]) if record.get("text") else " ".join(map(str, record["words"]))
