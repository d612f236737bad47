"""LibriSpeech: one archive for each part, in the layout that `corpus add` reads.

Source: README.TXT of LibriSpeech (OpenSLR 12).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from fonoteka.corpus.importers.layouts.base import ImportOptions
from fonoteka.corpus_fetch.archives import extract
from fonoteka.corpus_fetch.shapes.arranged import ArrangedFolder, FetchedFiles

KEPT = (".flac", ".trans.txt", "SPEAKERS.TXT")


def arrange(fetched: FetchedFiles, out: Path) -> ArrangedFolder:
    """Write recordings, transcripts and the table of readers as they are.

    Raises:
        UserError: an archive cannot be read.
    """
    for archive in fetched.paths.values():
        extract([archive], out, _target_of)
    shared = {"language": "en"}
    return ArrangedFolder(ImportOptions(layout="librispeech", shared=shared))


def _target_of(name: PurePosixPath) -> str | None:
    """Keep what the importer reads, without the folder `LibriSpeech` at the top."""
    return "/".join(name.parts[1:]) if name.name.endswith(KEPT) and name.parts[1:] else None
