"""Numbers as PLANNING.md prints them: three significant digits."""

from __future__ import annotations

import math


def number(value: float) -> str:
    """Return a number with three significant digits and commas between thousands.

    >>> [number(value) for value in (1234.5, 12.345, 0.012345, 0, 1000)]
    ['1,230', '12.3', '0.0123', '0', '1,000']
    """
    if not value:
        return "0"
    digits = 2 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    text = f"{rounded:,.{max(digits, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def hours_text(hours: float) -> str:
    """Return a duration with its unit.

    >>> hours_text(2.5), hours_text(0.25)
    ('2.5 hours', '15 minutes')
    """
    return f"{number(hours)} hours" if hours >= 1 else f"{number(hours * 60)} minutes"


def percent(share: float) -> str:
    """Return a share in percent, with its sign.

    >>> percent(0.0512), percent(-0.2)
    ('+5.1 %', '-20.0 %')
    """
    return f"{100 * share:+.1f} %"
