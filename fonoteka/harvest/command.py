"""Harvest recordings into a corpus: list, decide, download, cut, import.

    python -m fonoteka harvest run --name radio --feed https://example.org/feed.xml
    python -m fonoteka harvest forget https://example.org/a.mp3

Reads   feeds, lists and recordings on the web, data/forgotten.csv
Writes  data/raw/NAME, data/raw/NAME.dvc, data/harvest/NAME.jsonl with its .dvc, data/harvest/NAME

A run that was killed is finished by the next one. What is there is never downloaded again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from fonoteka.core.errors import UserError
from fonoteka.core.files import write_text
from fonoteka.core.params import PARAMS
from fonoteka.corpus.importers.add import next_steps, track
from fonoteka.git import entered
from fonoteka.harvest.consent import Consent
from fonoteka.harvest.download import Downloader
from fonoteka.harvest.harvest_report import HarvestReport, printed
from fonoteka.harvest.harvest_state import HarvestState, locked
from fonoteka.harvest.harvester import Harvester, HarvestTerms
from fonoteka.harvest.item import HarvestItem, ItemLine, ItemRefusedError, Outcome
from fonoteka.harvest.ledger import Ledger
from fonoteka.harvest.limits import HarvestLimits
from fonoteka.harvest.merge_corpus import check_corpus, import_staged
from fonoteka.harvest.pages import Pages
from fonoteka.harvest.sources.listing import list_items, url_lines
from fonoteka.harvest.sources.yt_dlp import YtDlp
from fonoteka.harvest.stage_clips import staged_items
from fonoteka.harvest.web import Web
from fonoteka.phones import LANGUAGES

LONGEST_CLIP_S = 28.0  # what Whisper takes, with its margin: WindowParams
SOURCE = "harvested; the source of each clip is its address"


@dataclass(frozen=True)
class HarvestSources:
    """Where to look for items.

    Attributes:
        urls: addresses of recordings.
        files: files with addresses.
        feeds: addresses of podcasts.
        lists: addresses of indexes and manifests, and manifests here.
        yt_dlp: addresses for yt-dlp, which is not run without one.
    """

    urls: Sequence[str] = ()
    files: Sequence[Path] = ()
    feeds: Sequence[str] = ()
    lists: Sequence[str] = ()
    yt_dlp: Sequence[str] = ()


@dataclass(frozen=True)
class HarvestOptions:
    """The options of a run, except its limits.

    Attributes:
        name: of the corpus.
        terms: what the user states and accepts.
        contact: for the header User-Agent.
        allow_private: whether hosts of the local network may be asked.
        dvc: whether DVC tracks the corpus and the ledger.
    """

    name: str
    terms: HarvestTerms = field(default_factory=HarvestTerms)
    contact: str = ""
    allow_private: bool = False
    dvc: bool = True


def run(sources: HarvestSources, options: HarvestOptions, limits: HarvestLimits) -> HarvestReport:
    """Harvest, print a line for each item and what is left to do, and return the report.

    Raises:
        UserError: an option is wrong, another harvest runs, or no source can be read.
    """
    with entered():
        options = replace(options, terms=_checked(options.terms))
        if not any(vars(sources).values()):
            raise UserError("nothing to harvest; give URLs, --from, --feed, --list or --yt-dlp")
        with locked(options.name) as state:
            check_corpus(state.corpus, state.ledger)
            report = _harvested(sources, options, limits, state)
            write_text(state.report, report.text())
            if options.dvc and report.imported:
                track(state.corpus)
            if options.dvc and state.ledger.is_file():
                track(state.ledger)
        print(report.totals())
        report.check()
        if report.imported:
            print(next_steps(state.corpus, tracked=options.dvc))
            print("no text    set inventory.untranscribed to quarantine, or see corpus transcribe")
    return report


def _harvested(
    sources: HarvestSources, options: HarvestOptions, limits: HarvestLimits, state: HarvestState
) -> HarvestReport:
    """Take the items of all sources, and import their clips."""
    yt_dlp = YtDlp(state.parts, limits) if sources.yt_dlp else None
    web = Web(limits, allow_private=options.allow_private, contact=options.contact)
    with closing(web):
        pages = Pages(web, state.pages)
        consent = Consent(web, pages)
        ledger = Ledger(state.ledger)
        waiting = staged_items(state.staged)
        if ledger.downloads and not waiting and not state.corpus.exists():
            raise UserError(
                f"{state.corpus} is not there, but {state.ledger} names {ledger.downloads} "
                "recordings of it; restore it, or remove the ledger to download them again"
            )
        for staged in waiting:  # a kill may have come before their record
            if ledger.held(staged.record["url"]) is None:
                ledger.add(staged.record)
        downloader = Downloader(web, state.parts, consent.gate)
        harvester = Harvester(state, ledger, web, consent, downloader, options.terms, yt_dlp)
        lines, source_lines = list[ItemLine](), list[ItemLine]()
        for place, read in _readers(sources, pages, consent, yt_dlp):
            before = len(lines)
            try:
                for item in read():
                    lines.append(harvester.take(item))
                    print(printed(lines[-1]), flush=True)
                source_lines += [_source_line(place, len(lines) - before)] * bool(place)
            except ItemRefusedError as error:
                source_lines.append(ItemLine(place, error.outcome, error.detail))
                print(printed(source_lines[-1]), flush=True)
        imported = _imported(state)
        return HarvestReport(lines, source_lines, downloader.bytes, pages.bytes, imported)


def _readers(
    sources: HarvestSources, pages: Pages, consent: Consent, yt_dlp: YtDlp | None
) -> Iterator[tuple[str, Callable[[], Iterable[HarvestItem]]]]:
    """Yield each source with a function that reads it."""
    # Imported here: feedparser takes 0.1 CPU seconds, which the other sources do not need.
    from fonoteka.harvest.sources.feed import feed_items

    yield "", partial(map, HarvestItem, sources.urls)
    for path in sources.files:
        yield str(path), partial(url_lines, path)
    for url in sources.feeds:
        yield url, partial(feed_items, url, pages, consent.gate)
    for place in sources.lists:
        yield place, partial(list_items, place, pages, consent.gate)
    for url in sources.yt_dlp:
        assert yt_dlp is not None
        yield url, partial(yt_dlp.items, url, consent.gate)


def _source_line(place: str, count: int) -> ItemLine:
    return ItemLine(place, Outcome.SOURCE, f"{count} items")


def _imported(state: HarvestState) -> int:
    """Import what is staged; return the number of clips."""
    items = staged_items(state.staged)
    if items:
        import_staged(state.staged, items, state.corpus, SOURCE)
    return sum(len(item.rows) for item in items)


def _checked(terms: HarvestTerms) -> HarvestTerms:
    """Return the terms with the length of clips that the inventory takes.

    Raises:
        UserError: a term is wrong.
    """
    if terms.licence and not terms.evidence:
        raise UserError("--licence needs --evidence: the address or document that states it")
    if terms.language and terms.language not in LANGUAGES:
        raise UserError(f"--language {terms.language!r}: expected one of {list(LANGUAGES)}")
    return replace(terms, max_s=min(terms.max_s, LONGEST_CLIP_S, _inventory_max_s()))


def _inventory_max_s() -> float:
    """Return `inventory.max_s`, above which a clip would be quarantined."""
    if not PARAMS.is_file():
        return math.inf
    document: Any = yaml.safe_load(PARAMS.read_text(encoding="utf-8"))
    return float(document["inventory"]["max_s"])
