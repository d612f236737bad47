"""Where a harvest keeps what it knows, and the lock that lets one harvest at a time change it.

The paths are:

    data/harvest/NAME.jsonl    the ledger, tracked by DVC
    data/harvest/NAME/         pages, parts of recordings, clips before their import; the report
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fonoteka.corpus.corpus import check_corpus_name
from fonoteka.erasure.find_clips import RAW
from fonoteka.pipeline.exclusive_lock import exclusive_lock

HARVESTS = Path("data/harvest")


@dataclass(frozen=True)
class HarvestState:
    """The paths of a harvest.

    Attributes:
        name: of the corpus.
    """

    name: str

    @property
    def corpus(self) -> Path:
        """The folder of the corpus."""
        return RAW / self.name

    @property
    def ledger(self) -> Path:
        """The evidence."""
        return HARVESTS / f"{self.name}.jsonl"

    @property
    def folder(self) -> Path:
        """What is not evidence."""
        return HARVESTS / self.name

    @property
    def staged(self) -> Path:
        """Clips that wait for their import."""
        return self.folder / "staged"

    @property
    def parts(self) -> Path:
        """Recordings that are not whole yet."""
        return self.folder / "parts"

    @property
    def pages(self) -> Path:
        """Pages that were read."""
        return self.folder / "pages"

    @property
    def report(self) -> Path:
        """The report of the last run."""
        return self.folder / "report.txt"


@contextmanager
def locked(name: str) -> Iterator[HarvestState]:
    """Hold a harvest inside the block; the system releases it if the process ends.

    Raises:
        UserError: the name is not one of a corpus, or another process holds the harvest.
    """
    check_corpus_name(name, "--name")
    state = HarvestState(name)
    held = f"{state.folder}: another harvest into {name} is running; wait until it has ended"
    with exclusive_lock(state.folder / "lock", lambda: held):
        yield state
