"""Remove everything that was made from an address, and keep it from coming back.

The address, its last address and the hash of its content become tombstones first; then its parts,
its clips, their rows and its evidence are removed, from every harvest. What else was made of the
clips, in caches, remotes and models, is listed by `corpus erase`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from fonoteka.core.errors import UserError
from fonoteka.corpus.corpus import TABLE
from fonoteka.corpus.importers.add import track
from fonoteka.erasure.command import erase
from fonoteka.git import entered
from fonoteka.harvest.harvest_state import HARVESTS, HarvestState, locked
from fonoteka.harvest.item import ItemRefusedError, key_of, normal_url
from fonoteka.harvest.ledger import Ledger
from fonoteka.harvest.merge_corpus import check_corpus
from fonoteka.harvest.sources.yt_dlp import ARCHIVE
from fonoteka.harvest.tombstones import TOMBSTONES, Tombstones
from fonoteka.tables import read_table


def forget(url: str, *, dry_run: bool = False) -> None:
    """Forget an address, and print what was removed and what is left to do.

    Args:
        url: of a recording.
        dry_run: whether to print only what would be removed.

    Raises:
        UserError: it is not an address, or a harvest is running.
    """
    try:
        address = normal_url(url)
    except ItemRefusedError as error:
        raise UserError(f"{url!r}: {error.detail}") from error
    with entered():
        # A ledger that is not checked out has a pointer alone; `check_corpus` refuses it then.
        ledgers = {path.name.removesuffix(".dvc") for path in HARVESTS.glob("*.jsonl*")}
        names = sorted(name.removesuffix(".jsonl") for name in ledgers)
        if not dry_run:
            Tombstones().add([address], [])  # before anything else: a kill leaves at least this
        count = 0
        for name in names:
            with locked(name) as state:
                count += _forget_in(state, address, dry_run=dry_run)
        if dry_run:
            print(f"not done   recordings that would be removed: {count}")
            return
        print(f"forgotten  recordings: {count}; {TOMBSTONES} keeps the address out: commit it")


def _forget_in(state: HarvestState, address: str, *, dry_run: bool) -> int:
    """Remove an address from one harvest; return the number of its addresses."""
    check_corpus(state.corpus, state.ledger)
    ledger = Ledger(state.ledger)
    records = ledger.related(address)
    urls = sorted({record["url"] for record in records})
    # Each erasure lists what exists; the corpus may be gone after the last one.
    for url in [url for url in urls if _has_clips(state.corpus, url)]:
        erase(source=f"{state.name}/{url}", yes=not dry_run)
    if dry_run or not urls:
        return len(urls)
    contents = {record["sha256"] for record in records if record.get("sha256")}
    finals = {record["final_url"] for record in records if record.get("final_url")}
    Tombstones().add({*urls, *finals}, contents)
    for url in urls:
        key = key_of(url)
        shutil.rmtree(state.staged / key, ignore_errors=True)
        for path in state.parts.glob(f"{key}*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    # Pages, the report and yt-dlp's archive name it; the next run reads and writes them again.
    shutil.rmtree(state.pages, ignore_errors=True)
    for path in (state.report, state.parts / ARCHIVE):
        path.unlink(missing_ok=True)
    ledger.remove(urls)
    if Path(f"{state.ledger}.dvc").is_file():
        track(state.ledger)
    return len(urls)


def _has_clips(corpus: Path, url: str) -> bool:
    table = corpus / TABLE
    return table.is_file() and any(r.get("source") == url for r in read_table(table, ("path",)))
