"""Lengths for which a fast Fourier transform is efficient.

`scipy.fft.next_fast_len` does the same; importing scipy takes longer than comparing thousands of
clips.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def fast_length(minimum: int) -> int:
    """Return the smallest even number >= `minimum` with no prime factor above 5.

    >>> fast_length(235), fast_length(7)
    (240, 8)
    """
    best = 2
    while best < minimum:
        best *= 2
    five = 1
    while five < best:
        three = five
        while three < best:
            number = 2 * three
            while number < minimum:
                number *= 2
            best = min(best, number)
            three *= 3
        five *= 5
    return best
