"""Items of a list: the index of a folder on a web server, or a manifest.

A manifest is a table with a column `url`, and optionally `licence` (or `license`), `evidence`,
`title`, `text`, `speaker` and `language`; or a text with one address per line, and after a tab the
licence. It may be a file here or on a server. An index is a page of HTML: its links to recordings
in the same folder or below are the items, and its link `rel="license"` is the licence of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import AUDIO_SUFFIXES
from fonoteka.corpus.importers.layouts.table_rows import read_table
from fonoteka.harvest.consent import check_header, is_reserved
from fonoteka.harvest.item import HarvestItem, ItemRefusedError, Outcome
from fonoteka.harvest.pages import Pages, WebPage
from fonoteka.harvest.web import Gate

_OK = 200
_TABLES = (".csv", ".tsv")
_LICENCES = ("licence", "license")


def list_items(place: str, pages: Pages, gate: Gate) -> Iterator[HarvestItem]:
    """Yield the recordings of a list, in its order.

    Args:
        place: an address, or a file here.
        pages: reads what is on a server.
        gate: decides about addresses.

    Raises:
        ItemRefusedError: the list is refused or cannot be read.
        UserError: a file here cannot be read.
    """
    if "://" not in place:
        yield from _manifest(Path(place), place, Path(place).suffix.lower() in _TABLES)
        return
    page = pages.get(place, gate)
    if page.status != _OK:
        raise ItemRefusedError(Outcome.HTTP, f"{page.status} for the list")
    check_header(page.reservation, page.url)
    kind = page.content_type.partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        yield from _index(page, place)
        return
    suffix = PurePosixPath(urlsplit(page.url).path).suffix.lower()
    is_table = suffix in _TABLES or kind in ("text/csv", "text/tab-separated-values")
    if not is_table and kind != "text/plain":
        raise ItemRefusedError(Outcome.WRONG_TYPE, f"a list as {kind!a}")
    try:
        yield from _manifest(pages.path_of(place), place, is_table, page.url)
    except UserError as error:
        raise ItemRefusedError(Outcome.WRONG_TYPE, str(error)) from error


def url_lines(path: Path) -> Iterator[HarvestItem]:
    """Yield the addresses of a file, one per line, with the licence after a tab if it is there.

    Raises:
        UserError: the file cannot be read.
    """
    yield from _manifest(path, str(path), is_table=False)


def _manifest(path: Path, place: str, is_table: bool, base: str = "") -> Iterator[HarvestItem]:
    if not path.is_file():
        raise UserError(f"{place}: no such file")
    if is_table:
        yield from _rows(path, place, base)
        return
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: not UTF-8 at byte {error.start}; save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        url, _, licence = line.strip().partition("\t")
        if url and not url.startswith("#"):
            stated_at = f"{place}, line {number}" if licence else ""
            yield HarvestItem(urljoin(base, url), place, "", licence.strip(), stated_at)


def _rows(path: Path, place: str, base: str) -> Iterator[HarvestItem]:
    table = read_table(path)
    if "url" not in table.header:
        raise UserError(f"{place}: column 'url' is missing; found {table.header}")
    if both := [name for name in _LICENCES if name in table.header][1:]:
        raise UserError(f"{place}: column {both[0]!r} is there in both spellings; keep one")
    if table.refused:
        raise UserError(str(table.refused[0]).replace(str(path), place))
    for number, row in table.rows:
        licence = next((row[name] for name in _LICENCES if name in row), "")
        stated_at = f"{place}, line {number}" if licence else ""
        if evidence := row.get("evidence", "").strip():
            stated_at += f", which names {evidence}"
        yield HarvestItem(
            urljoin(base, row["url"].strip()), place, row.get("title", ""), licence, stated_at,
            row.get("text", ""), row.get("speaker", ""), row.get("language", ""),
        )  # fmt: skip


class _IndexParser(HTMLParser):
    """Collects the links of a page, its licence, and whether it is reserved."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.licence = ""
        self.reservation = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        is_licence = "license" in values.get("rel", "").lower().split()
        if tag in ("a", "link") and is_licence:
            self.licence = self.licence or values.get("href", "")
        elif tag == "a" and values.get("href"):
            self.links.append(values["href"])
        elif tag == "meta" and values.get("name", "").lower() == "tdm-reservation":
            self.reservation = values.get("content", "")


def _index(page: WebPage, place: str) -> Iterator[HarvestItem]:
    parser = _IndexParser()
    parser.feed(page.body.decode("utf-8", "replace"))
    if is_reserved(parser.reservation):
        raise ItemRefusedError(Outcome.RESERVED, f"the meta element tdm-reservation of {page.url}")
    folder = page.url.partition("?")[0].rpartition("/")[0] + "/"
    seen = set[str]()
    for link in parser.links:
        url = urljoin(page.url, link).partition("#")[0]
        is_recording = PurePosixPath(urlsplit(url).path).suffix.lower() in AUDIO_SUFFIXES
        if is_recording and url.startswith(folder) and url not in seen:
            seen.add(url)
            stated_at = f"{place}, rel=license" if parser.licence else ""
            yield HarvestItem(url, place, "", parser.licence, stated_at)
