"""Measure what each augmentation recipe is worth on voices that training did not see.

    python -m fonoteka bench augment FOLDER

Reads   the Free Spoken Digit Dataset in FOLDER, data/models/encoder/whisper, configs/augment.yaml
Writes  reports/bench/augment.json

Each speaker is unseen once, so the interval of the difference to no augmentation is over speakers.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fonoteka.audio.augment import augment
from fonoteka.audio.dsp import SAMPLE_RATE_HZ
from fonoteka.audio.recipe import NONE, RECIPES, AugmentRecipe, load_recipe
from fonoteka.bench.augmentation.recipe_comparison import (
    CONDITIONS,
    AugmentBenchParams,
    DigitClip,
    RecipeComparison,
)
from fonoteka.core.errors import UserError
from fonoteka.core.files import write_json
from fonoteka.models.clip_encoder import load_clip_encoder
from fonoteka.models.determinism import configure
from fonoteka.scoring.error_rate import Errors, paired_bootstrap

ENCODER, REPORT = Path("data/models/encoder/whisper"), Path("reports/bench/augment.json")
RESAMPLES = 2000


def row_of(
    ours: Mapping[str, Errors], none: Mapping[str, Errors], resamples: int = RESAMPLES
) -> dict[str, Any]:
    """Return the error rate of a recipe, by speaker too, and its difference to no augmentation."""
    interval, _ = paired_bootstrap(ours, none, resamples, seed=1)
    rate, base = (sum(side.values(), Errors()).rate for side in (ours, none))
    return {
        "per": round(rate, 4), "difference": round(rate - base, 4),
        "difference_low": _rounded(interval.low), "difference_high": _rounded(interval.high),
        "by_speaker": {speaker: round(e.rate, 4) for speaker, e in sorted(ours.items())},
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def recipe_names(path: Path = RECIPES) -> list[str]:
    """Return the names of all recipes, in the order of the file.

    Raises:
        UserError: the file is missing.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run from the top of the repository")
    return [*yaml.safe_load(path.read_text(encoding="utf-8"))]


def run(folder: Path, encoder: Path, params: AugmentBenchParams) -> dict[str, Any]:
    """Return the report, with the CPU seconds that the changes of each recipe take per second.

    Raises:
        UserError: an input is missing or too small.
    """
    comparison = RecipeComparison(folder, load_clip_encoder(encoder), params)
    clips = [clip for rows in comparison.train.values() for clip in rows]
    none = comparison.errors_with(NONE)
    rows: dict[str, Any] = {}
    for name in recipe_names():
        recipe = load_recipe(name, "bench augment")
        result = comparison.errors_with(recipe) if recipe.changes else none
        conditions = {c: row_of(result[c], none[c]) for c in CONDITIONS}
        rows[name] = conditions | {"cpu_ms_per_s": round(cost_ms(clips, recipe), 2)}
        print(f"{name}: {[(c, row['per']) for c, row in conditions.items()]}", flush=True)
    return {
        "recipes": rows, "speakers": comparison.speakers,
        "train_clips_per_speaker": params.train_clips, "copies": params.copies,
        "test_clips_per_speaker": params.test_clips, "held_out_together": params.held_out,
        "epochs": params.epochs, "seeds": params.seeds, "resamples": RESAMPLES,
    }  # fmt: skip


def cost_ms(clips: Sequence[DigitClip], recipe: AugmentRecipe) -> float:
    """Return the CPU milliseconds that a recipe takes per second of sound."""
    rng = np.random.default_rng(1)
    start = time.process_time()
    for clip in clips:
        augment(clip.signal, recipe, rng)
    seconds = sum(len(clip.signal) for clip in clips) / SAMPLE_RATE_HZ
    return 1000 * (time.process_time() - start) / seconds


def page(report: Mapping[str, Any]) -> str:
    """Return the table of a report in Markdown, as docs/augmentation.md contains it."""
    lines = [
        "| recipe | as recorded | difference, 95 % | telephone | difference, 95 % | CPU ms per s |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in report["recipes"].items():
        cells = [cell for condition in CONDITIONS for cell in _cells(row[condition])]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {row['cpu_ms_per_s']:.1f} |")
    return "\n".join(lines)


def _cells(row: Mapping[str, Any]) -> tuple[str, str]:
    """Return an error rate and its difference in percent."""
    shown = f"{100 * row['per']:.1f} %"
    if not row["difference"] and not row["difference_low"]:
        return shown, ""
    low, high = 100 * row["difference_low"], 100 * row["difference_high"]
    return shown, f"{100 * row['difference']:+.1f} ({low:+.1f} to {high:+.1f})"


def bench_augment(folder: Path) -> None:
    """Measure all recipes of configs/augment.yaml, store the report and print its table."""
    configure(1)
    report = run(folder, ENCODER, AugmentBenchParams())
    write_json(REPORT, report)
    print(page(report))
