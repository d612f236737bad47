"""Let a small corpus be heard more often beside a large one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from fonoteka.core.errors import UserError
from fonoteka.manifest import Utterance

Item = TypeVar("Item")


def repeated(
    utterances: Sequence[Utterance], items: Sequence[Item], times: Mapping[str, int]
) -> list[Item]:
    """Return the items, one an utterance, those of some corpora several times in a row.

    Args:
        utterances: what the items belong to, in the same order.
        items: anything.
        times: corpus to how often its items stand in the result; others stand once.

    Raises:
        ValueError: a number is below 1, or no utterance is of that corpus.
    """
    sources = {u.source for u in utterances}
    for corpus, count in times.items():
        if count < 1 or corpus not in sources:
            raise UserError(
                f"repeat: {{{corpus}: {count}}} makes no sense for the corpora {sorted(sources)}; "
                "name one of them and a number of 1 or more in params.yaml"
            )
    pairs = zip(utterances, items, strict=True)
    return [item for u, item in pairs for _ in range(times.get(u.source, 1))]
