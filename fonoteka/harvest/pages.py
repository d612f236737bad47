"""Read small pages, such as feeds and robots.txt, and do not read the same bytes twice.

A page is kept with its ETag and Last-Modified, and asked for conditionally from then on.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fonoteka.core.errors import UserError
from fonoteka.core.files import atomic_file, read_json, write_json
from fonoteka.harvest.item import ItemRefusedError, Outcome, normal_url
from fonoteka.harvest.web import Answer, Gate, Web

MAX_PAGE_BYTES = 16 << 20
_STATUSES = (200, 404)  # what is kept
_NOT_MODIFIED = 304


@dataclass(frozen=True)
class WebPage:
    """A page.

    Attributes:
        url: its last address.
        status: of the answer.
        content_type: as the server states it.
        reservation: the header tdm-reservation.
        etag: a validator; empty if the server states none.
        last_modified: another one.
        read_at: when it was read, in seconds since 1970.
        body: its bytes.
    """

    url: str
    status: int
    content_type: str
    reservation: str
    etag: str
    last_modified: str
    read_at: float
    body: bytes


class Pages:
    """Reads pages and keeps them in a folder."""

    def __init__(self, web: Web, folder: Path) -> None:
        self._web, self._folder = web, folder
        self.bytes = 0  # of bodies that were read

    def get(self, url: str, gate: Gate, *, fresh_s: float = 0.0) -> WebPage:
        """Return a page; its status may be one of an error.

        Args:
            url: the address.
            gate: decides about each address.
            fresh_s: age up to which the kept page is returned without a request.

        Raises:
            ItemRefusedError: the request is refused or fails, or the page is too large.
        """
        cached = self._cached(url)
        if cached and 0 <= time.time() - cached.read_at < fresh_s:
            return cached
        conditions = {}
        if cached and cached.etag:
            conditions["If-None-Match"] = cached.etag
        if cached and cached.last_modified:
            conditions["If-Modified-Since"] = cached.last_modified
        with self._web.open(url, gate, headers=conditions) as answer:
            if cached and answer.status == _NOT_MODIFIED:
                return cached
            page = self._read(answer)
        if page.status in _STATUSES:
            self._keep(url, page)
        return page

    def _read(self, answer: Answer) -> WebPage:
        body = bytearray()
        for chunk in answer.response.iter_raw():
            body += chunk
            self.bytes += len(chunk)
            if len(body) > MAX_PAGE_BYTES:
                raise ItemRefusedError(Outcome.TOO_LARGE, f"a page above {MAX_PAGE_BYTES} bytes")
        return WebPage(
            answer.url, answer.status, answer.header("content-type"),
            answer.header("tdm-reservation"), answer.header("etag"),
            answer.header("last-modified"), time.time(), bytes(body),
        )  # fmt: skip

    def path_of(self, url: str) -> Path:
        """Return the file in which the body of a page is cached."""
        return self._folder / f"{hashlib.sha256(normal_url(url).encode()).hexdigest()[:24]}.body"

    def _cached(self, url: str) -> WebPage | None:
        path = self.path_of(url)
        try:
            record: dict[str, Any] = read_json(path.with_suffix(".json"))
            body = path.read_bytes()
            whole = record.pop("sha256") == hashlib.sha256(body).hexdigest()
            return WebPage(**record, body=body) if whole else None
        except (UserError, OSError, KeyError, TypeError):
            return None  # it was never read, or a kill left one of the two files

    def _keep(self, url: str, page: WebPage) -> None:
        path = self.path_of(url)
        with atomic_file(path) as part:
            part.write_bytes(page.body)
        record = asdict(page) | {"sha256": hashlib.sha256(page.body).hexdigest()}
        del record["body"]
        write_json(path.with_suffix(".json"), record)
