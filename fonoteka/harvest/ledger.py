"""The evidence of a harvest: one line of JSON for each item, with what was seen and when.

    data/harvest/NAME.jsonl    appended to while a harvest runs

Each line reaches the disk before the next item begins. A line that a kill cut is left out when the
file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fonoteka.core.files import write_text
from fonoteka.harvest.item import Outcome

Record = Mapping[str, Any]
"""An item's evidence; `url`, `outcome` and `time` are always there."""

HELD = (Outcome.DOWNLOADED, Outcome.SAME, Outcome.NO_SPEECH)
"""Outcomes after which an address is not downloaded again."""


class Ledger:
    """The records of a corpus."""

    def __init__(self, path: Path) -> None:
        """Read the records; keep of each address the last one, and the last that is held.

        The file is replaced: DVC may have made it a link to its cache, whose objects must not
        be appended to.
        """
        self.path = path
        self._last: dict[str, Record] = {}
        self._held: dict[str, Record] = {}
        self._licences: dict[str, str] = {}  # by address: the first that was stated
        if path.is_file():
            for record in _records(path.read_bytes()):
                self._note(record)
            self._write()

    def _note(self, record: Record) -> None:
        url = record["url"]
        self._last[url] = record
        if record["outcome"] in HELD:
            self._held[url] = record
        if licence := record.get("licence"):
            self._licences.setdefault(url, licence)

    def add(self, record: Record) -> None:
        """Append a record, with the time if it has none."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        whole = {"time": now} | dict(record)
        self._note(whole)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(whole, ensure_ascii=False, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def held(self, url: str) -> Record | None:
        """Return the record of an address that is not downloaded again."""
        return self._held.get(url)

    def last(self, url: str) -> Record | None:
        """Return the last record of an address."""
        return self._last.get(url)

    @property
    def downloads(self) -> int:
        """The number of recordings whose clips are in the corpus, or wait for their import."""
        return sum(record["outcome"] == Outcome.DOWNLOADED for record in self._held.values())

    def licence_of(self, url: str) -> str:
        """Return the licence under which an address was first seen; empty if it was not."""
        return self._licences.get(url, "")

    def accept_licence(self, url: str, licence: str) -> None:
        """Let another licence of an address be the one that it is compared with."""
        self._licences[url] = licence

    def with_content(self, sha256: str) -> Record | None:
        """Return the record of a downloaded file with some content."""
        same = (r for r in self._held.values() if r.get("sha256") == sha256)
        return next((r for r in same if r["outcome"] != Outcome.SAME), None)

    def related(self, url: str) -> list[Record]:
        """Return the records of an address: as given, as the last one, or with its content."""
        records = [*self._held.values(), *self._last.values()]
        own = [r for r in records if url in (r["url"], r.get("final_url"))]
        contents = {r["sha256"] for r in own if r.get("sha256")}
        return own + [r for r in records if r not in own and r.get("sha256") in contents]

    def remove(self, urls: Iterable[str]) -> None:
        """Remove all records of some addresses."""
        for url in urls:
            for table in (self._last, self._held, self._licences):
                table.pop(url, None)
        self._write()

    def _write(self) -> None:
        """Write the records that count."""
        lines = []
        for url, last in self._last.items():
            held = self._held.get(url)
            records = [last] if held in (None, last) else [held, last]
            lines += [json.dumps(r, ensure_ascii=False, sort_keys=True) for r in records]
        write_text(self.path, "\n".join(lines))


def _records(data: bytes) -> list[Record]:
    """Return the records of a file; what follows the last newline was cut by a kill."""
    records = list[Record]()
    for line in data.split(b"\n")[:-1]:
        with suppress(ValueError):
            record = json.loads(line)
            if isinstance(record, dict) and {"url", "outcome"} <= record.keys():
                records.append(record)
    return records
