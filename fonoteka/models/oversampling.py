"""Oversampling of small corpora in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance

Item = TypeVar("Item")


def oversample(
    utterances: Sequence[Utterance], items: Sequence[Item], times: Mapping[str, int]
) -> list[Item]:
    """Return the items, one per utterance, with those of some corpora repeated.

    Args:
        utterances: the utterances of the items, in the same order.
        items: anything.
        times: the number of copies per corpus; 1 for others.

    Raises:
        UserError: a number is below 1, or a corpus has no utterance.
    """
    sources = {u.source for u in utterances}
    for corpus, count in times.items():
        if count < 1 or corpus not in sources:
            raise UserError(
                f"repeat: {{{corpus}: {count}}} is not valid for the corpora {sorted(sources)}; "
                "name one of them and a number of at least 1 in params.yaml"
            )
    pairs = zip(utterances, items, strict=True)
    return [item for u, item in pairs for _ in range(times.get(u.source, 1))]
