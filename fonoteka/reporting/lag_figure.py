"""Draw the delay of committed phones against the instability of the shown ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from fonoteka.reporting.figures import save

MARKERS = "os^Dvp*"


def lag_points(policies: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Return policy, commit lag p90 in ms and erasure of each policy that has both, by lag.

    >>> lag_points({"exact": {"commit_lag_ms": {"p90": 120.0}, "erasure": 0.02}})
    [('exact', 120.0, 0.02)]
    """
    points = [
        (policy, entry["commit_lag_ms"]["p90"], entry["erasure"])
        for policy, entry in policies.items()
    ]
    return sorted(
        (point for point in points if point[1] is not None and point[2] is not None),
        key=lambda point: point[1:],
    )


def draw(models: Mapping[str, Any], path: Path, dpi: int) -> None:
    """Draw one line per model with one point per policy; low and left is better.

    A policy without a committed phone has no point, and a model without a point is not in the
    legend.

    Args:
        models: `models` of reports/streaming.json.
        path: of the PNG.
        dpi: of the picture.
    """
    figure, axes = plt.subplots(figsize=(7, 4.4), layout="constrained")
    drawn = {model: points for model, own in models.items() if (points := lag_points(own))}
    for number, (model, points) in enumerate(drawn.items()):
        lags, erasures = [lag for _, lag, _ in points], [erasure for *_, erasure in points]
        marker = MARKERS[number % len(MARKERS)]
        axes.plot(lags, erasures, marker=marker, linewidth=1, label=model)
        for policy, lag, erasure in points:
            axes.annotate(policy, (lag, erasure), (4, 4), textcoords="offset points", fontsize=8)
    axes.set_xlabel("Commit lag, 90th percentile (ms of audio after the end of the phone)")
    axes.set_ylabel("Erasure (retracted phones per final phone)")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.15)
    axes.set_title("Delay of committed phones and instability of shown ones")
    if drawn:
        axes.legend(title="Model")
    save(figure, path, dpi)
