"""The licences of a corpus's recordings as a page of Markdown."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms
from fonoteka.corpus.corpus import Card
from fonoteka.reporting.markdown import plain
from stages.corpus.licences.terms import asks

NOT_STATED, IN_TABLE = "not stated", "one of their own, in metadata.csv"
HEAD = """\
# Data licences

Under which licence the recordings that this repository uses may be used, and where they come from.
The stage `licences` writes this page from `corpus.json` and `metadata.csv` of each corpus below
`data/raw`; correct them, not the page. What a licence asks for is said in short; its text decides.
"""


@dataclass(frozen=True)
class Holding:
    """What a repository uses of one corpus.

    Attributes:
        card: what the corpus says of itself.
        clips: of each clip that is used the terms that hold for it, and its seconds.
    """

    card: Card
    clips: Sequence[tuple[ClipTerms, float]]

    @property
    def own(self) -> ClipTerms:
        """What the corpus says."""
        return AS_THE_CORPUS.within(self.card)


def page(holdings: Iterable[Holding], name_sources: bool) -> str:
    """Return the page.

    Args:
        holdings: the corpora in their order.
        name_sources: whether to show what single clips of people say of where they come from.
    """
    held = list(holdings)
    lines = [HEAD, "| corpus | spoken by | clips | length | licence |", "|---|---|---:|---:|---|"]
    lines += [f"| {' | '.join(_overview(holding))} |" for holding in held]
    for holding in held:
        lines += ["", *section(holding, name_sources)]
    return "\n".join(lines)


def section(holding: Holding, name_sources: bool) -> list[str]:
    """Return what is said of one corpus."""
    card, own = holding.card, holding.own
    lines = [
        f"## {plain(card.name)}",
        "",
        f"- Licence: {plain(own.licence)}",
        f"- It asks for: {asks(own.licence)}",
        f"- Source: {plain(own.source) or NOT_STATED}",
        f"- Spoken by {_voice(card)}; {_amount(holding.clips)}",
    ]
    others = [(terms, seconds) for terms, seconds in holding.clips if terms != own]
    if not others:
        return lines
    named = name_sources or card.synthetic
    groups: dict[tuple[str, str], list[tuple[ClipTerms, float]]] = defaultdict(list)
    for terms, seconds in others:
        groups[terms.licence, terms.source if named else ""].append((terms, seconds))
    lines += ["", "Of them, these came under terms of their own:", ""]
    lines += ["| licence | source | clips | length | asks for |", "|---|---|---:|---:|---|"]
    for (licence, source), clips in sorted(groups.items()):
        where = source if named else _unnamed(clips, own)
        cells = (plain(licence), plain(where), *_size(clips), asks(licence))
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _unnamed(clips: Sequence[tuple[ClipTerms, float]], own: ClipTerms) -> str:
    """Return where clips come from without a word of theirs, which may be a person's name."""
    sources = {terms.source for terms, _ in clips}
    if sources == {own.source}:
        return own.source
    return f"{len(sources)} of their own, in metadata.csv" if len(sources) > 1 else IN_TABLE


def length(seconds: float) -> str:
    """Return a length of time as one would say it.

    >>> length(5000), length(90)
    ('1.39 h', '1.5 min')
    """
    return f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds / 60:.1f} min"


def _overview(holding: Holding) -> tuple[str, ...]:
    licences = {holding.own.licence: None} | {terms.licence: None for terms, _ in holding.clips}
    more = f" and {len(licences) - 1} more" if len(licences) > 1 else ""
    own = plain(holding.own.licence) + more
    return plain(holding.card.name), _voice(holding.card), *_size(holding.clips), own


def _voice(card: Card) -> str:
    return "a machine" if card.synthetic else "people"


def _size(clips: Sequence[tuple[ClipTerms, float]]) -> tuple[str, str]:
    return str(len(clips)), length(math.fsum(seconds for _, seconds in clips))


def _amount(clips: Sequence[tuple[ClipTerms, float]]) -> str:
    number, duration = _size(clips)
    return f"{number} clips, {duration}"


def holdings_of(
    cards: Mapping[str, Card], clips: Iterable[tuple[str, ClipTerms, float]]
) -> list[Holding]:
    """Return what is used of each corpus, sorted by name.

    Args:
        cards: by corpus.
        clips: corpus, terms and seconds of each clip that is used.
    """
    used: dict[str, list[tuple[ClipTerms, float]]] = defaultdict(list)
    for corpus, terms, seconds in clips:
        used[corpus].append((terms, seconds))
    return [Holding(cards[name], used[name]) for name in sorted(cards)]
