"""Lengths for which a Fourier transform is quick.

scipy has such a function; to load scipy takes longer than to compare thousands of clips.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def fast_length(least: int) -> int:
    """Return the smallest even number with no prime factor above 5 that is `least` or more.

    >>> fast_length(235), fast_length(7)
    (240, 8)
    """
    best = 2
    while best < least:
        best *= 2
    five = 1
    while five < best:
        three = five
        while three < best:
            number = 2 * three
            while number < least:
                number *= 2
            best = min(best, number)
            three *= 3
        five *= 5
    return best
