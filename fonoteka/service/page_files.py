"""The files of the web page, read once: page, scripts and style."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("page")
_MEDIA_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}


@dataclass(frozen=True)
class PageFile:
    """A file that browsers load.

    Attributes:
        content: its bytes, UTF-8.
        media_type: with the character set.
        etag: changes with the content.
    """

    content: bytes
    media_type: str
    etag: str


@cache
def page_files() -> dict[str, PageFile]:
    """Return the files by name; a name that is not a key is not a file of the page.

    >>> page_files()["page.js"].media_type
    'text/javascript; charset=utf-8'
    """
    return {
        path.name: _page_file(path)
        for path in sorted(_FOLDER.iterdir())
        if path.suffix in _MEDIA_TYPES
    }


def _page_file(path: Path) -> PageFile:
    content = path.read_bytes()
    media_type = f"{_MEDIA_TYPES[path.suffix]}; charset=utf-8"
    return PageFile(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')
