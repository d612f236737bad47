"""Times as whole milliseconds and centiseconds, and as a clock shows them.

All durations are differences of rounded times, so rounding errors do not add up over a recording.
"""

from __future__ import annotations


def milliseconds(time_s: float) -> int:
    """Return a time in seconds as whole milliseconds."""
    return round(time_s * 1000)


def centiseconds(time_s: float) -> int:
    """Return a time in seconds as whole centiseconds."""
    return round(time_s * 100)


def clock_ms(time_ms: int, decimal_mark: str) -> str:
    """Return `HH:MM:SS` with three decimals after the mark.

    >>> clock_ms(3_723_004, ","), clock_ms(360_000_000, ".")
    ('01:02:03,004', '100:00:00.000')
    """
    seconds, fraction = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{decimal_mark}{fraction:03d}"


def clock_cs(time_cs: int) -> str:
    """Return `H:MM:SS.cc`, as SubStation scripts have it.

    >>> clock_cs(372_304)
    '1:02:03.04'
    """
    seconds, fraction = divmod(time_cs, 100)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}.{fraction:02d}"


def minutes_cs(time_cs: int) -> str:
    """Return `mm:ss.xx`, as lyrics have it; minutes continue after 99.

    >>> minutes_cs(372_304), minutes_cs(600_000)
    ('62:03.04', '100:00.00')
    """
    seconds, fraction = divmod(time_cs, 100)
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes:02d}:{seconds:02d}.{fraction:02d}"
