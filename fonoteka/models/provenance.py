"""Record where the weights of a model came from, in its own folder.

    provenance.json    {"source": "hub", "fetched": "owner/name@revision"}, or "pretrain" and null

Whisper's weights come from pinned packages, a hub or a folder, and have two more keys: `licence`
and `packed_by`.

A package states the source of the weights that it contains. The parameters state the source of the
next build, which may be another.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json

SOURCES = ("pretrain", "hub")  # of an encoder
WHISPER_SOURCES = ("package", "hub", "folder", "untrained")
_FILE = "provenance.json"


def write_provenance(folder: Path, source: str, fetched: str | None = None) -> None:
    """Write the source of the encoder in a folder.

    Args:
        folder: of the encoder's weights.
        source: one of `SOURCES`.
        fetched: `owner/name@revision` of a fetched encoder.
    """
    write_json(folder / _FILE, {"source": source, "fetched": fetched})


def copy_provenance(source: Path, target: Path) -> None:
    """Copy the record of a model into the folder of a part of it, after a check."""
    read_provenance(source)
    shutil.copy(source / _FILE, target / _FILE)


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return `source`, `fetched` and `licence` of the weights in a folder.

    `licence` is None if the record does not state one; `fetched` is None for weights that were
    pretrained here or copied from a folder.

    Raises:
        UserError: the file is missing, or its source is unknown.
    """
    path = folder / _FILE
    if not path.is_file():
        raise UserError(f"{path}: missing; run dvc repro")
    provenance = read_json(path)
    source, fetched = provenance.get("source"), provenance.get("fetched")
    if source not in {*SOURCES, *WHISPER_SOURCES} or bool(fetched) != (
        source in ("hub", "package")
    ):
        raise UserError(
            f"{path}: source {source!r} with fetched {fetched!r}; expected 'pretrain', "
            "'folder' or 'untrained' with null, or 'hub' or 'package' with a name and a revision; "
            "run dvc repro"
        )
    return {"source": source, "fetched": fetched, "licence": provenance.get("licence")}
