"""The part on which several hypotheses for the same sound agree.

Source: Liu et al. 2020, "Low-latency sequence-to-sequence speech recognition and translation by
partial hypothesis selection", arXiv:2005.11185.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence


def agreed_count(hypotheses: Iterable[Sequence[Hashable]]) -> int:
    """Return the number of first items that are the same in all hypotheses.

    Args:
        hypotheses: at least one, of any lengths: labels of frames, or phones.

    >>> agreed_count(["ada", "adb", "adcd"]), agreed_count(["ad", "ada"]), agreed_count(["ad", ""])
    (2, 2, 0)
    """
    count = 0
    for items in zip(*hypotheses, strict=False):
        if len({*items}) > 1:
            break
        count += 1
    return count
