"""A mixture: which training clips of a build a head is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance


@dataclass(frozen=True)
class Mixture:
    """Corpora, or one language of a corpus each.

    Attributes:
        name: as on the command line: `fsdd+embedded/en`.
        parts: pairs of a corpus and a language; an empty language is all of them.
    """

    name: str
    parts: tuple[tuple[str, str], ...]

    def take(self, utterances: Sequence[Utterance]) -> list[Utterance]:
        """Return the utterances of the mixture, in their order."""
        return [
            u
            for u in utterances
            if (u.source, "") in self.parts or (u.source, u.language) in self.parts
        ]


def parse_mixture(text: str) -> Mixture:
    """Return the mixture that a text names.

    Raises:
        UserError: a part is empty or is there twice.

    >>> parse_mixture("fsdd+embedded/en").parts
    (('fsdd', ''), ('embedded', 'en'))
    """
    names = [name.strip() for name in text.split("+")]
    if not all(names) or len({*names}) < len(names):
        raise UserError(
            "bench mixtures: expected corpora joined by +, each once, such as fsdd+embedded/en, "
            f"found {text!r}"
        )
    parts = [name.partition("/") for name in names]
    return Mixture("+".join(names), tuple((corpus, language) for corpus, _, language in parts))


def check_parts(mixtures: Sequence[Mixture], utterances: Sequence[Utterance], place: str) -> None:
    """Refuse mixtures with a part that no utterance belongs to.

    Raises:
        UserError: there is such a part, or no mixture, or one twice.
    """
    if not mixtures:
        raise UserError("bench mixtures: give at least one, such as fsdd+embedded/en")
    options = [mixture.name for mixture in mixtures]
    if twice := sorted({name for name in options if options.count(name) > 1}):
        raise UserError(f"bench mixtures: {twice[0]!r} is given twice")
    pairs = {(u.source, u.language) for u in utterances}
    names = sorted({corpus for corpus, _ in pairs} | {"/".join(pair) for pair in pairs})
    for mixture in mixtures:
        for corpus, language in mixture.parts:
            name = f"{corpus}/{language}" if language else corpus
            if name not in names:
                raise UserError(f"{place}: no clip of {name!r}; there are {', '.join(names)}")
