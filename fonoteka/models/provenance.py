"""Record where an encoder came from, in its own folder.

    provenance.json    {"source": "hub", "fetched": "owner/name@revision"}, or "pretrain" and null

A package states the source of the weights that it contains. The parameters state the source of the
next build, which may be another.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import read_json, write_json

SOURCES = ("pretrain", "hub")
_FILE = "provenance.json"


def write_provenance(folder: Path, source: str, fetched: str | None = None) -> None:
    """Write the source of the encoder in a folder.

    Args:
        folder: of the encoder's weights.
        source: one of `SOURCES`.
        fetched: `owner/name@revision` of a fetched encoder.
    """
    write_json(folder / _FILE, {"source": source, "fetched": fetched})


def read_provenance(folder: Path) -> dict[str, Any]:
    """Return `source` and `fetched` of the encoder in a folder.

    Raises:
        UserError: the file is missing, or its source is unknown.
    """
    path = folder / _FILE
    if not path.is_file():
        raise UserError(f"{path}: missing; run dvc repro")
    provenance = read_json(path)
    source, fetched = provenance.get("source"), provenance.get("fetched")
    if source not in SOURCES or bool(fetched) != (source == "hub"):
        raise UserError(
            f"{path}: source {source!r} with fetched {fetched!r}; expected 'pretrain' with null "
            "or 'hub' with owner/name@revision; run dvc repro"
        )
    return {"source": source, "fetched": fetched}
