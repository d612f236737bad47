"""What must not come back: hashes of addresses and of contents that were forgotten.

    data/forgotten.csv    kind,sha256,date; in git, for all corpora

An address itself would name what was to be forgotten, so its hash is kept. Who has the address can
find its hash; who has the file cannot find the address, unless by trial of addresses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from fonoteka.tables import read_table, write_table

TOMBSTONES = Path("data/forgotten.csv")
COLUMNS = ("kind", "sha256", "date")
ADDRESS, CONTENT = "url", "content"


def url_hash(url: str) -> str:
    """Return the hash of an address in its normal form."""
    return hashlib.sha256(url.encode()).hexdigest()


class Tombstones:
    """The hashes of what was forgotten."""

    def __init__(self, path: Path = TOMBSTONES) -> None:
        """Read the table; without one nothing was forgotten."""
        self._path = path
        self._rows = read_table(path, COLUMNS) if path.is_file() else []
        self._existing = {(row["kind"], row["sha256"]) for row in self._rows}

    def has_url(self, url: str) -> bool:
        """Return whether an address was forgotten."""
        return (ADDRESS, url_hash(url)) in self._existing

    def has_content(self, sha256: str) -> bool:
        """Return whether a file with this hash was forgotten."""
        return (CONTENT, sha256) in self._existing

    def add(self, urls: Iterable[str], contents: Iterable[str]) -> None:
        """Add addresses and hashes of contents, and write the table."""
        pairs = [(ADDRESS, url_hash(url)) for url in urls]
        pairs += [(CONTENT, sha256) for sha256 in contents]
        today = datetime.now(UTC).date().isoformat()
        for kind, sha256 in sorted({*pairs} - self._existing):
            self._rows.append({"kind": kind, "sha256": sha256, "date": today})
            self._existing.add((kind, sha256))
        write_table(self._path, COLUMNS, sorted(self._rows, key=lambda row: list(row.values())))
