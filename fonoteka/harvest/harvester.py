"""Decide about one item after the other, download what may be had, and record the evidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from fonoteka.corpus.importers.clip_record import CODES
from fonoteka.harvest.consent import Consent
from fonoteka.harvest.download import Downloaded, Downloader
from fonoteka.harvest.harvest_state import HarvestState
from fonoteka.harvest.item import (
    HarvestItem,
    ItemLine,
    ItemRefusedError,
    Outcome,
    key_of,
    normal_url,
)
from fonoteka.harvest.ledger import Ledger
from fonoteka.harvest.licence_names import check_link, licence_name
from fonoteka.harvest.revisit import Revisit
from fonoteka.harvest.sources.yt_dlp import YtDlp
from fonoteka.harvest.stage_clips import stage_item
from fonoteka.harvest.tombstones import Tombstones
from fonoteka.harvest.web import Answer, Web
from fonoteka.licences import matches_licence
from fonoteka.phones import LANGUAGES
from fonoteka.tables import Row


@dataclass(frozen=True)
class HarvestTerms:
    """What the user states of the items, and accepts.

    Attributes:
        licence: of items whose source states none; empty without one.
        evidence: where that licence is stated.
        accepted: patterns of licences, with `*` for any text.
        accept_changes: whether an item is taken whose licence has changed since it was first seen.
        language: of all items, as podcasts often state a wrong one; empty if sources state it.
        speaker: of all items; empty if the source names them.
        max_s: length of the longest clip.
        again: whether to download again what was refused after reading bytes of it.
    """

    licence: str = ""
    evidence: str = ""
    accepted: Sequence[str] = ("*",)
    accept_changes: bool = False
    language: str = ""
    speaker: str = ""
    max_s: float = 28.0
    again: bool = False


class Harvester:
    """Takes the items of a run."""

    def __init__(
        self, state: HarvestState, ledger: Ledger, web: Web, consent: Consent,
        downloader: Downloader, terms: HarvestTerms, yt_dlp: YtDlp | None,
    ) -> None:  # fmt: skip
        self._state, self._ledger, self._web, self._consent = state, ledger, web, consent
        self._downloader, self._terms, self._yt_dlp = downloader, terms, yt_dlp
        self._revisit = Revisit(ledger, web, consent.gate, again=terms.again)
        self._tombstones = Tombstones()
        self._seen = set[str]()
        self._downloads = 0

    def take(self, item: HarvestItem) -> ItemLine:
        """Return the line of an item, after it was downloaded or refused; record it."""
        url, licence = item.url, ""
        try:
            url = normal_url(item.url)
            item = replace(item, url=url)
            self._check_new(url)
            item = self._with_terms(item)
            licence = item.licence
            if held := self._ledger.held(url):
                return self._revisit.held_line(url, held)
            if line := self._revisit.refused_before(url):
                return line
            return self._download(item)
        except ItemRefusedError as error:
            # What was forgotten leaves no address behind, and a second mention adds nothing.
            if error.outcome not in (Outcome.FORGOTTEN, Outcome.TWICE):
                # The licence under which it was first seen is what the next run compares with.
                licence = self._ledger.licence_of(url) or licence
                record = {"outcome": error.outcome, "detail": error.detail, **error.seen}
                record["max_bytes"] = self._web.limits.max_bytes
                self._ledger.add(_evidence(replace(item, url=url, licence=licence)) | record)
            return ItemLine(url, error.outcome, error.detail)

    def _check_new(self, url: str) -> None:
        """Refuse an address that had a line in this run, or that was forgotten."""
        if url in self._seen:
            raise ItemRefusedError(Outcome.TWICE, "it has a line above")
        self._seen.add(url)
        if self._tombstones.has_url(url):
            raise ItemRefusedError(Outcome.FORGOTTEN, "its address was forgotten")

    def _with_terms(self, item: HarvestItem) -> HarvestItem:
        """Return an item with its licence and the place where it is stated.

        Raises:
            ItemRefusedError: it has no licence, or another than before.
        """
        licence, place = licence_name(item.licence), item.licence_place
        if not licence:
            licence, place = licence_name(self._terms.licence), self._terms.evidence
        before = self._ledger.licence_of(item.url)
        if before and licence != before:
            if not (licence and self._terms.accept_changes):
                detail = f"it was {before!r} and is {licence or 'none'!r}"
                note = "; its clips were kept" if self._ledger.held(item.url) else ""
                raise ItemRefusedError(Outcome.CHANGED_LICENCE, detail + note)
            self._ledger.accept_licence(item.url, licence)
        if not licence:
            stated = f"{item.licence[:60]!r} grants nothing" if item.licence else "none is stated"
            raise ItemRefusedError(Outcome.NO_LICENCE, stated)
        return replace(item, licence=licence, licence_place=place)

    def _download(self, item: HarvestItem) -> ItemLine:
        """Download an item that is not there yet, and cut it."""
        row = self._row(item)
        if not matches_licence(item.licence, self._terms.accepted):
            raise ItemRefusedError(Outcome.NOT_ACCEPTED, repr(item.licence))
        if self._downloads >= self._web.limits.max_items:
            raise ItemRefusedError(Outcome.LIMIT, f"{self._downloads} recordings in this run")
        key = key_of(item.url)
        got = self._fetched(item, key)
        self._downloads += 1
        record = _evidence(item) | {
            "outcome": Outcome.DOWNLOADED, "final_url": got.url, "hops": list(got.hops),
            "headers": dict(got.headers), "sha256": got.sha256, "bytes": got.bytes,
            "name": got.name, "key": key, "robots": "allowed", "tdm": "not reserved",
        }  # fmt: skip
        if self._tombstones.has_content(got.sha256):
            self._downloader.discard(key)
            self._tombstones.add([item.url, got.url], [])  # it is not downloaded a third time
            raise ItemRefusedError(Outcome.FORGOTTEN, "its content was forgotten")
        if same := self._ledger.with_content(got.sha256):
            self._downloader.discard(key)
            self._ledger.add(record | {"outcome": Outcome.SAME})
            return ItemLine(item.url, Outcome.SAME, f"as {same['url']}")
        return self._staged(item, got, row, record)

    def _staged(
        self, item: HarvestItem, got: Downloaded, row: Row, record: dict[str, Any]
    ) -> ItemLine:
        try:
            staged = stage_item(
                got.path, self._state.staged, record["key"], row, record, self._terms.max_s
            )
        except ItemRefusedError as error:
            self._downloader.discard(record["key"])
            if error.outcome is not Outcome.NO_SPEECH:
                error.seen = {"headers": dict(got.headers), "sha256": got.sha256}
                raise
            # Held: it would be downloaded again at each run, and be as silent.
            self._ledger.add(record | {"outcome": error.outcome})
            return ItemLine(item.url, error.outcome, error.detail)
        self._ledger.add(staged.record)
        self._downloader.discard(record["key"])
        clips = staged.record["clips"]
        text = "; its text is of the whole, and was left out" * bool(
            staged.record.get("text_left_out")
        )
        many = "clip" if clips == 1 else "clips"
        detail = f"{got.bytes} bytes, {clips} {many}, {item.licence}{text}"
        return ItemLine(item.url, Outcome.DOWNLOADED, detail, clips)

    def _fetched(self, item: HarvestItem, key: str) -> Downloaded:
        if item.by_yt_dlp:
            assert self._yt_dlp is not None
            self._consent.gate(item.url)
            limits = self._web.limits
            if self._downloader.bytes >= limits.max_total_bytes:
                raise ItemRefusedError(Outcome.LIMIT, f"{self._downloader.bytes} bytes in this run")
            stated = item.licence_place != self._terms.evidence
            got = self._yt_dlp.fetch(item.url, key, stated=stated)
            self._downloader.bytes += got.bytes
            return got

        def check(answer: Answer) -> None:
            check_link(answer.header("link"), item.licence)

        # An answer that was refused before its body is likely to be refused again: a server may
        # have sent much of the body by then.
        if "headers" in (self._ledger.last(item.url) or {}):
            self._downloader.check_head(item.url, check)
        return self._downloader.fetch(item.url, key, check)

    def _row(self, item: HarvestItem) -> Row:
        """Return what all clips of an item have in the table.

        Raises:
            ItemRefusedError: its language is not stated, or not one that the project knows.
        """
        stated = re.split("[-_]", item.language.strip().lower())[0]
        language = self._terms.language or CODES.get(stated, stated)
        if language not in LANGUAGES:
            detail = f"{item.language!a} is not known" if stated else "none is stated"
            raise ItemRefusedError(Outcome.NO_LANGUAGE, f"{detail}; give --language")
        # Who speaks is not known: clips of one show or host stay together, in one split.
        speaker = self._terms.speaker or item.speaker or urlsplit(item.url).hostname or ""
        values = {"text": item.text, "speaker": speaker, "licence": item.licence}
        row = {name: " ".join(value.split()) for name, value in values.items()}
        return row | {"path": "", "session": "", "language": language, "source": item.url}


def _evidence(item: HarvestItem) -> dict[str, Any]:
    """Return what is recorded of every item."""
    return {
        "url": item.url, "listed_at": item.listed_at, "title": item.title,
        "licence": item.licence, "licence_place": item.licence_place,
    }  # fmt: skip
