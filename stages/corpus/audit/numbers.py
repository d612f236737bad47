"""Count what the parts of a corpus are made of: exact numbers, the same on every machine."""

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

UNKNOWN = "not known"
MEASURES = ("duration_s", "level_dbfs", "peak_dbfs", "snr_db")
Inventory = Mapping[str, Row]


def counts(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value is there, sorted by value."""
    return dict(sorted(Counter(values).items()))


def part_summary(rows: Sequence[Utterance], inventory: Inventory) -> dict[str, Any]:
    """Return what one part holds, in all and for each language; times in hours."""
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
        "sample_rates_hz": counts(_known(u, inventory, "sample_rate_hz") for u in rows),
        "measures": {
            "duration_s": spread([u.duration_s for u in rows], len(rows)),
            **{name: measured(rows, inventory, name) for name in MEASURES[1:]},
        },
    }


def _known(row: Utterance, inventory: Inventory, column: str) -> str:
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
    """Return the script a text is written in, by the names that Unicode gives its letters.

    >>> script_of("Ђорђе 2"), script_of("Đorđe"), script_of("Đorđe и"), script_of("2")
    ('Cyrl', 'Latn', 'Cyrl and Latn', 'no letter')
    """
    names = {unicodedata.name(c, "").split(" ")[0] for c in text if c.isalpha()}
    found = [code for name, code in (("CYRILLIC", "Cyrl"), ("LATIN", "Latn")) if name in names]
    if names - {"CYRILLIC", "LATIN", "MODIFIER"}:
        found.append("other")
    return " and ".join(found) or "no letter"


def values_of(rows: Iterable[Utterance], inventory: Inventory, column: str) -> list[float]:
    """Return what the inventory measured, of the clips where it did and the value is finite."""
    found = []
    for row in rows:
        text = inventory.get(row.id, {}).get(column, "")
        if text and math.isfinite(value := float(text)):
            found.append(value)
    return found


def measured(rows: Sequence[Utterance], inventory: Inventory, column: str) -> dict[str, Any]:
    """Return how a column of the inventory is spread over the clips."""
    return spread(values_of(rows, inventory, column), len(rows))


def spread(values: Iterable[float], of: int) -> dict[str, Any]:
    """Return how values are spread, as some of them: nothing is averaged, so no bit is machine's.

    Args:
        values: those that are known.
        of: how many there would be if all were.

    >>> spread([3.0, 1.0, 2.0], of=4)
    {'known': 3, 'not known': 1, 'min': 1.0, 'p5': 1.0, 'median': 2.0, 'p95': 3.0, 'max': 3.0}
    """
    known = sorted(round(value, 2) for value in values)
    found: dict[str, Any] = {"known": len(known), UNKNOWN: of - len(known)}
    if known:
        shares = (("min", 0), ("p5", 5), ("median", 50), ("p95", 95), ("max", 100))
        # Nearest rank: the first value that is not below so many per cent of all.
        found |= {name: known[max(0, -(-len(known) * p // 100) - 1)] for name, p in shares}
    return found


def phone_counts(parts: Parts) -> dict[str, dict[str, int]]:
    """Return how often each phone is in each part: those heard, and those its languages have."""
    heard = {part: Counter(p for u in rows for p in u.phones) for part, rows in parts.items()}
    languages = {u.language for rows in parts.values() for u in rows}
    expected = {phone for counter in heard.values() for phone in counter}
    if languages & set(SOUTH_SLAVIC):
        expected |= set(LETTERS.values())
    if "en" in languages:
        expected |= set(ENGLISH_ONLY)
    return {p: {part: heard[part][p] for part in parts} for p in sorted(expected)}


def speaker_hours(rows: Sequence[Utterance]) -> list[float]:
    """Return the hours of each speaker, longest first; whose they are is not said."""
    spoken: dict[str, list[Utterance]] = {}
    for row in rows:
        spoken.setdefault(row.speaker, []).append(row)
    return sorted(map(_hours, spoken.values()), reverse=True)
