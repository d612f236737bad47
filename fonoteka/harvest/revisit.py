"""Ask about a recording that an earlier run downloaded or refused, without reading it again."""

from __future__ import annotations

from collections.abc import Mapping

from fonoteka.harvest.item import ItemLine, ItemRefusedError, Outcome
from fonoteka.harvest.ledger import Ledger, Record
from fonoteka.harvest.web import Gate, Web

_NOT_MODIFIED, _OK = 304, 200
AFTER_READING = (Outcome.TOO_LARGE, Outcome.UNREADABLE, Outcome.WRONG_TYPE)
"""Outcomes that only the bytes of a file show, so that it is not read again at each run."""


class Revisit:
    """Compares what is recorded with the answers to HEAD requests."""

    def __init__(self, ledger: Ledger, web: Web, gate: Gate, *, again: bool) -> None:
        """Prepare.

        Args:
            ledger: what is recorded.
            web: sends the requests.
            gate: decides about addresses.
            again: whether what was refused is forgotten.
        """
        self._ledger, self._web, self._gate, self._again = ledger, web, gate, again

    def held_line(self, url: str, held: Record) -> ItemLine:
        """Return the line of a recording that is there, without reading a byte of it."""
        when = f"since {held['time'][:10]}"
        same, note = self._compared(url, held.get("headers", {}))
        if same is False:
            return ItemLine(url, Outcome.CHANGED, f"what is here is {when}, and was kept")
        return ItemLine(url, Outcome.HERE, f"{when}{note}")

    def refused_before(self, url: str) -> ItemLine | None:
        """Return the line of a recording that an earlier run refused after reading bytes of it.

        None if it was not, or if the file or the limit has changed since.
        """
        record = self._ledger.last(url)
        if self._again or record is None or "headers" not in record:
            return None
        outcome = Outcome(record["outcome"])
        if outcome not in AFTER_READING or self._web.limits.max_bytes > record["max_bytes"]:
            return None
        same, note = self._compared(url, record["headers"])
        return None if same is False else ItemLine(url, outcome, f"{record['detail']}{note}")

    def _compared(self, url: str, headers: Mapping[str, str]) -> tuple[bool | None, str]:
        """Ask whether a file is as it was, without reading it.

        Args:
            url: of the file.
            headers: which its server has sent before.

        Returns:
            Whether it is the same, None if that cannot be known; and a note for the report.
        """
        conditions = {
            condition: headers[name]
            for condition, name in (
                ("If-None-Match", "etag"),
                ("If-Modified-Since", "last-modified"),
            )
            if headers.get(name)
        }
        if not conditions:
            return None, ""
        try:
            with self._web.open(url, self._gate, method="HEAD", headers=conditions) as answer:
                status = answer.status
                name = "etag" if headers.get("etag") else "last-modified"
                differs = answer.header(name) != headers[name]
        except ItemRefusedError as error:
            return None, f"; not compared: {error}"
        if status == _OK:
            return not differs, "; unchanged"
        return (True, "; unchanged") if status == _NOT_MODIFIED else (None, f"; now {status}")
