"""Shares as text."""

from __future__ import annotations


def percent(share: float | None) -> str:
    """Return a share with one decimal, or a dash.

    >>> percent(0.1234), percent(None)
    ('12.3 %', '-')
    """
    return "-" if share is None else f"{100 * share:.1f} %"
