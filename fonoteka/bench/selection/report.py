"""The report of a simulation: error over seconds, and the seconds that each strategy needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from fonoteka.bench.selection.simulate import ORDER, SimulationParams
from fonoteka.reporting.figures import save
from fonoteka.reporting.text_table import table

DEMAND = 0.6
"""The best strategy is to reach random's last PER with at most this share of the seconds."""


def summary(rows: Sequence[Mapping[str, Any]], params: SimulationParams) -> dict[str, Any]:
    """Return the report of one corpus.

    Args:
        rows: of `simulate`.
        params: of the simulation.
    """
    curves = {strategy: _curve(rows, strategy) for strategy in ORDER}
    target = curves["random"]["per"][-1]
    budget = curves["random"]["seconds"][-1]
    strategies: dict[str, dict[str, Any]] = {}
    shares: dict[str, float] = {}
    for strategy, curve in curves.items():
        needed = seconds_to(target, curve["seconds"], curve["per"])
        share = None if needed is None else needed / budget
        strategies[strategy] = curve | {"seconds_to_target": needed, "share_of_budget": share}
        if len(languages := _last_languages(rows, strategy)) > 1:
            strategies[strategy]["languages"] = languages
        if share is not None and strategy != "random":
            shares[strategy] = share
    best = min(shares, key=lambda strategy: shares[strategy]) if shares else None
    return {
        "params": asdict(params), "target_per": target, "budget_s": budget,
        "strategies": strategies, "best": best,
        "demand": DEMAND, "met": best is not None and shares[best] <= DEMAND + 1e-9,
    }  # fmt: skip


def _curve(rows: Sequence[Mapping[str, Any]], strategy: str) -> dict[str, list[float]]:
    """Return means over seeds of each round, and the lowest and highest seed."""
    by_seed: dict[int, list[tuple[float, float]]] = {}
    for row in rows:
        if row["strategy"] == strategy:
            by_seed.setdefault(row["seed"], []).append((row["seconds"], row["per"]))
    values = np.array([*by_seed.values()])
    rates = values[:, :, 1]
    return {
        "seconds": values[:, :, 0].mean(axis=0).tolist(), "per": rates.mean(axis=0).tolist(),
        "lowest": rates.min(axis=0).tolist(), "highest": rates.max(axis=0).tolist(),
    }  # fmt: skip


def _last_languages(
    rows: Sequence[Mapping[str, Any]], strategy: str
) -> dict[str, dict[str, float]]:
    """Return means over seeds of the seconds and the PER of each language after the last round."""
    last = [*{row["seed"]: row for row in rows if row["strategy"] == strategy}.values()]
    return {
        language: {
            "seconds": float(np.mean([row["language_s"].get(language, 0.0) for row in last])),
            "per": float(np.mean([row["language_per"][language] for row in last])),
        }
        for language in last[0]["language_per"]
    }


def seconds_to(target: float, seconds: Sequence[float], rates: Sequence[float]) -> float | None:
    """Return the seconds after which a curve reaches an error rate; None if it does not.

    Between two rounds the curve is a straight line.

    >>> seconds_to(0.3, [10, 20, 30], [0.6, 0.4, 0.2])
    25.0
    >>> seconds_to(0.1, [10, 20, 30], [0.6, 0.4, 0.2]) is None
    True
    """
    for number, rate in enumerate(rates):
        if rate <= target:
            if not number:
                return float(seconds[0])
            before, step = rates[number - 1], seconds[number] - seconds[number - 1]
            return float(seconds[number - 1] + step * (before - target) / (before - rate))
    return None


def page(report: Mapping[str, Any]) -> str:
    """Return a report as text."""
    lines = []
    for name, entry in sorted(report["corpora"].items()):
        rows = [
            (
                strategy,
                f"{100 * values['per'][-1]:.1f}",
                _shown(values["seconds_to_target"]),
                _shown(values["share_of_budget"], 100),
                _by_language(values.get("languages", {})),
            )
            for strategy, values in ((each, entry["strategies"][each]) for each in ORDER)
        ]
        header = (
            "strategy", "last PER %", "seconds to random's last PER", "% of the seconds",
            "seconds and last PER % by language",
        )  # fmt: skip
        verdict = "met" if entry["met"] else "not met"
        lines += [
            f"{name}: {entry['params']['seeds']} seeds, budget {entry['budget_s']:.0f} s", "",
            table(header, rows), "",
            f"at most {100 * entry['demand']:.0f} % of the seconds: {verdict}, best is "
            f"{entry['best'] or 'none'}", "",
        ]  # fmt: skip
    return "\n".join(lines).rstrip()


def _by_language(languages: Mapping[str, Mapping[str, float]]) -> str | None:
    if not languages:  # the corpus has one, and its seconds and PER are those of the row
        return None
    return ", ".join(
        f"{language} {row['seconds']:.0f} s {100 * row['per']:.1f}"
        for language, row in languages.items()
    )


def _shown(value: float | None, factor: float = 1.0) -> str:
    return "-" if value is None else f"{factor * value:.0f}"


def draw(report: Mapping[str, Any], path: Path, dpi: int = 80) -> None:
    """Draw one panel per corpus: PER over transcribed seconds, and the range over seeds."""
    corpora = report["corpora"]
    size = (5.5 * len(corpora), 4)
    figure, panels = plt.subplots(
        1, len(corpora), figsize=size, layout="constrained", squeeze=False
    )
    # A report that was read has its keys in the order of letters, one that was just made has not.
    for axes, (name, entry) in zip(panels[0], sorted(corpora.items()), strict=True):
        for strategy in ORDER:
            values = entry["strategies"][strategy]
            (line,) = axes.plot(values["seconds"], values["per"], marker="o", ms=3, label=strategy)
            axes.fill_between(
                values["seconds"], values["lowest"], values["highest"], alpha=0.12,
                color=line.get_color(),
            )  # fmt: skip
        axes.axhline(entry["target_per"], color="grey", linewidth=0.8, linestyle="--")
        axes.set_title(name)
        axes.set_xlabel("Transcribed speech (s)")
        axes.set_ylabel("PER on test")
        axes.legend(title="Strategy")
    save(figure, path, dpi)
