"""The report of a harvest: a line for each item, and counts that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fonoteka.core.errors import UserError
from fonoteka.corpus.importers.portable_names import shown
from fonoteka.harvest.item import ItemLine, Outcome
from fonoteka.harvest.tombstones import url_hash

_WIDTH = max(len(outcome) for outcome in Outcome)


@dataclass(frozen=True)
class HarvestReport:
    """What a run did.

    Attributes:
        items: a line for each item that a source listed.
        sources: a line for each source.
        recording_bytes: of bodies of recordings that were read.
        page_bytes: of bodies of feeds, lists and rules that were read.
        imported: clips that were added to the corpus.
    """

    items: Sequence[ItemLine]
    sources: Sequence[ItemLine]
    recording_bytes: int
    page_bytes: int
    imported: int

    def counts(self) -> dict[str, int]:
        """Return the number of items by outcome, in the order in which outcomes are defined."""
        counts = Counter(line.outcome for line in self.items)
        assert counts.total() == len(self.items)
        return {str(outcome): counts[outcome] for outcome in Outcome if counts[outcome]}

    def text(self) -> str:
        """Return the report as text, in which a forgotten address is a hash: it is kept."""
        lines = [
            replace(line, url=f"sha256 {url_hash(line.url)[:16]}")
            if line.outcome is Outcome.FORGOTTEN
            else line
            for line in self.items
        ]
        return "\n".join([*map(printed, (*self.sources, *lines)), self.totals()])

    def totals(self) -> str:
        """Return the counts of the report."""
        listed = ", ".join(f"{count} {outcome}" for outcome, count in self.counts().items())
        lines = [
            f"items      {len(self.items)}{': ' if listed else ''}{listed}",
            f"read       {self.recording_bytes} bytes of recordings, {self.page_bytes} of pages",
            f"imported   {self.imported} clips",
        ]
        return "\n".join(lines)

    def check(self) -> None:
        """Refuse a run in which a source could not be read and no item was listed.

        Raises:
            UserError: that is so.
        """
        failed = [line for line in self.sources if line.outcome is not Outcome.SOURCE]
        if failed and not self.items:
            first = failed[0]
            raise UserError(f"{shown(first.url)}: {first.outcome}: {shown(first.detail)}")


def printed(line: ItemLine) -> str:
    r"""Return the line of an item as it is printed, without control characters.

    >>> printed(ItemLine("http://h/a.mp3", Outcome.HERE, "since\x1b 2026"))
    "already there          http://h/a.mp3  'since\\x1b 2026'"
    """
    text = f"{line.outcome:<{_WIDTH}}  {shown(line.url)}  {shown(line.detail)}"
    return text.rstrip()
