"""Whether a server's owner lets robots have a file, and lets it be mined.

robots.txt: RFC 9309. TDM reservations: the TDM Reservation Protocol of W3C's community group, by a
file, by a header and, for pages, by a meta element. The protocol lets a header override the file;
here any of them that reserves is enough, because the file is read before the recording is asked
for, and its answer would be known only after.
"""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

from protego import Protego

from fonoteka.harvest.item import ItemRefusedError, Outcome
from fonoteka.harvest.pages import Pages, WebPage
from fonoteka.harvest.web import AGENT, Web

FRESH_S = 24 * 3600.0  # RFC 9309 lets robots.txt be kept for a day
MAX_ROBOTS_BYTES = 500 * 1024  # what RFC 9309 asks a robot to read at least
ROBOTS, TDMREP = "/robots.txt", "/.well-known/tdmrep.json"
_OK, _CLIENT_ERROR, _SERVER_ERROR = 200, 400, 500


class Consent:
    """Reads what servers state, once per server and day."""

    def __init__(self, web: Web, pages: Pages) -> None:
        self._web, self._pages = web, pages
        self._robots: dict[str, Protego | str] = {}  # by origin; a text is why all is refused
        self._rules: dict[str, list[tuple[str, bool]] | ItemRefusedError] = {}

    def gate(self, url: str) -> None:
        """Refuse an address that robots.txt or tdmrep.json of its server refuses.

        Raises:
            ItemRefusedError: one of them refuses it, or cannot be read.
        """
        origin, path = _parts(url)
        robots = self._robots_of(origin)
        if isinstance(robots, str):
            raise ItemRefusedError(Outcome.ROBOTS, robots)
        if not robots.can_fetch(url, AGENT):
            raise ItemRefusedError(Outcome.ROBOTS, f"{origin}{ROBOTS} disallows {path}")
        if delay := robots.crawl_delay(AGENT):
            if delay > self._web.limits.max_wait_s:
                raise ItemRefusedError(Outcome.BUSY, f"{origin}{ROBOTS}: Crawl-delay {delay:g}")
            self._web.crawl_delays[urlsplit(url).netloc] = float(delay)
        for pattern, reserved in self._rules_of(origin):
            if location_matches(pattern, path):  # the first rule that matches decides
                if reserved:
                    detail = f"{origin}{TDMREP} reserves {pattern!r}"
                    raise ItemRefusedError(Outcome.RESERVED, detail)
                break

    def _robots_of(self, origin: str) -> Protego | str:
        if origin not in self._robots:
            self._robots[origin] = self._read_robots(origin)
        return self._robots[origin]

    def _read_robots(self, origin: str) -> Protego | str:
        try:
            page = self._pages.get(origin + ROBOTS, _anything, fresh_s=FRESH_S)
        except ItemRefusedError as error:
            if error.outcome is Outcome.PRIVATE:
                raise
            return f"{ROBOTS} cannot be read: {error.detail}"
        if page.status >= _SERVER_ERROR:
            return f"{ROBOTS} cannot be read: {page.status}"
        text = "" if page.status >= _CLIENT_ERROR else _text(page)[:MAX_ROBOTS_BYTES]
        return Protego.parse(text)

    def _rules_of(self, origin: str) -> list[tuple[str, bool]]:
        if origin not in self._rules:
            try:
                self._rules[origin] = self._read_rules(origin)
            except ItemRefusedError as error:
                self._rules[origin] = error  # the other items of the server have the same reason
        rules = self._rules[origin]
        if isinstance(rules, ItemRefusedError):
            raise rules
        return rules

    def _read_rules(self, origin: str) -> list[tuple[str, bool]]:
        page = self._pages.get(origin + TDMREP, _anything, fresh_s=FRESH_S)
        if page.status != _OK:
            return []
        try:
            return tdm_rules(json.loads(page.body))
        except (ValueError, RecursionError) as error:
            # A server that answers everything with a page has not reserved anything by it.
            if "json" not in page.content_type:
                return []
            detail = f"{origin}{TDMREP} cannot be read: {error}"
            raise ItemRefusedError(Outcome.RESERVED, detail) from error


def tdm_rules(document: object) -> list[tuple[str, bool]]:
    """Return the patterns of a tdmrep.json, in their order, and whether each is reserved.

    Raises:
        ValueError: it is not a list of rules.

    >>> tdm_rules([{"location": "/a/*", "tdm-reservation": 1}])
    [('/a/*', True)]
    """
    if not isinstance(document, list) or not all(isinstance(rule, dict) for rule in document):
        raise ValueError("expected a list of rules")
    return [(str(r.get("location", "/")), is_reserved(r.get("tdm-reservation"))) for r in document]


def is_reserved(value: object) -> bool:
    """Return whether a value of tdm-reservation reserves: everything does but 0 and nothing.

    >>> [is_reserved(value) for value in (1, "1", "yes", 0, "0", "", None)]
    [True, True, True, False, False, False, False]
    """
    return str("" if value is None else value).strip() not in ("", "0")


def location_matches(pattern: str, path: str) -> bool:
    """Return whether a path begins with a pattern, in which * is any text and a last $ the end.

    >>> [location_matches(p, "/a/b.mp3") for p in ("/a/", "/a/*.mp3$", "/b", "/a$")]
    [True, True, False, False]
    """
    body = pattern.removesuffix("$")
    expression = ".*".join(map(re.escape, body.split("*")))
    return re.match(expression + ("$" if pattern.endswith("$") else ""), path) is not None


def check_header(reservation: str, url: str) -> None:
    """Refuse an answer whose header tdm-reservation reserves it.

    Raises:
        ItemRefusedError: it does.
    """
    if is_reserved(reservation):
        raise ItemRefusedError(Outcome.RESERVED, f"the header tdm-reservation of {url}")


def _anything(_url: str) -> None:
    """Accept an address: these files state the rules and are under none."""


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return f"{parts.scheme}://{parts.netloc}", path


def _text(page: WebPage) -> str:
    return page.body.decode("utf-8-sig", "replace")
