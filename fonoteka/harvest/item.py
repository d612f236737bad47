"""One recording that a source lists, and what became of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import httpx


class Outcome(StrEnum):
    """What became of an item; the value is printed in the report."""

    DOWNLOADED = "downloaded"
    HERE = "already there"
    SAME = "same content"
    CHANGED = "changed at the source"
    TWICE = "listed twice"
    FORGOTTEN = "forgotten"
    ROBOTS = "refused by robots"
    RESERVED = "reserved (TDM)"
    NO_LICENCE = "no licence"
    NOT_ACCEPTED = "licence not accepted"
    CHANGED_LICENCE = "changed licence"
    NO_LANGUAGE = "no language"
    WRONG_URL = "wrong URL"
    PRIVATE = "private address"
    BUSY = "asked to wait"
    LOOP = "redirect loop"
    TOO_LARGE = "too large"
    WRONG_TYPE = "wrong type"
    HOSTILE = "hostile name"
    HTTP = "HTTP error"
    NETWORK = "network error"
    UNREADABLE = "not readable"
    NO_SPEECH = "no speech"
    LIMIT = "limit reached"
    FAILED = "yt-dlp failed"
    SOURCE = "source read"


class ItemRefusedError(Exception):
    """An item that is not downloaded.

    Attributes:
        outcome: what became of it.
        detail: the reason in a few words.
        seen: what is recorded of an item that was refused after bytes of it were read.
    """

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(f"{outcome}: {detail}")
        self.outcome, self.detail = outcome, detail
        self.seen: dict[str, Any] = {}


@dataclass(frozen=True)
class HarvestItem:
    """A recording that a source lists.

    Attributes:
        url: where it can be downloaded.
        listed_at: the feed or list that names it; empty for an address of the command line.
        title: as the source states it.
        licence: as the source states it; empty if it does not.
        licence_place: where the licence is stated.
        text: the transcript, if the source has one.
        speaker: who speaks, if the source says so.
        language: as the source states it.
        by_yt_dlp: whether yt-dlp downloads it.
    """

    url: str
    listed_at: str = ""
    title: str = ""
    licence: str = ""
    licence_place: str = ""
    text: str = ""
    speaker: str = ""
    language: str = ""
    by_yt_dlp: bool = False


@dataclass(frozen=True)
class ItemLine:
    """The line of an item in the report.

    Attributes:
        url: of the item.
        outcome: what became of it.
        detail: the reason.
        clips: how many clips were cut from it.
    """

    url: str
    outcome: Outcome
    detail: str = ""
    clips: int = 0


def normal_url(url: str) -> str:
    """Return an address in the form in which it is compared and recorded.

    Scheme and host are in lower case; the default port and the fragment are left out.

    Raises:
        ItemRefusedError: it is not an address for HTTP, or contains a name and a password.

    >>> normal_url("HTTP://Example.org:80/a.mp3#t=3")
    'http://example.org/a.mp3'
    """
    text = url.strip()
    try:
        parsed = httpx.URL(text)
        port = urlsplit(text).port  # httpx accepts more than a port can be
    except (httpx.InvalidURL, ValueError) as error:
        raise ItemRefusedError(Outcome.WRONG_URL, str(error)) from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise ItemRefusedError(Outcome.WRONG_URL, "expected http:// or https:// and a host")
    if parsed.userinfo:
        raise ItemRefusedError(Outcome.WRONG_URL, "contains a name and a password")
    if port == 0:
        raise ItemRefusedError(Outcome.WRONG_URL, "port 0")
    return str(parsed.copy_with(fragment=None))


def key_of(url: str) -> str:
    """Return the name of the files and clips of an address, the same on every machine.

    >>> key_of("http://h/a.mp3") == key_of("http://h/a.mp3") != key_of("http://h/b.mp3")
    True
    """
    return hashlib.sha256(url.encode()).hexdigest()[:16]
