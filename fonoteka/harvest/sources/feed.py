"""Items of a podcast: the enclosures of an RSS or Atom feed.

feedparser reads feeds that are not well-formed, as many are. A licence is taken from `cc:license`,
`creativeCommons:license`, a link `rel="license"` or `podcast:license`, of the item or else of the
feed; a copyright line does not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import feedparser

from fonoteka.harvest.consent import check_header
from fonoteka.harvest.item import HarvestItem, ItemRefusedError, Outcome
from fonoteka.harvest.pages import Pages
from fonoteka.harvest.web import Gate

_OK = 200


def feed_items(url: str, pages: Pages, gate: Gate) -> Iterator[HarvestItem]:
    """Yield the recordings of a feed, in its order.

    Raises:
        ItemRefusedError: the feed is refused, or is not a feed.
    """
    page = pages.get(url, gate)
    if page.status != _OK:
        raise ItemRefusedError(Outcome.HTTP, f"{page.status} for the feed")
    check_header(page.reservation, page.url)
    parsed = feedparser.parse(
        page.body, response_headers={"content-type": page.content_type},
        sanitize_html=False, resolve_relative_uris=False,
    )  # fmt: skip
    if not parsed.get("version"):
        raise ItemRefusedError(Outcome.WRONG_TYPE, "not a feed of RSS or Atom")
    yield from items_of(parsed, page.url, url)


def items_of(parsed: Mapping[str, Any], base: str, listed_at: str) -> Iterator[HarvestItem]:
    """Yield the recordings of a parsed feed.

    Args:
        parsed: by feedparser.
        base: what its addresses are relative to.
        listed_at: the address of the feed, for evidence.
    """
    channel = parsed["feed"]
    show, shared = str(channel.get("title", "")), _licence(channel)
    for number, entry in enumerate(parsed["entries"], start=1):
        own = _licence(entry)
        place = f"item {number}" if own else "channel"
        for enclosure in entry.get("enclosures", ()):
            if not (href := str(enclosure.get("href", "")).strip()):
                continue
            yield HarvestItem(
                urljoin(base, href), listed_at, str(entry.get("title", "")), own or shared,
                f"{listed_at}, {place}" if own or shared else "",
                speaker=str(entry.get("author") or show),
                language=str(channel.get("language", "")),
            )  # fmt: skip


def _licence(element: Mapping[str, Any]) -> str:
    """Return the licence of a feed or an item as it is stated; empty without one."""
    links = [str(link["href"]) for link in element.get("links", ()) if _is_licence(link)]
    if links:
        return links[0]
    # Under any prefix: `cc`, or that which the feed gives Podcasting 2.0 or ccREL.
    for name in sorted(element):
        if name == "license" or name.endswith("_license"):
            value = element[name]
            if isinstance(value, Mapping):
                value = value.get("rdf:resource") or value.get("url")
            if value:
                return str(value)
    return ""


def _is_licence(link: Mapping[str, Any]) -> bool:
    return link.get("rel") == "license" and bool(link.get("href"))
