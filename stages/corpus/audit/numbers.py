"""Count the contents of the splits: exact numbers, the same on every machine."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fonoteka.manifest import Utterance
from fonoteka.phones import ENGLISH_ONLY, LETTERS, SOUTH_SLAVIC
from fonoteka.tables import Row
from stages.corpus.audit.leakage import Parts

UNKNOWN = "unknown"
MEASURES = ("duration_s", "level_dbfs", "peak_dbfs", "snr_db")
Inventory = Mapping[str, Row]


def counts(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs, sorted by value."""
    return dict(sorted(Counter(values).items()))


def part_summary(rows: Sequence[Utterance], inventory: Inventory) -> dict[str, Any]:
    """Return the counts of one split, in total and per language; times are in hours."""
    languages = {
        language: _summary([u for u in rows if u.language == language])
        for language in sorted({u.language for u in rows})
    }
    grouped = [u.group for u in rows if u.group]
    return _summary(rows) | {
        "languages": languages,
        "synthetic_hours": _hours([u for u in rows if u.synthetic]),
        "with_phone_times": sum(u.phone_times_s is not None for u in rows),
        "phones": sum(len(u.phones) for u in rows),
        "sessions": len({u.session for u in rows} - {None}),
        "utterances_without_session": sum(u.session is None for u in rows),
        "changed_copies": sum(u.parent is not None for u in rows),
        "near_duplicates": {"groups": len(set(grouped)), "utterances": len(grouped)},
        "sample_rates_hz": counts(_cell_or_unknown(u, inventory, "sample_rate_hz") for u in rows),
        "measures": {
            "duration_s": spread([u.duration_s for u in rows], len(rows)),
            **{name: measured(rows, inventory, name) for name in MEASURES[1:]},
        },
    }


def _cell_or_unknown(row: Utterance, inventory: Inventory, column: str) -> str:
    return inventory.get(row.id, {}).get(column, "") or UNKNOWN


def _summary(rows: Sequence[Utterance]) -> dict[str, Any]:
    speakers = {u.speaker: u.sex or "" for u in sorted(rows, key=lambda u: u.sex or "")}
    return {
        "utterances": len(rows),
        "hours": _hours(rows),
        "speakers": len(speakers),
        "speakers_by_sex": counts(sex or UNKNOWN for sex in speakers.values()),
        "scripts": counts(script_of(u.text) for u in rows),
    }


def _hours(rows: Sequence[Utterance]) -> float:
    return round(math.fsum(u.duration_s for u in rows) / 3600, 4)


def script_of(text: str) -> str:
    """Return the script of a text, from the Unicode names of its letters.

    >>> script_of("Ђорђе 2"), script_of("Đorđe"), script_of("Đorđe и"), script_of("2")
    ('Cyrl', 'Latn', 'Cyrl and Latn', 'no letter')
    """
    names = {unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()}
    scripts = [code for name, code in (("CYRILLIC", "Cyrl"), ("LATIN", "Latn")) if name in names]
    if names - {"CYRILLIC", "LATIN", "MODIFIER"}:
        scripts.append("other")
    return " and ".join(scripts) or "no letter"


def values_of(rows: Iterable[Utterance], inventory: Inventory, column: str) -> list[float]:
    """Return the finite values of a column of the inventory, of the clips that have one."""
    values = []
    for row in rows:
        text = inventory.get(row.id, {}).get(column, "")
        if text and math.isfinite(value := float(text)):
            values.append(value)
    return values


def measured(rows: Sequence[Utterance], inventory: Inventory, column: str) -> dict[str, Any]:
    """Return the quantiles of a column of the inventory over the clips."""
    return spread(values_of(rows, inventory, column), len(rows))


def spread(values: Iterable[float], total: int) -> dict[str, Any]:
    """Return quantiles by nearest rank: no mean is computed, so machines agree in every bit.

    Args:
        values: the known values.
        total: the number of clips; the other values are unknown.

    >>> spread([3.0, 1.0, 2.0], total=4)
    {'known': 3, 'unknown': 1, 'min': 1.0, 'p5': 1.0, 'median': 2.0, 'p95': 3.0, 'max': 3.0}
    """
    ordered = sorted(round(value, 2) for value in values)
    result: dict[str, Any] = {"known": len(ordered), UNKNOWN: total - len(ordered)}
    if ordered:
        shares = (("min", 0), ("p5", 5), ("median", 50), ("p95", 95), ("max", 100))
        # Nearest rank: the first value that is not below so many per cent of all.
        result |= {
            name: ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for name, percent in shares
        }
    return result


def phone_counts(parts: Parts) -> dict[str, dict[str, int]]:
    """Return how often each phone of the splits or of their languages occurs in each split."""
    counts_by_part = {
        part: Counter(phone for u in rows for phone in u.phones) for part, rows in parts.items()
    }
    languages = {u.language for rows in parts.values() for u in rows}
    expected = {phone for counter in counts_by_part.values() for phone in counter}
    if languages & set(SOUTH_SLAVIC):
        expected |= set(LETTERS.values())
    if "en" in languages:
        expected |= set(ENGLISH_ONLY)
    return {
        phone: {part: counts_by_part[part][phone] for part in parts} for phone in sorted(expected)
    }


def speaker_hours(rows: Sequence[Utterance]) -> list[float]:
    """Return the hours of each speaker, longest first, without the names."""
    by_speaker: dict[str, list[Utterance]] = {}
    for row in rows:
        by_speaker.setdefault(row.speaker, []).append(row)
    return sorted(map(_hours, by_speaker.values()), reverse=True)
