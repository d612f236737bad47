"""How long inventory and dedupe take beside bare decoding, and how time and memory grow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from fonoteka.bench.corpus_commands import DECODE, DEDUPE, INVENTORY, Taken, timed, write_params
from fonoteka.bench.synthetic_clips import NAME, write_corpus
from fonoteka.core.cpu_count import worker_count
from fonoteka.reporting.machine import Demand, demanded
from fonoteka.reporting.text_table import table

CLIP_S, CLIP_RATE_HZ = 2.4, 22050  # as the embedded corpus has them
SHORT_S, SHORT_RATE_HZ = 0.6, 8000  # as digits are
RATIO_LIMIT, EXPONENT_LIMIT = 0.7, 1.1
KIB_LIMIT = 2.0
"""Of memory, a clip: its row and its print, for which both tables have to be known; no sound."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured: clips of usual length, how often, and numbers of short ones."""

    clips: int
    rounds: int
    short: tuple[int, ...]


def run(params: Path, sizes: Sizes) -> dict[str, Any]:
    """Return the figures; makes and removes some GB of clips where TMPDIR lies."""
    ratio = _ratio(params, sizes.clips, sizes.rounds)
    growth = _growth(params, sizes.short)
    demands = (
        Demand("speed.of_decoding", ratio["of_decoding"], RATIO_LIMIT, at_most=False),
        Demand("speed.exponent", growth["exponent"], EXPONENT_LIMIT, at_most=True),
        Demand("speed.kib_per_clip", growth["kib_per_clip"], KIB_LIMIT, at_most=True),
    )
    return {"ratio": ratio, "growth": growth, "sla": demanded(demands)}


def _ratio(params: Path, clips: int, rounds: int) -> dict[str, Any]:
    """Measure the three commands in turns, so that a busy moment falls on all of them."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "raw", clips, CLIP_S, CLIP_RATE_HZ, worker_count())
        write_params(folder, params, [NAME])
        turns = [
            [timed(command, folder) for command in (DECODE, INVENTORY, DEDUPE)]
            for _ in range(rounds)
        ]
    columns = list(zip(*turns, strict=True))
    decode_s, inventory_s, dedupe_s = (median(one.seconds for one in column) for column in columns)
    cpu_s = [median(one.cpu_s for one in column) for column in columns]
    return {
        "clips": clips,
        "clip_s": CLIP_S,
        "rounds": rounds,
        "workers": worker_count(),
        "decode_s": round(decode_s, 3),
        "inventory_s": round(inventory_s, 3),
        "dedupe_s": round(dedupe_s, 3),
        "of_decoding": round(decode_s / (inventory_s + dedupe_s), 3),
        "inventory_of_decoding": round(decode_s / inventory_s, 3),
        "cpu_of_decoding": round(cpu_s[0] / (cpu_s[1] + cpu_s[2]), 3),
        "cpu_s": dict(
            zip(("decode", "inventory", "dedupe"), np.round(cpu_s, 3).tolist(), strict=True)
        ),
        "clips_a_second": round(clips / (inventory_s + dedupe_s), 1),
    }


def _growth(params: Path, counts: Sequence[int]) -> dict[str, Any]:
    rows = []
    for count in counts:
        with TemporaryDirectory() as name:
            folder = Path(name)
            write_corpus(folder / "raw", count, SHORT_S, SHORT_RATE_HZ, worker_count())
            write_params(folder, params, [NAME])
            rows.append((count, timed(INVENTORY, folder), timed(DEDUPE, folder)))
    return grown(rows)


def grown(rows: Sequence[tuple[int, Taken, Taken]]) -> dict[str, Any]:
    """Return the exponent of time over clips, and what a clip adds to the larger peak.

    >>> one, other = Taken(1, 1, 80), Taken(4, 4, 90)
    >>> figures = grown([(100, one, one), (400, other, other)])
    >>> figures["exponent"], figures["kib_per_clip"]
    (1.0, 34.133)
    """
    counts = [row[0] for row in rows]
    seconds = [row[1].seconds + row[2].seconds for row in rows]
    peaks = [max(row[1].peak_mib, row[2].peak_mib) for row in rows]
    exponent = float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])
    added = (peaks[-1] - peaks[0]) * 1024 / (counts[-1] - counts[0])
    return {
        "clip_s": SHORT_S,
        "runs": [
            {
                "clips": count,
                "inventory_s": round(inventory.seconds, 3),
                "dedupe_s": round(dedupe.seconds, 3),
                "inventory_peak_mib": round(inventory.peak_mib, 1),
                "dedupe_peak_mib": round(dedupe.peak_mib, 1),
            }
            for count, inventory, dedupe in rows
        ],
        "exponent": round(exponent, 3),
        "kib_per_clip": round(added, 3),
    }


def page(found: dict[str, Any]) -> str:
    """Return what a person reads."""
    ratio, growth = found["ratio"], found["growth"]
    lines = [
        f"{ratio['clips']} clips of {ratio['clip_s']} s, {ratio['workers']} workers, median of "
        f"{ratio['rounds']}: decoding {ratio['decode_s']} s, inventory {ratio['inventory_s']} s, "
        f"dedupe {ratio['dedupe_s']} s: {ratio['of_decoding']} of decoding's speed, "
        f"{ratio['cpu_of_decoding']} by processor time",
        "",
        table(
            ["short clips", "inventory s", "dedupe s", "inventory MiB", "dedupe MiB"],
            [list(row.values()) for row in growth["runs"]],
        ),
        f"time grows with exponent {growth['exponent']}, memory by {growth['kib_per_clip']} KiB a "
        "clip",
    ]
    return "\n".join(lines)
