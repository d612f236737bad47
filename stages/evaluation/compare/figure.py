"""Draw the phone error rates of all models side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from fonoteka.reporting.figures import save


def picture(
    metrics: dict[str, dict[str, Any]], reference: dict[str, Any] | None, title: str, path: Path,
    dpi: int,
) -> None:  # fmt: skip
    """Draw PER with its interval over speakers, in all and by language, one colour per model.

    Args:
        metrics: of each model, drawn from left to right.
        reference: the baseline head's rate, drawn as a line across all speech.
        title: above the picture.
        path: of the PNG.
        dpi: of the picture.
    """
    languages = list(next(iter(metrics.values()))["languages"])
    figure, axes = plt.subplots(figsize=(4 + 1.1 * (1 + len(languages)), 4), layout="constrained")
    width = 0.84 / len(metrics)
    for number, (name, m) in enumerate(metrics.items()):
        left = (number - (len(metrics) - 1) / 2) * width
        label = name
        for group, rates in enumerate([m, *(m["languages"][language] for language in languages)]):
            x, height = group + left, 100 * rates["per"]
            axes.bar(x, height, width * 0.92, label=label, color=f"C{number}")
            label = "_"  # one legend entry per model
            top = height
            if rates["per_low"] is not None:
                top = 100 * rates["per_high"]
                axes.vlines(x, 100 * rates["per_low"], top, color="black", linewidth=0.8)
            axes.annotate(
                f"{height:.1f}", (x, max(height, top)), (0, 2),
                textcoords="offset points", ha="center", fontsize=6.5,
            )  # fmt: skip
    if reference:
        axes.hlines(
            100 * reference["per"], -0.48, 0.48, color="black", linestyles="dotted",
            label="baseline head (not shipped)",
        )  # fmt: skip
    axes.set_xticks(range(1 + len(languages)), ["all", *languages])
    axes.set_xlabel("Language of the test clips")
    axes.set_ylabel("Phone error rate (%)")
    axes.set_title(title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, ncols=1 + len(metrics), loc="upper center",
                bbox_to_anchor=(0.5, -0.14), title="Model (lines: 95 % interval over speakers)",
                title_fontsize=8)  # fmt: skip
    save(figure, path, dpi)
