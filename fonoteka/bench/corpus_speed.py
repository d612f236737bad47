"""Time inventory and dedupe beside bare decoding, and how time and memory grow with the corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml

from fonoteka.bench import report
from fonoteka.bench.synthetic_clips import NAME, write_corpus
from fonoteka.bench.timer import CommandCost, time_command
from fonoteka.core.cpu_count import worker_count
from fonoteka.core.errors import UserError
from fonoteka.reporting.machine import Demand, demanded

COMMANDS = {
    "decode": ("fonoteka.bench.decode_baseline", "raw"),
    "inventory": (
        "stages.corpus.inventory", "raw", "inventory.csv", "prints.npy", "phones.jsonl",
        "corpora.json",
    ),
    "dedupe": (
        "stages.corpus.dedupe", "inventory.csv", "prints.npy", "raw", "accepted.csv",
        "quarantined.csv", "duplicates.csv", "duplicates.json",
    ),
}  # fmt: skip
CLIP_S, CLIP_RATE_HZ = 2.4, 22050  # as in the embedded corpus
SHORT_S, SHORT_RATE_HZ = 0.6, 8000  # as spoken digits
RATIO_LIMIT, EXPONENT_LIMIT = 0.7, 1.1
NO_REUSE = {"FONOTEKA_CACHE": "off"}  # else the second round would look up the first one's results
KIB_LIMIT = 2.0
"""Memory per clip: the rows of both tables and the fingerprint, no samples."""


def write_params(folder: Path, params: Path, corpora: Sequence[str], **dedupe: object) -> None:
    """Write a params.yaml for both stages: the repository's, with other corpora.

    Raises:
        UserError: the repository's has no such section.
    """
    sections: Any = yaml.safe_load(params.read_text(encoding="utf-8"))
    for section, values in {"inventory": {"corpora": list(corpora)}, "dedupe": dedupe}.items():
        if section not in sections:
            raise UserError(f"{params}: section {section!r} is missing")
        sections[section] |= values
    (folder / "params.yaml").write_text(yaml.safe_dump(sections), encoding="utf-8")


def run(params: Path, clips: int, rounds: int, short: Sequence[int]) -> dict[str, Any]:
    """Return the report; some GB of clips are in TMPDIR meanwhile.

    Args:
        params: params.yaml.
        clips: number of clips of usual length.
        rounds: in each of which decoding, inventory and dedupe have one turn.
        short: numbers of short clips.
    """
    turns = costs(params, clips, CLIP_S, CLIP_RATE_HZ, (*COMMANDS,), rounds)
    ratio = {"clips": clips, "clip_s": CLIP_S} | compare(turns)
    stages = ("inventory", "dedupe")
    growth = grow({n: costs(params, n, SHORT_S, SHORT_RATE_HZ, stages, 1)[0] for n in short})
    demands = (
        Demand("speed.of_decoding", ratio["of_decoding"], RATIO_LIMIT, at_most=False),
        Demand("speed.exponent", growth["exponent"], EXPONENT_LIMIT, at_most=True),
        Demand("speed.kib_per_clip", growth["kib_per_clip"], KIB_LIMIT, at_most=True),
    )
    return {"ratio": ratio, "growth": growth, "sla": demanded(demands)}


def costs(
    params: Path, clips: int, seconds: float, rate_hz: int, commands: Sequence[str], rounds: int
) -> list[dict[str, CommandCost]]:
    """Return what commands cost on a corpus of synthetic clips, in turns, by round and command."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "raw", clips, seconds, rate_hz, worker_count())
        write_params(folder, params, [NAME])
        return [
            {command: time_command(COMMANDS[command], folder, NO_REUSE) for command in commands}
            for _ in range(rounds)
        ]


def compare(turns: Sequence[Mapping[str, CommandCost]]) -> dict[str, Any]:
    """Return the medians over rounds, and bare decoding over the stages."""
    wall_s = {name: median(turn[name].seconds for turn in turns) for name in COMMANDS}
    stages_s = wall_s["inventory"] + wall_s["dedupe"]
    return {
        **{f"{name}_s": round(seconds, 3) for name, seconds in wall_s.items()},
        "of_decoding": round(wall_s["decode"] / stages_s, 3),
        "inventory_of_decoding": round(wall_s["decode"] / wall_s["inventory"], 3),
        "rounds": len(turns),
        "workers": worker_count(),
    }


def grow(runs: Mapping[int, Mapping[str, CommandCost]]) -> dict[str, Any]:
    """Return the exponent of time over clips, and the memory that one clip adds to the peak.

    >>> small, large = CommandCost(1, 80), CommandCost(4, 90)
    >>> result = grow({100: {"inventory": small}, 400: {"inventory": large}})
    >>> result["exponent"], result["kib_per_clip"]
    (1.0, 34.133)
    """
    counts = list(runs)
    seconds = [sum(cost.seconds for cost in run.values()) for run in runs.values()]
    peaks = [max(cost.peak_mib for cost in run.values()) for run in runs.values()]
    added = (peaks[-1] - peaks[0]) * 1024 / (counts[-1] - counts[0])
    rows = [
        {"clips": count}
        | {f"{name}_s": round(cost.seconds, 3) for name, cost in run.items()}
        | {f"{name}_peak_mib": round(cost.peak_mib, 1) for name, cost in run.items()}
        for count, run in runs.items()
    ]
    exponent = float(np.polyfit(np.log(counts), np.log(seconds), 1)[0])
    return {
        "clip_s": SHORT_S, "runs": rows, "exponent": round(exponent, 3),
        "kib_per_clip": round(added, 3),
    }  # fmt: skip


def page(result: Mapping[str, Any]) -> str:
    """Return the report as text."""
    ratio, growth = result["ratio"], result["growth"]
    return report.page(
        f"{ratio['clips']} clips of {ratio['clip_s']} s, {ratio['workers']} workers, median of "
        f"{ratio['rounds']}: decoding {ratio['decode_s']} s, inventory {ratio['inventory_s']} s, "
        f"dedupe {ratio['dedupe_s']} s; decoding over both {ratio['of_decoding']}",
        ["short clips", "inventory s", "dedupe s", "inventory MiB", "dedupe MiB"],
        [list(row.values()) for row in growth["runs"]],
        f"time grows with exponent {growth['exponent']}, memory by {growth['kib_per_clip']} KiB "
        "per clip",
    )
